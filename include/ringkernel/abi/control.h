/*
 * control.h: the control block, the loop state and the route table of a kernel.
 *
 * A kernel sees two memory areas. The mapped page is visible to host and kernel while it runs and
 * starts with rk_control; it holds the rings between the two. The arena is the kernel's own memory,
 * on a GPU device memory. It starts with rk_loop and a copy of rk_control, whose constants the
 * kernel reads there, and holds parameters, what other kernels reach (rk_peer, inbox ring), routes
 * and state fields. Everything inside is addressed by offset, so both may lie at any address, and
 * an arena can be launched again elsewhere.
 *
 * Lines are 128 bytes and have one writer each: constants (host, before launch), host words, kernel
 * words. Only the copy's `entry` and `features` change while the kernel runs, by its own hand.
 */
#ifndef RINGKERNEL_ABI_CONTROL_H
#define RINGKERNEL_ABI_CONTROL_H

#include <ringkernel/abi/ring.h>
#include <ringkernel/abi/types.h>

#define RK_CONTROL_MAGIC 0x42434b52u /* "RKCB" */
#define RK_ABI_VERSION 1u
#define RK_ABI_VERSION_TOKEN 1 /* the same, for the schema text */

#define RK_FIELD_MAX 64
#define RK_PARAM_MAX 128
#define RK_ROUTE_MAX 256
#define RK_RUN_QUEUE_MAX 16
#define RK_PANIC_TEXT_BYTES 96
#define RK_BACKTRACE_MAX 24

/* X(symbol, value, text): the state of a kernel; numbers cross processes. */
#define RK_KERNEL_STATE_LIST(X)                                                                    \
    X(CREATED, 0, "created")       /* memory laid out, not launched                         */     \
    X(LAUNCHED, 1, "launched")     /* on the device, before its init handler has finished   */     \
    X(IDLE, 2, "idle")             /* resident, waiting for commands or messages            */     \
    X(RUNNING, 3, "running")       /* taking steps                                          */     \
    X(PAUSED, 4, "paused")         /* resident; runs are held, commands are answered        */     \
    X(PARKED, 5, "parked")         /* left the device at a safe point; the arena is whole   */     \
    X(TERMINATED, 6, "terminated") /* ended by command                                      */     \
    X(PANICKED, 7, "panicked")     /* a handler gave up; the arena holds what was there     */     \
    X(FAULTED, 8, "faulted")       /* an invalid access ended its process                   */

#define RK_KERNEL_STATE_DEFINE(symbol, value, text) RK_KERNEL_##symbol = (value),
enum { RK_KERNEL_STATE_LIST(RK_KERNEL_STATE_DEFINE) RK_KERNEL_STATE_COUNT };
#undef RK_KERNEL_STATE_DEFINE

/* What the loop does first after a launch. */
#define RK_ENTRY_INIT 0u    /* run init, then serve */
#define RK_ENTRY_RESUME 1u  /* the arena is already whole: serve */
#define RK_ENTRY_MIGRATE 2u /* run migrate against the old arena, then serve */

/* rk_control.fault_kind */
#define RK_FAULT_NONE 0u
#define RK_FAULT_PANIC 1u  /* a handler gave up                                              */
#define RK_FAULT_SIGNAL 2u /* an invalid access in a process                                 */
#define RK_FAULT_DEVICE 3u /* the driver reported an error of the device; panic_text says it */

/* Counters that a STATS command publishes.                                     offset */
typedef struct rk_counters {
    rk_u64 step;              /*                                                     0 */
    rk_u64 remaining;         /* steps of pending runs                               8 */
    rk_u64 commands;          /* commands answered                                  16 */
    rk_u64 messages_received; /* host and K2K messages given to on_message          24 */
    rk_u64 k2k_sent;          /*                                                    32 */
    rk_u64 k2k_received;      /*                                                    40 */
    rk_u64 k2k_refused;       /* sends that were not delivered                      48 */
    rk_u64 emitted;           /* messages to the host                               56 */
    rk_u64 emit_refused;      /* refused because the K2H ring was full              64 */
    rk_u64 answers_lost; /* answers that found no room; zero unless the host breaks its limit 72 */
    rk_u64 busy_ns;      /* time with work since launch                        80 */
    rk_u64 idle_ns;      /* time without                                       88 */
    rk_u64 reserved[4];  /*                                                    96 */
} rk_counters;

RK_ABI_ASSERT(sizeof(rk_counters) == 128);

