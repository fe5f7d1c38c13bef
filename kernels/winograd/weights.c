#include "weights.h"
#include <convoy/plugin.h>
#include <string.h>

enum { AHEAD = 4 }; /* channels */
_Static_assert((int)FILTERS == (int)BLOCK, "filters come in blocks of channels");

/* Columns out+lane, lane >= first, to the panels that they are in. */
static void store_rest(const struct weights *f, const float *columns, int32_t in, int32_t out, int32_t first,
                       const struct panels *panels, float *u)
{
    for (int32_t lane = first; lane < BLOCK; lane++) {
        const int32_t panel = (out + lane) / (panels->vectors * panels->family->lanes), start = panel_column(panels, panel);
        u[(int64_t)start * f->in + (int64_t)in * (panel_column(panels, panel + 1) - start) + (out + lane - start)] =
            columns[lane];
    }
}

int32_t weights_planes(const struct weights *f)
{
    return f->matrix.alpha * f->matrix.alpha;
}

/* The channel of the image that is folded: the output in backward data, which is `rotated`. */
static int32_t folded_channel(const struct weights *f, int32_t in, int32_t out)
{
    return f->rotated ? out : in;
}

/* Where the taps are in a filter of a folded channel, -1 for those that its phase lacks. */
static void locate_taps(const struct weights *f, int32_t channel, int32_t *position)
{
    const int32_t r = f->matrix.r, taps = r * r, phase = channel % (f->fold * f->fold);
    for (int32_t tap = 0; tap < taps && f->fold == 1; tap++)
        position[tap] = f->rotated ? taps - 1 - tap : tap;
    for (int32_t tap = 0; tap < taps && f->fold > 1; tap++) {
        const int32_t at = f->rotated ? taps - 1 - tap : tap;
        const int32_t y = at / r * f->fold + phase / f->fold, x = at % r * f->fold + phase % f->fold;
        position[tap] = y < f->kernel && x < f->kernel ? y * f->kernel + x : -1;
    }
}

/* The filter that holds them. */
static ptrdiff_t locate_filter(const struct weights *f, int32_t in, int32_t out)
{
    const int32_t phases = f->fold * f->fold;
    return f->rotated ? in * f->in_stride + out / phases * f->out_stride : in / phases * f->in_stride + out * f->out_stride;
}

void weights_taps(const struct weights *f, const float *w, int32_t in, int32_t out, float *g)
{
    const int32_t taps = f->matrix.r * f->matrix.r, lanes = (int32_t)convoy_min(BLOCK, f->out - out);
    const int same = f->fold == 1 || !f->rotated; /* positions in all lanes */
    int32_t position[POINTS_MAX_R * POINTS_MAX_R];
    memset(g, 0, (size_t)(taps * BLOCK) * sizeof *g);
    for (int32_t lane = 0; lane < lanes; lane++) {
        if (!lane || !same)
            locate_taps(f, folded_channel(f, in, out + lane), position);
        const float *from = w + locate_filter(f, in, out + lane);
        for (int32_t tap = 0; tap < taps; tap++)
            g[tap * BLOCK + lane] = position[tap] < 0 ? 0 : from[position[tap]];
    }
}

void weights_points(const struct weights *f, const float *w, int32_t in, int32_t out, float *points)
{
    float taps[POINTS_MAX_R * POINTS_MAX_R * BLOCK];
    double g[POINTS_MAX_R * POINTS_MAX_R * BLOCK];
    weights_taps(f, w, in, out, taps);
    for (int32_t at = 0; at < f->matrix.r * f->matrix.r * BLOCK; at++)
        g[at] = taps[at];
    f->family->transform(&f->matrix, g, points);
}

void weights_transform(const struct weights *f, const float *w, int32_t in, int32_t out, const struct panels *panels,
                       ptrdiff_t u_plane, float *u)
{
    const int32_t points = weights_planes(f);
    float transformed[POINTS_MAX_DENSE * POINTS_MAX_DENSE][BLOCK];
    weights_points(f, w, in, out, transformed[0]);
    const int32_t panel = out / (panels->vectors * panels->family->lanes), first = panel_column(panels, panel);
    const int32_t next = panel_column(panels, panel + 1), here = (int32_t)convoy_min(BLOCK, next - out);
    /* A block of 16 columns may begin in one panel and end in others. */
    float *to = u + (int64_t)first * f->in + (int64_t)in * (next - first) + (out - first);
    for (int32_t point = 0; point < points; point++) {
        memcpy(to + point * u_plane, transformed[point], (size_t)here * sizeof *to);
        if (here < BLOCK)
            store_rest(f, transformed[point], in, out, here, panels, u + point * u_plane);
    }
}

/* Taps in lanes to `lanes` filters, all of whose taps are there. */
static inline __attribute__((always_inline)) void store_filters(const float *from, int32_t lanes, const int32_t taps,
                                                                ptrdiff_t stride, ptrdiff_t ahead, float *to)
{
    for (int32_t lane = 0; lane < lanes; lane++, to += stride) {
        __builtin_prefetch(to + ahead, 1);
        for (int32_t tap = 0; tap < taps; tap++)
            to[tap] = from[tap * BLOCK + lane];
    }
}

void weights_gradient(const struct weights *f, const float *du, const struct planes *shape, int32_t in, int32_t out, float *dw)
{
    const int32_t taps = f->matrix.r * f->matrix.r, lanes = (int32_t)convoy_min(BLOCK, f->out - out);
    float g[POINTS_MAX_R * POINTS_MAX_R * BLOCK];
    /* Every point is in another plane, which no hardware prefetcher follows: fetch a later channel's. */
    for (int32_t point = 0; point < weights_planes(f); point++)
        __builtin_prefetch(du + point * shape->plane + AHEAD * shape->row);
    f->family->gradient(&f->matrix, du, shape->plane, g);
    int32_t position[POINTS_MAX_R * POINTS_MAX_R];
    locate_taps(f, in, position);
    float *to = dw + locate_filter(f, in, out);
    const ptrdiff_t ahead = AHEAD * f->in_stride;
    if (f->fold == 1 && taps == 9) {
        store_filters(g, lanes, 9, f->out_stride, ahead, to);
        return;
    }
    for (int32_t lane = 0; lane < lanes; lane++, to += f->out_stride) {
        __builtin_prefetch(to + ahead, 1);
        for (int32_t tap = 0; tap < taps; tap++) {
            if (position[tap] >= 0)
                to[position[tap]] = g[tap * BLOCK + lane];
        }
    }
}
