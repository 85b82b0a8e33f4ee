/*
 * message.c: building, checking and converting messages.
 *
 * The order of the checks matters: magic, version, size and header CRC come before anything else in
 * an envelope is believed; the payload CRC comes last, when its length is known to be good.
 */
#include "core/message.h"

#include "base/compiler.h"
#include "base/crc.h"
#include "core/hlc.h"

#include <string.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
               "envelopes and slots are little endian and are copied as they are");

#define HEADER_CRC_BYTES (RK_ENVELOPE_BYTES - sizeof(rk_u32))

static const struct {
    rk_status status;
    const char *text;
} faults[] = {
#define FAULT_ROW(symbol, status, text) {status, text},
    RK_MSG_FAULT_LIST(FAULT_ROW)
#undef FAULT_ROW
};

rk_status rk_msg_fault_status(rk_msg_fault fault)
{
    return (size_t)fault < RK_COUNT_OF(faults) ? faults[fault].status : RK_INTERNAL;
}

const char *rk_msg_fault_text(rk_msg_fault fault)
{
    return (size_t)fault < RK_COUNT_OF(faults) ? faults[fault].text : "unknown fault";
}

static bool all_zero(const rk_u8 *bytes, size_t count)
{
    rk_u8 any = 0;
    for (size_t i = 0; i < count; i++) {
        any |= bytes[i];
    }
    return any == 0;
}

static bool flags_allowed(rk_u16 flags)
{
    return (flags & ~RK_MSG_FLAGS_KNOWN) == 0 && (flags & RK_MSG_QOS_MASK) != RK_MSG_QOS_MASK;
}

/* --- slots ------------------------------------------------------------------------------------ */

static rk_slab_ref slab_ref_of(const rk_slot *slot)
{
    rk_slab_ref ref;
    memcpy(&ref, slot->payload, sizeof ref);
    return ref;
}

rk_msg_fault rk_msg_check(const rk_slot *slot, uint32_t max_length)
{
    const rk_msg_header *header = &slot->header;
    if (!flags_allowed(header->flags)) {
        return RK_MSG_FAULT_FLAGS;
    }
    if (header->length > max_length) {
        return RK_MSG_FAULT_LENGTH;
    }
    bool in_slab = (header->flags & RK_MSG_SLAB) != 0;
    if (in_slab != (header->length > RK_SLOT_PAYLOAD_BYTES)) {
        return RK_MSG_FAULT_SLAB;
    }
    if (in_slab) {
        rk_slab_ref ref = slab_ref_of(slot);
        if (ref.length != header->length) {
            return RK_MSG_FAULT_SLAB;
        }
        if (ref.reserved != 0) {
            return RK_MSG_FAULT_RESERVED;
        }
    }
    return RK_MSG_FAULT_NONE;
}

rk_status rk_msg_put(rk_slot *slot, rk_slab *slab, const void *payload, uint32_t length)
{
    rk_u16 flags = (rk_u16)(slot->header.flags & ~RK_MSG_SLAB);
    rk_u8 inside[RK_SLOT_PAYLOAD_BYTES] = {0};
    if (length <= RK_SLOT_PAYLOAD_BYTES) {
        if (length != 0) {
            memcpy(inside, payload, length);
        }
    } else {
        rk_slab_ref ref;
        rk_status status = slab ? rk_slab_put(slab, payload, length, &ref) : RK_LIMIT;
        if (status != RK_OK) {
            return status;
        }
        memcpy(inside, &ref, sizeof ref);
        flags |= RK_MSG_SLAB;
    }
    memcpy(slot->payload, inside, sizeof inside);
    slot->header.length = length;
    slot->header.flags = flags;
    return RK_OK;
}

/* The slab reference of a slot whose payload is in the slab; RK_INVALID if header and it disagree.
  */
static rk_status find_ref(const rk_slot *slot, const rk_slab *slab, rk_slab_ref *out_ref)
{
    rk_slab_ref ref = slab_ref_of(slot);
    if (slab == NULL || ref.length != slot->header.length) {
        return RK_INVALID;
    }
    *out_ref = ref;
    return RK_OK;
}

