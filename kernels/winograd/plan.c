#include "plan.h"
#include <convoy/plugin.h>
#include <stdlib.h>

/* Bytes of V and M that mostly stay in the second level cache. More tiles than fit beside U still pay, because U is read less
 * often. */
enum { FUSED_BYTES = 9 << 18 };
/* Bytes of V and M of a chunk, roughly: a part of the last level cache, which also has to pass U, and which others share. */
enum { CHUNK_BYTES = 3 << 20 };
/* For weight gradients more: every chunk reads and writes all of dU. */
enum { GRADIENT_CHUNK_BYTES = 4 << 20 };
/* Beyond this, dU costs more in memory than V and M of all tiles, up to half its size, that are read once for each part of it. */
enum { FILTER_BYTES = 12 << 20 };
/* Bytes of dU at a time in that case. */
enum { FILTER_PART_BYTES = 6 << 20 };
/* With fewer tiles to a worker, or to a box, the streaming of U from the last level cache is exposed. */
enum { FUSED_TILES = 8, FUSED_BOX_TILES = 16 };
/* A larger U is streamed from memory, which takes more tiles to hide. */
enum { CACHED_BYTES = 24 << 20, UNCACHED_TILES = 20 };
/* With no more tiles than this, making U of packed weights (about 2 cycles for a vector of it) is faster than reading it from
 * memory (about 6), beside which the products of these tiles (half a cycle each) would run. */
enum { LAZY_TILES = 8 };
/* Bytes of a piece of U that is made at a time: most of the second level cache. */
enum { PIECE_BYTES = 11 << 16 };
/* Where a strip of this many pixels begins, a cache line begins too, in all images of ImageNet networks. */
enum { STRIP_PIXELS = 112 };
enum { STAGED_BOX_TILES = 28 };
/* Where a layer reads and writes more, its output does not stay in a last level cache that others share. */
enum { STREAM_BYTES = 12 << 20 };

/* x or dx with its phases as channels. */
static struct fold fold_of(const struct convoy_conv *p, int32_t stride)
{
    struct fold fold = {.stride = stride,
                        .columns = stride,
                        .n = p->n,
                        .channels = p->c / p->groups,
                        .h = p->h,
                        .w = p->w,
                        .pad_t = p->pad_t,
                        .pad_l = p->pad_l,
                        .image_stride = (ptrdiff_t)p->c * p->h * p->w};
    const int32_t taps = (int32_t)convoy_ceil_div(p->kh, stride);
    const int backward = p->head.op == CONVOY_CONV_BWD_DATA;
    fold.folded_h = backward ? (p->h - 1 + p->pad_t) / stride + 1 : p->oh + taps - 1;
    fold.folded_w = backward ? (p->w - 1 + p->pad_l) / stride + 1 : p->ow + taps - 1;
    return fold;
}

/* The first input that a tile at output 0 reads. */
static int32_t first_input(const struct transform *t, int backward, int32_t pad)
{
    switch (t->form) {
    case FORM_SPREAD_EVEN: /* z[i + pad - 2] with z[2l] = dy[l] */
        return (pad - 2) / 2;
    case FORM_SPREAD_ODD: /* z[i + pad - 2], whose first pixel is odd */
        return (pad - 1) / 2;
    default:
        return backward ? pad - (t->r - 1) : -pad;
    }
}

