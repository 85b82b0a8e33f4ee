/*
 * pingpong.c: how long messages take between lanes, blocks and kernels, on the device's own clock.
 *
 * Both ends check every word of every message: word i of message n is n * 0x9e3779b1 + i. The host
 * gets PINGPONG_DONE when a run is over, with {u64 way, u64 round trips or messages, u64 ns, u64 ns
 * of the fastest round trip, u64 wrong words, u64 steps}; way is RK_CHANNEL_*. Without a device
 * clock (OpenCL) ns are 0.
 *
 *   lanes      lane 0 and another (of another warp, if there are as many) of block 0
 *   blocks     blocks 0 and 1, over what rk_channel_kind chooses
 *   device     blocks 0 and the last, over device memory
 *   kernels    this kernel and the one behind route 0, whose route 0 leads back, at safe points
 *   fan-in     all blocks but 0 send `rounds` messages each to block 0
 *   broadcast  block 0 sends `rounds` messages, which all other blocks read
 */
#define RK_NAME pingpong
#define RK_SUMMARY "round trips between lanes, blocks and kernels"
#define RK_PARAMS(P) P(u32, slice, "1000", "", "messages of an end in one step, at most")
#define RK_FIELDS(F)                                                                               \
    F(u32, ring, "2*576", "", "scratch", "there and back, 32 slots each")                          \
    F(u32, fan, "2240", "", "scratch", "128 slots and their sequence")                             \
    F(u32, cast, "2112+32*blocks", "", "scratch", "128 slots, the heads of all blocks behind")     \
    F(u32, end, "blocks*32", "", "scratch", "of each block: messages taken, sent")                 \
    F(u32, far, "32", "", "scratch", "the same of the second lane")                                \
    F(u32, letter, "256", "", "scratch", "the message to another kernel")                          \
    F(u32, run, "64", "", "scratch,output", "what START asked for, errors")                        \
    F(u64, time, "8", "", "scratch,output", "clock at the start, last send, end, fastest, steps")
#define RK_PHASES(X) X(play)
#define RK_SHARED_BYTES 4736
#define RK_HAS_COMMAND 1
#define RK_HAS_AFTER_STEP 1
#define RK_HAS_MESSAGE 1
#include <ringkernel/kernel.h>
#include <ringkernel/kernel/channels.h>

/* Custom operations. START: {u32 mode, u32 rounds, u32 bytes}; ROUTE: {u32 from, u32 to} -> way. */
#define PINGPONG_OP_START 1u
#define PINGPONG_OP_ROUTE 2u
#define PINGPONG_BAD 1u  /* mode, rounds or bytes (a power of two from 64 to 1024)   */
#define PINGPONG_BUSY 2u /* the last run is not over                                 */
#define PINGPONG_FEW 3u  /* too few lanes or blocks for the mode                     */

enum { MODE_LANES, MODE_BLOCKS, MODE_DEVICE, MODE_KERNELS, MODE_FANIN, MODE_BROADCAST, MODES };
enum { PING = 256, PONG, PINGPONG_DONE = 300 };

/* Words of `run`. READY: launch whose rings are reset; NUMBER: of the START; OVER is block 0's. */
enum {
    RUN_MODE,
    RUN_ROUNDS,
    RUN_SLOTS,
    RUN_ACTIVE,
    RUN_OVER,
    RUN_KIND,
    RUN_NUMBER,
    RUN_ERRORS = 32,
    RUN_READY = 48
};
enum { TIME_START, TIME_SENT, TIME_END, TIME_FASTEST, TIME_STEP };
enum { END_TAKEN, END_SENT };

#define RING_SLOTS 32u
#define RING_WORDS 576u
#define FAN_SLOTS 128u
#define CAST_HEADS 2112u
#define SHARED_FLAG 4608u

RK_FN rk_u32 pingpong_word(rk_u32 n, rk_u32 i)
{
    return n * 0x9e3779b1u + i;
}

RK_FN void pingpong_wrong(rk_ctx *k, rk_u32 wrong)
{
    if (wrong != 0u) {
        (void)rk_device_add(RK_FIELD(k, run) + RUN_ERRORS, wrong);
    }
}

