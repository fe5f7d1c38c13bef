#include "spectra.h"
#include <convoy/plugin.h>

/* One cache line more per tile or point: distances that are powers of two would put all rows into one set of the cache. */
enum { LINE = 16 }; /* floats */

int32_t family_rows(const struct mk_family *mk, int32_t vectors)
{
    int32_t rows = 0;
    while (rows < MK_MAX_ROWS && mk->tile[rows][vectors - 1])
        rows++;
    return rows;
}

/* A multiple of cache lines, so all vectors stay aligned to 64 bytes; an odd one. */
static ptrdiff_t spread_distance(int64_t floats)
{
    const int64_t lines = convoy_ceil_div(floats, LINE);
    return (ptrdiff_t)((lines | 1) * LINE);
}

void left_rows_make(struct left_rows *left, const struct points *points, int32_t groups, int32_t chunk_groups, int64_t rows)
{
    *left = (struct left_rows){.groups = groups, .chunk_groups = chunk_groups, .lanes = points->mk->lanes};
    left->real_point = (ptrdiff_t)groups * left->lanes;
    left->point = LEFT_PLANES * left->real_point;
    left->real_first = points->complex_points * left->point;
    left->row = spread_distance(left->real_first + points->real_points * left->real_point);
    left->floats = rows * left->row;
}

struct fft_spectrum left_rows_at(const struct left_rows *left, float *base, int64_t row, int32_t group)
{
    const int32_t lanes = left->lanes, chunk = group / left->chunk_groups, before = chunk * left->chunk_groups;
    const int32_t inside = (int32_t)convoy_min(left->chunk_groups, left->groups - before);
    return (struct fft_spectrum){
        .at = base + row * left->row + (ptrdiff_t)LEFT_PLANES * before * lanes + (ptrdiff_t)(group - before) * lanes,
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
    left->point = spread_distance(LEFT_PLANES * rows * left->pitch);
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
    const ptrdiff_t inside = index * width + (ptrdiff_t)(group - before) * lanes;
    const ptrdiff_t chunk = first * right->groups * lanes, panel = size * before * lanes;
    return (struct fft_spectrum){
        .at = base + right->planes * (chunk + panel) + inside,
        .point = right->point,
        .plane = size * width,
        .real_at = base + right->real_first + chunk + panel + inside,
        .real_point = right->real_point,
    };
}

void product_make(struct product *product, const struct points *points, int32_t groups, int64_t rows)
{
    *product = (struct product){.groups = groups, .lanes = points->mk->lanes, .planes = points_planes(points)};
    product->real_point = (ptrdiff_t)groups * product->lanes;
    product->point = product->planes * product->real_point;
    product->real_first = points->complex_points * product->point;
    product->row = spread_distance(product->real_first + points->real_points * product->real_point);
    product->floats = rows * product->row;
}

struct fft_spectrum product_at(const struct product *product, float *base, int64_t row, int32_t group)
{
    const ptrdiff_t at = row * product->row + (ptrdiff_t)group * product->lanes;
    return (struct fft_spectrum){
        .at = base + at,
        .point = product->point,
        .plane = product->real_point,
        .real_at = base + product->real_first + at,
        .real_point = product->real_point,
    };
}

/* Fetches what lies ahead in equal parts, one before each tile of the micro-kernel. */
struct fetch {
    struct product_ahead ahead;
    ptrdiff_t a_row, c_row;
    int64_t b_part, row_part, rows;
};

static void fetch_floats(const float *from, int64_t floats)
{
    for (int64_t at = 0; at < floats; at += LINE)
        __builtin_prefetch(from + at, 0, 2);
}

static void fetch_part(struct fetch *fetch)
{
    struct product_ahead *ahead = &fetch->ahead;
    const int64_t floats = convoy_min(fetch->b_part, ahead->b_floats);
    fetch_floats(ahead->b, floats);
    ahead->b += floats;
    ahead->b_floats -= floats;
    for (int64_t row = 0; row < fetch->row_part && fetch->rows > 0; row++, fetch->rows--) {
        fetch_floats(ahead->a, ahead->a_floats);
        fetch_floats(ahead->c, ahead->c_floats);
        ahead->a += fetch->a_row;
        ahead->c += fetch->c_row;
    }
}

/* Blocks of nearly equal height: 16 rows are 8 + 8, not 14 + 2. */
static void run_rows(const struct mk_family *mk, struct mk_tile tile, int64_t rows, int32_t vectors, struct fetch *fetch)
{
    int64_t blocks = convoy_ceil_div(rows, family_rows(mk, vectors));
    for (; blocks > 0; blocks--) {
        const int64_t height = convoy_ceil_div(rows, blocks);
        fetch_part(fetch);
        mk->tile[height - 1][vectors - 1](&tile);
        tile.a += height * tile.a_row;
        tile.c += height * tile.c_row;
        rows -= height;
    }
}

void product_run(const struct points *points, const struct product_call *call)
{
    const int32_t planes = call->real ? 1 : points_planes(points), lanes = points->mk->lanes;
    const bool stacked = !call->real && !points->gauss; /* one product of both planes of the right operand */
    const int64_t panels = convoy_ceil_div(call->groups, points->panel_vectors);
    const int64_t tiles = panels * planes * convoy_ceil_div(call->rows, family_rows(points->mk, points->panel_vectors));
    struct fetch fetch = {
        .ahead = call->ahead,
        .a_row = call->a_row,
        .c_row = call->c_row,
        .b_part = convoy_round_up(convoy_ceil_div(call->ahead.b_floats, tiles), LINE),
        .row_part = convoy_ceil_div(call->rows, tiles),
        .rows = call->rows,
    };
    for (int32_t group = 0; group < call->groups; group += points->panel_vectors) {
        const int32_t vectors = (int32_t)convoy_min(points->panel_vectors, call->groups - group);
        const float *panel = call->b + planes * call->depth * group * lanes;
        for (int32_t plane = 0; plane < planes; plane++) {
            const struct mk_tile tile = {
                .a = call->a + plane * call->a_plane,
                .a_row = call->a_row,
                .a_col = call->a_col,
                .a_offset = call->a_offset,
                .b = panel + (stacked ? 0 : plane * call->depth * vectors * lanes),
                .b_row = (ptrdiff_t)vectors * lanes,
                .c = call->c + plane * call->c_plane + (ptrdiff_t)group * lanes,
                .c_row = call->c_row,
                .k = stacked ? 2 * call->depth : call->depth,
                .accumulate = call->accumulate,
            };
            run_rows(points->mk, tile, call->rows, vectors, &fetch);
        }
    }
}
