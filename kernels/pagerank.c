/*
 * pagerank.c: PageRank of a graph that is spread over several kernels, which send each other what
 * their vertices give to vertices of the others.
 *
 *     rank_v = (1 - d) / N + d (sum_{u -> v} rank_u / degree_u + sum_{degree_u = 0} rank_u / N)
 *
 * (Brin and Page, 1998; a vertex without edges gives its rank to all). Power iteration until the
 * sum of |change| over all vertices is at most `tolerance`, or for max_iterations.
 *
 * Each kernel is a part with vertices of its own, numbered from 0. The host lists for a part its
 * groups: a group is a vertex of some part that is the target of own vertices (its sources), and
 * groups are ordered by the part of their target. Route r of part p leads to part r, or to part r +
 * 1 from r = p on.
 *
 * Invariants
 *   1. In iteration t a part sends one entry per group with a target elsewhere, in batches, and
 *      then its mark to each other part: the end of its entries, what its vertices without edges
 *      hold, and how much its ranks changed. Messages of one kernel arrive in order.
 *   2. A part goes on to t + 1 when it has sent everything and seen the marks of all parts. So
 *      nobody is more than one iteration ahead, and what is received goes to the buffer t & 1.
 *   3. Entries of different parts are kept apart and added in the order of the parts: the ranks
 *      do not depend on when messages arrive.
 *   4. A message that the inbox has no room for is sent again in the next step; its entries are
 *      counted only once it has gone.
 *   5. All parts add the same marks in the same order, so all stop at the same iteration.
 */
#define RK_NAME pagerank
#define RK_SUMMARY "PageRank of a graph spread over kernels that exchange messages"
#define RK_PARAMS(P)                                                                               \
    P(u32, n_vertices, "1", "", "vertices of the whole graph: N")                                  \
    P(u32, n_local, "1", "", "vertices of this part")                                              \
    P(u32, parts, "1", "", "kernels that share the graph")                                         \
    P(u32, part, "0", "", "number of this one")                                                    \
    P(u32, n_groups, "0", "", "targets of this part's vertices")                                   \
    P(u32, n_edges, "0", "", "edges that leave this part's vertices")                              \
    P(f64, damping, "0.85", "", "d")                                                               \
    P(f64, tolerance, "1e-10", "", "sum of changes at which the ranks count as found")             \
    P(u32, max_iterations, "1000", "", "end without having found them")
#define RK_FIELDS(F)                                                                               \
    F(u32, degree, "n_local", "", "input,state", "edges that leave each vertex")                   \
    F(u32, part_start, "parts+1", "", "input,state", "first group of each part, and n_groups")     \
    F(u32, group_target, "n_groups", "", "input,state", "vertex in its part")                      \
    F(u32, group_start, "n_groups+1", "", "input,state", "first edge of each group, and n_edges")  \
    F(u32, edge_source, "n_edges", "", "input,state", "own vertex of each edge, by groups")        \
    F(f64, rank, "n_local", "", "state,output", "the ranks; all parts' add up to 1")               \
    F(f64, share, "n_local", "", "state", "what a vertex gives along each edge")                   \
    F(f64, outgoing, "n_groups", "", "state", "the sum of a group's shares")                       \
    F(f64, incoming, "2*parts*n_local", "", "state", "received: iteration & 1, part, vertex")      \
    F(f64, mark, "2*parts*2", "", "state", "iteration & 1, part: held without edges, change")      \
    F(u32, seen, "2*parts", "", "state", "iteration & 1, part: its mark has come")                 \
    F(f64, block_sum, "2*blocks", "", "state", "per block: held without edges, change")            \
    F(u64, progress, "8", "", "state,output", "stage, iteration, to send next, counters")          \
    F(f64, total, "2", "", "state,output", "all parts: held without edges, change")
#define RK_PHASES(X) X(update) X(spread) X(gather)
#define RK_SHARED_BYTES 8192
#define RK_HAS_INIT 1
#define RK_HAS_MESSAGE 1
#define RK_HAS_COMMAND 1
#define RK_HAS_AFTER_STEP 1
#include <ringkernel/kernel.h>

