/* Weight gradients: the spectrum of dw is the sum over all tiles of X * conj(DY); one inverse per pair of channels at the end.
 * The spectra of the gradient lie in the workspace, since they are as large as those of the kernels. Blocks of tiles
 * are partial sums; their size does not depend on the number of workers, so neither does the result. */
#include "plan.h"
#include <convoy/plugin.h>

enum { LEAST_TILES = 16, BLOCK_BYTES = 10 << 20 };

struct pass {
    const struct plan *plan;
    const float *x, *dy;
    float *dw, *dbias, *workspace;
    float *left, *right, *product;
    int32_t g;
    int64_t first, tiles; /* of the block */
};

/* First the vectors of x, then those of dy. */
static void transform_task(void *context, size_t i, size_t worker)
{
    const struct pass *pass = context;
    const struct plan *plan = pass->plan;
    const struct geometry *geometry = &plan->geometry;
    const size_t groups = (size_t)(geometry->x.groups + geometry->y.groups);
    const int64_t row = (int64_t)(i / groups);
    const int32_t group = (int32_t)(i % groups), y_group = group - geometry->x.groups;
    float *scratch = plan_scratch(plan, pass->workspace, worker);
    struct fft_source source;
    if (y_group < 0) {
        geometry_read_x(geometry, pass->x, pass->g, group, pass->first + row, &source);
        const struct fft_spectrum spectrum = tiles_at(&plan->gradient.x, pass->left, row, group);
        plan->transform->forward(plan->transform, &source, plan->points.gauss ? FFT_LEFT_GAUSS : FFT_FOUR, &spectrum, scratch);
    } else {
        geometry_read_y(geometry, pass->dy, pass->g, y_group, pass->first + row, &source);
        const struct fft_spectrum spectrum = tiles_at(&plan->gradient.y, pass->right, row, y_group);
        plan->transform->forward(plan->transform, &source, plan->points.gauss ? FFT_RIGHT_GAUSS : FFT_FOUR, &spectrum, scratch);
    }
}

static ptrdiff_t point_offset(const struct tiles *tiles, int32_t point, int32_t complex_points)
{
    return point < complex_points ? point * tiles->point : tiles->real_first + (point - complex_points) * tiles->real_point;
}

static void multiply_point(const struct pass *pass, int32_t point)
{
    const struct plan *plan = pass->plan;
    const struct tiles *left = &plan->gradient.x, *right = &plan->gradient.y;
    const struct side *x = &plan->geometry.x;
    const int32_t complex_points = plan->points.complex_points;
    const float *a = pass->left + point_offset(left, point, complex_points);
    struct product_call call = {
        .point = point,
        .a_row = 1,
        .a_col = left->row,
        .a_plane = left->real_point,
        .b = pass->right + point_offset(right, point, complex_points),
        .b_row = right->row,
        .b_plane = right->real_point,
        .product = &plan->product,
        .depth = pass->tiles,
        .accumulate = pass->first > 0,
    };
    if (point + 1 < complex_points)
        call.ahead = (struct product_ahead){
            .piece = {a + left->point, call.b + right->point},
            .distance = {left->row, right->row},
            .pieces = pass->tiles,
            .piece_floats = {left->point, right->point},
            .product = true,
        };
    /* Without unused lanes all channels follow each other. */
    const bool dense = x->channels % x->lanes == 0;
    for (int32_t group = 0; group < (dense ? 1 : x->groups); group++) {
        const struct side_group of = geometry_group(x, group);
        call.a = a + (ptrdiff_t)group * x->lanes;
        call.c = pass->product + of.depth * plan->product.row;
        call.rows = dense ? x->depth : of.lanes;
        product_run(&plan->points, &call);
    }
}

static void multiply_task(void *context, size_t i, size_t worker)
{
    (void)worker;
    const struct pass *pass = context;
    const int64_t run = plan_point_run(pass->plan), first = (int64_t)i * run;
    for (int64_t point = first; point < convoy_min(first + run, plan_points(pass->plan)); point++)
        multiply_point(pass, (int32_t)point);
}