/* The channels of a mode between this end and the other: there leads to `to`, back to block 0. */
RK_FN void pingpong_open(rk_ctx *k, rk_u32 kind, rk_u32 to, rk_channel *there, rk_channel *back)
{
    RK_G rk_u32 *ring = RK_FIELD(k, ring);
    RK_L rk_u32 *shared = RK_SHARED(k, u32, 0);
    rk_channel_open(k, there, kind, to, ring, shared, RING_SLOTS);
    rk_channel_open(k, back, kind, 0u, ring + RING_WORDS, shared + RING_WORDS, RING_SLOTS);
}

/* ---- Two lanes ------------------------------------------------------------------------------ */

RK_FN void lane_send(rk_ctx *k, const rk_channel *c, rk_u32 n)
{
    rk_u32 slots = RK_FIELD(k, run)[RUN_SLOTS];
    for (rk_u32 i = 0u; i < 16u * slots; i++) {
        rk_channel_put(c, n * slots, i, pingpong_word(n, i));
    }
    rk_channel_commit(c, n * slots, slots);
}

/* 1: message n has come and was right or counted as wrong. */
RK_FN rk_u32 lane_receive(rk_ctx *k, const rk_channel *c, rk_u32 n)
{
    rk_u32 slots = RK_FIELD(k, run)[RUN_SLOTS];
    rk_u32 wrong = 0u;
    rk_u32 looks = 0u;
    while (rk_channel_ready(c, n * slots, slots) == 0u) {
        if (++looks == RK_CHANNEL_LOOKS) {
            return 0u;
        }
        rk_channel_pause();
    }
    for (rk_u32 i = 0u; i < 16u * slots; i++) {
        wrong += rk_channel_get(c, n * slots, i) != pingpong_word(n, i);
    }
    rk_channel_release(c, n * slots, slots);
    pingpong_wrong(k, wrong);
    return 1u;
}

RK_FN void pingpong_time(rk_ctx *k, rk_u32 first, rk_u32 sends)
{
    RK_G rk_u64 *time = RK_FIELD(k, time);
    rk_u64 now = rk_now_ns(k);
    if (sends != 0u) {
        time[TIME_SENT] = now;
        time[TIME_START] = first != 0u ? now : time[TIME_START];
        return;
    }
    rk_u64 trip = now - time[TIME_SENT];
    time[TIME_FASTEST] = trip < time[TIME_FASTEST] ? trip : time[TIME_FASTEST];
    time[TIME_END] = now;
}

RK_FN void play_lanes(rk_ctx *k)
{
    RK_G rk_u32 *run = RK_FIELD(k, run);
    rk_u32 far = RK_LANES(k) > 64u ? 64u : RK_LANES(k) - 1u;
    rk_u32 first = RK_LANE(k) == 0u;
    if (k->block != 0u || (first == 0u && RK_LANE(k) != far)) {
        return;
    }
    RK_G rk_u32 *end = first != 0u ? RK_FIELD(k, end) : RK_FIELD(k, far);
    rk_channel there;
    rk_channel back;
    pingpong_open(k, RK_CHANNEL_SHARED, 0u, &there, &back);
    for (rk_u32 i = 0u; i < RK_PARAM(k, slice) && end[END_TAKEN] < run[RUN_ROUNDS]; i++) {
        rk_u32 n = end[END_TAKEN];
        if (first != 0u && end[END_SENT] == n) {
            pingpong_time(k, n == 0u, 1u);
            lane_send(k, &there, n);
            end[END_SENT] = n + 1u;
        }
        if (lane_receive(k, first != 0u ? &back : &there, n) == 0u) {
            return;
        }
        if (first != 0u) {
            pingpong_time(k, 0u, 0u);
        } else {
            lane_send(k, &back, n);
        }
        end[END_TAKEN] = n + 1u;
    }
    if (first != 0u && end[END_TAKEN] == run[RUN_ROUNDS]) {
        run[RUN_OVER] = 1u;
    }
}

/* ---- Two blocks, all lanes of each together ------------------------------------------------- */

