/*
 * actors.c: actors that pass messages on: in a ring, to a sink, at random. For measuring, and for
 * the tests of actors inside a kernel: every message is counted.
 *
 * START sends the first messages; each step spreads that over all lanes. When no actor has a
 * message any more, the host gets a message ACTORS_DONE with {u64 messages handled since START,
 * u64 ns on the device's clock, u64 steps}.
 *
 *   ring     `flight` messages, each handled hops + 1 times by actors n, n + 1, ... (cyclic)
 *   random   the same, but the next actor is drawn from the message and its hops left
 *   fan-in   in each group of fan + 1 actors all but the first send it `hops` messages, in bursts;
 *            with fan = 1 the sink checks that they come in order
 */
#define RK_NAME actors
#define RK_SUMMARY "actors on the device that pass messages on"
#define RK_ACTORS 1
#define RK_ACTOR_STATE_WORDS 4
#define RK_PARAMS(P)                                                                               \
    RK_ACTOR_PARAMS(P)                                                                             \
    P(u32, fan, "1", "", "senders to one sink")
#define RK_FIELDS(F)                                                                               \
    RK_ACTOR_FIELDS(F)                                                                             \
    F(u32, run, "64", "", "state,output", "what START asked for, and how far it got")              \
    F(u32, lane_sent, "blocks*1024", "", "state", "first messages that each lane has sent")        \
    F(u64, start, "4", "", "state", "handled, clock and step at START")
#define RK_PHASES(X) X(actors)
#define RK_HAS_INIT 1
#define RK_HAS_AFTER_STEP 1
#define RK_HAS_MESSAGE 1
#define RK_HAS_COMMAND 1
#define RK_HAS_ACTOR_START 1
#include <ringkernel/kernel.h>

/* Custom operation: {u32 mode, u32 flight, u32 hops}; answers {first messages, 0, 0}. */
#define ACTORS_OP_START 1u
#define ACTORS_BUSY 16u     /* the last START is not done     */
#define ACTORS_TOO_MANY 17u /* more than half of the messages */
#define ACTORS_NO_MODE 18u

enum { ACTORS_RING, ACTORS_RANDOM, ACTORS_FANIN, ACTORS_MODES };

/* Message types. */
enum {
    ACTORS_HOP = 256, /* {hops left}                                                        */
    ACTORS_WALK,      /* {hops left, draw}                                                  */
    ACTORS_POUR,      /* {to send, sent}                                                    */
    ACTORS_COUNT,     /* {number}                                                           */
    ACTORS_ECHO,      /* anything: goes back to its sender                                  */
    ACTORS_FAIL,      /* {code}                                                             */
    ACTORS_STOP,      /* {}                                                                 */
    ACTORS_SPAWN,     /* {n}: starts n actors, sends COUNT {1} and then STOP to each        */
    ACTORS_TELL,      /* anything: goes to the host                                         */
    ACTORS_DONE = 300
};

/* Words of `run`; those that lanes add to have lines of their own. */
enum { RUN_MODE, RUN_FLIGHT, RUN_HOPS, RUN_ACTIVE, RUN_SENT = 32, RUN_ERRORS = 48 };

/* Words of an actor's state. */
enum { STATE_MESSAGES, STATE_SUM, STATE_LAST, STATE_STARTED };

#define ACTORS_BURST 8u

RK_FN rk_u32 actors_draw(rk_u32 seed, rk_u32 n)
{
    rk_u64 z = ((rk_u64)seed + 1u) * 0x9e3779b97f4a7c15ul;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ul;
    return (rk_u32)((z ^ (z >> 27)) >> 16) % n;
}

/* Sends up to ACTORS_BURST messages to the sink of this actor's group, and the rest later. */
RK_FN void actors_pour(rk_ctx *k, rk_actor *self, const rk_actor_message *message)
{
    rk_u32 left = message->word[0];
    rk_u32 sent = message->word[1];
    rk_u32 slot = (rk_u32)self->id;
    rk_u64 sink = rk_actor_id_of(slot - slot % (RK_PARAM(k, fan) + 1u), 1u);
    rk_u32 words[2];
    /* One send always finds room: it goes on with the rest. */
    rk_u32 room = rk_actor_reserve(k, self, ACTORS_BURST + 1u);
    room = room > ACTORS_BURST ? ACTORS_BURST : room - 1u;
    for (; room != 0u && left != 0u; room--, left--) {
        words[0] = ++sent;
        (void)rk_actor_send(k, self, sink, ACTORS_COUNT, words, 4u);
    }
    words[0] = left == 1u ? sent + 1u : left;
    words[1] = sent;
    if (left == 1u) {
        (void)rk_actor_send(k, self, sink, ACTORS_COUNT, words, 4u);
    } else if (left != 0u) {
        (void)rk_actor_send(k, self, self->id, ACTORS_POUR, words, 8u);
    }
}

