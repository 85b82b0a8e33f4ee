/*
 * message.h: the two message headers.
 *
 * Compact (24 bytes): inside one recovery unit; with 40 bytes of payload it fills a 64-byte slot.
 * Full envelope (192 bytes): wherever a message crosses a tenant, a host process or a node.
 * Expanding a compact header to an envelope and back loses nothing (core/message.h converts).
 * All integers are little endian. A reader refuses an envelope with a wrong magic, version, size or
 * CRC before it looks at anything else.
 */
#ifndef RINGKERNEL_ABI_MESSAGE_H
#define RINGKERNEL_ABI_MESSAGE_H

#include <ringkernel/abi/hlc.h>
#include <ringkernel/abi/types.h>

#define RK_SLOT_BYTES 64
#define RK_SLOT_PAYLOAD_BYTES 40

/* Message types: 0..255 are commands and answers (abi/command.h); users' types are above. */
#define RK_MSG_TYPE_USER 256u

/* rk_msg_header.flags */
#define RK_MSG_PRIORITY_MASK 0x0007u /* 0 lowest .. 7 highest; 3 is normal                     */
#define RK_MSG_PRIORITY_NORMAL 3u
#define RK_MSG_SLAB 0x0008u    /* the payload is an rk_slab_ref to the real one               */
#define RK_MSG_REQUEST 0x0010u /* the sender waits for a reply with the same correlation       */
#define RK_MSG_REPLY 0x0020u
#define RK_MSG_RETAINED 0x0040u  /* a retained publication, delivered on subscribe             */
#define RK_MSG_DUPLICATE 0x0080u /* delivered again (QoS 1)                                    */
#define RK_MSG_QOS_SHIFT 8       /* two bits: 0, 1, 2                                          */
#define RK_MSG_QOS_MASK 0x0300u
#define RK_MSG_ENCRYPTED 0x0400u
#define RK_MSG_FLAGS_KNOWN 0x07ffu

/* Compact header.                                                              offset */
typedef struct rk_msg_header {
    rk_u64 id;          /* unique per source, increasing                           0 */
    rk_u32 type;        /* see above                                               8 */
    rk_u16 source;      /* endpoint index inside the recovery unit; 0 is the host 12 */
    rk_u16 flags;       /* RK_MSG_*                                               14 */
    rk_u32 correlation; /* ties a reply to its request; 0 is none                 16 */
    rk_u32 length;      /* payload bytes (the real length when RK_MSG_SLAB)       20 */
} rk_msg_header;

RK_ABI_ASSERT(sizeof(rk_msg_header) == 24);

/* One ring slot. */
typedef struct rk_slot {
    rk_msg_header header;                 /*  0 */
    rk_u8 payload[RK_SLOT_PAYLOAD_BYTES]; /* 24 */
} rk_slot;

RK_ABI_ASSERT(sizeof(rk_slot) == RK_SLOT_BYTES);

/* What a slot carries instead of a payload that is longer than 40 bytes. */
typedef struct rk_slab_ref {
    rk_u64 offset;     /* of the payload, from the start of the slab               0 */
    rk_u32 length;     /* bytes; equals header.length                              8 */
    rk_u32 crc;        /* CRC-32 (IEEE) of the payload                            12 */
    rk_u32 generation; /* of the slab block: a stale reference is refused         16 */
    rk_u32 reserved;   /* zero                                                    20 */
} rk_slab_ref;

RK_ABI_ASSERT(sizeof(rk_slab_ref) == 24);

#define RK_ENVELOPE_MAGIC 0x56454b52u /* "RKEV" */
#define RK_ENVELOPE_VERSION 1u
#define RK_ENVELOPE_BYTES 192

/* Full envelope.                                                               offset */
typedef struct rk_envelope {
    rk_u32 magic;             /* RK_ENVELOPE_MAGIC                                 0 */
    rk_u16 version;           /* RK_ENVELOPE_VERSION                               4 */
    rk_u16 header_bytes;      /* RK_ENVELOPE_BYTES                                 6 */
    rk_u64 id;                /* as in the compact header                          8 */
    rk_u32 source_node;       /*                                                  16 */
    rk_u32 source_kernel;     /*                                                  20 */
    rk_u32 dest_node;         /*                                                  24 */
    rk_u32 dest_kernel;       /*                                                  28 */
    rk_u32 type;              /*                                                  32 */
    rk_u16 flags;             /* RK_MSG_*, priority in the low three bits         36 */
    rk_u16 source;            /* endpoint index of the compact header             38 */
    rk_u32 tenant;            /* 0 is unspecified                                 40 */
    rk_u16 hops;              /* brokers passed so far                            44 */
    rk_u16 reserved0;         /* zero                                             46 */
    rk_u64 epoch;             /* of the sending owner (fencing)                   48 */
    rk_hlc time;              /* when it was sent                                 56 */
    rk_u64 correlation;       /* low 32 bits: as in the compact header            80 */
    rk_u64 deadline_us;       /* absolute, microseconds since 1970; 0 is none     88 */
    rk_u8 trace_id[16];       /* W3C trace context; all zero is none              96 */
    rk_u8 span_id[8];         /*                                                 112 */
    rk_u8 trace_flags;        /*                                                 120 */
    rk_u8 reserved1[3];       /* zero                                            121 */
    rk_u32 tracestate_handle; /* names an interned tracestate; 0 is none         124 */
    rk_u64 audit_tag;         /* ties the message to an audit record; 0 is none  128 */
    rk_u8 nonce[12];          /* of an encrypted payload, else zero              136 */
    rk_u8 tag[16];            /* of an encrypted payload, else zero              148 */
    rk_u32 length;            /* payload bytes that follow                       164 */
    rk_u32 payload_crc;       /* CRC-32 (IEEE) of the payload                    168 */
    rk_u8 reserved2[16];      /* zero                                            172 */
    rk_u32 header_crc;        /* CRC-32 (IEEE) of bytes 0..187                   188 */
} rk_envelope;

RK_ABI_ASSERT(sizeof(rk_envelope) == RK_ENVELOPE_BYTES);

#endif