RK_FN void block_send(rk_ctx *k, const rk_channel *c, rk_u32 n)
{
    rk_u32 slots = RK_FIELD(k, run)[RUN_SLOTS];
    for (rk_u32 i = RK_LANE(k); i < 16u * slots; i += RK_LANES(k)) {
        rk_channel_put(c, n * slots, i, pingpong_word(n, i));
    }
    RK_SYNC_BLOCK(k);
    if (RK_LANE(k) == 0u) {
        rk_channel_commit(c, n * slots, slots);
    }
}

RK_FN rk_u32 block_receive(rk_ctx *k, const rk_channel *c, rk_u32 n)
{
    rk_u32 slots = RK_FIELD(k, run)[RUN_SLOTS];
    RK_L rk_u32 *flag = RK_SHARED(k, u32, SHARED_FLAG);
    rk_u32 wrong = 0u;
    if (RK_LANE(k) == 0u) {
        rk_u32 looks = 0u;
        while (rk_channel_ready(c, n * slots, slots) == 0u && ++looks < RK_CHANNEL_LOOKS) {
            rk_channel_pause();
        }
        *flag = looks < RK_CHANNEL_LOOKS;
    }
    RK_SYNC_BLOCK(k);
    rk_u32 come = *flag;
    for (rk_u32 i = RK_LANE(k); come != 0u && i < 16u * slots; i += RK_LANES(k)) {
        wrong += rk_channel_get(c, n * slots, i) != pingpong_word(n, i);
    }
    pingpong_wrong(k, wrong);
    RK_SYNC_BLOCK(k);
    if (come != 0u && RK_LANE(k) == 0u) {
        rk_channel_release(c, n * slots, slots);
    }
    return come;
}

RK_FN void play_blocks(rk_ctx *k, rk_u32 kind, rk_u32 other)
{
    RK_G rk_u32 *run = RK_FIELD(k, run);
    RK_G rk_u32 *end = RK_FIELD(k, end) + 32u * (rk_u64)k->block;
    rk_u32 first = k->block == 0u;
    if (first == 0u && k->block != other) {
        return;
    }
    rk_channel there;
    rk_channel back;
    pingpong_open(k, kind, other, &there, &back);
    rk_u32 taken = end[END_TAKEN];
    rk_u32 sent = end[END_SENT];
    rk_u32 rounds = run[RUN_ROUNDS];
    RK_SYNC_BLOCK(k); /* lane 0 writes them at the end */
    for (rk_u32 i = 0u; i < RK_PARAM(k, slice) && taken < rounds; i++) {
        if (first != 0u && sent == taken) {
            if (RK_LANE(k) == 0u) {
                pingpong_time(k, taken == 0u, 1u);
            }
            block_send(k, &there, taken);
            sent = taken + 1u;
        }
        if (block_receive(k, first != 0u ? &back : &there, taken) == 0u) {
            break;
        }
        if (first == 0u) {
            block_send(k, &back, taken);
        } else if (RK_LANE(k) == 0u) {
            pingpong_time(k, 0u, 0u);
        }
        taken++;
    }
    if (RK_LANE(k) == 0u) {
        end[END_TAKEN] = taken;
        end[END_SENT] = sent;
        if (first != 0u && taken == rounds) {
            run[RUN_OVER] = 1u;
        }
    }
}

/* ---- Many blocks, one lane of each ---------------------------------------------------------- */