static void restore_task(void *context, size_t i, size_t worker)
{
    const struct pass *pass = context;
    const struct plan *plan = pass->plan;
    const struct geometry *geometry = &plan->geometry;
    const size_t y_groups = (size_t)geometry->y.groups;
    const int32_t y_group = (int32_t)(i % y_groups);
    const struct side_group x = geometry_group(&geometry->x, (int32_t)(i / y_groups));
    for (int32_t lane = 0; lane < x.lanes; lane++) {
        struct fft_sink sink;
        geometry_write_kernels(geometry, pass->dw, pass->g, x, lane, y_group, &sink);
        const struct fft_spectrum spectrum = product_at(&plan->product, pass->product, x.depth + lane, y_group);
        plan->transform->inverse(plan->transform, &spectrum, plan->points.gauss, &sink,
                                 plan_scratch(plan, pass->workspace, worker));
    }
}

static void bias_task(void *context, size_t k, size_t worker)
{
    (void)worker;
    const struct pass *pass = context;
    const struct convoy_conv *conv = &pass->plan->geometry.conv;
    const int64_t plane = (int64_t)conv->oh * conv->ow;
    double sum = 0;
    for (int64_t n = 0; n < conv->n; n++) {
        const float *dy = pass->dy + (n * conv->k + (int64_t)k) * plane;
        for (int64_t o = 0; o < plane; o++)
            sum += (double)dy[o];
    }
    pass->dbias[k] = (float)sum;
}

static convoy_status gradient_pass_run(const struct plan *plan, const struct convoy_args *args)
{
    const struct convoy_host *host = plan->host;
    const struct geometry *geometry = &plan->geometry;
    const struct convoy_conv *conv = &geometry->conv;
    struct pass pass = {
        .plan = plan,
        .x = convoy_slot_f32(args, CONVOY_X),
        .dy = convoy_slot_f32(args, CONVOY_DY),
        .dw = convoy_slot_f32(args, CONVOY_DW),
        .dbias = convoy_slot_f32(args, CONVOY_DBIAS),
        .workspace = convoy_slot_f32(args, CONVOY_WORKSPACE),
    };
    pass.left = pass.workspace;
    pass.right = pass.left + plan->gradient.x.floats;
    pass.product = pass.right + plan->gradient.y.floats;
    const size_t runs = (size_t)convoy_ceil_div(plan_points(plan), plan_point_run(plan));
    for (pass.g = 0; pass.g < conv->groups; pass.g++) {
        for (pass.first = 0; pass.first < geometry->tiles; pass.first += plan->block) {
            pass.tiles = convoy_min(plan->block, geometry->tiles - pass.first);
            host->parallel(host, transform_task, &pass, (size_t)(pass.tiles * (geometry->x.groups + geometry->y.groups)));
            host->parallel(host, multiply_task, &pass, runs);
        }
        host->parallel(host, restore_task, &pass, (size_t)geometry->x.groups * (size_t)geometry->y.groups);
    }
    if (conv->head.flags & CONVOY_WITH_BIAS)
        host->parallel(host, bias_task, &pass, (size_t)conv->k);
    return CONVOY_OK;
}

/* Partial sums of at most SPLIT_TILES tiles, fewer where their spectra would leave the third-level cache. */
static int64_t block_tiles(const struct plan *plan)
{
    const struct geometry *geometry = &plan->geometry;
    const int64_t tile_bytes = (int64_t)points_planes(&plan->points) * plan->points.complex_points *
                               (geometry->x.groups + geometry->y.groups) * plan->points.mk->lanes * (int64_t)sizeof(float);
    const int64_t most = convoy_max(LEAST_TILES, convoy_min(SPLIT_TILES, BLOCK_BYTES / tile_bytes));
    return convoy_ceil_div(geometry->tiles, convoy_ceil_div(geometry->tiles, most));
}

void gradient_pass_plan(struct plan *plan)
{
    const struct geometry *geometry = &plan->geometry;
    plan->block = block_tiles(plan);
    plan->points.panel_vectors = points_panel_vectors(&plan->points, geometry->x.depth);
    tiles_make(&plan->gradient.x, &plan->points, geometry->x.groups, geometry->x.groups, plan->block);
    tiles_make(&plan->gradient.y, &plan->points, geometry->y.groups, geometry->y.groups, plan->block);
    product_make(&plan->product, &plan->points, geometry->y.groups, geometry->x.depth);
    plan->block_bytes = (uint64_t)(plan->gradient.x.floats + plan->gradient.y.floats) * sizeof(float);
    plan->workspace_bytes = plan->block_bytes + (uint64_t)plan->product.floats * sizeof(float);
    plan->numerics.split = geometry->tiles > plan->block ? (uint32_t)plan->block : 0;
    plan->run = gradient_pass_run;
}
