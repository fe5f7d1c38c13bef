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

void left_rows_make(struct left_rows *left, const struct points *points, int32_t groups, int32_t chunk_groups, int64_t rows)
{
    *left = (struct left_rows){.groups = groups, .chunk_groups = chunk_groups, .lanes = points->mk->lanes, .planes = points_planes(points)};
    left->real_point = (ptrdiff_t)groups * left->lanes;
    left->point = left->planes * left->real_point;
    left->real_first = points->complex_points * left->point;
    left->row = spread_distance(left->real_first + points->real_points * left->real_point);
    left->floats = rows * left->row;
}

struct fft_spectrum left_rows_at(const struct left_rows *left, float *base, int64_t row, int32_t group)
{
    const int32_t lanes = left->lanes, chunk = group / left->chunk_groups, before = chunk * left->chunk_groups;
    const int32_t inside = (int32_t)convoy_min(left->chunk_groups, left->groups - before);
    return (struct fft_spectrum){
        .at = base + row * left->row + (ptrdiff_t)left->planes * before * lanes + (ptrdiff_t)(group - before) * lanes,
        .point = left->point,
        .plane = (ptrdiff_t)inside * lanes,
        .real_at = base + row * left->row + left->real_first + (ptrdiff_t)group * lanes,
        .real_point = left->real_point,
    };
}

void left_stack_make(struct left_stack *left, const struct points *points, int32_t groups, int64_t rows)
{
    *left = (struct left_stack){.lanes = points->mk->lanes, .rows = rows};
    left->pitch = (ptrdiff_t)groups * left->lanes;
    left->point = spread_distance(points_planes(points) * rows * left->pitch);
    left->real_point = spread_distance(rows * left->pitch);
    left->real_first = points->complex_points * left->point;
    left->floats = left->real_first + points->real_points * left->real_point;
}

struct fft_spectrum left_stack_at(const struct left_stack *left, float *base, int64_t row, int32_t group)
{
    const ptrdiff_t at = row * left->pitch + (ptrdiff_t)group * left->lanes;
    return (struct fft_spectrum){
        .at = base + at,
        .point = left->point,
        .plane = left->rows * left->pitch,
        .real_at = base + left->real_first + at,
        .real_point = left->real_point,
    };
}

void right_make(struct right *right, const struct points *points, int32_t groups, int64_t depth)
{
    *right = (struct right){
        .groups = groups,
        .lanes = points->mk->lanes,
        .panel_vectors = points->panel_vectors,
        .planes = points_planes(points),
    };
    const int64_t plane = depth * groups * right->lanes;
    right->point = spread_distance(right->planes * plane);
    right->real_point = spread_distance(plane);
    right->real_first = points->complex_points * right->point;
    right->floats = right->real_first + points->real_points * right->real_point;
}

struct fft_spectrum right_at(const struct right *right, float *base, int64_t first, int64_t size, int64_t index, int32_t group)
{
    const int32_t lanes = right->lanes, before = group / right->panel_vectors * right->panel_vectors;
    const ptrdiff_t width = convoy_min(right->panel_vectors, right->groups - before) * lanes;
    const ptrdiff_t vector = (ptrdiff_t)(group - before) * lanes;
    const ptrdiff_t chunk = first * right->groups * lanes, panel = size * before * lanes;
    const bool gauss = right->planes == 3;
    return (struct fft_spectrum){
        .at = base + right->planes * (chunk + panel) + index * (gauss ? width : right->planes * width) + vector,
        .point = right->point,
        .plane = gauss ? size * width : width,
        .real_at = base + right->real_first + chunk + panel + index * width + vector,
        .real_point = right->real_point,
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

/* Fetches what lies ahead in equal parts, one before each tile. */
struct fetch {
    const struct product_call *call;
    const float *a, *b;
    int64_t b_floats, b_part, row, row_part;
};

static void fetch_floats(const float *from, int64_t floats)
{
    for (int64_t at = 0; at < floats; at += LINE)
        __builtin_prefetch(from + at, 0, 2);
}

static void fetch_row(const struct product_call *call, int64_t row)
{
    const struct product *product = call->product;
    const int32_t point = call->point + 1, planes = point < product->complex_points ? product->planes : 1;
    fetch_floats(call->ahead.a + row * call->a_row, call->ahead.a_floats);
    if (call->ahead.product)
        for (int32_t before = 0; before < product->groups; before += product->panel_vectors)
            fetch_floats(call->c + row * product->row + product_offset(product, before, point),
                         planes * panel_width(product, before));
}

static void fetch_part(struct fetch *fetch)
{
    const int64_t floats = convoy_min(fetch->b_part, fetch->b_floats);
    fetch_floats(fetch->b, floats);
    fetch->b += floats;
    fetch->b_floats -= floats;
    for (int64_t part = 0; part < fetch->row_part && fetch->row < fetch->call->rows; part++)
        fetch_row(fetch->call, fetch->row++);
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
    const int64_t tiles = convoy_ceil_div(product->groups, points->panel_vectors) * (four ? 1 : planes) *
                          convoy_ceil_div(call->rows, most_rows);
    struct fetch fetch = {
        .call = call,
        .b = call->ahead.b,
        .b_floats = four ? 0 : call->ahead.b_floats,
        .b_part = convoy_round_up(convoy_ceil_div(call->ahead.b_floats, tiles), LINE),
        .row_part = call->ahead.a_floats > 0 ? convoy_ceil_div(call->rows, tiles) : 0,
    };
    for (int32_t before = 0; before < product->groups; before += points->panel_vectors) {
        const int32_t width = panel_width(product, before), vectors = width / product->lanes;
        const float *const panel = call->b + planes * call->depth * before * product->lanes;
        float *const c = call->c + product_offset(product, before, call->point);
        if (four) {
            const struct complex_tile tile = {
                .a = call->a,
                .a_row = call->a_row,
                .a_col = call->a_col,
                .a_plane = call->a_plane,
                .a_offset = call->a_offset,
                .b = panel,
                .c = c,
                .c_row = product->row,
                .c_plane = width,
                .k = call->depth,
                .accumulate = call->accumulate,
                .fetch = 1,
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
                .b = panel + plane * call->depth * width,
                .b_row = width,
                .c = c + plane * width,
                .c_row = product->row,
                .k = call->depth,
                .accumulate = call->accumulate,
            };
            run_real(points->mk, tile, call->rows, vectors, &fetch);
        }
    }
}
