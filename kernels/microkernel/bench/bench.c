/* microkernel-bench: every tile of every family that the CPU runs, as percent of the multiply-add peak, which is measured between
 * the tiles in the same process because a shared machine's clock moves. Columns: B in L1 (depth 128), B streamed from L2 (a block
 * of 512 KiB), and gathers of A and of B at depth 128. */
#include "microkernel.h"
#include "peak.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { L1_DEPTH = 128, L2_BYTES = 512 * 1024, RUNS = 7, RUN_NS = 400000 };

struct buffers {
    float *a, *b, *c;
    ptrdiff_t *offset;
};

static double now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static double peak_rate(peak_fn *peak)
{
    double best = 0;
    int64_t turns = 1000;
    for (int run = 0; run < RUNS; run++) {
        const double start = now_ns(), operations = peak(turns), spent = now_ns() - start;
        if (spent < RUN_NS / 4)
            turns *= 4;
        if (operations / spent > best)
            best = operations / spent;
    }
    return best;
}

static double tile_rate(mk_tile_fn *tile, struct mk_tile t, int32_t rows, int32_t width, int64_t blocks)
{
    const float *first = t.b;
    double best = 0;
    int64_t calls = 16;
    for (int run = 0; run < RUNS; run++) {
        const double start = now_ns();
        int64_t block = 0;
        for (int64_t call = 0; call < calls; call++) {
            t.b = first + block * t.k * width;
            block = block + 1 == blocks ? 0 : block + 1;
            tile(&t);
        }
        const double spent = now_ns() - start;
        const double rate = 2.0 * (double)rows * (double)width * (double)t.k * (double)calls / spent;
        if (rate > best)
            best = rate;
        if (spent < RUN_NS / 2)
            calls *= 2;
    }
    return best;
}

static void print_tile(const struct mk_family *family, peak_fn *peak, int32_t rows, int32_t vectors, const struct buffers *m)
{
    mk_tile_fn *tile = family->tile[rows - 1][vectors - 1];
    const int32_t width = vectors * family->lanes;
    struct mk_tile t = {.a = m->a,
                        .a_row = 1,
                        .a_col = rows,
                        .b = m->b,
                        .b_row = width,
                        .c = m->c,
                        .c_row = width,
                        .k = L1_DEPTH,
                        .accumulate = 1};
    const double roof = peak_rate(peak);
    const double l1 = tile_rate(tile, t, rows, width, 1);
    const double l2 = tile_rate(tile, t, rows, width, L2_BYTES / (L1_DEPTH * width * (int64_t)sizeof(float)));
    for (int64_t k = 0; k < t.k; k++)
        m->offset[k] = (ptrdiff_t)k * rows;
    t.a_offset = m->offset;
    const double gather_a = tile_rate(tile, t, rows, width, 1);
    for (int64_t k = 0; k < t.k; k++)
        m->offset[k] = (ptrdiff_t)k * width;
    t.a_offset = NULL;
    t.b_offset = m->offset;
    const double gather_b = tile_rate(tile, t, rows, width, 1);
    const double again = peak_rate(peak);
    const double percent = 100 / (again > roof ? again : roof);
    printf("%-9s %2d x %d  %6.1f %6.1f %8.1f %8.1f   of %.1f GFLOP/s\n", family->name, rows, vectors, l1 * percent, l2 * percent,
           gather_a * percent, gather_b * percent, 100 / percent);
}

static void *zeroed(size_t bytes)
{
    void *p = aligned_alloc(4096, bytes);
    if (!p) {
        fprintf(stderr, "no memory\n");
        exit(1);
    }
    memset(p, 0, bytes);
    return p;
}

int main(void)
{
    static const struct {
        const char *name;
        peak_fn *peak;
    } list[] = {
#if defined(__x86_64__)
        {"avx512", peak_avx512},
        {"avx2", peak_avx2},
#endif
        {"portable", peak_portable},
    };
    struct buffers m = {
        .a = zeroed(64 * 1024), .b = zeroed(L2_BYTES + 64 * 1024), .c = zeroed(64 * 1024), .offset = zeroed(4096)};
    printf("family    tile       L1     L2 gather A gather B   percent of the peak\n");
    for (size_t f = 0; f < sizeof list / sizeof *list; f++) {
        const struct mk_family *family = mk_family_by_name(list[f].name);
        for (int32_t vectors = 1; family && vectors <= MK_MAX_VECTORS; vectors++) {
            for (int32_t rows = 1; rows <= MK_MAX_ROWS && family->tile[rows - 1][vectors - 1]; rows++)
                print_tile(family, list[f].peak, rows, vectors, &m);
        }
    }
    free(m.a);
    free(m.b);
    free(m.c);
    free(m.offset);
    return 0;
}