static void layer_init(const struct convoy_conv *p, const struct transform *t, const struct fold *fold, struct layer *layer)
{
    const int backward = p->head.op == CONVOY_CONV_BWD_DATA, folded = fold->stride > 1;
    const int32_t c = p->c / p->groups * fold->stride * fold->stride, k = p->k / p->groups;
    const int32_t h = folded ? fold->folded_h : p->h, w = folded ? fold->folded_w : p->w;
    *layer = (struct layer){
        .n = p->n,
        .in_c = backward ? k : c,
        .in_h = backward ? p->oh : h,
        .in_w = backward ? p->ow : w,
        .out_c = backward ? c : k,
        .out_h = backward ? h : p->oh,
        .out_w = backward ? w : p->ow,
        .off_h = first_input(t, backward, folded ? 0 : p->pad_t),
        .off_w = first_input(t, backward, folded ? 0 : p->pad_l),
        .m = t->out,
        .alpha = t->alpha,
    };
    layer->tiles_h = (int32_t)convoy_ceil_div(layer->out_h, t->out);
    layer->tiles_w = (int32_t)convoy_ceil_div(layer->out_w, t->out);
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

/* Whether the output is written past the caches. */
static int32_t streams(const struct self *self, const struct plan *plan)
{
    const struct convoy_conv *p = &plan->problem;
    const int64_t floats = p->n * ((int64_t)p->c * p->h * p->w + (int64_t)p->k * p->oh * p->ow);
    return self->transforms->order_stores && floats * (int64_t)sizeof(float) >= STREAM_BYTES;
}

static void bind_tensors(const struct self *self, struct plan *plan)
{
    const struct layer *layer = &plan->layer;
    const struct transform *t = plan->transform;
    const int backward = plan->problem.head.op == CONVOY_CONV_BWD_DATA, folded = plan->fold.stride > 1;
    /* A folded tensor holds one group. */
    const struct image in = image_of(layer->in_c, folded && !backward ? 1 : plan->groups, layer->in_h, layer->in_w);
    const struct image out = image_of(layer->out_c, folded && backward ? 1 : plan->groups, layer->out_h, layer->out_w);
    plan->windows = (struct windows){.family = self->transforms,
                                     .image = in,
                                     .step = t->step,
                                     .taps = t->in,
                                     .alpha = t->alpha,
                                     .off_h = layer->off_h,
                                     .off_w = layer->off_w,
                                     .columns = t->input_columns,
                                     .rows = t->input_rows};
    plan->expanded = (struct windows){.family = self->transforms,
                                      .image = out,
                                      .step = t->out,
                                      .taps = t->out,
                                      .alpha = t->alpha,
                                      .columns = t->expand_columns,
                                      .rows = t->expand_rows};
    plan->outputs = (struct outputs){.family = self->transforms,
                                     .transform = t,
                                     .image = out,
                                     .relu = (plan->problem.head.flags & CONVOY_WITH_RELU) != 0,
                                     /* A folded dx is read again at once. */
                                     .stream = !(folded && backward) && streams(self, plan)};
    const int64_t c = plan->problem.c / plan->groups, k = plan->problem.k / plan->groups;
    const ptrdiff_t taps = (ptrdiff_t)plan->problem.kh * plan->problem.kw, filters = taps * c;
    plan->weights.in = layer->in_c;
    plan->weights.out = layer->out_c;
    plan->weights.in_stride = backward ? filters : taps;
    plan->weights.out_stride = backward ? taps : filters;
    plan->weights.rotated = backward;
    plan->weights.kernel = plan->problem.kh;
    plan->weights.fold = plan->fold.stride;
    plan->weight_floats = taps * c * k;
    const int64_t x_floats = c * plan->problem.h * plan->problem.w, y_floats = k * plan->problem.oh * plan->problem.ow;
    plan->from_floats = backward ? y_floats : x_floats;
    plan->to_floats = backward ? x_floats : y_floats;
}

static void weights_init(const struct self *self, const struct transform *t, struct weights *weights)
{
    struct matrices exact;
    points_matrices(points_find(t->form, t->m, t->r), t->form, &exact);
    const int32_t rows = (int32_t)convoy_min(exact.alpha, exact.singles + 1);
    *weights = (struct weights){.family = self->filters, .matrix = {.r = t->r, .alpha = rows}};
    for (int32_t i = 0; i < rows; i++) {
        for (int32_t j = 0; j < t->r; j++)
            weights->matrix.rounded[i][j] = (float)(weights->matrix.g[i][j] = rational_double(exact.g[i][j]));
    }
}

static int64_t du_bytes(const struct plan *plan, int32_t columns)
{
    return (int64_t)weights_planes(&plan->weights) * plan->layer.in_c * row_of(columns) * (int64_t)sizeof(float);
}

/* Panels of dU at a time: with only one chunk, as many as stay in a cache, in whole blocks of channels. */
static int32_t du_panels(const struct plan *plan)
{
    const struct panels *panels = &plan->panels;
    const int32_t width = panels->vectors * panels->family->lanes, whole = width % BLOCK ? BLOCK / panels->family->lanes : 1;
    int32_t count = whole;
    while (count < panels->count &&
           (plan->tiling.chunk_count > 1 || du_bytes(plan, (count + whole) * width) <= FILTER_PART_BYTES))
        count += whole;
    return (int32_t)convoy_min(count, panels->count);
}

/* Chooses the schedule and cuts the layer into boxes. */
static int plan_schedule(struct plan *plan)
{
    const struct layer *layer = &plan->layer;
    const struct transform *t = plan->transform;
    const int64_t points = (int64_t)layer->alpha * layer->alpha;
    const int64_t tile_bytes = points * (row_of(layer->in_c) + row_of(layer->out_c)) * (int64_t)sizeof(float);
    const int64_t tiles = (int64_t)layer->n * layer->tiles_h * layer->tiles_w, fit = FUSED_BYTES / tile_bytes;
    const int gradient = plan->problem.head.op == CONVOY_CONV_BWD_WEIGHTS;
    /* Of the wider side of the transform. */
    const int32_t strip = STRIP_PIXELS * layer->m / (int32_t)convoy_max(layer->m, t->step);
    const int64_t u_bytes = (int64_t)weights_planes(&plan->weights) * layer->in_c * layer->out_c * (int64_t)sizeof(float);
    const int64_t least = u_bytes > CACHED_BYTES ? UNCACHED_TILES : FUSED_TILES;
    plan->lazy = !gradient && t->filters && u_bytes > CACHED_BYTES && tiles <= LAZY_TILES;
    plan->fused = !gradient && (fit >= least || u_bytes <= CACHED_BYTES) && tiles >= least * plan->host->threads;
    if (plan->fused)
        return tiling_make(layer, convoy_max(fit, FUSED_BOX_TILES), plan->host->threads, strip, 1, &plan->tiling);
    int64_t chunk_tiles = convoy_max((gradient ? GRADIENT_CHUNK_BYTES : CHUNK_BYTES) / tile_bytes, SPLIT);
    const int64_t filter_bytes = du_bytes(plan, layer->out_c);
    if (gradient && filter_bytes > FILTER_BYTES && 2 * tiles * tile_bytes <= filter_bytes)
        chunk_tiles = tiles;
    return tiling_make(layer, STAGED_BOX_TILES, 1, strip, chunk_tiles, &plan->tiling);
}

/* Few input channels: lanes over tiles. Returns 0 where the other schedules are to be used. */
static int plan_stem(const struct self *self, struct plan *plan)
{
    const struct layer *layer = &plan->layer;
    const struct transform *t = plan->transform;
    if (plan->problem.head.op != CONVOY_CONV_FWD || t->form != FORM_DENSE || layer->in_c > STEM_MOST_CHANNELS)
        return 0;
    plan->stem_transform = stem_find(self->family->name, t->m, t->r);
    if (!plan->stem_transform)
        return 0;
    plan->phases = plan->fold;
    plan->phases.stride = plan->fold.stride * t->m;
    plan->phases.columns = plan->phases.stride * stem_steps(t->m, t->alpha);
    plan->phases.folded_h = layer->tiles_h + stem_steps(t->m, t->alpha) - 1;
    plan->phases.folded_w = stem_row(t->m, layer->tiles_w);
    plan->phases.split = fold_split_find(self->family->name, plan->phases.stride);
    plan->stem = (struct stem){.m = t->m,
                               .channels = layer->in_c,
                               .filters = layer->out_c,
                               .stride = plan->fold.stride,
                               .row = plan->phases.folded_w,
                               .columns = plan->phases.columns,
                               .tiles_h = layer->tiles_h,
                               .tiles_w = layer->tiles_w,
                               .phase = (ptrdiff_t)plan->phases.folded_h * plan->phases.folded_w,
                               .out_h = layer->out_h,
                               .out_w = layer->out_w,
                               .relu = plan->outputs.relu,
                               .stream = plan->outputs.stream};
    plan->phases_floats = fold_floats(&plan->phases);
    plan->v_floats = (int64_t)t->alpha * t->alpha * layer->in_c * STEM_TILES;
    plan->u_floats = stem_u_floats(layer->in_c, t->alpha, layer->out_c);
    plan->prepared_bytes = (uint64_t)(plan->groups * plan->u_floats) * sizeof(float);
    plan->workspace_bytes = (uint64_t)(plan->host->threads * plan->v_floats + plan->phases_floats + STEM_SLACK) * sizeof(float);
    return 1;
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
    const struct transform *t = plan->transform;
    const int32_t rows = plan->tiling.most_rows, across = plan->tiling.most_columns;
    plan->scratch_floats = convoy_max(stage_scratch_floats(t->step, t->in, t->alpha, rows, across),
                                      stage_scratch_floats(t->out, t->out, gradient ? t->alpha : 0, gradient ? rows : 1, across));
    plan->fold_floats = fold_floats(&plan->fold);
    const int64_t workers = plan->host->threads;
    /* Columns are packed in whole blocks, so pieces have to consist of them. */
    plan->lazy = plan->lazy && plan->panels.vectors * self->family->lanes % BLOCK == 0;
    int64_t workspace =
        workers * plan->scratch_floats + (plan->fused ? workers : 1) * (plan->v_floats + plan->m_floats) + plan->fold_floats;
    if (gradient) {
        plan->du_panels = du_panels(plan);
        plan->u = planes_of(panel_column(&plan->panels, plan->du_panels), layer->in_c);
        plan->du_floats = weights_planes(&plan->weights) * plan->u.plane;
        workspace += plan->du_floats;
    } else if (plan->lazy) {
        /* One cache line more, so that the points of a filter do not compete for one cache set. */
        const int64_t width = plan->panels.vectors * self->family->lanes, planes = weights_planes(&plan->weights);
        plan->piece_channels = SPLIT;
        while (plan->piece_channels > BLOCK && planes * plan->piece_channels * width * (int64_t)sizeof(float) > PIECE_BYTES)
            plan->piece_channels /= 2;
        plan->u_plane = plan->piece_channels * width + BLOCK;
        plan->piece_floats = planes * plan->u_plane;
        plan->u_floats = (int64_t)t->r * t->r * layer->in_c * columns;
        workspace += workers * plan->piece_floats;
    } else {
        plan->u_plane = (ptrdiff_t)layer->in_c * columns;
        plan->u_floats = weights_planes(&plan->weights) * plan->u_plane;
    }
    plan->prepared_bytes = (uint64_t)(plan->groups * plan->u_floats) * sizeof(float);
    plan->workspace_bytes = (uint64_t)workspace * sizeof(float);
}

struct plan *plan_make(const struct self *self, const struct convoy_conv *problem, const struct route *route)
{
    struct plan *plan = calloc(1, sizeof *plan);
    if (!plan)
        return NULL;
    plan->host = self->host;
    plan->problem = *problem;
    plan->groups = problem->groups;
    const struct transform *t = plan->transform = route->transform;
    plan->sharing = (struct sharing){t->alpha, t->singles};
    plan->fold = fold_of(problem, route->fold);
    plan->fold.split = fold_split_find(self->family->name, route->fold);
    layer_init(problem, t, &plan->fold, &plan->layer);
    weights_init(self, t, &plan->weights);
    bind_tensors(self, plan);
    if (!plan_stem(self, plan)) {
        if (!plan_schedule(plan)) {
            free(plan);
            return NULL;
        }
        size_memory(self, plan);
    }
    plan->numerics = (struct convoy_numerics){.kind = CONVOY_NUM_WINOGRAD,
                                              .flags = CONVOY_DETERMINISTIC | CONVOY_THREAD_INVARIANT,
                                              .m = (uint32_t)self->m,
                                              .r = (uint32_t)problem->kh,
                                              .points = CONVOY_POINTS_GOOD,
                                              .split = SPLIT};
    char stride[24] = "";
    if (t->form != FORM_DENSE)
        snprintf(stride, sizeof stride, "/2");
    else if (route->fold > 1)
        snprintf(stride, sizeof stride, " fold %d", route->fold);
    snprintf(plan->algorithm, sizeof plan->algorithm, "F(%dx%d,%dx%d)%s %s, split %d", t->m, t->m, t->r, t->r, stride,
             problem->head.op == CONVOY_CONV_BWD_WEIGHTS ? "adjoint"
             : plan->stem_transform                      ? "stem"
             : plan->lazy                                ? "lazy U"
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
