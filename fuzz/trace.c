/*
 * A kernel's trace ring as its process could have broken it: any number of records written, any
 * words in them, at any moment. What is read gets its meaning and goes into the file's writer,
 * whose spans must stay balanced.
 *
 * Input: a byte for the ring's size, then pieces: a byte, how far `written` moves (255: it becomes
 * the first 8 bytes of the record), and 32 bytes, a record that is put at a slot.
 */
#include "fuzz/fuzz.h"

#include "abi/word.h"
#include "core/schema.h"
#include "runtime/tracing.h"

#include <stdlib.h>
#include <string.h>

static const char schema_text[] = "ringkernel-schema 1\nmodule m \"\" \"1\"\nphase a\nphase b\n"
                                  "marker x 0xff0000\nmarker y 0x00ff00\nabi 1\n";

/* A writer without a file: only its text is looked at. */
static rk_chrome make_chrome(void)
{
    rk_chrome chrome = {.limit_bytes = 1u << 20};
    rk_str_init(&chrome.text, 8u << 20);
    return chrome;
}

static size_t count_of(const rk_str *text, const char *what)
{
    size_t length = strlen(what);
    size_t count = 0;
    for (const char *at = rk_str_cstr(text); *at != '\0'; at++) {
        count += *at == *what && strncmp(at, what, length) == 0 ? 1u : 0u;
    }
    return count;
}

static void read_once(rk_trace_reader *reader, const rk_schema *schema, rk_chrome *chrome,
                      rk_chrome_track *track, uint64_t *last_ns)
{
    rk_trace_record records[32];
    uint64_t lost;
    size_t count = rk_trace_reader_take(reader, records, 32, &lost);
    if (count > 32 || count + 2 > (size_t)reader->slots) {
        abort();
    }
    if (lost > 0) {
        rk_chrome_gap(chrome, track, lost);
    }
    for (size_t i = 0; i < count; i++) {
        rk_trace_event event;
        if (rk_tracing_give_meaning(schema, &records[i], &event)) {
            *last_ns += records[i].ticks & 0xffu;
            event.time_ns = *last_ns;
            rk_tracing_write(chrome, track, &event);
        }
    }
}

static void play(rk_trace_ring *ring, uint32_t slots, const rk_schema *schema, const uint8_t *data,
                 size_t size)
{
    rk_chrome chrome = make_chrome();
    rk_chrome_track *track = calloc(1, sizeof *track);
    rk_trace_reader reader;
    rk_trace_ring_init(ring, slots);
    rk_trace_reader_init(&reader, ring, slots);
    uint64_t last_ns = 0;
    uint64_t at = 0;
    while (track != NULL && size >= 1 + sizeof(rk_trace_record)) {
        uint64_t written = rk_word64_load(&ring->written) + data[0];
        bool replaces = data[0] == 255;
        memcpy((rk_trace_record *)(ring + 1) + (at++ & (slots - 1)), data + 1,
               sizeof(rk_trace_record));
        if (replaces) {
            memcpy(&written, data + 1, sizeof written);
        }
        rk_word64_store_release(&ring->written, written);
        data += 1 + sizeof(rk_trace_record);
        size -= 1 + sizeof(rk_trace_record);
        read_once(&reader, schema, &chrome, track, &last_ns);
    }
    if (track != NULL) {
        rk_chrome_close_track(&chrome, track, last_ns);
        if (count_of(&chrome.text, "\"ph\":\"B\"") != count_of(&chrome.text, "\"ph\":\"E\"") ||
            count_of(&chrome.text, "\"ph\":\"b\"") != count_of(&chrome.text, "\"ph\":\"e\"")) {
            abort();
        }
    }
    rk_str_finish(&chrome.text);
    free(track);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    rk_schema *schema = NULL;
    rk_err err = RK_ERR_INIT;
    if (size == 0 || rk_schema_parse(schema_text, sizeof schema_text - 1, &schema, &err) != RK_OK) {
        return 0;
    }
    uint32_t slots = RK_TRACE_SLOTS_MIN << (data[0] & 3u);
    rk_trace_ring *ring = calloc(1, RK_TRACE_RING_BYTES(slots));
    if (ring != NULL) {
        play(ring, slots, schema, data + 1, size - 1);
    }
    free(ring);
    rk_schema_free(schema);
    return 0;
}