RK_FN void play_fanin(rk_ctx *k)
{
    RK_G rk_u32 *run = RK_FIELD(k, run);
    RK_G rk_u32 *fan = RK_FIELD(k, fan);
    RK_G rk_u32 *ends = RK_FIELD(k, end);
    rk_u32 rounds = run[RUN_ROUNDS];
    rk_u32 words[16];
    rk_u32 looks = 0u;
    if (RK_LANE(k) != 0u) {
        return;
    }
    if (k->block != 0u) {
        RK_G rk_u32 *end = ends + 32u * (rk_u64)k->block;
        for (rk_u32 i = 0u; i < 16u; i++) {
            words[i] = k->block;
        }
        for (rk_u32 i = 0u; i < RK_PARAM(k, slice) && end[END_SENT] < rounds; i++) {
            words[0] = end[END_SENT];
            while (rk_fan_send(fan, FAN_SLOTS, words) != RK_SENT) {
                if (++looks >= RK_CHANNEL_LOOKS) {
                    return;
                }
                rk_channel_pause();
            }
            looks = 0u;
            end[END_SENT]++;
        }
        return;
    }
    rk_u32 all = rounds * (k->block_count - 1u);
    if (ends[END_TAKEN] == 0u) {
        pingpong_time(k, 1u, 1u);
    }
    for (rk_u32 i = 0u; i < RK_PARAM(k, slice) && ends[END_TAKEN] < all; i++) {
        while (rk_fan_receive(fan, FAN_SLOTS, words) == 0u) {
            if (++looks >= RK_CHANNEL_LOOKS) {
                return;
            }
            rk_channel_pause();
        }
        looks = 0u;
        rk_u32 from = words[15];
        ends[END_TAKEN]++;
        if (from == 0u || from >= k->block_count ||
            words[0] != ends[32u * (rk_u64)from + END_TAKEN]) {
            pingpong_wrong(k, 1u);
        } else {
            ends[32u * (rk_u64)from + END_TAKEN] = words[0] + 1u;
        }
    }
    if (ends[END_TAKEN] == all && run[RUN_OVER] == 0u) {
        pingpong_time(k, 0u, 0u);
        run[RUN_OVER] = 1u;
    }
}

/* The slowest reader's head. */
RK_FN rk_u32 cast_head(rk_ctx *k, rk_u32 sent)
{
    RK_G const rk_u32 *heads = RK_FIELD(k, cast) + CAST_HEADS;
    rk_u32 behind = 0u;
    for (rk_u32 i = 1u; i < k->block_count; i++) {
        rk_u32 distance = sent - rk_device_load_acquire(heads + 32u * (rk_u64)i);
        behind = distance > behind ? distance : behind;
    }
    return sent - behind;
}

RK_FN void play_broadcast(rk_ctx *k)
{
    RK_G rk_u32 *run = RK_FIELD(k, run);
    RK_G rk_u32 *cast = RK_FIELD(k, cast);
    RK_G rk_u32 *head = cast + CAST_HEADS + 32u * (rk_u64)k->block;
    RK_G rk_u32 *end = RK_FIELD(k, end) + 32u * (rk_u64)k->block;
    rk_u32 rounds = run[RUN_ROUNDS];
    rk_channel c;
    if (RK_LANE(k) != 0u) {
        return;
    }
    rk_channel_open(k, &c, RK_CHANNEL_DEVICE, 0u, cast, RK_SHARED(k, u32, 0), FAN_SLOTS);
    rk_u32 looks = 0u;
    if (k->block == 0u && end[END_SENT] == 0u) {
        pingpong_time(k, 1u, 1u);
    }
    for (rk_u32 i = 0u; i < RK_PARAM(k, slice); i++) {
        rk_u32 n = k->block == 0u ? end[END_SENT] : end[END_TAKEN];
        rk_u32 slowest = k->block == 0u ? cast_head(k, n) : 0u;
        if (n == rounds) {
            break;
        }
        if (k->block == 0u ? n - slowest >= FAN_SLOTS : rk_channel_ready(&c, n, 1u) == 0u) {
            i--;
            if (++looks >= RK_CHANNEL_LOOKS) {
                return;
            }
            rk_channel_pause();
            continue;
        }
        looks = 0u;
        rk_u32 wrong = 0u;
        for (rk_u32 word = 0u; word < 16u; word++) {
            if (k->block == 0u) {
                rk_channel_put(&c, n, word, pingpong_word(n, word));
            } else {
                wrong += rk_channel_get(&c, n, word) != pingpong_word(n, word);
            }
        }
        if (k->block == 0u) {
            rk_channel_commit(&c, n, 1u);
            end[END_SENT] = n + 1u;
        } else {
            pingpong_wrong(k, wrong);
            rk_device_store_release(head, n + 1u);
            end[END_TAKEN] = n + 1u;
        }
    }
    if (k->block == 0u && run[RUN_OVER] == 0u && end[END_SENT] == rounds &&
        cast_head(k, rounds) == rounds) {
        pingpong_time(k, 0u, 0u);
        run[RUN_OVER] = 1u;
    }
}