RK_ACTOR_START
{
    (void)k;
    self->state[STATE_STARTED] = 1u + reason;
}

/* Starts children that get one message and end. Returns 0 unless one of them found no room. */
RK_FN rk_u32 actors_spawn(rk_ctx *k, rk_actor *self, rk_u32 children)
{
    rk_u32 receipt = RK_SENT;
    rk_u32 words[1] = {1u};
    for (rk_u32 i = 0u; i < children; i++) {
        rk_u64 child;
        if (rk_actor_spawn(k, self, 7u, &child) == RK_SENT) {
            receipt |= rk_actor_send(k, self, child, ACTORS_COUNT, words, 4u);
            receipt |= rk_actor_stop_other(k, self, child);
        }
    }
    return receipt;
}

RK_ON_ACTOR
{
    rk_u32 n = RK_PARAM(k, initial_actors);
    rk_u32 words[RK_ACTOR_PAYLOAD_WORDS];
    rk_u32 next = (rk_u32)self->id + 1u;
    rk_u64 to = rk_actor_id_of(next < n ? next : 0u, 1u);
    rk_u32 sends = 0u;
    rk_u32 receipt = RK_SENT;
    for (rk_u32 i = 0u; i < RK_ACTOR_PAYLOAD_WORDS; i++) {
        words[i] = message->word[i];
    }
    self->state[STATE_MESSAGES]++;
    self->state[STATE_SUM] += words[0];
    switch (message->type) {
    case ACTORS_HOP: sends = words[0]--; break;
    case ACTORS_WALK:
        sends = words[0]--;
        to = rk_actor_id_of(actors_draw(words[0] * 0x01000193u + words[1], n), 1u);
        break;
    case ACTORS_POUR: actors_pour(k, self, message); break;
    case ACTORS_COUNT:
        if (RK_PARAM(k, fan) == 1u && words[0] != self->state[STATE_LAST] + 1u) {
            receipt = RK_SEND_CLOSED;
        }
        self->state[STATE_LAST] = words[0];
        break;
    case ACTORS_ECHO:
        sends = 1u;
        to = message->source;
        break;
    case ACTORS_TELL:
        sends = 1u;
        to = rk_actor_id_of(RK_ACTOR_HOST, 0u);
        break;
    case ACTORS_FAIL: rk_actor_fail(k, self, words[0]); break;
    case ACTORS_STOP: rk_actor_stop(k, self); break;
    case ACTORS_SPAWN: receipt = actors_spawn(k, self, words[0]); break;
    default: receipt = RK_SEND_NO_ROUTE; break;
    }
    if (sends != 0u) {
        receipt = rk_actor_send(k, self, to, message->type, words, message->length);
    }
    if (receipt != RK_SENT) {
        (void)rk_device_add(RK_FIELD(k, run) + RUN_ERRORS, 1u);
    }
}

/* Sends first message i of the run; 0: no message is free now. */
RK_FN rk_u32 actors_first(rk_ctx *k, rk_actors *v, rk_u32 i)
{
    RK_G const rk_u32 *run = RK_FIELD(k, run);
    rk_u32 n = RK_PARAM(k, initial_actors);
    rk_u32 fan = RK_PARAM(k, fan);
    rk_u32 mode = run[RUN_MODE];
    rk_u32 words[2];
    rk_u32 slot = (rk_u32)((rk_u64)i * n / run[RUN_FLIGHT]);
    rk_u32 type = ACTORS_HOP;
    words[0] = run[RUN_HOPS];
    words[1] = i;
    if (mode == ACTORS_RANDOM) {
        slot = actors_draw(i, n);
        type = ACTORS_WALK;
    } else if (mode == ACTORS_FANIN) {
        slot = i / fan * (fan + 1u) + 1u + i % fan;
        type = ACTORS_POUR;
        words[1] = 0u;
    }
    rk_u32 message = rk_actor_compose(v, rk_actor_id_of(RK_ACTOR_HOST, 0u), 1u, type, words, 8u);
    if (message == RK_ACTOR_NONE) {
        return 0u;
    }
    rk_actor_post(v, slot, message);
    return 1u;
}

