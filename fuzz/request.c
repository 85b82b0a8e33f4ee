/*
 * Parses a request to a running job from any bytes; what is accepted is written and parsed again.
 */
#include "cli/protocol.h"

#include "fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

static void check_round_trip(const rk_request *request)
{
    rk_err err = RK_ERR_INIT;
    rk_request again;
    rk_str line;
    rk_str_init(&line, 8u * RK_PROTOCOL_LINE_BYTES);
    if (rk_request_append(request, &line) != RK_OK || line.data[line.length - 1] != '\n') {
        abort();
    }
    /* Escaping may make a text longer than a request may be. */
    if (rk_request_parse(line.data, line.length - 1, &again, &err) == RK_OK) {
        bool same =
            again.verb == request->verb && again.arg_count == request->arg_count &&
            (again.verb != RK_REQUEST_SEND ||
             (strcmp(again.command, request->command) == 0 && again.wait_ms == request->wait_ms));
        rk_request_finish(&again);
        if (!same) {
            abort();
        }
    } else if (err.code != RK_LIMIT) {
        abort();
    }
    rk_str_finish(&line);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    rk_err err = RK_ERR_INIT;
    rk_request request;
    if (rk_request_parse((const char *)data, size, &request, &err) != RK_OK) {
        if (err.text[0] == '\0') {
            abort();
        }
        return 0;
    }
    check_round_trip(&request);
    rk_request_finish(&request);
    return 0;
}
