#include "tuple_gemm.h"
#include <convoy/plugin.h>
#include <string.h>

enum { AHEAD = 2 }; /* chunks of U between use and fetch */

/* The most rows that the family has for this many vectors. */
static int32_t rows_of(const struct mk_family *family, int32_t vectors)
{
    int32_t rows = MK_MAX_ROWS;
    while (rows > 1 && !family->tile[rows - 1][vectors - 1])
        rows--;
    return rows;
}

static const struct tuple_tiles *tiles_of(const struct mk_family *family)
{
#if defined(__x86_64__)
    if (!strcmp(family->name, "avx512"))
        return &tuple_tiles_avx512;
#endif
    (void)family;
    return NULL;
}

struct panels panels_make(const struct mk_family *family, int32_t columns, int64_t rows)
{
    int32_t vectors = family->vectors;
    for (int32_t v = vectors + 1; v <= MK_MAX_VECTORS; v++) {
        if (family->tile[0][v - 1] && rows <= rows_of(family, v))
            vectors = v;
    }
    /* Columns are whole blocks, so a panel may be no narrower than what is left over: no power of two, no remainder of a vector.
     */
    const int32_t width = vectors * family->lanes;
    return (struct panels){.family = family,
                           .tiles = tiles_of(family),
                           .vectors = vectors,
                           .columns = columns,
                           .count = (columns + width - 1) / width};
}

int32_t panel_column(const struct panels *p, int32_t panel)
{
    return (int32_t)convoy_min((int64_t)panel * p->vectors * p->family->lanes, p->columns);
}

static int32_t panel_vectors(const struct panels *p, int32_t panel)
{
    return (panel_column(p, panel + 1) - panel_column(p, panel)) / p->family->lanes;
}

static int32_t sharing_axis(const struct sharing *s)
{
    return (int32_t)convoy_min(s->alpha, s->singles + 1);
}

int32_t sharing_planes(const struct sharing *s)
{
    return sharing_axis(s) * sharing_axis(s);
}

struct range {
    int32_t first, last;
};

/* The points of one axis that use number `at` of it. */
static struct range sharing_range(const struct sharing *s, int32_t at)
{
    return (struct range){at, at < s->singles ? at : s->alpha - 1};
}

/* One register tile. Operands come from the last level cache or from memory, in an order that hardware prefetchers do not follow
 * far; so while one is in use its successor is fetched, in equal shares. Prefetching past the end of a buffer is harmless. */
static void compute(const struct panels *panels, const struct tuple_tile *t, int64_t rows, int32_t vectors, int gradient)
{
    if (panels->tiles) {
        (gradient ? panels->tiles->gradient : panels->tiles->product)[rows - 1][vectors - 1](t);
        return;
    }
    for (int64_t k = 0; k < t->k; k++) {
        __builtin_prefetch(t->near + k * t->near_step);
        __builtin_prefetch(t->far + k * t->far_step);
    }
    const struct mk_tile tile = {.a = t->a,
                                 .a_row = gradient ? 1 : t->a_stride,
                                 .a_col = gradient ? t->a_stride : 1,
                                 .b = t->b,
                                 .b_row = t->b_stride,
                                 .c = t->c,
                                 .c_row = t->c_stride,
                                 .k = t->k,
                                 .accumulate = t->accumulate};
    panels->family->tile[rows - 1][vectors - 1](&tile);
}

static int64_t fetch_calls(const struct pixels *f)
{
    return f->rows * f->runs * convoy_ceil_div(f->channels, SPLIT);
}

/* Takes the far stream of a call for one run of 16 pixels in SPLIT channels, in the last calls of all, so that what is fetched is
 * not displaced before its use. */
static void fetch_pixels(const struct products *g, int64_t call, int64_t calls, struct tuple_tile *tile)
{
    int64_t slot = call - calls;
    for (int i = 0; i < FETCHES; i++)
        slot += fetch_calls(&g->fetch[i]);
    for (int i = 0; i < FETCHES && slot >= 0; i++) {
        const struct pixels *f = &g->fetch[i];
        if (slot < fetch_calls(f)) {
            const int64_t line = slot % f->runs, row = slot / f->runs % f->rows, block = slot / f->runs / f->rows;
            tile->far = (const char *)(f->from + block * SPLIT * f->channel + row * f->row + line * BLOCK);
            tile->far_step = f->channel * (ptrdiff_t)sizeof *f->from;
            return;
        }
        slot -= fetch_calls(f);
    }
}

