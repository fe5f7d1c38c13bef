/* pool_body: the loops of pooling for any window, in plain C that compilers vectorise. Included by pool_portable.c, pool_avx2.c and
 * pool_avx512.c, which define POOL_LOOPS as the object to make, and POOL_FWD_ROWS and POOL_MAX_BACK_ROWS_FAST as functions for
 * the common windows or NULL. Windows are taken apart: rows first, along whole rows of x, then columns: kh + kw steps, not kh*kw. */
#include "lanes.h"
#include "pool.h"
#include <convoy/plugin.h>
#include <math.h>
#include <string.h>

/* Whether a value comes before the best so far: it is larger or NaN, and the best is no NaN. */
static inline int beats(float value, float best)
{
    return !(value <= best) & (best == best);
}

/* Of two equal values, or two NaN, the tap that is first in row order counts. */
static inline int beats_at(float value, int32_t tap, float best, int32_t best_tap)
{
    return beats(value, best) | (((value == best) | ((value != value) & (best != best))) & (tap < best_tap));
}

static inline __attribute__((always_inline)) void pick_columns(const float *restrict best, const int32_t *restrict taps,
                                                               int64_t stride, int64_t count, int32_t s, float *restrict y,
                                                               int32_t *restrict index)
{
    for (int64_t at = 0; at < count; at++) {
        const float value = best[at * stride], before = y[at];
        const int32_t tap = taps[at * stride] + s, tap_before = index[at];
        const int wins = beats_at(value, tap, before, tap_before);
        y[at] = wins ? value : before;
        index[at] = wins ? tap : tap_before;
    }
}

static inline __attribute__((always_inline)) void pick_values(const float *restrict best, int64_t stride, int64_t count,
                                                              float *restrict y)
{
    for (int64_t at = 0; at < count; at++) {
        const float value = best[at * stride], before = y[at];
        y[at] = beats(value, before) ? value : before;
    }
}

static void max_over_rows(const struct pool_max_row *row)
{
    const struct convoy_pool *p = row->p;
    float *restrict best = row->best;
    int32_t *restrict taps = row->taps;
    memcpy(best, row->x, (size_t)p->w * sizeof *best);
    for (int64_t w = 0; w < p->w; w++)
        taps[w] = row->r_first * p->kw;
    for (int32_t r = row->r_first + 1; r < row->r_last; r++) {
        const float *restrict x = row->x + (int64_t)(r - row->r_first) * p->dil_h * p->w;
        for (int64_t w = 0; w < p->w; w++) {
            const int wins = beats(x[w], best[w]);
            best[w] = wins ? x[w] : best[w];
            taps[w] = wins ? r * p->kw : taps[w];
        }
    }
}

static void max_row(const struct pool_max_row *row)
{
    const struct convoy_pool *p = row->p;
    max_over_rows(row);
    for (int64_t ow = 0; ow < p->ow; ow++)
        row->y[ow] = -INFINITY;
    for (int64_t ow = 0; ow < p->ow && row->index; ow++)
        row->index[ow] = INT32_MAX;
    for (int32_t s = 0; s < p->kw; s++) {
        const struct pool_range in = row->windows[s];
        const int64_t count = in.last - in.first, column = (int64_t)in.first * p->stride_w - p->pad_l + (int64_t)s * p->dil_w;
        if (count <= 0)
            continue;
        if (!row->index)
            pick_values(row->best + column, p->stride_w, count, row->y + in.first);
        else if (p->stride_w == 1)
            pick_columns(row->best + column, row->taps + column, 1, count, s, row->y + in.first, row->index + in.first);
        else if (p->stride_w == 2)
            pick_columns(row->best + column, row->taps + column, 2, count, s, row->y + in.first, row->index + in.first);
        else
            pick_columns(row->best + column, row->taps + column, p->stride_w, count, s, row->y + in.first, row->index + in.first);
    }
    if (row->bytes)
        for (int64_t ow = 0; ow < p->ow; ow++)
            row->bytes[ow] = (uint8_t)row->index[ow];
}

/* ---- averages ---- */

static inline __attribute__((always_inline)) void add_columns(const float *restrict x, int64_t stride, int64_t count,
                                                              float *restrict y)
{
    for (int64_t at = 0; at < count; at++)
        y[at] += x[at * stride];
}

static void mean_row(const struct pool_max_row *row, int64_t divisor, const int32_t *divisors)
{
    const struct convoy_pool *p = row->p;
    float *restrict sums = row->best;
    memset(sums, 0, (size_t)p->w * sizeof *sums);
    for (int32_t r = row->r_first; r < row->r_last; r++)
        add_columns(row->x + (int64_t)(r - row->r_first) * p->dil_h * p->w, 1, p->w, sums);
    memset(row->y, 0, (size_t)p->ow * sizeof *row->y);
    for (int32_t s = 0; s < p->kw; s++) {
        const struct pool_range in = row->windows[s];
        const int64_t count = in.last - in.first, column = (int64_t)in.first * p->stride_w - p->pad_l + (int64_t)s * p->dil_w;
        if (count <= 0)
            continue;
        if (p->stride_w == 1)
            add_columns(sums + column, 1, count, row->y + in.first);
        else if (p->stride_w == 2)
            add_columns(sums + column, 2, count, row->y + in.first);
        else
            add_columns(sums + column, p->stride_w, count, row->y + in.first);
    }
    for (int64_t ow = 0; ow < p->ow; ow++)
        row->y[ow] /= (float)(divisor * divisors[ow]);
}