rk_status rk_msg_get(const rk_slot *slot, const rk_slab *slab, void *out_payload, uint64_t capacity)
{
    uint32_t length = slot->header.length;
    if (length > capacity) {
        return RK_NO_SPACE;
    }
    if ((slot->header.flags & RK_MSG_SLAB) != 0) {
        rk_slab_ref ref;
        rk_status status = find_ref(slot, slab, &ref);
        return status == RK_OK ? rk_slab_get(slab, &ref, out_payload, capacity) : status;
    }
    if (length > RK_SLOT_PAYLOAD_BYTES) {
        return RK_INVALID;
    }
    if (length != 0) {
        memcpy(out_payload, slot->payload, length);
    }
    return RK_OK;
}

rk_status rk_msg_map(const rk_slot *slot, const rk_slab *slab, const void **out_payload)
{
    if ((slot->header.flags & RK_MSG_SLAB) != 0) {
        rk_slab_ref ref;
        rk_status status = find_ref(slot, slab, &ref);
        void *data = NULL;
        if (status == RK_OK) {
            status = rk_slab_map(slab, &ref, &data);
        }
        if (status == RK_OK) {
            *out_payload = data;
        }
        return status;
    }
    if (slot->header.length > RK_SLOT_PAYLOAD_BYTES) {
        return RK_INVALID;
    }
    *out_payload = slot->payload;
    return RK_OK;
}

rk_status rk_msg_discard(const rk_slot *slot, rk_slab *slab)
{
    if ((slot->header.flags & RK_MSG_SLAB) == 0) {
        return RK_OK;
    }
    rk_slab_ref ref;
    rk_status status = find_ref(slot, slab, &ref);
    return status == RK_OK ? rk_slab_free(slab, &ref) : status;
}

/* --- envelopes -------------------------------------------------------------------------------- */

void rk_envelope_join(rk_envelope *out_envelope, const rk_msg_header *header,
                      const rk_msg_context *context)
{
    rk_envelope e = {
        .magic = RK_ENVELOPE_MAGIC,
        .version = RK_ENVELOPE_VERSION,
        .header_bytes = RK_ENVELOPE_BYTES,
        .id = header->id,
        .source_node = context->source_node,
        .source_kernel = context->source_kernel,
        .dest_node = context->dest_node,
        .dest_kernel = context->dest_kernel,
        .type = header->type,
        .flags = (rk_u16)(header->flags & ~RK_MSG_SLAB),
        .source = header->source,
        .tenant = context->tenant,
        .hops = context->hops,
        .epoch = context->epoch,
        .time = context->time,
        .correlation = (rk_u64)context->correlation_high << 32 | header->correlation,
        .deadline_us = context->deadline_us,
        .trace_flags = context->trace_flags,
        .tracestate_handle = context->tracestate_handle,
        .audit_tag = context->audit_tag,
        .length = header->length,
    };
    memcpy(e.trace_id, context->trace_id, sizeof e.trace_id);
    memcpy(e.span_id, context->span_id, sizeof e.span_id);
    memcpy(e.nonce, context->nonce, sizeof e.nonce);
    memcpy(e.tag, context->tag, sizeof e.tag);
    *out_envelope = e;
}

void rk_envelope_split(const rk_envelope *envelope, rk_msg_header *out_header,
                       rk_msg_context *out_context)
{
    bool in_slab = envelope->length > RK_SLOT_PAYLOAD_BYTES;
    rk_msg_header header = {
        .id = envelope->id,
        .type = envelope->type,
        .source = envelope->source,
        .flags = (rk_u16)(envelope->flags | (in_slab ? RK_MSG_SLAB : 0)),
        .correlation = (rk_u32)envelope->correlation,
        .length = envelope->length,
    };
    rk_msg_context context = {
        .source_node = envelope->source_node,
        .source_kernel = envelope->source_kernel,
        .dest_node = envelope->dest_node,
        .dest_kernel = envelope->dest_kernel,
        .tenant = envelope->tenant,
        .hops = envelope->hops,
        .correlation_high = (rk_u32)(envelope->correlation >> 32),
        .epoch = envelope->epoch,
        .time = envelope->time,
        .deadline_us = envelope->deadline_us,
        .trace_flags = envelope->trace_flags,
        .tracestate_handle = envelope->tracestate_handle,
        .audit_tag = envelope->audit_tag,
    };
    memcpy(context.trace_id, envelope->trace_id, sizeof context.trace_id);
    memcpy(context.span_id, envelope->span_id, sizeof context.span_id);
    memcpy(context.nonce, envelope->nonce, sizeof context.nonce);
    memcpy(context.tag, envelope->tag, sizeof context.tag);
    *out_header = header;
    *out_context = context;
}

