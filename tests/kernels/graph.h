/*
 * graph.h: graphs for the tests of pagerank, their exact ranks, and their spread over parts.
 */
#ifndef RK_TESTS_KERNELS_GRAPH_H
#define RK_TESTS_KERNELS_GRAPH_H

#include "kernels/kt.h"

typedef struct graph {
    uint32_t n;
    uint32_t n_edges;
    uint32_t (*edge)[2]; /* from, to */
} graph;

/* Random edges; every seventh vertex has none that leave it. */
graph graph_random(uint32_t n, uint32_t n_edges, uint64_t seed);
void graph_finish(graph *g);

/* Solves the dense linear system (I - d P) rank = (1 - d) / N: n <= 1000. */
void graph_rank(const graph *g, double damping, double *out_rank);

/*
 * A kernel for part `part` of `parts`: vertex v belongs to part v % parts, as its vertex v / parts.
 */
kt *graph_kernel(const graph *g, uint32_t parts, uint32_t part, unsigned blocks, unsigned lanes,
                 unsigned inbox_slots);

#endif