/* In double where the sum of floats has left their range. */
static float exact_mean(const float *x, int64_t plane)
{
    double sum = 0;
    for (int64_t at = 0; at < plane; at++)
        sum += x[at];
    return (float)(sum / (double)plane);
}

static void plane_means(const float *x, int64_t planes, int64_t plane, float *y)
{
    enum { GROUP = 16, CHAINS = 4 };
    const int64_t whole = plane / LANES * LANES;
    const lanes_mask rest = lanes_mask_first(plane - whole);
    for (int64_t first = 0; first < planes; first += GROUP) {
        const int64_t count = convoy_min(GROUP, planes - first);
        lanes sum[GROUP];
        float totals[GROUP];
        for (int64_t g = count; g < GROUP; g++)
            sum[g] = lanes_set(0);
        for (int64_t g = 0; g < count; g++) {
            const float *row = x + (first + g) * plane;
            lanes chain[CHAINS] = {lanes_load_some(row + whole, rest), lanes_set(0), lanes_set(0), lanes_set(0)};
            int64_t at = 0;
            for (; at + CHAINS * LANES <= whole; at += CHAINS * LANES)
                for (int k = 0; k < CHAINS; k++)
                    chain[k] = lanes_add(chain[k], lanes_load(row + at + k * LANES));
            for (; at < whole; at += LANES)
                chain[1] = lanes_add(chain[1], lanes_load(row + at));
            sum[g] = lanes_add(lanes_add(chain[0], chain[1]), lanes_add(chain[2], chain[3]));
        }
        lanes_totals(sum, totals);
        for (int64_t g = 0; g < count; g++)
            y[first + g] = isfinite(totals[g]) ? totals[g] / (float)plane : exact_mean(x + (first + g) * plane, plane);
    }
}

/* ---- gradients ---- */

static void fill_planes(const float *y, int64_t planes, int64_t plane, float *x)
{
    const int64_t whole = plane / LANES * LANES;
    const lanes_mask rest = lanes_mask_first(plane - whole);
    for (int64_t i = 0; i < planes; i++) {
        const lanes share = lanes_set(y[i] / (float)plane);
        for (int64_t at = 0; at < whole; at += LANES)
            lanes_store(x + i * plane + at, share);
        lanes_store_some(x + i * plane + whole, rest, share);
    }
}


static inline __attribute__((always_inline)) void add_chosen_bytes(const float *restrict dy, const uint8_t *restrict index,
                                                                   int64_t count, uint8_t tap, float *restrict sums)
{
    for (int64_t at = 0; at < count; at++)
        sums[at] += index[at] == tap ? dy[at] : 0.0f;
}

static inline __attribute__((always_inline)) void add_chosen(const float *restrict dy, const int32_t *restrict index,
                                                             int64_t count, int32_t tap, float *restrict sums)
{
    for (int64_t at = 0; at < count; at++)
        sums[at] += index[at] == tap ? dy[at] : 0.0f;
}

static void join_phases(const struct convoy_pool *p, const float *restrict phases, float *restrict dx)
{
    const int64_t pitch = pool_phase_floats(p);
    if (p->stride_w == 1) {
        memcpy(dx, phases + p->pad_l, (size_t)p->w * sizeof *dx);
        return;
    }
    for (int64_t phase = 0; phase < p->stride_w; phase++) {
        const int64_t first = ((phase - p->pad_l) % p->stride_w + p->stride_w) % p->stride_w;
        const float *restrict from = phases + phase * pitch + (first + p->pad_l) / p->stride_w;
        if (p->stride_w == 2)
            for (int64_t w = first, at = 0; w < p->w; w += 2, at++)
                dx[w] = from[at];
        else
            for (int64_t w = first, at = 0; w < p->w; w += p->stride_w, at++)
                dx[w] = from[at];
    }
}

static void back_row(const struct pool_back_row *row)
{
    const struct convoy_pool *p = row->p;
    const int64_t pitch = pool_phase_floats(p);
    const int bytes = (int64_t)p->kh * p->kw <= 256;
    memset(row->phases, 0, (size_t)(p->stride_w * pitch) * sizeof *row->phases);
    for (int32_t at = 0; at < row->rows; at++) {
        const struct pool_back_tap *tap = &row->tap[at];
        for (int32_t s = 0; s < p->kw; s++) {
            const int64_t column = (int64_t)s * p->dil_w;
            float *sums = row->phases + column % p->stride_w * pitch + column / p->stride_w;
            const int32_t chosen = tap->r * p->kw + s;
            if (!tap->index)
                add_columns(tap->dy, 1, p->ow, sums);
            else if (bytes)
                add_chosen_bytes(tap->dy, tap->index, p->ow, (uint8_t)chosen, sums);
            else
                add_chosen(tap->dy, tap->index, p->ow, chosen, sums);
        }
    }
    join_phases(p, row->phases, row->dx);
}

static void stream_lines(float *to, const float *from, int64_t lines)
{
    for (int64_t at = 0; at < lines * 16; at += LANES)
        lanes_stream(to + at, lanes_load(from + at));
}

static void end_stream(void)
{
    lanes_fence();
}

const struct pool_loops POOL_LOOPS = {
    .max_row = max_row,
    .fwd_rows = POOL_FWD_ROWS,
    .max_back_rows_fast = POOL_MAX_BACK_ROWS_FAST,
    .back_row = back_row,
    .mean_row = mean_row,
    .plane_means = plane_means,
    .fill_planes = fill_planes,
    .stream_lines = stream_lines,
    .end_stream = end_stream,
};
