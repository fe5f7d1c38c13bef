#include "plan.h"
#include <convoy/plugin.h>
#include <stdlib.h>

/* Bytes of V and M that mostly stay in the second level cache. More tiles than fit beside U still pay, because U is read less
 * often. */
enum { FUSED_BYTES = 3 << 19 };
/* Bytes of V and M of a chunk, roughly: a part of the last level cache, which also has to pass U, and which others share. */
enum { CHUNK_BYTES = 3 << 20 };
/* For weight gradients more: every chunk reads and writes all of dU. */
enum { GRADIENT_CHUNK_BYTES = 4 << 20 };
/* Beyond this, dU costs more in memory than V and M of all tiles, up to half its size, that are read once for each part of it. */
enum { FILTER_BYTES = 12 << 20 };
/* Bytes of dU at a time in that case. */
enum { FILTER_PART_BYTES = 6 << 20 };
/* With fewer tiles to a box the streaming of U is exposed. */
enum { FUSED_TILES = 20 };
/* Where a strip of this many pixels begins, a cache line begins too, in all images of ImageNet networks. */
enum { STRIP_PIXELS = 112 };
enum { STAGED_BOX_TILES = 28 };

static void layer_init(const struct convoy_conv *p, int32_t m, struct layer *layer)
{
    const int backward = p->head.op == CONVOY_CONV_BWD_DATA;
    const int32_t c = p->c / p->groups, k = p->k / p->groups, r = p->kh;
    *layer = (struct layer){
        .n = p->n,
        .in_c = backward ? k : c,
        .in_h = backward ? p->oh : p->h,
        .in_w = backward ? p->ow : p->w,
        .out_c = backward ? c : k,
        .out_h = backward ? p->h : p->oh,
        .out_w = backward ? p->w : p->ow,
        .off_h = backward ? p->pad_t - (r - 1) : -p->pad_t,
        .off_w = backward ? p->pad_l - (r - 1) : -p->pad_l,
        .m = m,
        .r = r,
        .alpha = m + r - 1,
    };
    layer->tiles_h = (int32_t)convoy_ceil_div(layer->out_h, m);
    layer->tiles_w = (int32_t)convoy_ceil_div(layer->out_w, m);
}

static struct image image_of(int32_t channels, int32_t groups, int32_t h, int32_t w)
{
    const ptrdiff_t plane = (ptrdiff_t)h * w;
    return (struct image){
        .image_stride = plane * channels * groups, .channel_stride = plane, .channels = channels, .h = h, .w = w};
}

/* Floats between tiles: an odd number of cache lines, so that the tiles of a register tile do not compete for one cache set. */
static ptrdiff_t row_of(int32_t channels)
{
    return (ptrdiff_t)(convoy_ceil_div(channels, BLOCK) | 1) * BLOCK;
}

static struct planes planes_of(int32_t channels, int64_t tiles)
{
    const ptrdiff_t row = row_of(channels);
    return (struct planes){.row = row, .plane = (ptrdiff_t)(tiles * row / BLOCK | 1) * BLOCK};
}

static void bind_tensors(const struct self *self, struct plan *plan)
{
    const struct layer *layer = &plan->layer;
    const struct transform *t = plan->transform;
    const struct image in = image_of(layer->in_c, plan->groups, layer->in_h, layer->in_w);
    const struct image out = image_of(layer->out_c, plan->groups, layer->out_h, layer->out_w);
    plan->windows = (struct windows){.family = self->transforms,
                                     .image = in,
                                     .step = t->m,
                                     .taps = t->alpha,
                                     .alpha = t->alpha,
                                     .off_h = layer->off_h,
                                     .off_w = layer->off_w,
                                     .columns = t->input_columns,
                                     .rows = t->input_rows};
    plan->expanded = (struct windows){.family = self->transforms,
                                      .image = out,
                                      .step = t->m,
                                      .taps = t->m,
                                      .alpha = t->alpha,
                                      .columns = t->expand_columns,
                                      .rows = t->expand_rows};
    plan->outputs = (struct outputs){
        .family = self->transforms, .transform = t, .image = out, .relu = (plan->problem.head.flags & CONVOY_WITH_RELU) != 0};
    const ptrdiff_t taps = (ptrdiff_t)layer->r * layer->r, filters = taps * (plan->problem.c / plan->groups);
    const int backward = plan->problem.head.op == CONVOY_CONV_BWD_DATA;
    plan->weights.in = layer->in_c;
    plan->weights.out = layer->out_c;
    plan->weights.in_stride = backward ? filters : taps;
    plan->weights.out_stride = backward ? taps : filters;
    plan->weights.rotated = backward;
    plan->weight_floats = taps * layer->in_c * layer->out_c;
}

static void weights_init(const struct self *self, int32_t r, struct weights *weights)
{
    struct matrices exact;
    points_matrices(points_find(self->m, r), &exact);
    *weights = (struct weights){.family = self->filters, .matrix = {.r = r, .alpha = exact.alpha}};
    for (int32_t i = 0; i < exact.alpha; i++) {
        for (int32_t j = 0; j < r; j++)
            weights->matrix.g[i][j] = rational_double(exact.g[i][j]);
    }
}

static int64_t du_bytes(const struct layer *layer, int32_t columns)
{
    return (int64_t)layer->alpha * layer->alpha * layer->in_c * row_of(columns) * (int64_t)sizeof(float);
}

