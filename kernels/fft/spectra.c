#include "spectra.h"
#include <convoy/plugin.h>

/* One cache line more per tile or point: distances that are powers of two would put all rows into one set of the cache. */
enum { LINE = 16 }; /* floats */

static int32_t real_rows(const struct mk_family *mk, int32_t vectors)
{
    int32_t rows = 0;
    while (rows < MK_MAX_ROWS && mk->tile[rows][vectors - 1])
        rows++;
    return rows;
}

static int32_t complex_rows(const struct complex_family *family, int32_t vectors)
{
    int32_t rows = 0;
    while (rows < COMPLEX_MAX_ROWS && family->tile[rows][vectors - 1])
        rows++;
    return rows;
}

int32_t points_panel_vectors(const struct points *points, int64_t rows)
{
    if (!points->gauss)
        return rows <= points->family->few_rows ? points->family->few_vectors : points->family->vectors;
    /* Few rows: a wider tile needs more vectors to keep the multipliers busy. */
    int32_t panel_vectors = points->mk->vectors;
    for (int32_t vectors = panel_vectors + 1; vectors <= MK_MAX_VECTORS; vectors++)
        if (rows <= real_rows(points->mk, vectors))
            panel_vectors = vectors;
    return panel_vectors;
}

/* A multiple of cache lines, so all vectors stay aligned to 64 bytes; an odd one. */
static ptrdiff_t spread_distance(int64_t floats)
{
    const int64_t lines = convoy_ceil_div(floats, LINE);
    return (ptrdiff_t)((lines | 1) * LINE);
}

void tiles_make(struct tiles *tiles, const struct points *points, int32_t groups, int32_t chunk_groups, int64_t rows)
{
    *tiles = (struct tiles){
        .groups = groups, .chunk_groups = chunk_groups, .lanes = points->mk->lanes, .planes = points_planes(points)};
    tiles->real_point = (ptrdiff_t)groups * tiles->lanes;
    tiles->point = tiles->planes * tiles->real_point;
    tiles->real_first = points->complex_points * tiles->point;
    tiles->row = spread_distance(tiles->real_first + points->real_points * tiles->real_point);
    tiles->floats = rows * tiles->row;
}

struct fft_spectrum tiles_at(const struct tiles *tiles, float *base, int64_t row, int32_t group)
{
    const int32_t lanes = tiles->lanes, chunk = group / tiles->chunk_groups, before = chunk * tiles->chunk_groups;
    const int32_t inside = (int32_t)convoy_min(tiles->chunk_groups, tiles->groups - before);
    return (struct fft_spectrum){
        .at = base + row * tiles->row + (ptrdiff_t)tiles->planes * before * lanes + (ptrdiff_t)(group - before) * lanes,
        .point = tiles->point,
        .plane = (ptrdiff_t)inside * lanes,
        .real_at = base + row * tiles->row + tiles->real_first + (ptrdiff_t)group * lanes,
        .real_point = tiles->real_point,
    };
}

void kernels_make(struct kernels *kernels, const struct points *points, int32_t groups, int64_t depth)
{
    *kernels = (struct kernels){
        .groups = groups,
        .lanes = points->mk->lanes,
        .panel_vectors = points->panel_vectors,
        .planes = points_planes(points),
    };
    const int64_t plane = depth * groups * kernels->lanes;
    kernels->point = spread_distance(kernels->planes * plane);
    kernels->real_point = spread_distance(plane);
    kernels->real_first = points->complex_points * kernels->point;
    kernels->floats = kernels->real_first + points->real_points * kernels->real_point;
}