typedef struct rk_control {
    /* Constant while launched; written by the host.                            offset */
    rk_u32 magic;                   /* RK_CONTROL_MAGIC                                       0 */
    rk_u32 abi_version;             /* RK_ABI_VERSION                                         4 */
    rk_u64 layout_hash;             /* of the module's schema                                 8 */
    rk_u32 kernel_id;               /* unique in its runtime, never 0                        16 */
    rk_u32 node;                    /*                                                       20 */
    rk_u32 tenant;                  /*                                                       24 */
    rk_u32 block_count;             /*                                                       28 */
    rk_u64 epoch;                   /* owner's fencing number                                32 */
    rk_u64 seed;                    /* of rk_random                                          40 */
    rk_u64 arena_bytes;             /*                                                       48 */
    rk_u64 mapped_bytes;            /*                                                       56 */
    rk_u64 h2k;                     /* mapped offset: rk_ring, SPSC, host to kernel          64 */
    rk_u64 k2h;                     /* mapped offset: rk_ring, SPSC, kernel to host          72 */
    rk_u64 peer;                    /* arena offset of rk_peer                               80 */
    rk_u64 slab;                    /* mapped offset of the H2K payload slab                 88 */
    rk_u64 slab_bytes;              /*                                                       96 */
    rk_u64 routes;                  /* arena offset: rk_route[route_count]                  104 */
    rk_u32 route_count;             /*                                                      112 */
    rk_u32 entry;                   /* RK_ENTRY_*                                           116 */
    rk_u64 params;                  /* arena offset: param_count slots of 8 bytes           120 */
    rk_u64 fields;                  /* arena offset: field_count u64 offsets, then counts   128 */
    rk_u32 param_count;             /*                                                      136 */
    rk_u32 field_count;             /*                                                      140 */
    rk_u8 field_type[RK_FIELD_MAX]; /* rk_type of each field                       144 */
    rk_u32 answer_reserve;          /* K2H slots that emits must leave free                 208 */
    rk_u32 message_batch;           /* messages taken at one safe point, at most            212 */
    rk_u64 ticks_per_s;             /* of the device's clock; 0: it has none                216 */
    rk_u64 migrate_fields;          /* MIGRATE: old arena offset of its field table         224 */
    rk_u64 migrate_hash;            /* MIGRATE: layout hash of the old module               232 */
    rk_u32 launch;                  /* counts launches, from 1                              240 */
    rk_u32 poller;      /* 1: one more block, which only looks at the host's words          244 */
    rk_u32 lease_steps; /* not 0: leave after so many steps, to be launched again           248 */
    rk_u32 lease_polls; /* not 0: leave after so many looks for work that found none        252 */

    /* Host words.                                                             256 */
    rk_u64 abort_before; /* runs whose command id is lower are aborted             256 */
    rk_bell bell;        /* wakes an idle kernel: the consumer's bell of h2k and inbox 264 */
    rk_u64 probe;        /* number of the host's last probe, from 1                    272 */
    /* Constant while launched, for want of room above. */
    rk_u64 pool;       /* arena offset of the memory pool's region                     280 */
    rk_u64 pool_bytes; /* of it; 0: there is none                                      288 */
    rk_u8 pad1[88];

    /* Kernel words.                                                           384 */
    rk_u32 state;           /* RK_KERNEL_*                                              384 */
    rk_u32 reserved2;       /*                                                          388 */
    rk_u64 step;            /* steps completed                                          392 */
    rk_u64 heartbeat;       /* safe points passed                                       400 */
    rk_u32 exit_code;       /* panic code, or rk_status                                 408 */
    rk_u32 exits;           /* blocks that have left the entry function                 412 */
    rk_u64 features;        /* optional features that are on                            416 */
    rk_u64 answers_dropped; /*                                                     424 */
    rk_u64 probe_seen;      /* the last probe that the kernel has seen                  432 */
    rk_u64 probe_ticks;     /* the device's clock then; written before probe_seen       440 */
    rk_u32 leased;          /* 1: it left because its lease is over, and may go on      448 */
    rk_u8 pad2[60];

    rk_counters counters; /* published by STATS and at exit                        512 */

    /* Panic and fault record, written once by the kernel's side.              640 */
    rk_u32 fault_kind;      /* RK_FAULT_*                                              640 */
    rk_u32 fault_code;      /* panic code, signal number, or number of a device error  644 */
    rk_u64 fault_step;      /*                                                         648 */
    rk_u64 fault_address;   /* of an invalid access                                  656 */
    rk_u32 fault_block;     /*                                                         664 */
    rk_u32 backtrace_count; /*                                                     668 */
    rk_u64 backtrace[RK_BACKTRACE_MAX];    /* return addresses, innermost first       672 */
    rk_u8 panic_text[RK_PANIC_TEXT_BYTES]; /* NUL-terminated                       864 */
    rk_u8 pad3[64];
} rk_control;

RK_ABI_ASSERT(sizeof(rk_control) == 1024);

/* One K2K route: where a kernel's rk_send(route) goes.                         offset */
typedef struct rk_route {
    rk_u64 peer;        /* address of the destination's rk_peer in the executing process or
                           device; 0 while it is not connected                       0 */
    rk_u32 kernel_id;   /* of the destination                                        8 */
    rk_u32 tenant;      /* of the destination                                       12 */
    rk_u32 generation;  /* of the connection                                        16 */
    rk_u32 state;       /* 1 while usable                                           20 */
    rk_u32 sent;        /* messages delivered (mod 2^32)                            24 */
    rk_u32 refused;     /* sends that were not (mod 2^32)                           28 */
    rk_u64 reserved[4]; /*                                                          32 */
} rk_route;

