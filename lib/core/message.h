/*
 * message.h: building, checking and converting messages.
 *
 * Inside a recovery unit a message is a slot: a compact header and up to 40 bytes, or a reference
 * to a slab. Where it leaves the unit it is a full envelope with the payload behind it. An envelope
 * is exactly a compact header plus an rk_msg_context, and can be taken apart into the two again.
 *
 * RK_MSG_SLAB says where a payload lies, not what the message is: it is set exactly when a slot's
 * payload is longer than 40 bytes, and never in an envelope.
 *
 * All functions: any thread, no blocking. The layouts are in ringkernel/abi/message.h.
 */
#ifndef RK_CORE_MESSAGE_H
#define RK_CORE_MESSAGE_H

#include "core/slab.h"
#include <ringkernel/abi/message.h>
#include <ringkernel/status.h>

/* X(symbol, status, text): what can be wrong with a message. */
#define RK_MSG_FAULT_LIST(X)                                                                       \
    X(NONE, RK_OK, "nothing is wrong")                                                             \
    X(TRUNCATED, RK_CORRUPT, "it ends before its header or payload does")                          \
    X(MAGIC, RK_CORRUPT, "the magic number is wrong")                                              \
    X(VERSION, RK_VERSION, "the envelope version is not supported")                                \
    X(SIZE, RK_CORRUPT, "the header size is wrong")                                                \
    X(HEADER_CRC, RK_CORRUPT, "the CRC of the header is wrong")                                    \
    X(FLAGS, RK_UNSUPPORTED, "unknown or impossible flags are set")                                \
    X(RESERVED, RK_UNSUPPORTED, "reserved bytes are not zero")                                     \
    X(TIME, RK_CORRUPT, "the HLC time is out of range")                                            \
    X(CIPHER, RK_CORRUPT, "nonce and tag do not agree with the encryption flag")                   \
    X(LENGTH, RK_LIMIT, "the payload is longer than allowed")                                      \
    X(PAYLOAD_CRC, RK_CORRUPT, "the CRC of the payload is wrong")                                  \
    X(SLAB, RK_CORRUPT, "length and slab reference do not agree")

typedef enum rk_msg_fault {
#define RK_MSG_FAULT_ENUM(symbol, status, text) RK_MSG_FAULT_##symbol,
    RK_MSG_FAULT_LIST(RK_MSG_FAULT_ENUM)
#undef RK_MSG_FAULT_ENUM
} rk_msg_fault;

rk_status rk_msg_fault_status(rk_msg_fault fault);
const char *rk_msg_fault_text(rk_msg_fault fault);

/* --- slots ------------------------------------------------------------------------------------ */

/*
 * Checks a slot that came from elsewhere, after it was copied out of the ring: flags, the length
 * against max_length (bytes), and that a payload above 40 bytes is a well-formed slab reference.
 */
rk_msg_fault rk_msg_check(const rk_slot *slot, uint32_t max_length);

/*
 * Puts a payload into a slot whose other header fields the caller sets: up to 40 bytes inline (the
 * rest zeroed), more through the slab. Sets header.length and RK_MSG_SLAB. slab may be NULL: then
 * RK_LIMIT above 40 bytes. Errors as rk_slab_alloc.
 */
rk_status rk_msg_put(rk_slot *slot, rk_slab *slab, const void *payload, uint32_t length);

/*
 * Copies a slot's payload out, with the CRC checked when it came through the slab. The slot keeps
 * its block. RK_NO_SPACE if capacity is less than header.length, RK_CORRUPT, RK_STALE, RK_INVALID
 * (also when a slab is needed and NULL).
 */
rk_status rk_msg_get(const rk_slot *slot, const rk_slab *slab, void *out_payload,
                     uint64_t capacity);

/* The payload where it lies, in the slot or in the slab, until either is released. No CRC check. */
rk_status rk_msg_map(const rk_slot *slot, const rk_slab *slab, const void **out_payload);

/* Frees the slab block of a message that is done with. Does nothing for an inline payload. */
rk_status rk_msg_discard(const rk_slot *slot, rk_slab *slab);

/* --- envelopes -------------------------------------------------------------------------------- */

/* What an envelope says beyond a compact header. */
typedef struct rk_msg_context {
    rk_u32 source_node;
    rk_u32 source_kernel;
    rk_u32 dest_node;
    rk_u32 dest_kernel;
    rk_u32 tenant;
    rk_u16 hops;
    rk_u32 correlation_high; /* upper half of the envelope's correlation */
    rk_u64 epoch;
    rk_hlc time;
    rk_u64 deadline_us;
    rk_u8 trace_id[16];
    rk_u8 span_id[8];
    rk_u8 trace_flags;
    rk_u32 tracestate_handle;
    rk_u64 audit_tag;
    rk_u8 nonce[12];
    rk_u8 tag[16];
} rk_msg_context;

/* Joins a compact header and a context; the CRCs stay zero until rk_envelope_seal. */
void rk_envelope_join(rk_envelope *out_envelope, const rk_msg_header *header,
                      const rk_msg_context *context);

/* Takes an envelope apart. The header gets RK_MSG_SLAB back if the payload needs it in a slot. */
void rk_envelope_split(const rk_envelope *envelope, rk_msg_header *out_header,
                       rk_msg_context *out_context);

/* Computes both CRCs over the envelope and its payload of envelope->length bytes. Call last. */
void rk_envelope_seal(rk_envelope *envelope, const void *payload);

/* Checks everything that a header alone can show. max_length is for the payload, bytes. */
rk_msg_fault rk_envelope_check(const rk_envelope *envelope, uint32_t max_length);

/*
 * Writes envelope and payload as RK_ENVELOPE_BYTES + envelope->length bytes; seals the copy.
 * Returns the bytes written, or 0 if capacity is too small.
 */
uint64_t rk_envelope_encode(const rk_envelope *envelope, const void *payload, void *out_bytes,
                            uint64_t capacity);

/*
 * Reads an envelope from the start of `length` bytes (any alignment) and checks all of it, payload
 * CRC included. On RK_MSG_FAULT_NONE *out_payload points into bytes. A sentence goes to err (may be
 * NULL) otherwise.
 */
rk_msg_fault rk_envelope_decode(const void *bytes, uint64_t length, uint32_t max_length,
                                rk_envelope *out_envelope, const void **out_payload, rk_err *err);

#endif
