#include "tiling.h"
#include "blas.h"
#include "lower.h"
#include <convoy/plugin.h>
#include <convoy/shape.h>

/* The constants below were measured on the layers of VGG-16; README.md has the table. */
enum {
    LANES = 16,       /* panel widths are multiples of OpenBLAS's register tile                              */
    ENOUGH_TASKS = 4, /* below this many, sums are split or strips made                                      */
    DEEP_ROWS = 288,  /* rows of L that are lowered at a time, close below OpenBLAS's own block of the sum   */
    NARROW = 448,     /* a panel of DEEP_ROWS x NARROW floats is half a megabyte                             */
    WIDE = 1568,      /* forward: W is packed anew for each panel                                            */
    PART_ROWS = 512,  /* least length of a partial sum                                                       */
    FLAT_ROWS = 54,   /* unpacked products: rows, and the least width that pays                              */
    FLAT_LEAST_WIDTH = 160,
    DENSE_OUTPUTS = 512 /* outputs of a dense layer in one task                                                */
};

static int64_t pixels_of(const struct convoy_conv *p)
{
    return (int64_t)p->oh * p->ow;
}

static int64_t taps_of(const struct convoy_conv *p)
{
    return (int64_t)p->kh * p->kw;
}

static void cut_channels(const struct convoy_conv *p, int64_t rows, struct tiling *t)
{
    const int64_t c = p->c / p->groups;
    t->blocks = convoy_ceil_div(c, convoy_max(1, rows / taps_of(p)));
    t->channels = convoy_ceil_div(c, t->blocks);
    t->blocks = convoy_ceil_div(c, t->channels);
}

static void cut_pixels(const struct convoy_conv *p, int64_t width, struct tiling *t)
{
    const int64_t pixels = pixels_of(p);
    const int64_t even = convoy_ceil_div(pixels, convoy_ceil_div(pixels, width));
    t->pixels = convoy_min(convoy_round_up(even, LANES), pixels);
    t->panels = convoy_ceil_div(pixels, t->pixels);
}

/* Few output channels use a packed panel only a few times; then products small enough to go without packing are faster,
 * although they add to y more often. 0: not this layer. */
static int64_t flat_width(const struct convoy_conv *p)
{
    const int64_t c = p->c / p->groups, k = p->k / p->groups;
    const int64_t channels = convoy_min(c, convoy_max(1, FLAT_ROWS / taps_of(p)));
    const int64_t width = blas_unpacked_limit() / (k * channels * taps_of(p)) / LANES * LANES;
    return width < FLAT_LEAST_WIDTH ? 0 : convoy_min(width, NARROW);
}

/* Partial sums that give every core a part of a layer with few panels, without making the sums short. */
static int64_t forward_parts(const struct convoy_conv *p, int64_t panels)
{
    const int64_t tasks = (int64_t)p->n * p->groups * panels;
    return convoy_max(1, convoy_min(convoy_ceil_div(ENOUGH_TASKS, tasks), p->c / p->groups * taps_of(p) / PART_ROWS));
}

static void tile_forward(const struct convoy_conv *p, struct tiling *t)
{
    const int64_t flat = flat_width(p);
    cut_pixels(p, flat ? flat : convoy_min(WIDE, convoy_max(WIDE / 2, pixels_of(p) / ENOUGH_TASKS)), t);
    t->parts = forward_parts(p, t->panels);
    if (flat)
        cut_channels(p, FLAT_ROWS, t);
    else if (lower_is_identity(p))
        cut_channels(p, convoy_ceil_div(p->c / p->groups, t->parts), t); /* no panel that would have to fit a cache */
    else
        cut_channels(p, DEEP_ROWS, t);
    t->parts = convoy_min(t->parts, t->blocks);
}

static void tile_bwd_data(const struct convoy_conv *p, struct tiling *t)
{
    cut_pixels(p, lower_is_identity(p) ? pixels_of(p) : NARROW, t);
    cut_channels(p, DEEP_ROWS, t);
    const int64_t tasks = tiling_tasks(p, t);
    /* Output rows at the seam of two strips are multiplied twice; strips of four kernels bound that to a quarter. */
    if (tasks < ENOUGH_TASKS)
        t->strips = convoy_max(1, convoy_min(convoy_ceil_div(ENOUGH_TASKS, tasks), p->h / (4 * convoy_span(p->kh, p->dil_h))));
}

static void tile_bwd_weights(const struct convoy_conv *p, struct tiling *t)
{
    cut_pixels(p, 2 * NARROW, t);
    cut_channels(p, DEEP_ROWS, t);
    const int64_t tasks = tiling_tasks(p, t);
    if (tasks < ENOUGH_TASKS)
        t->parts = convoy_min(convoy_ceil_div(ENOUGH_TASKS, tasks), p->n * t->panels);
}

/* Outputs of one image and group: y, dx, or the output channels of dw. */
static int64_t dense_outputs(const struct convoy_conv *p)
{
    return p->head.op == CONVOY_CONV_BWD_DATA ? (int64_t)(p->c / p->groups) * taps_of(p) : p->k / p->groups;
}

struct tiling tiling_panel(const struct convoy_conv *problem)
{
    static void (*const tile[])(const struct convoy_conv *, struct tiling *) = {
        [CONVOY_CONV_FWD] = tile_forward,
        [CONVOY_CONV_BWD_DATA] = tile_bwd_data,
        [CONVOY_CONV_BWD_WEIGHTS] = tile_bwd_weights,
    };
    struct tiling tiling = {.strips = 1, .parts = 1};
    if (lower_is_dense(problem) &&
        problem->c * taps_of(problem) <= INT32_MAX) { /* the distance of two images, as an int of the BLAS */
        tiling.dense = 1;
        tiling.blocks = convoy_ceil_div(dense_outputs(problem), DENSE_OUTPUTS);
        return tiling;
    }
    tile[problem->head.op](problem, &tiling);
    return tiling;
}

struct tiling tiling_whole(const struct convoy_conv *problem)
{
    return (struct tiling){.pixels = pixels_of(problem),
                           .channels = problem->c / problem->groups,
                           .panels = 1,
                           .blocks = 1,
                           .strips = 1,
                           .parts = 1};
}

int64_t tiling_tasks(const struct convoy_conv *problem, const struct tiling *tiling)
{
    const int64_t matrices = (int64_t)problem->n * problem->groups;
    if (tiling->dense)
        return problem->groups * tiling->blocks;
    switch (problem->head.op) {
    case CONVOY_CONV_FWD:
        return matrices * tiling->panels * tiling->parts;
    case CONVOY_CONV_BWD_DATA:
        return matrices * tiling->blocks * tiling->strips;
    default: /* CONVOY_CONV_BWD_WEIGHTS */
        return problem->groups * tiling->blocks * tiling->parts;
    }
}

int64_t tiling_panel_floats(const struct convoy_conv *problem, const struct tiling *tiling)
{
    return tiling->dense || lower_is_identity(problem)
               ? 0
               : convoy_round_up(tiling->channels * taps_of(problem) * tiling->pixels, LANES);
}

void tiling_share(int64_t length, int64_t count, int64_t index, int64_t *first, int64_t *last)
{
    const int64_t part = length / count, rest = length % count; /* no product that could overflow */
    *first = index * part + convoy_min(index, rest);
    *last = *first + part + (index < rest);
}
