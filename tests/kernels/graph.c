/*
 * graph.c: see graph.h.
 */
#include "kernels/graph.h"

#include <math.h>
#include <stdlib.h>

graph graph_random(uint32_t n, uint32_t n_edges, uint64_t seed)
{
    graph g = {.n = n, .n_edges = n_edges, .edge = malloc(n_edges * sizeof(*g.edge))};
    for (uint32_t i = 0; i < n_edges; i++) {
        do {
            seed = seed * 6364136223846793005u + 1442695040888963407u;
            g.edge[i][0] = (uint32_t)((seed >> 33) % n);
        } while (n > 1 && g.edge[i][0] % 7 == 3);
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        uint32_t to = (uint32_t)((seed >> 33) % n);
        g.edge[i][1] = to * (uint64_t)to / n; /* some are pointed at more often than others */
    }
    return g;
}

void graph_finish(graph *g)
{
    free(g->edge);
}

void graph_rank(const graph *g, double damping, double *out_rank)
{
    size_t n = g->n;
    double *a = calloc(n * n, sizeof(*a));
    uint32_t *degree = calloc(n, sizeof(*degree));
    for (uint32_t i = 0; i < g->n_edges; i++) {
        degree[g->edge[i][0]]++;
    }
    for (uint32_t i = 0; i < g->n_edges; i++) {
        uint32_t from = g->edge[i][0];
        a[g->edge[i][1] * n + from] -= damping / degree[from];
    }
    for (size_t v = 0; v < n; v++) {
        for (size_t u = 0; u < n; u++) {
            a[v * n + u] -= degree[u] == 0 ? damping / (double)n : 0.0;
        }
        a[v * n + v] += 1.0;
        out_rank[v] = (1.0 - damping) / (double)n;
    }
    /* Gauss without pivots: the matrix is diagonally dominant by columns. */
    for (size_t c = 0; c < n; c++) {
        for (size_t r = c + 1; r < n; r++) {
            double f = a[r * n + c] / a[c * n + c];
            if (f != 0.0) {
                for (size_t j = c; j < n; j++) {
                    a[r * n + j] -= f * a[c * n + j];
                }
                out_rank[r] -= f * out_rank[c];
            }
        }
    }
    for (size_t r = n; r-- > 0;) {
        for (size_t j = r + 1; j < n; j++) {
            out_rank[r] -= a[r * n + j] * out_rank[j];
        }
        out_rank[r] /= a[r * n + r];
    }
    free(a);
    free(degree);
}

static uint32_t parts_for_sorting;

/* By the part of the target, then the target, then the source. */
static int by_target(const void *left, const void *right)
{
    const uint32_t *a = left;
    const uint32_t *b = right;
    uint32_t part_a = a[1] % parts_for_sorting;
    uint32_t part_b = b[1] % parts_for_sorting;
    if (part_a != part_b) {
        return part_a < part_b ? -1 : 1;
    }
    if (a[1] != b[1]) {
        return a[1] < b[1] ? -1 : 1;
    }
    return a[0] < b[0] ? -1 : a[0] > b[0];
}

kt *graph_kernel(const graph *g, uint32_t parts, uint32_t part, unsigned blocks, unsigned lanes,
                 unsigned inbox_slots)
{
    uint32_t n_local = (g->n - part + parts - 1) / parts;
    uint32_t(*edge)[2] = malloc((g->n_edges + 1) * sizeof(*edge));
    uint32_t *degree = calloc(n_local + 1, sizeof(*degree));
    uint32_t *source = malloc((g->n_edges + 1) * sizeof(*source));
    uint32_t *target = malloc((g->n_edges + 1) * sizeof(*target));
    uint32_t *start = malloc((g->n_edges + 1) * sizeof(*start));
    uint32_t *part_start = calloc(parts + 1, sizeof(*part_start));
    uint32_t edges = 0;
    uint32_t groups = 0;
    for (uint32_t i = 0; i < g->n_edges; i++) {
        if (g->edge[i][0] % parts == part) {
            edge[edges][0] = g->edge[i][0];
            edge[edges++][1] = g->edge[i][1];
            degree[g->edge[i][0] / parts]++;
        }
    }
    parts_for_sorting = parts;
    qsort(edge, edges, sizeof(*edge), by_target);
    for (uint32_t i = 0; i < edges; i++) {
        source[i] = edge[i][0] / parts;
        if (i == 0 || edge[i][1] != edge[i - 1][1]) {
            target[groups] = edge[i][1] / parts;
            part_start[edge[i][1] % parts + 1]++;
            start[groups++] = i;
        }
    }
    start[groups] = edges;
    for (uint32_t p = 0; p < parts; p++) {
        part_start[p + 1] += part_start[p];
    }
    kt *k = kt_new("pagerank", NULL, blocks, lanes);
    kt_inbox(k, inbox_slots);
    kt_u(k, "n_vertices", g->n);
    kt_u(k, "n_local", n_local);
    kt_u(k, "parts", parts);
    kt_u(k, "part", part);
    kt_u(k, "n_groups", groups);
    kt_u(k, "n_edges", edges);
    kt_f(k, "tolerance", 1e-13);
    kt_create(k);
    kt_write(k, "degree", degree, n_local);
    kt_write(k, "part_start", part_start, parts + 1);
    kt_write(k, "group_target", target, groups);
    kt_write(k, "group_start", start, groups + 1);
    kt_write(k, "edge_source", source, edges);
    free(edge);
    free(degree);
    free(source);
    free(target);
    free(start);
    free(part_start);
    return k;
}