/* Custom operation: answers {iteration, stage, bits of the last change}. */
#define PAGERANK_OP_PROGRESS 1u

/* Words of `progress`. */
enum { STAGE, ITERATION, NEXT_PART, NEXT_GROUP, RETRIES, REFUSED };

/* progress[STAGE] */
enum {
    STAGE_START,    /* the next step gives out the first ranks */
    STAGE_EXCHANGE, /* entries and marks are on their way; steps only send */
    STAGE_UPDATE,   /* all is here: the next step finds the new ranks and gives them out */
    STAGE_FOUND,    /* the change is within the tolerance */
    STAGE_STOPPED   /* max_iterations are over */
};

/* Message types. */
#define PAGERANK_ENTRIES RK_MSG_TYPE_USER
#define PAGERANK_MARK (RK_MSG_TYPE_USER + 1u)

#define PAGERANK_BATCH 64u

typedef struct pagerank_entries {
    rk_u32 iteration;
    rk_u32 part; /* of the sender */
    rk_u32 count;
    rk_u32 reserved;
    rk_f64 value[PAGERANK_BATCH];
    rk_u32 vertex[PAGERANK_BATCH]; /* of the receiver */
} pagerank_entries;

typedef struct pagerank_mark {
    rk_u32 iteration;
    rk_u32 part;
    rk_f64 held;   /* rank of the sender's vertices without edges */
    rk_f64 change; /* of the sender's ranks, in the last update */
} pagerank_mark;

RK_FN RK_G rk_f64 *pagerank_incoming(rk_ctx *k, rk_u64 iteration, rk_u32 part)
{
    return RK_FIELD(k, incoming) +
           ((iteration & 1u) * RK_PARAM(k, parts) + part) * (rk_u64)RK_PARAM(k, n_local);
}

RK_FN rk_u64 pagerank_mark_index(rk_ctx *k, rk_u64 iteration, rk_u32 part)
{
    return (iteration & 1u) * RK_PARAM(k, parts) + part;
}

/* ---- What the blocks do ---- */

/* New ranks, from what all parts gave in this iteration. */
RK_PHASE(update)
{
    if (RK_FIELD(k, progress)[STAGE] != STAGE_UPDATE) {
        return;
    }
    RK_G rk_f64 *rank = RK_FIELD(k, rank);
    rk_u64 iteration = RK_FIELD(k, progress)[ITERATION];
    rk_f64 n = (rk_f64)RK_PARAM(k, n_vertices);
    rk_f64 d = RK_PARAM(k, damping);
    rk_f64 to_all = (1.0 - d) / n + d * RK_FIELD(k, total)[0] / n;
    rk_f64 change = 0.0;
    rk_u64 lo;
    rk_u64 hi;
    rk_block_range(k, RK_PARAM(k, n_local), &lo, &hi);
    for (rk_u64 v = lo + RK_LANE(k); v < hi; v += RK_LANES(k)) {
        rk_f64 sum = 0.0;
        for (rk_u32 part = 0u; part < RK_PARAM(k, parts); part++) {
            sum += pagerank_incoming(k, iteration, part)[v];
        }
        rk_f64 now = to_all + d * sum;
        change += rk_fabs64(now - rank[v]);
        rank[v] = now;
    }
    change = rk_block_sum(k, RK_SHARED(k, f64, 0), change);
    if (RK_LANE(k) == 0u) {
        RK_FIELD(k, block_sum)[2u * k->block + 1u] = change;
    }
}

RK_FN rk_u32 pagerank_gives(rk_ctx *k)
{
    rk_u64 stage = RK_FIELD(k, progress)[STAGE];
    return stage == STAGE_START || stage == STAGE_UPDATE;
}

/* What each vertex gives along each of its edges. */
RK_PHASE(spread)
{
    if (pagerank_gives(k) == 0u) {
        return;
    }
    rk_f64 held = 0.0;
    rk_u64 lo;
    rk_u64 hi;
    rk_block_range(k, RK_PARAM(k, n_local), &lo, &hi);
    for (rk_u64 v = lo + RK_LANE(k); v < hi; v += RK_LANES(k)) {
        rk_f64 rank = RK_FIELD(k, rank)[v];
        rk_u32 degree = RK_FIELD(k, degree)[v];
        RK_FIELD(k, share)[v] = degree == 0u ? 0.0 : rank / (rk_f64)degree;
        held += degree == 0u ? rank : 0.0;
    }
    held = rk_block_sum(k, RK_SHARED(k, f64, 0), held);
    if (RK_LANE(k) == 0u) {
        RK_FIELD(k, block_sum)[2u * k->block] = held;
    }
}