RK_PHASE(play)
{
    RK_G rk_u32 *run = RK_FIELD(k, run);
    rk_u32 mode = run[RUN_MODE];
    if (run[RUN_ACTIVE] == 0u) {
        return;
    }
    /* Shared memory is lost when the kernel leaves its device. */
    RK_L rk_u32 *mark = RK_SHARED(k, u32, SHARED_FLAG) + 1;
    rk_u32 fresh = rk_device_load(run + RUN_READY) == k->control->launch;
    rk_u32 lost = run[RUN_KIND] <= RK_CHANNEL_CLUSTER && *mark != run[RUN_NUMBER];
    RK_SYNC_BLOCK(k); /* the mark is written below */
    if (fresh == 0u || lost != 0u) {
        for (rk_u32 i = RK_LANE(k); i < 2u * RING_WORDS; i += RK_LANES(k)) {
            RK_SHARED(k, u32, 0)[i] = 0u;
        }
        if (RK_LANE(k) == 0u) {
            *mark = run[RUN_NUMBER];
            rk_device_store(run + RUN_READY, 0u);
        }
        return;
    }
    if (mode == MODE_LANES) {
        play_lanes(k);
    } else if (mode == MODE_BLOCKS) {
        play_blocks(k, rk_channel_kind(k, 0u, 1u), 1u);
    } else if (mode == MODE_DEVICE) {
        play_blocks(k, RK_CHANNEL_DEVICE, k->block_count - 1u);
    } else if (mode == MODE_FANIN) {
        play_fanin(k);
    } else if (mode == MODE_BROADCAST) {
        play_broadcast(k);
    }
}

/* ---- At safe points ------------------------------------------------------------------------- */

RK_FN void pingpong_zero(RK_G rk_u32 *words, rk_u64 count)
{
    for (rk_u64 i = 0u; i < count; i++) {
        words[i] = 0u;
    }
}

/* Nothing was sent yet, and no message is on its way. */
RK_FN void pingpong_reset(rk_ctx *k)
{
    pingpong_zero(RK_FIELD(k, ring), 2u * RING_WORDS);
    pingpong_zero(RK_FIELD(k, fan), RK_FIELD_ELEMENTS(k, fan));
    pingpong_zero(RK_FIELD(k, cast), RK_FIELD_ELEMENTS(k, cast));
    pingpong_zero(RK_FIELD(k, end), RK_FIELD_ELEMENTS(k, end));
    pingpong_zero(RK_FIELD(k, far), RK_FIELD_ELEMENTS(k, far));
    RK_FIELD(k, time)[TIME_FASTEST] = 0xfffffffffffffffful;
    RK_FIELD(k, time)[TIME_STEP] = k->step;
    RK_FIELD(k, run)[RUN_OVER] = 0u;
    RK_FIELD(k, run)[RUN_ERRORS] = 0u;
}

/* Tells the host; 0: its ring has no room now. */
RK_FN rk_u32 pingpong_done(rk_ctx *k)
{
    RK_G rk_u32 *run = RK_FIELD(k, run);
    RK_G const rk_u64 *time = RK_FIELD(k, time);
    rk_u64 done[6];
    done[0] = run[RUN_KIND];
    done[1] =
        (rk_u64)run[RUN_ROUNDS] *
        (run[RUN_MODE] == MODE_FANIN || run[RUN_MODE] == MODE_BROADCAST ? k->block_count - 1u : 1u);
    done[2] = time[TIME_END] - time[TIME_START];
    done[3] = time[TIME_FASTEST];
    done[4] = run[RUN_ERRORS];
    done[5] = k->step - time[TIME_STEP];
    if (rk_emit(k, PINGPONG_DONE, done, sizeof(done)) != RK_SENT) {
        return 0u;
    }
    run[RUN_ACTIVE] = 0u;
    return 1u;
}

RK_AFTER_STEP
{
    RK_G rk_u32 *run = RK_FIELD(k, run);
    if (run[RUN_ACTIVE] == 0u || run[RUN_MODE] == MODE_KERNELS) {
        return;
    }
    if (run[RUN_READY] != k->control->launch) {
        run[RUN_READY] = k->control->launch;
        pingpong_reset(k);
    }
    if (run[RUN_OVER] == 0u || pingpong_done(k) == 0u) {
        rk_request_steps(k, 1u);
    }
}