struct fft_spectrum kernels_at(const struct kernels *kernels, float *base, int64_t first, int64_t size, int64_t index,
                               int32_t group)
{
    const int32_t lanes = kernels->lanes, before = group / kernels->panel_vectors * kernels->panel_vectors;
    const ptrdiff_t width = convoy_min(kernels->panel_vectors, kernels->groups - before) * lanes;
    const ptrdiff_t vector = (ptrdiff_t)(group - before) * lanes;
    const ptrdiff_t chunk = first * kernels->groups * lanes, panel = size * before * lanes;
    const bool gauss = kernels->planes == 3;
    return (struct fft_spectrum){
        .at = base + kernels->planes * (chunk + panel) + index * (gauss ? width : kernels->planes * width) + vector,
        .point = kernels->point,
        .plane = gauss ? size * width : width,
        .real_at = base + kernels->real_first + chunk + panel + index * width + vector,
        .real_point = kernels->real_point,
    };
}

void product_make(struct product *product, const struct points *points, int32_t groups, int64_t rows)
{
    *product = (struct product){
        .groups = groups,
        .lanes = points->mk->lanes,
        .planes = points_planes(points),
        .panel_vectors = points->panel_vectors,
        .complex_points = points->complex_points,
    };
    const int64_t vectors = (int64_t)product->planes * points->complex_points + points->real_points;
    product->panel = spread_distance(vectors * product->panel_vectors * product->lanes);
    product->row = spread_distance(convoy_ceil_div(groups, product->panel_vectors) * product->panel);
    product->floats = rows * product->row;
}

static int32_t panel_width(const struct product *product, int32_t before)
{
    return (int32_t)convoy_min(product->panel_vectors, product->groups - before) * product->lanes;
}

/* From the beginning of a row; before is the panel's first vector. */
static ptrdiff_t product_offset(const struct product *product, int32_t before, int32_t point)
{
    const ptrdiff_t width = panel_width(product, before), panel = before / product->panel_vectors * product->panel;
    const int32_t complex_before = (int32_t)convoy_min(point, product->complex_points);
    return panel + complex_before * product->planes * width + (point - complex_before) * width;
}

struct fft_spectrum product_at(const struct product *product, float *base, int64_t row, int32_t group)
{
    const int32_t before = group / product->panel_vectors * product->panel_vectors;
    const ptrdiff_t width = panel_width(product, before);
    float *const at = base + row * product->row + (ptrdiff_t)(group - before) * product->lanes;
    return (struct fft_spectrum){
        .at = at + product_offset(product, before, 0),
        .point = product->planes * width,
        .plane = width,
        .real_at = at + product_offset(product, before, product->complex_points),
        .real_point = width,
    };
}

/* Fetches what lies ahead in equal parts, one before each register tile. */
struct fetch {
    const struct product_call *call;
    int64_t stretch, stretch_part, piece, piece_part, row, row_part; /* what is done, and how much each time */
};

static void fetch_floats(const float *from, int64_t floats)
{
    for (int64_t at = 0; at < floats; at += LINE)
        __builtin_prefetch(from + at, 0, 2);
}

static void fetch_product_row(const struct product_call *call, int64_t row)
{
    const struct product *product = call->product;
    const int32_t point = call->point + 1, planes = point < product->complex_points ? product->planes : 1;
    for (int32_t before = 0; before < product->groups; before += product->panel_vectors)
        fetch_floats(call->c + row * product->row + product_offset(product, before, point),
                     planes * panel_width(product, before));
}

static void fetch_part(struct fetch *fetch)
{
    const struct product_ahead *ahead = &fetch->call->ahead;
    if (fetch->stretch < ahead->stretch_floats) {
        fetch_floats(ahead->stretch + fetch->stretch, convoy_min(fetch->stretch_part, ahead->stretch_floats - fetch->stretch));
        fetch->stretch += fetch->stretch_part;
    }
    for (int64_t part = 0; part < fetch->piece_part && fetch->piece < ahead->pieces; part++, fetch->piece++)
        for (int side = 0; side < 2; side++)
            fetch_floats(ahead->piece[side] + fetch->piece * ahead->distance[side], ahead->piece_floats[side]);
    for (int64_t part = 0; part < fetch->row_part && fetch->row < fetch->call->rows; part++)
        fetch_product_row(fetch->call, fetch->row++);
}