/* The sums of the groups; those of own vertices have arrived with that. */
RK_PHASE(gather)
{
    if (pagerank_gives(k) == 0u) {
        return;
    }
    rk_u64 stage = RK_FIELD(k, progress)[STAGE];
    rk_u64 iteration = RK_FIELD(k, progress)[ITERATION] + (stage == STAGE_UPDATE ? 1u : 0u);
    rk_u32 part = RK_PARAM(k, part);
    RK_G rk_f64 *own = pagerank_incoming(k, iteration, part);
    RK_G const rk_u32 *start = RK_FIELD(k, group_start);
    rk_u32 own_first = RK_FIELD(k, part_start)[part];
    rk_u32 own_last = RK_FIELD(k, part_start)[part + 1u];
    rk_u64 lo;
    rk_u64 hi;
    rk_block_range(k, RK_PARAM(k, n_groups), &lo, &hi);
    for (rk_u64 group = lo + RK_LANE(k); group < hi; group += RK_LANES(k)) {
        rk_f64 sum = 0.0;
        for (rk_u32 edge = start[group]; edge < start[group + 1u]; edge++) {
            sum += RK_FIELD(k, share)[RK_FIELD(k, edge_source)[edge]];
        }
        RK_FIELD(k, outgoing)[group] = sum;
        if (group >= own_first && group < own_last) {
            own[RK_FIELD(k, group_target)[group]] = sum;
        }
    }
}

/* ---- The exchange ---- */

RK_FN void pagerank_take_mark(rk_ctx *k, const pagerank_mark *mark)
{
    rk_u64 index = pagerank_mark_index(k, mark->iteration, mark->part);
    RK_FIELD(k, mark)[2u * index] = mark->held;
    RK_FIELD(k, mark)[2u * index + 1u] = mark->change;
    RK_FIELD(k, seen)[index] = 1u;
}

/* Behind a step that gave out ranks: this part's own mark; the sending begins. */
RK_FN void pagerank_begin_exchange(rk_ctx *k)
{
    RK_G rk_u64 *progress = RK_FIELD(k, progress);
    pagerank_mark mark = {0u, 0u, 0.0, 0.0};
    if (progress[STAGE] == STAGE_UPDATE) {
        progress[ITERATION]++;
        for (rk_u32 b = 0u; b < k->block_count; b++) {
            mark.change += RK_FIELD(k, block_sum)[2u * b + 1u];
        }
    } else {
        mark.change = 1.0; /* nothing is known yet: no reason to stop */
    }
    for (rk_u32 b = 0u; b < k->block_count; b++) {
        mark.held += RK_FIELD(k, block_sum)[2u * b];
    }
    mark.iteration = (rk_u32)progress[ITERATION];
    mark.part = RK_PARAM(k, part);
    pagerank_take_mark(k, &mark);
    progress[STAGE] = STAGE_EXCHANGE;
    progress[NEXT_PART] = 0u;
    progress[NEXT_GROUP] = RK_FIELD(k, part_start)[0];
}

/* Sends to another part. Returns 1 when it has gone. */
RK_FN rk_u32 pagerank_send(rk_ctx *k, rk_u32 part, rk_u32 type, const void *payload, rk_u32 bytes)
{
    rk_u32 route = part < RK_PARAM(k, part) ? part : part - 1u;
    rk_u32 receipt = rk_send(k, route, type, payload, bytes);
    if (receipt == RK_SEND_FULL) {
        RK_FIELD(k, progress)[RETRIES]++;
        return 0u;
    }
    if (receipt != RK_SENT) {
        rk_panic(k, receipt,
                 "pagerank: another part cannot be reached: connect each part to all others");
        return 0u;
    }
    return 1u;
}

