/*
 * actor_fields.h: the parameters and state fields of a kernel that hosts actors, and how they are
 * laid out. Part of actors.h; included before the lists are expanded when RK_ACTORS is 1.
 *
 * Everything is 32-bit words. A message or a list is named by its index + 2, because 0 and 1 end
 * lists: RK_ACTOR_NONE and RK_ACTOR_BUSY.
 */
#ifndef RINGKERNEL_KERNEL_ACTOR_FIELDS_H
#define RINGKERNEL_KERNEL_ACTOR_FIELDS_H

#ifndef RK_ACTOR_STATE_WORDS
#define RK_ACTOR_STATE_WORDS 4 /* the author's own words per actor; a plain number */
#endif
#ifndef RK_HAS_ACTOR_START
#define RK_HAS_ACTOR_START 0
#endif
#define RK_ACTOR_LANES 1024 /* lanes of a block that can work, at most */

#define RK_ACTOR_TEXT_(x) #x
#define RK_ACTOR_TEXT(x) RK_ACTOR_TEXT_(x)

/* Put these in front of the kernel's own in RK_PARAMS and RK_FIELDS. */
#define RK_ACTOR_PARAMS(P)                                                                         \
    P(u32, actors, "1024", "", "actors there can be at once")                                      \
    P(u32, initial_actors, "0", "", "actors there are from the start, numbered from 0")            \
    P(u32, actor_messages, "4096", "", "messages there can be at once")                            \
    P(u32, actor_batch, "16", "", "messages that an actor handles in one turn, at most")           \
    P(u32, actor_slice, "256", "", "messages that a lane handles in one step, about")              \
    P(u32, actor_restarts, "3", "", "failures after which an actor goes on by itself")

#define RK_ACTOR_FIELDS(F)                                                                         \
    F(u32, actor_common, "512", "", "state", "words that all lanes share")                         \
    F(u32, actor_block, "blocks*160", "", "state", "run queue and counters of each block")         \
    F(u32, actor_queue, "blocks*(2*(actors/blocks)+160)", "", "state", "run queues")               \
    F(u32, actor_worker, "blocks*8192", "", "state", "ticket and free messages of each lane")      \
    F(u32, actor_record, "actors*16", "", "state", "mailbox and standing of each actor")           \
    F(u32, actor_slots, "4*actors+64", "", "state", "places of actors that are free")              \
    F(u32, actor_lists, "4*actor_messages+64", "", "state", "lists of free messages")              \
    F(u32, actor_message, "actor_messages*16", "", "state", "the messages")                        \
    F(u32, actor_state, "actors*" RK_ACTOR_TEXT(RK_ACTOR_STATE_WORDS), "", "state,output",         \
      "the author's words of each actor")

#define RK_ACTOR_NONE 0u
#define RK_ACTOR_BUSY 1u
#define RK_ACTOR_FIRST 2u
#define RK_ACTOR_PENDING 0xffffffffu /* the word of a message that is not linked yet */

/* Words of actor_common. Each of the first ten has a line of its own. */
enum {
    RK_ACTOR_BUSY_BLOCKS = 0,  /* blocks that have an actor with messages                   */
    RK_ACTOR_OVER = 32,        /* low half of the step whose slice is over                  */
    RK_ACTOR_OUTBOX = 64,      /* messages for the host, the newest first                   */
    RK_ACTOR_REPORTS = 96,     /* actors whose failure the host does not know, slot + 2     */
    RK_ACTOR_LISTS_HEAD = 128, /* see actor_lists.h                                         */
    RK_ACTOR_LISTS_TAIL = 160,
    RK_ACTOR_SLOTS_HEAD = 192,
    RK_ACTOR_SLOTS_TAIL = 224,
    RK_ACTOR_OUT_READY = 256, /* the host's messages in order; one-lane handlers only      */
    RK_ACTOR_LANES_SEEN,      /* lanes per block that the tickets belong to                */
    RK_ACTOR_LIST_LENGTH      /* messages in a list                                        */
};