/* Sends message n to the other kernel. */
RK_FN void kernel_send(rk_ctx *k, rk_u32 n)
{
    RK_G rk_u32 *letter = RK_FIELD(k, letter);
    rk_u32 words = 16u * RK_FIELD(k, run)[RUN_SLOTS];
    for (rk_u32 i = 0u; i < words; i++) {
        letter[i] = pingpong_word(n, i);
    }
    pingpong_time(k, n == 0u, 1u);
    if (rk_send(k, 0u, PING, letter, 4u * words) != RK_SENT) {
        pingpong_wrong(k, 1u);
        (void)pingpong_done(k);
    }
}

RK_ON_MESSAGE
{
    RK_G rk_u32 *run = RK_FIELD(k, run);
    RK_G rk_u32 *end = RK_FIELD(k, end);
    if (message->type == PING) {
        (void)rk_send(k, 0u, PONG, message->payload, message->length);
        return;
    }
    if (message->type != PONG || run[RUN_ACTIVE] == 0u || run[RUN_MODE] != MODE_KERNELS) {
        return;
    }
    pingpong_time(k, 0u, 0u);
    rk_u32 wrong = message->length != 64u * run[RUN_SLOTS];
    for (rk_u32 i = 0u; wrong == 0u && i < 16u * run[RUN_SLOTS]; i++) {
        rk_u32 word = 0u;
        for (rk_u32 byte = 0u; byte < 4u; byte++) {
            word |= (rk_u32)message->payload[4u * i + byte] << (8u * byte);
        }
        wrong += word != pingpong_word(end[END_TAKEN], i);
    }
    pingpong_wrong(k, wrong);
    if (++end[END_TAKEN] < run[RUN_ROUNDS]) {
        kernel_send(k, end[END_TAKEN]);
    } else {
        (void)pingpong_done(k);
    }
}

RK_FN rk_u32 pingpong_number(RK_G const rk_u8 *data)
{
    return data[0] | ((rk_u32)data[1] << 8) | ((rk_u32)data[2] << 16) | ((rk_u32)data[3] << 24);
}

RK_FN rk_u32 pingpong_start(rk_ctx *k, rk_u32 mode, rk_u32 rounds, rk_u32 bytes)
{
    RK_G rk_u32 *run = RK_FIELD(k, run);
    if (mode >= MODES || rounds == 0u || rounds > 0x01000000u || bytes < 64u || bytes > 1024u ||
        (bytes & (bytes - 1u)) != 0u) {
        return PINGPONG_BAD;
    }
    if (run[RUN_ACTIVE] != 0u) {
        return PINGPONG_BUSY;
    }
    if ((mode == MODE_LANES && RK_LANES(k) < 2u) ||
        (mode != MODE_LANES && mode != MODE_KERNELS && k->block_count < 2u)) {
        return PINGPONG_FEW;
    }
    run[RUN_MODE] = mode;
    run[RUN_ROUNDS] = rounds;
    run[RUN_SLOTS] = bytes / 64u;
    run[RUN_READY] = 0u;
    run[RUN_NUMBER]++;
    run[RUN_KIND] = mode == MODE_LANES     ? RK_CHANNEL_SHARED
                    : mode == MODE_BLOCKS  ? rk_channel_kind(k, 0u, 1u)
                    : mode == MODE_KERNELS ? RK_CHANNEL_KERNEL
                                           : RK_CHANNEL_DEVICE;
    run[RUN_ACTIVE] = 1u;
    pingpong_reset(k);
    if (mode == MODE_KERNELS) {
        kernel_send(k, 0u);
    } else {
        rk_request_steps(k, 1u);
    }
    return 0u;
}

RK_ON_COMMAND
{
    if (op == PINGPONG_OP_ROUTE && length >= 8u) {
        value[0] = rk_channel_kind(k, pingpong_number(data), pingpong_number(data + 4));
        return 0u;
    }
    if (op != PINGPONG_OP_START || length < 12u) {
        return PINGPONG_BAD;
    }
    return pingpong_start(k, pingpong_number(data), pingpong_number(data + 4),
                          pingpong_number(data + 8));
}