/*
 * Sends the entries for one part from progress[NEXT_GROUP] on, then the mark. 1 when all has gone.
 */
RK_FN rk_u32 pagerank_send_part(rk_ctx *k, rk_u32 part)
{
    RK_G rk_u64 *progress = RK_FIELD(k, progress);
    rk_u32 last = RK_FIELD(k, part_start)[part + 1u];
    while (progress[NEXT_GROUP] < last) {
        pagerank_entries entries;
        rk_u32 first = (rk_u32)progress[NEXT_GROUP];
        entries.iteration = (rk_u32)progress[ITERATION];
        entries.part = RK_PARAM(k, part);
        entries.count = last - first < PAGERANK_BATCH ? last - first : PAGERANK_BATCH;
        entries.reserved = 0u;
        for (rk_u32 i = 0u; i < PAGERANK_BATCH; i++) {
            rk_u32 group = i < entries.count ? first + i : first;
            entries.value[i] = RK_FIELD(k, outgoing)[group];
            entries.vertex[i] = RK_FIELD(k, group_target)[group];
        }
        if (pagerank_send(k, part, PAGERANK_ENTRIES, &entries, sizeof(entries)) == 0u) {
            return 0u;
        }
        progress[NEXT_GROUP] = first + entries.count;
    }
    pagerank_mark mark;
    rk_u64 own = pagerank_mark_index(k, progress[ITERATION], RK_PARAM(k, part));
    mark.iteration = (rk_u32)progress[ITERATION];
    mark.part = RK_PARAM(k, part);
    mark.held = RK_FIELD(k, mark)[2u * own];
    mark.change = RK_FIELD(k, mark)[2u * own + 1u];
    return pagerank_send(k, part, PAGERANK_MARK, &mark, sizeof(mark));
}

/* Goes on when everything has been sent and every mark has come. */
RK_FN void pagerank_end_exchange(rk_ctx *k)
{
    RK_G rk_u64 *progress = RK_FIELD(k, progress);
    RK_G rk_f64 *total = RK_FIELD(k, total);
    rk_u64 first = pagerank_mark_index(k, progress[ITERATION], 0u);
    for (rk_u32 part = 0u; part < RK_PARAM(k, parts); part++) {
        if (RK_FIELD(k, seen)[first + part] == 0u) {
            return;
        }
    }
    total[0] = 0.0;
    total[1] = 0.0;
    for (rk_u32 part = 0u; part < RK_PARAM(k, parts); part++) {
        total[0] += RK_FIELD(k, mark)[2u * (first + part)];
        total[1] += RK_FIELD(k, mark)[2u * (first + part) + 1u];
        RK_FIELD(k, seen)[first + part] = 0u;
    }
    rk_u32 found = progress[ITERATION] != 0u && total[1] <= RK_PARAM(k, tolerance);
    rk_u32 over = progress[ITERATION] >= RK_PARAM(k, max_iterations);
    progress[STAGE] = found ? STAGE_FOUND : over ? STAGE_STOPPED : STAGE_UPDATE;
}

RK_AFTER_STEP
{
    RK_G rk_u64 *progress = RK_FIELD(k, progress);
    rk_u32 parts = RK_PARAM(k, parts);
    if (pagerank_gives(k) != 0u) {
        pagerank_begin_exchange(k);
    }
    if (progress[STAGE] != STAGE_EXCHANGE) {
        return;
    }
    while (progress[NEXT_PART] < parts) {
        rk_u32 part = (rk_u32)progress[NEXT_PART];
        if (part != RK_PARAM(k, part) && pagerank_send_part(k, part) == 0u) {
            return;
        }
        progress[NEXT_PART] = part + 1u;
        progress[NEXT_GROUP] = RK_FIELD(k, part_start)[part + 1u];
    }
    pagerank_end_exchange(k);
}

/* Whether a message may be from this part in this iteration; others are counted and dropped. */
RK_FN rk_u32 pagerank_expects(rk_ctx *k, rk_u32 iteration, rk_u32 part)
{
    rk_u32 ahead = iteration - (rk_u32)RK_FIELD(k, progress)[ITERATION];
    return part < RK_PARAM(k, parts) && part != RK_PARAM(k, part) && ahead <= 1u &&
           RK_FIELD(k, seen)[pagerank_mark_index(k, iteration, part)] == 0u;
}