RK_ABI_ASSERT(sizeof(rk_route) == 64);

/* What other kernels see of a kernel.                                           offset */
typedef struct rk_peer {
    rk_u32 kernel_id; /*                                                             0 */
    rk_u32 tenant;    /*                                                             4 */
    rk_u32 closed;    /* 1: it has ended and takes no more messages                  8 */
    rk_u32 reserved;  /*                                                            12 */
    rk_u64 inbox;     /* offset of the inbox from here: rk_ring, MPSC               16 */
    rk_u8 pad[104];
} rk_peer;

RK_ABI_ASSERT(sizeof(rk_peer) == 128);

/* A run that has not reached its target.                                       offset */
typedef struct rk_run {
    rk_u64 id;       /* command id                                                  0 */
    rk_u64 target;   /* step at which it is complete                                8 */
    rk_u32 interval; /* steps between progress answers; 0 for none                 16 */
    rk_u32 reserved; /*                                                            20 */
    rk_u64 start;    /* step at which it was accepted                              24 */
} rk_run;

/* The loop's own state, at arena offset 0. Only the kernel touches it while launched. */
typedef struct rk_loop {
    rk_u32 arrived; /* blocks at the barrier                                      0 */
    rk_u8 pad0[124];
    rk_u32 generation; /* of the barrier                                           128 */
    rk_u32 sleepers;   /* blocks asleep at the barrier                             132 */
    rk_u32 op;         /* what all blocks do next: RK_OP_*                         136 */
    rk_u32 failed;     /* not 0: leave the loop                                    140 */
    rk_u32 trace;      /* what is written down in this step: RK_TRACE_*            144 */
    rk_u8 pad1[108];
    rk_u64 step;       /*                                                          256 */
    rk_u64 budget;     /* steps that may still be taken; ~0 for no limit           264 */
    rk_u32 paused;     /*                                                          272 */
    rk_u32 delivering; /* inbox slots of the message that is being handled         276 */
    rk_u32 run_head;   /* first pending run                                        280 */
    rk_u32 run_count;  /*                                                          284 */
    rk_u64 busy_since; /* ns                                                       288 */
    rk_u64 emit_id;    /* last id of a message from this kernel                    296 */
    rk_u64 abort_seen; /* last abort_before honoured                               304 */
    /* The kernel's ends of the rings to and from the host: so that it need not read the mapped
       page for what it knows. Written by the host before a launch. */
    rk_u32 h2k_head;      /* free running; ring->head follows it                      312 */
    rk_u32 k2h_tail;      /* free running; ring->tail follows it                      316 */
    rk_u32 k2h_head;      /* never newer than ring->head                              320 */
    rk_u32 h2k_slots;     /* capacity                                                 324 */
    rk_u32 k2h_slots;     /* capacity                                                 328 */
    rk_u32 lease_left;    /* steps until the lease is over                            332 */
    rk_u64 h2k_first;     /* mapped offset of the first slot                          336 */
    rk_u64 k2h_first;     /* mapped offset of the first slot                          344 */
    rk_u64 heartbeat;     /* the last that the host was told                          352 */
    rk_u32 state_told;    /* the same for the state                                   360 */
    rk_u32 reserved;      /*                                                          364 */
    rk_u64 probe_seen;    /* the last probe that was answered                         368 */
    rk_u64 asked;         /* the kernel itself wants to go on up to this step         376 */
    rk_counters counters; /*                                         384 */
    rk_run runs[RK_RUN_QUEUE_MAX]; /*                                         512 */
    /* What the poller block has seen of the host's words; its own line.         1024 */
    rk_u32 seen_tail;    /* of h2k                                               1024 */
    rk_u32 poller_leave; /* 1: the other blocks have left                        1028 */
    rk_u64 seen_abort;   /* abort_before                                         1032 */
    rk_u8 pad3[112];
    /* The timeline (abi/trace.h). Set by the host before a launch.              1152 */
    rk_u64 trace_written; /* records so far                                      1152 */
    rk_u64 trace_first;   /* mapped offset of the first record                   1160 */
    rk_u32 trace_slots;   /* capacity                                            1168 */
    rk_u32 trace_mask;    /* what is wanted: RK_TRACE_*                          1172 */
    rk_u32 trace_every;   /* of every n-th step                                  1176 */
    rk_u8 pad4[356];
} rk_loop;

RK_ABI_ASSERT(sizeof(rk_loop) == 1536);

/* Values of rk_loop.op. */
#define RK_OP_INIT 0u
#define RK_OP_STEP 1u
#define RK_OP_EXIT 2u
#define RK_OP_MIGRATE 3u

#endif