void rk_envelope_seal(rk_envelope *envelope, const void *payload)
{
    envelope->payload_crc = rk_crc32(0, payload, envelope->length);
    envelope->header_crc = rk_crc32(0, envelope, HEADER_CRC_BYTES);
}

rk_msg_fault rk_envelope_check(const rk_envelope *envelope, uint32_t max_length)
{
    if (envelope->magic != RK_ENVELOPE_MAGIC) {
        return RK_MSG_FAULT_MAGIC;
    }
    if (envelope->version != RK_ENVELOPE_VERSION) {
        return RK_MSG_FAULT_VERSION;
    }
    if (envelope->header_bytes != RK_ENVELOPE_BYTES) {
        return RK_MSG_FAULT_SIZE;
    }
    if (envelope->header_crc != rk_crc32(0, envelope, HEADER_CRC_BYTES)) {
        return RK_MSG_FAULT_HEADER_CRC;
    }
    if (!flags_allowed(envelope->flags) || (envelope->flags & RK_MSG_SLAB) != 0) {
        return RK_MSG_FAULT_FLAGS;
    }
    if (envelope->reserved0 != 0 || !all_zero(envelope->reserved1, sizeof envelope->reserved1) ||
        !all_zero(envelope->reserved2, sizeof envelope->reserved2)) {
        return RK_MSG_FAULT_RESERVED;
    }
    if (!rk_hlc_is_valid(&envelope->time)) {
        return RK_MSG_FAULT_TIME;
    }
    bool cipher = !all_zero(envelope->nonce, sizeof envelope->nonce) ||
                  !all_zero(envelope->tag, sizeof envelope->tag);
    if (cipher && (envelope->flags & RK_MSG_ENCRYPTED) == 0) {
        return RK_MSG_FAULT_CIPHER;
    }
    if (envelope->length > max_length) {
        return RK_MSG_FAULT_LENGTH;
    }
    return RK_MSG_FAULT_NONE;
}

uint64_t rk_envelope_encode(const rk_envelope *envelope, const void *payload, void *out_bytes,
                            uint64_t capacity)
{
    uint64_t length = (uint64_t)RK_ENVELOPE_BYTES + envelope->length;
    if (length > capacity) {
        return 0;
    }
    rk_envelope sealed = *envelope;
    rk_envelope_seal(&sealed, payload);
    memcpy(out_bytes, &sealed, sizeof sealed);
    if (envelope->length != 0) {
        memcpy((char *)out_bytes + RK_ENVELOPE_BYTES, payload, envelope->length);
    }
    return length;
}

rk_msg_fault rk_envelope_decode(const void *bytes, uint64_t length, uint32_t max_length,
                                rk_envelope *out_envelope, const void **out_payload, rk_err *err)
{
    rk_envelope envelope = {0};
    rk_msg_fault fault = RK_MSG_FAULT_TRUNCATED;
    if (length >= RK_ENVELOPE_BYTES) {
        memcpy(&envelope, bytes, sizeof envelope);
        fault = rk_envelope_check(&envelope, max_length);
    }
    if (fault == RK_MSG_FAULT_NONE && length - RK_ENVELOPE_BYTES < envelope.length) {
        fault = RK_MSG_FAULT_TRUNCATED;
    }
    const void *payload = (const char *)bytes + RK_ENVELOPE_BYTES;
    if (fault == RK_MSG_FAULT_NONE &&
        envelope.payload_crc != rk_crc32(0, payload, envelope.length)) {
        fault = RK_MSG_FAULT_PAYLOAD_CRC;
    }
    if (fault != RK_MSG_FAULT_NONE) {
        (void)rk_err_set(
            err, rk_msg_fault_status(fault),
            "message refused: %s (%llu bytes there, version %u, flags 0x%x, payload of "
            "%u bytes, %u allowed); the sender must send it again",
            rk_msg_fault_text(fault), (unsigned long long)length, envelope.version, envelope.flags,
            envelope.length, max_length);
        return fault;
    }
    *out_envelope = envelope;
    *out_payload = payload;
    return RK_MSG_FAULT_NONE;
}
