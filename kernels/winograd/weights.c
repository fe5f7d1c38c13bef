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

void weights_transform(const struct weights *f, const float *w, int32_t in, int32_t out, const struct panels *panels,
                       ptrdiff_t u_plane, float *u)
{
    const int32_t taps = f->matrix.r * f->matrix.r, points = f->matrix.alpha * f->matrix.alpha;
    const int32_t lanes = (int32_t)convoy_min(BLOCK, f->out - out);
    double g[POINTS_MAX_R * POINTS_MAX_R * BLOCK] = {0};
    float transformed[POINTS_MAX_ALPHA * POINTS_MAX_ALPHA][BLOCK];
    for (int32_t lane = 0; lane < lanes; lane++) {
        const float *from = w + in * f->in_stride + (out + lane) * f->out_stride;
        for (int32_t tap = 0; tap < taps; tap++)
            g[tap * BLOCK + lane] = from[f->rotated ? taps - 1 - tap : tap];
    }
    f->family->transform(&f->matrix, g, transformed[0]);
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

void weights_gradient(const struct weights *f, const float *du, const struct planes *shape, int32_t in, int32_t out, float *dw)
{
    const int32_t taps = f->matrix.r * f->matrix.r, lanes = (int32_t)convoy_min(BLOCK, f->out - out);
    double g[POINTS_MAX_R * POINTS_MAX_R * BLOCK];
    float rounded[POINTS_MAX_R * POINTS_MAX_R * BLOCK];
    /* Every point is in another plane, which no hardware prefetcher follows: fetch a later channel's. */
    for (int32_t point = 0; point < f->matrix.alpha * f->matrix.alpha; point++)
        __builtin_prefetch(du + point * shape->plane + AHEAD * shape->row);
    f->family->gradient(&f->matrix, du, shape->plane, g);
    for (int32_t at = 0; at < taps * BLOCK; at++)
        rounded[at] = (float)g[at];
    for (int32_t lane = 0; lane < lanes; lane++) {
        float *to = dw + in * f->in_stride + (out + lane) * f->out_stride;
        __builtin_prefetch(to + AHEAD * f->in_stride, 1);
        for (int32_t tap = 0; tap < taps; tap++)
            to[tap] = rounded[tap * BLOCK + lane];
    }
}