RK_ON_MESSAGE
{
    if (message->type == PAGERANK_MARK && message->length == sizeof(pagerank_mark)) {
        pagerank_mark mark = *(RK_G const pagerank_mark *)message->payload;
        if (pagerank_expects(k, mark.iteration, mark.part) != 0u) {
            pagerank_take_mark(k, &mark);
            return;
        }
    }
    if (message->type == PAGERANK_ENTRIES && message->length == sizeof(pagerank_entries)) {
        RK_G const pagerank_entries *entries = (RK_G const pagerank_entries *)message->payload;
        rk_u32 count = entries->count;
        rk_u32 part = entries->part;
        if (count <= PAGERANK_BATCH && pagerank_expects(k, entries->iteration, part) != 0u) {
            RK_G rk_f64 *incoming = pagerank_incoming(k, entries->iteration, part);
            for (rk_u32 i = 0u; i < count; i++) {
                if (entries->vertex[i] < RK_PARAM(k, n_local)) {
                    incoming[entries->vertex[i]] = entries->value[i];
                }
            }
            return;
        }
    }
    RK_FIELD(k, progress)[REFUSED]++;
}

RK_ON_COMMAND
{
    (void)data;
    (void)length;
    if (op != PAGERANK_OP_PROGRESS) {
        return 1u;
    }
    value[0] = RK_FIELD(k, progress)[ITERATION];
    value[1] = RK_FIELD(k, progress)[STAGE];
    value[2] = rk_f64_bits(RK_FIELD(k, total)[1]);
    return 0u;
}

/* ---- Init ---- */

/* Whether the lists that the host filled hang together. */
RK_FN rk_u32 pagerank_is_whole(rk_ctx *k)
{
    rk_u32 parts = RK_PARAM(k, parts);
    rk_u32 groups = RK_PARAM(k, n_groups);
    RK_G const rk_u32 *part_start = RK_FIELD(k, part_start);
    RK_G const rk_u32 *start = RK_FIELD(k, group_start);
    rk_u32 part = RK_PARAM(k, part);
    rk_u32 whole = part_start[0] == 0u && part_start[parts] == groups && start[0] == 0u &&
                   start[groups] == RK_PARAM(k, n_edges);
    for (rk_u32 i = 0u; whole != 0u && i < parts; i++) {
        whole = part_start[i] <= part_start[i + 1u];
    }
    for (rk_u32 i = 0u; whole != 0u && i < groups; i++) {
        rk_u32 own = i >= part_start[part] && i < part_start[part + 1u];
        whole = start[i] <= start[i + 1u] &&
                (own == 0u || RK_FIELD(k, group_target)[i] < RK_PARAM(k, n_local));
    }
    for (rk_u32 i = 0u; whole != 0u && i < RK_PARAM(k, n_edges); i++) {
        rk_u32 source = RK_FIELD(k, edge_source)[i];
        whole = source < RK_PARAM(k, n_local) && RK_FIELD(k, degree)[source] != 0u;
    }
    return whole;
}

RK_INIT
{
    rk_u64 lo;
    rk_u64 hi;
    if (RK_PARAM(k, parts) == 0u || RK_PARAM(k, part) >= RK_PARAM(k, parts) ||
        RK_PARAM(k, n_vertices) == 0u || RK_PARAM(k, n_local) > RK_PARAM(k, n_vertices)) {
        rk_panic(k, 1u, "pagerank: part must be less than parts, n_local at most n_vertices");
        return;
    }
    if (k->block == 0u && RK_LANE(k) == 0u && pagerank_is_whole(k) == 0u) {
        rk_panic(k, 2u, "pagerank: the lists of groups and edges do not hang together");
        return;
    }
    rk_block_range(k, RK_PARAM(k, n_local), &lo, &hi);
    for (rk_u64 v = lo + RK_LANE(k); v < hi; v += RK_LANES(k)) {
        RK_FIELD(k, rank)[v] = 1.0 / (rk_f64)RK_PARAM(k, n_vertices);
    }
}