static void product_of_point(const struct products *g, int32_t point, int32_t plane, int32_t panel)
{
    const int32_t vectors = panel_vectors(&g->panels, panel), column = panel_column(&g->panels, panel);
    const int64_t parts = convoy_ceil_div(g->tiles, rows_of(g->panels.family, vectors));
    const int32_t width = vectors * g->panels.family->lanes;
    const ptrdiff_t chunk_bytes = (ptrdiff_t)sizeof(float) * SPLIT * width;
    const float *u = g->u + plane * g->u_plane + (int64_t)(column - panel_column(&g->panels, g->first)) * g->channels;
    const float *v = g->v + point * g->v_shape.plane;
    struct tuple_tile tile = {.a_stride = g->v_shape.row, .b_stride = width, .c_stride = g->m_shape.row};
    tile.near_step = chunk_bytes / SPLIT / parts;
    const int64_t calls = parts * convoy_ceil_div(g->channels, SPLIT) * g->panels.count;
    int64_t call = calls / g->panels.count * panel;
    const ptrdiff_t far_step = (ptrdiff_t)((int64_t)sizeof *v * g->v_shape.plane / (calls * SPLIT) + 1);
    const int64_t least_rows = g->tiles / parts, larger_from = parts - g->tiles % parts;
    for (int32_t c = 0; c < g->channels; c += SPLIT) {
        tile.k = convoy_min(SPLIT, g->channels - c);
        tile.accumulate = g->accumulate || c > 0;
        tile.b = u + (int64_t)c * width;
        int64_t first = 0;
        for (int64_t part = 0, rows; part < parts; part++, call++, first += rows) {
            rows = least_rows + (part >= larger_from);
            tile.near = (const char *)tile.b + AHEAD * chunk_bytes + part * SPLIT * tile.near_step;
            tile.a = v + first * g->v_shape.row + c;
            tile.far_step = far_step;
            tile.far = (const char *)(v + g->v_shape.plane) + call * SPLIT * far_step;
            if (g->next) {
                tile.far_step = BLOCK * (ptrdiff_t)sizeof *u;
                tile.far = (const char *)(g->next + (int64_t)point * g->channels * BLOCK);
            }
            if (g->fetch)
                fetch_pixels(g, point * calls + call, g->points * calls, &tile);
            tile.c = g->m + point * g->m_shape.plane + first * g->m_shape.row + column;
            compute(&g->panels, &tile, rows, vectors, 0);
        }
    }
}

void tuple_product(const struct products *g, int32_t plane, int32_t panel)
{
    const int32_t axis = sharing_axis(&g->sharing);
    const struct range i = sharing_range(&g->sharing, plane / axis), j = sharing_range(&g->sharing, plane % axis);
    for (int32_t row = i.first; row <= i.last; row++) {
        for (int32_t at = j.first; at <= j.last; at++)
            product_of_point(g, row * g->sharing.alpha + at, plane, panel);
    }
}

static void gradient_of_point(const struct gradients *g, int32_t point, int32_t plane, int32_t accumulate, int32_t panel)
{
    const int32_t vectors = panel_vectors(&g->panels, panel), column = panel_column(&g->panels, panel);
    const int64_t parts = convoy_ceil_div(g->channels, rows_of(g->panels.family, vectors)),
                  splits = convoy_ceil_div(g->tiles, SPLIT);
    const int64_t calls = parts * splits * (g->end - g->first);
    float *u = g->u + plane * g->u_shape.plane + column - panel_column(&g->panels, g->first);
    const float *v = g->v + point * g->v_shape.plane, *m = g->m + point * g->m_shape.plane;
    struct tuple_tile tile = {.a_stride = g->v_shape.row, .b_stride = g->m_shape.row, .c_stride = g->u_shape.row};
    /* Half of the calls fetch the next plane of V, the others that of M. */
    const int64_t half = (calls + 1) / 2;
    const ptrdiff_t v_step = (ptrdiff_t)((int64_t)sizeof *v * g->v_shape.plane / (half * SPLIT) + 1),
                    m_step = (ptrdiff_t)((int64_t)sizeof *m * g->m_shape.plane / (half * SPLIT) + 1);
    int64_t call = parts * splits * (panel - g->first);
    for (int64_t t = 0; t < g->tiles; t += SPLIT) {
        tile.k = convoy_min(SPLIT, g->tiles - t);
        tile.accumulate = accumulate || t > 0;
        tile.b = m + t * g->m_shape.row + column;
        for (int64_t part = 0; part < parts; part++, call++) {
            const int64_t first = part * g->channels / parts, last = (part + 1) * g->channels / parts;
            tile.near = (const char *)(tile.b + SPLIT * g->m_shape.row);
            tile.near_step = part ? 0 : (ptrdiff_t)sizeof *m * g->m_shape.row;
            tile.far_step = call < half ? v_step : m_step;
            tile.far = call < half ? (const char *)(v + g->v_shape.plane) + call * SPLIT * v_step
                                   : (const char *)(m + g->m_shape.plane) + (call - half) * SPLIT * m_step;
            tile.a = v + t * g->v_shape.row + first;
            tile.c = u + first * g->u_shape.row;
            compute(&g->panels, &tile, last - first, vectors, 1);
        }
    }
}

void tuple_gradient(const struct gradients *g, int32_t plane, int32_t panel)
{
    const int32_t axis = sharing_axis(&g->sharing);
    const struct range i = sharing_range(&g->sharing, plane / axis), j = sharing_range(&g->sharing, plane % axis);
    for (int32_t row = i.first; row <= i.last; row++) {
        for (int32_t at = j.first; at <= j.last; at++)
            gradient_of_point(g, row * g->sharing.alpha + at, plane, g->accumulate || row > i.first || at > j.first, panel);
    }
}