/* This lane's share of the first messages. */
RK_FN void actors_start(rk_ctx *k)
{
    RK_G rk_u32 *run = RK_FIELD(k, run);
    RK_G rk_u32 *sent = RK_FIELD(k, lane_sent) + (rk_u64)k->block * RK_ACTOR_LANES + RK_LANE(k);
    rk_u32 all = RK_LANES(k) * k->block_count;
    rk_u32 me = k->block * RK_LANES(k) + RK_LANE(k);
    rk_u32 before = *sent;
    rk_u32 now = before;
    rk_actors v;
    rk_actors_view(k, RK_LANE(k), &v);
    while ((rk_u64)me + (rk_u64)now * all < run[RUN_FLIGHT] &&
           actors_first(k, &v, me + now * all) != 0u) {
        now++;
    }
    rk_actors_flush(&v);
    *sent = now;
    if (now != before) {
        (void)rk_device_add(run + RUN_SENT, now - before);
    }
}

RK_PHASE(actors)
{
    RK_G rk_u32 *run = RK_FIELD(k, run);
    if (run[RUN_ACTIVE] != 0u && rk_device_load(run + RUN_SENT) != run[RUN_FLIGHT] &&
        RK_FIELD(k, actor_common)[RK_ACTOR_LANES_SEEN] == RK_LANES(k)) {
        actors_start(k);
    }
    rk_actors_work(k);
}

RK_INIT
{
    (void)rk_actors_init(k);
}

RK_FN rk_u64 actors_handled(rk_ctx *k)
{
    RK_G const rk_u32 *block = RK_FIELD(k, actor_block);
    rk_u64 sum = 0u;
    for (rk_u32 i = 0u; i < k->block_count; i++, block += RK_ACTOR_BLOCK_WORDS) {
        RK_G const rk_u32 *low = block + RK_ACTOR_COUNTED + 2u * RK_ACTOR_COUNT_HANDLED;
        sum += low[0] | ((rk_u64)low[1] << 32);
    }
    return sum;
}

RK_AFTER_STEP
{
    RK_G rk_u32 *run = RK_FIELD(k, run);
    RK_G const rk_u64 *start = RK_FIELD(k, start);
    rk_u32 busy = rk_actors_after_step(k);
    if (run[RUN_ACTIVE] == 0u) {
        return;
    }
    if (busy == 0u && run[RUN_SENT] == run[RUN_FLIGHT]) {
        rk_u64 done[3];
        done[0] = actors_handled(k) - start[0];
        done[1] = rk_now_ns(k) - start[1];
        done[2] = k->step - start[2];
        if (rk_emit(k, ACTORS_DONE, done, sizeof(done)) == RK_SENT) {
            run[RUN_ACTIVE] = 0u;
            return;
        }
    }
    rk_request_steps(k, 1u);
}

RK_ON_MESSAGE
{
    rk_actors_deliver(k, message);
}

RK_ON_COMMAND
{
    RK_G rk_u32 *run = RK_FIELD(k, run);
    rk_u32 n = RK_PARAM(k, initial_actors);
    rk_u32 group = RK_PARAM(k, fan) + 1u;
    if (op != ACTORS_OP_START || length < 12u) {
        return rk_actors_command(k, op, data, length, value);
    }
    rk_u32 mode = (rk_u32)rk_actor_data(data, 4u);
    rk_u32 flight = (rk_u32)rk_actor_data(data + 4, 4u);
    if (mode >= ACTORS_MODES || n == 0u || group < 2u) {
        return ACTORS_NO_MODE;
    }
    if (run[RUN_ACTIVE] != 0u) {
        return ACTORS_BUSY;
    }
    flight = mode == ACTORS_FANIN ? n / group * (group - 1u) : flight;
    if (flight > RK_PARAM(k, actor_messages) / 2u) {
        return ACTORS_TOO_MANY;
    }
    run[RUN_MODE] = mode;
    run[RUN_FLIGHT] = flight;
    run[RUN_HOPS] = (rk_u32)rk_actor_data(data + 8, 4u);
    run[RUN_ACTIVE] = 1u;
    run[RUN_SENT] = 0u;
    for (rk_u32 i = 0u; i < k->block_count; i++) {
        for (rk_u32 lane = 0u; lane < RK_LANES(k); lane++) {
            RK_FIELD(k, lane_sent)[i * RK_ACTOR_LANES + lane] = 0u;
        }
    }
    RK_FIELD(k, start)[0] = actors_handled(k);
    RK_FIELD(k, start)[1] = rk_now_ns(k);
    RK_FIELD(k, start)[2] = k->step;
    value[0] = flight;
    rk_request_steps(k, 1u);
    return 0u;
}