/* Blocks of nearly equal height: 16 rows are 8 + 8, not 14 + 2. */
static void run_real(const struct mk_family *mk, struct mk_tile tile, int64_t rows, int32_t vectors, struct fetch *fetch)
{
    for (int64_t blocks = convoy_ceil_div(rows, real_rows(mk, vectors)); blocks > 0; blocks--) {
        const int64_t height = convoy_ceil_div(rows, blocks);
        fetch_part(fetch);
        mk->tile[height - 1][vectors - 1](&tile);
        tile.a += height * tile.a_row;
        tile.c += height * tile.c_row;
        rows -= height;
    }
}

static void run_complex(const struct complex_family *family, struct complex_tile tile, int64_t rows, int32_t vectors,
                        struct fetch *fetch)
{
    for (int64_t blocks = convoy_ceil_div(rows, complex_rows(family, vectors)); blocks > 0; blocks--) {
        const int64_t height = convoy_ceil_div(rows, blocks);
        fetch_part(fetch);
        family->tile[height - 1][vectors - 1](&tile);
        tile.fetch = 0;
        tile.a += height * tile.a_row;
        tile.c += height * tile.c_row;
        rows -= height;
    }
}

void product_run(const struct points *points, const struct product_call *call)
{
    const struct product *product = call->product;
    const bool real = call->point >= points->complex_points, four = !real && !points->gauss;
    const int32_t planes = real ? 1 : product->planes;
    const int32_t most_rows =
        four ? complex_rows(points->family, points->panel_vectors) : real_rows(points->mk, points->panel_vectors);
    const int64_t tiles =
        convoy_ceil_div(product->groups, points->panel_vectors) * (four ? 1 : planes) * convoy_ceil_div(call->rows, most_rows);
    struct fetch fetch = {
        .call = call,
        .stretch = four ? call->ahead.stretch_floats : 0,
        .stretch_part = convoy_round_up(convoy_ceil_div(call->ahead.stretch_floats, tiles), LINE),
        .piece_part = convoy_ceil_div(call->ahead.pieces, tiles),
        .row_part = call->ahead.product ? convoy_ceil_div(call->rows, tiles) : 0,
    };
    for (int32_t before = 0; before < product->groups; before += points->panel_vectors) {
        const int32_t width = panel_width(product, before), vectors = width / product->lanes;
        const float *const panel =
            call->b + (call->b_row ? before * product->lanes : planes * call->depth * before * product->lanes);
        float *const c = call->c + product_offset(product, before, call->point);
        if (four) {
            const struct complex_tile tile = {
                .a = call->a,
                .a_row = call->a_row,
                .a_col = call->a_col,
                .a_plane = call->a_plane,
                .a_offset = call->a_offset,
                .b = panel,
                .b_row = call->b_row ? call->b_row : 2 * width,
                .b_plane = call->b_row ? call->b_plane : width,
                .c = c,
                .c_row = product->row,
                .c_plane = width,
                .k = call->depth,
                .accumulate = call->accumulate,
                .fetch = call->b_row == 0,
            };
            run_complex(points->family, tile, call->rows, vectors, &fetch);
            continue;
        }
        for (int32_t plane = 0; plane < planes; plane++) {
            const struct mk_tile tile = {
                .a = call->a + plane * call->a_plane,
                .a_row = call->a_row,
                .a_col = call->a_col,
                .a_offset = call->a_offset,
                .b = panel + plane * (call->b_row ? call->b_plane : call->depth * width),
                .b_row = call->b_row ? call->b_row : width,
                .c = c + plane * width,
                .c_row = product->row,
                .k = call->depth,
                .accumulate = call->accumulate,
            };
            run_real(points->mk, tile, call->rows, vectors, &fetch);
        }
    }
}