/* Panels of dU at a time: with only one chunk, as many as stay in a cache, in whole blocks of channels. */
static int32_t du_panels(const struct plan *plan)
{
    const struct panels *panels = &plan->panels;
    const int32_t width = panels->vectors * panels->family->lanes, whole = width % BLOCK ? BLOCK / panels->family->lanes : 1;
    int32_t count = whole;
    while (count < panels->count && (plan->tiling.chunk_count > 1 ||
                                     du_bytes(&plan->layer, (count + whole) * width) <= FILTER_PART_BYTES))
        count += whole;
    return (int32_t)convoy_min(count, panels->count);
}

/* Chooses the schedule and cuts the layer into boxes. */
static int plan_schedule(struct plan *plan)
{
    const struct layer *layer = &plan->layer;
    const int64_t points = (int64_t)layer->alpha * layer->alpha;
    const int64_t tile_bytes = points * (row_of(layer->in_c) + row_of(layer->out_c)) * (int64_t)sizeof(float);
    const int64_t tiles = (int64_t)layer->n * layer->tiles_h * layer->tiles_w, fit = FUSED_BYTES / tile_bytes;
    const int gradient = plan->problem.head.op == CONVOY_CONV_BWD_WEIGHTS;
    plan->fused = !gradient && fit >= FUSED_TILES && tiles >= (int64_t)FUSED_TILES * plan->host->threads;
    if (plan->fused)
        return tiling_make(layer, convoy_min(fit, tiles / plan->host->threads), STRIP_PIXELS, 1, &plan->tiling);
    int64_t chunk_tiles = convoy_max((gradient ? GRADIENT_CHUNK_BYTES : CHUNK_BYTES) / tile_bytes, SPLIT);
    const int64_t filter_bytes = du_bytes(layer, layer->out_c);
    if (gradient && filter_bytes > FILTER_BYTES && 2 * tiles * tile_bytes <= filter_bytes)
        chunk_tiles = tiles;
    return tiling_make(layer, STAGED_BOX_TILES, STRIP_PIXELS, chunk_tiles, &plan->tiling);
}

static void size_memory(const struct self *self, struct plan *plan)
{
    const struct layer *layer = &plan->layer;
    const int gradient = plan->problem.head.op == CONVOY_CONV_BWD_WEIGHTS;
    const int64_t points = (int64_t)layer->alpha * layer->alpha, tiles = plan->tiling.most_tiles;
    const int32_t columns = (int32_t)convoy_round_up(layer->out_c, BLOCK);
    plan->panels = panels_make(self->family, columns, gradient ? layer->in_c : tiles);
    plan->v = planes_of(layer->in_c, tiles);
    plan->m = planes_of(layer->out_c, tiles);
    plan->v_floats = points * plan->v.plane;
    plan->m_floats = points * plan->m.plane;
    plan->scratch_floats =
        stage_scratch_floats(layer->m, layer->alpha, layer->alpha, plan->tiling.most_rows, plan->tiling.most_columns);
    const int64_t workers = plan->host->threads;
    int64_t workspace = workers * plan->scratch_floats + (plan->fused ? workers : 1) * (plan->v_floats + plan->m_floats);
    if (gradient) {
        plan->du_panels = du_panels(plan);
        plan->u = planes_of(panel_column(&plan->panels, plan->du_panels), layer->in_c);
        plan->du_floats = points * plan->u.plane;
        workspace += plan->du_floats;
    } else {
        plan->u_plane = (ptrdiff_t)layer->in_c * columns;
        plan->u_floats = points * plan->u_plane;
        plan->prepared_bytes = (uint64_t)(plan->groups * plan->u_floats) * sizeof(float);
    }
    plan->workspace_bytes = (uint64_t)workspace * sizeof(float);
}

struct plan *plan_make(const struct self *self, const struct convoy_conv *problem)
{
    struct plan *plan = calloc(1, sizeof *plan);
    if (!plan)
        return NULL;
    plan->host = self->host;
    plan->problem = *problem;
    plan->groups = problem->groups;
    plan->transform = transform_find(self->transforms, self->m, problem->kh);
    layer_init(problem, self->m, &plan->layer);
    weights_init(self, problem->kh, &plan->weights);
    bind_tensors(self, plan);
    if (!plan_schedule(plan)) {
        free(plan);
        return NULL;
    }
    size_memory(self, plan);
    plan->numerics = (struct convoy_numerics){.kind = CONVOY_NUM_WINOGRAD,
                                              .flags = CONVOY_DETERMINISTIC | CONVOY_THREAD_INVARIANT,
                                              .m = (uint32_t)self->m,
                                              .r = (uint32_t)problem->kh,
                                              .points = CONVOY_POINTS_GOOD,
                                              .split = SPLIT};
    snprintf(plan->algorithm, sizeof plan->algorithm, "F(%dx%d,%dx%d) %s, split %d", self->m, self->m, problem->kh, problem->kh,
             problem->head.op == CONVOY_CONV_BWD_WEIGHTS ? "adjoint"
             : plan->fused                               ? "fused L2"
                                                         : "staged L3",
             SPLIT);
    return plan;
}

void plan_destroy(struct plan *plan)
{
    tiling_free(&plan->tiling);
    free(plan);
}