/* Words of actor_block, per block. */
enum {
    RK_ACTOR_TAIL = 0,     /* next place of the run queue to fill                             */
    RK_ACTOR_HEAD = 32,    /* next place that a lane may take a ticket for                    */
    RK_ACTOR_ACTIVE = 64,  /* actors that are queued or have their turn                       */
    RK_ACTOR_SETTLED = 96, /* [step & 1]: all places before this are filled by the step's end */
    RK_ACTOR_COUNTED = 128 /* low and high half of each counter                              */
};
#define RK_ACTOR_BLOCK_WORDS 160u

/* Words of actor_record, per actor. Only whoever owns the actor touches those behind `inbox`. */
enum {
    RK_ACTOR_INBOX,  /* NONE: idle; BUSY: owned, no new message; else the newest message      */
    RK_ACTOR_WALK,   /* message whose place in the order is not known yet                     */
    RK_ACTOR_TURNED, /* messages newer than that one, in order                                */
    RK_ACTOR_READY,  /* messages in order, the oldest first                                   */
    RK_ACTOR_STANDING,
    RK_ACTOR_GENERATION,
    RK_ACTOR_BEHAVIOUR,
    RK_ACTOR_RESTARTS, /* since the host last started it again                                */
    RK_ACTOR_CODE,     /* of the last failure                                                 */
    RK_ACTOR_FAILURES,
    RK_ACTOR_REPORT_NEXT,
    RK_ACTOR_REPORTED, /* 1: it is in the list of reports                                     */
    RK_ACTOR_REPORT_GENERATION,
    RK_ACTOR_REPORT_CODE,
    RK_ACTOR_HANDLED,
    RK_ACTOR_HELD /* 1: it has failed and is in no queue                                      */
};

/* Values of RK_ACTOR_STANDING. */
#define RK_ACTOR_FREE 0u
#define RK_ACTOR_LIVE 1u
#define RK_ACTOR_FAILED 2u  /* keeps its messages until it is restarted or stopped */
#define RK_ACTOR_STOPPED 3u /* its messages become dead letters, then its place is free */

/* Words of actor_message. */
enum {
    RK_ACTOR_NEXT,
    RK_ACTOR_TYPE,
    RK_ACTOR_SOURCE,            /* slot; RK_ACTOR_HOST: the host                              */
    RK_ACTOR_SOURCE_GENERATION, /* of the source; the host's: correlation of a request        */
    RK_ACTOR_DEST_GENERATION,   /* to the host: correlation                                   */
    RK_ACTOR_LENGTH,
    RK_ACTOR_PAYLOAD
};
#define RK_ACTOR_PAYLOAD_WORDS 10u

#define RK_ACTOR_HOST 0xffffffffu /* the slot of the host's id */

/* X(symbol, text): what each lane counts. */
#define RK_ACTOR_COUNTER_LIST(X)                                                                   \
    X(SENT, "messages put into a mailbox")                                                         \
    X(HANDLED, "messages given to a handler")                                                      \
    X(DEAD, "messages whose actor had ended, and host messages that found no room")                \
    X(REFUSED, "sends that found no room")                                                         \
    X(FAILURES, "failures of actors")                                                              \
    X(SPAWNED, "actors started")                                                                   \
    X(STOPPED, "actors stopped")                                                                   \
    X(EMITTED, "messages and reports given to the host")
#define RK_ACTOR_COUNTER_DEFINE(symbol, text) RK_ACTOR_COUNT_##symbol,
enum { RK_ACTOR_COUNTER_LIST(RK_ACTOR_COUNTER_DEFINE) RK_ACTOR_COUNTS };
#undef RK_ACTOR_COUNTER_DEFINE

/* Words of actor_worker, per lane, which works on a copy during a step. */
enum {
    RK_ACTOR_W_HOLDS, /* 1: it has a ticket                                                   */
    RK_ACTOR_W_TICKET,
    RK_ACTOR_W_LIST,  /* free messages                                                        */
    RK_ACTOR_W_COUNT, /* of them                                                              */
    RK_ACTOR_W_SPARE  /* a second, full list                                                  */
};
#define RK_ACTOR_WORKER_WORDS 8u

#endif
