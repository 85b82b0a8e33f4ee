/*
 * What a link brings: the input as it is, and with right checksums, so that everything behind
 * them is reached: tenants, epochs, replies to requests, forwarding, mailboxes. Every message
 * gets one receipt, and the counters agree.
 */
#include "fuzz/fuzz.h"

#include "core/message.h"
#include <ringkernel/link.h>
#include <ringkernel/mailbox.h>
#include <ringkernel/request.h>

#include <stdlib.h>
#include <string.h>

/* Ends the process on a broken promise, so that the fuzzer keeps the input. */
static void require(bool promise)
{
    if (!promise) {
        abort();
    }
}

static rk_receipt transmit(void *context, const rk_envelope *envelope, const void *payload,
                           bool *out_taken)
{
    unsigned *sum = context;
    require(envelope->hops >= 1 && envelope->hops <= RK_FABRIC_MAX_HOPS);
    for (rk_u32 i = 0; i < envelope->length; i++) {
        *sum += ((const unsigned char *)payload)[i];
    }
    *out_taken = false;
    return RK_RECEIPT_PENDING;
}

static const rk_link_ops link_ops = {transmit};

static void on_reply(void *context, rk_receipt receipt, const rk_delivery *reply)
{
    unsigned *ends = context;
    require((receipt == RK_RECEIPT_DELIVERED) == (reply != NULL));
    ++*ends;
}

/* Makes checksums and the time right; keeps the rest, apart from what hides the rest. */
static void seal(rk_envelope *envelope, const void *payload, size_t payload_bytes, uint32_t dest)
{
    envelope->magic = RK_ENVELOPE_MAGIC;
    envelope->version = RK_ENVELOPE_VERSION;
    envelope->header_bytes = RK_ENVELOPE_BYTES;
    envelope->length = (rk_u32)payload_bytes;
    envelope->time = (rk_hlc){1, 0, envelope->source_node};
    if (envelope->dest_kernel % 2 == 0) { /* the mailbox, or the host that waits for a reply */
        envelope->dest_node = 1;
        envelope->dest_kernel = envelope->dest_kernel % 4 == 0 ? 0 : dest;
    }
    rk_envelope_seal(envelope, payload);
}

static void receive_all(rk_mailbox *mailbox)
{
    static unsigned char buffer[1 << 16];
    rk_mail mail;
    rk_status status;
    while ((status = rk_mailbox_receive(mailbox, &mail, buffer, sizeof(buffer), 0)) == RK_OK) {
        require(mail.header.type >= RK_MSG_TYPE_USER && mail.topic[0] == '\0');
    }
    require(status == RK_EMPTY);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    rk_fabric_options options = {.node = 1, .payload_limit_bytes = 4096, .owner_limit = 8};
    rk_fabric *fabric = NULL;
    rk_mailbox *mailbox = NULL;
    uint32_t link = 0;
    uint32_t request = 0;
    unsigned sum = 0;
    unsigned ends = 0;
    unsigned char empty = 0;
    if (rk_fabric_create(&options, &fabric, NULL) != RK_OK) {
        return 0;
    }
    if (rk_mailbox_create(fabric, NULL, &mailbox, NULL) != RK_OK ||
        rk_link_create(fabric, NULL, &link_ops, &sum, &link, NULL) != RK_OK ||
        rk_fabric_route(fabric, 0, link, NULL) != RK_OK) {
        goto out;
    }
    rk_address far = {7, 0x10001};
    rk_request_options ask = {.done = on_reply, .context = &ends};
    require(rk_fabric_request(fabric, 0, far, 300, "?", 1, &ask, &request) == RK_RECEIPT_PENDING);

    size_t head = size < sizeof(rk_envelope) ? size : sizeof(rk_envelope);
    const uint8_t *payload = size > head ? data + head : &empty;
    size_t payload_bytes = size - head;
    rk_receipt receipt =
        rk_fabric_receive(fabric, link, data, head, payload_bytes ? payload : NULL, payload_bytes);
    require((unsigned)receipt < RK_RECEIPT_COUNT);
    if (head == sizeof(rk_envelope)) {
        rk_envelope envelope;
        memcpy(&envelope, data, sizeof(envelope));
        seal(&envelope, payload, payload_bytes, rk_mailbox_endpoint(mailbox));
        receipt =
            rk_fabric_receive(fabric, link, &envelope, sizeof(envelope), payload, payload_bytes);
        require((unsigned)receipt < RK_RECEIPT_COUNT);
    }
    receive_all(mailbox);
    rk_fabric_stats stats;
    rk_fabric_stats_get(fabric, &stats);
    require(stats.owners <= options.owner_limit && stats.requests_outstanding + ends == 1);
out:
    rk_mailbox_destroy(mailbox);
    rk_fabric_destroy(fabric);
    require(request == 0 || ends == 1);
    return 0;
}
