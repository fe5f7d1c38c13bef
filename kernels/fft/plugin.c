/* The plugin table of the backend fft: its variants, what each takes, and how a plan is put together. */
#include "plan.h"
#include <convoy/plugin.h>
#include <convoy/shape.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

struct variant {
    const char *name;
    int32_t tile; /* of the codelets; 0: FFTW, the tile after the problem */
    bool gauss;
};

static const struct variant variants[] = {
    {"fft16", 16, false},  {"fft32", 32, false},  {"fft8", 8, false},    {"fft18", 18, false},
    {"fft20", 20, false},  {"fft24", 24, false},  {"gauss16", 16, true}, {"gauss18", 18, true},
    {"gauss20", 20, true}, {"gauss24", 24, true}, {"gauss32", 32, true}, {"fftw", 0, false},
};
enum { VARIANT_COUNT = sizeof variants / sizeof *variants };
static const char *const variant_names[] = {"fft16",   "fft32",   "fft8",    "fft18",   "fft20", "fft24", "gauss16",
                                            "gauss18", "gauss20", "gauss24", "gauss32", "fftw",  NULL};
_Static_assert(sizeof variant_names / sizeof *variant_names == VARIANT_COUNT + 1, "every variant has its name in both tables");

struct self {
    struct convoy_instance base;
    const struct convoy_host *host;
    const struct variant *variant;
    const struct mk_family *mk;
};

#define SLOT_BIT(slot) (1u << (slot))
static const struct operation {
    uint32_t flags, slots;
} operations[CONVOY_OP_COUNT] = {
    [CONVOY_CONV_FWD] = {CONVOY_WITH_BIAS | CONVOY_WITH_RELU,
                         SLOT_BIT(CONVOY_X) | SLOT_BIT(CONVOY_PREPARED) | SLOT_BIT(CONVOY_Y)},
    [CONVOY_CONV_BWD_DATA] = {0, SLOT_BIT(CONVOY_DY) | SLOT_BIT(CONVOY_PREPARED) | SLOT_BIT(CONVOY_DX)},
    [CONVOY_CONV_BWD_WEIGHTS] = {CONVOY_WITH_BIAS, SLOT_BIT(CONVOY_X) | SLOT_BIT(CONVOY_DY) | SLOT_BIT(CONVOY_DW)},
};

static const double most_bytes = 4.0 * 1024 * 1024 * 1024; /* of prepared weights, and of workspace */

/* Even, and without prime factors above 7, for which FFTW has straight-line code. */
static int32_t smooth_size(int64_t least)
{
    for (int64_t size = convoy_round_up(convoy_max(least, 2), 2);; size += 2) {
        int64_t rest = size;
        for (int64_t prime = 2; prime <= 7; prime++)
            while (rest % prime == 0)
                rest /= prime;
        if (rest == 1)
            return (int32_t)size;
    }
}

/* FFTW's tile: of all small enough the one with the least work, tile area times (tiles + READING), where READING is what it costs
 * to read a point of the kernels' spectra once, in products of one tile. */
enum { LEAST_TILE = 8, USUAL_TILE = 32, READING = 8 };

static int32_t largest_tile(int32_t taps, int32_t positions)
{
    const int32_t usual = smooth_size(convoy_max(USUAL_TILE, 2 * (int64_t)taps));
    const int32_t whole = smooth_size(convoy_max(LEAST_TILE, (int64_t)positions + taps - 1)); /* one tile covers the axis */
    return whole < usual ? whole : usual;
}

static void library_tile(const struct convoy_conv *conv, int32_t *best_h, int32_t *best_w)
{
    const int32_t taps_h = geometry_taps(conv->kh, conv->stride_h), taps_w = geometry_taps(conv->kw, conv->stride_w);
    const int32_t positions_h = geometry_positions(conv, true), positions_w = geometry_positions(conv, false);
    const int32_t most_h = largest_tile(taps_h, positions_h), most_w = largest_tile(taps_w, positions_w);
    double least = INFINITY;
    for (int32_t h = smooth_size(convoy_max(LEAST_TILE, taps_h)); h <= most_h; h = smooth_size((int64_t)h + 1))
        for (int32_t w = smooth_size(convoy_max(LEAST_TILE, taps_w)); w <= most_w; w = smooth_size((int64_t)w + 1)) {
            const double tiles_h = (double)convoy_ceil_div(positions_h, h - taps_h + 1);
            const double tiles_w = (double)convoy_ceil_div(positions_w, w - taps_w + 1);
            const double work = (double)h * w * (conv->n * tiles_h * tiles_w + READING);
            if (work < least) {
                least = work;
                *best_h = h;
                *best_w = w;
            }
        }
}

static void choose_tile(const struct variant *variant, const struct convoy_conv *conv, int32_t *tile_h, int32_t *tile_w)
{
    *tile_h = *tile_w = variant->tile;
    if (!variant->tile)
        library_tile(conv, tile_h, tile_w);
}

static convoy_status check_memory(const struct self *self, const struct convoy_conv *conv, struct convoy_error *err)
{
    int32_t tile_h, tile_w;
    choose_tile(self->variant, conv, &tile_h, &tile_w);
    const double lanes = self->mk->lanes, per_point = self->variant->gauss ? 1.5 : 1.0;
    const double phases = (double)convoy_min(conv->stride_h, conv->kh) * (double)convoy_min(conv->stride_w, conv->kw);
    const double c = (double)conv->c / conv->groups, k = (double)conv->k / conv->groups;
    const double c_lanes = (c + lanes) * phases, k_lanes = k + lanes, tile = (double)tile_h * tile_w * sizeof(float) * per_point;
    const bool gradient = conv->head.op == CONVOY_CONV_BWD_WEIGHTS;
    /* Vectors round channels up, on both sides to be on the safe one; the spectra of gradients exist for one group at a time. */
    const double kernels = tile * c_lanes * k_lanes * (gradient ? 1 : conv->groups);
    const double block = tile * 3 * (c_lanes + k_lanes) * (gradient ? SPLIT_TILES : self->host->threads);
    if (kernels + block > most_bytes)
        return convoy_fail(err, CONVOY_UNSUPPORTED, CONVOY_WHY_MEMORY,
                           "the spectra in tiles of %dx%d need up to %.1f GiB, the limit is %.0f", tile_h, tile_w,
                           (kernels + block) / (1 << 30), most_bytes / (1 << 30));
    return CONVOY_OK;
}

static convoy_status check_conv(const struct self *self, const struct convoy_conv *conv, struct convoy_error *err)
{
    const int32_t extent[] = {conv->n,      conv->c,        conv->h,        conv->w,     conv->k,     conv->kh, conv->kw,
                              conv->groups, conv->stride_h, conv->stride_w, conv->dil_h, conv->dil_w, conv->oh, conv->ow};
    for (size_t e = 0; e < sizeof extent / sizeof *extent; e++)
        if (extent[e] < 1)
            return convoy_fail(err, CONVOY_INVALID, CONVOY_WHY_SIZE, "an extent, stride or dilation is %d, the least is 1",
                               extent[e]);
    if (conv->pad_t < 0 || conv->pad_b < 0 || conv->pad_l < 0 || conv->pad_r < 0)
        return convoy_fail(err, CONVOY_INVALID, CONVOY_WHY_PAD, "negative padding");
    if (conv->c % conv->groups || conv->k % conv->groups)
        return convoy_fail(err, CONVOY_INVALID, CONVOY_WHY_GROUPS, "%d groups do not divide %d and %d channels", conv->groups,
                           conv->c, conv->k);
    /* There an element of dw is one product per image, and the transforms' rounding errors follow the largest of the tile. */
    if (conv->head.op == CONVOY_CONV_BWD_WEIGHTS && conv->oh == 1 && conv->ow == 1)
        return convoy_fail(err, CONVOY_UNSUPPORTED, CONVOY_WHY_SIZE,
                           "a weight gradient of one output pixel is left to direct algorithms");
    if (conv->dil_h != 1 || conv->dil_w != 1)
        return convoy_fail(err, CONVOY_UNSUPPORTED, CONVOY_WHY_DILATION, "needs dilation 1, got %dx%d", conv->dil_h, conv->dil_w);
    const int32_t taps_h = geometry_taps(conv->kh, conv->stride_h), taps_w = geometry_taps(conv->kw, conv->stride_w);
    const int32_t tile = self->variant->tile, most = 3 * tile / 4 + 1;
    if (tile && (taps_h > most || taps_w > most))
        return convoy_fail(err, CONVOY_UNSUPPORTED, CONVOY_WHY_KERNEL, "a tile of %d takes %d taps per phase and axis, got %dx%d",
                           tile, most, taps_h, taps_w);
    return check_memory(self, conv, err);
}

static convoy_status supports(const struct convoy_instance *instance, const struct convoy_problem *problem,
                              struct convoy_error *err)
{
    const struct self *self = (const struct self *)instance;
    if (problem->op >= CONVOY_OP_COUNT || !operations[problem->op].slots)
        return convoy_fail(err, CONVOY_UNSUPPORTED, CONVOY_WHY_OP, "only convolutions, got operation %u", problem->op);
    if (problem->struct_size < sizeof(struct convoy_conv))
        return convoy_fail(err, CONVOY_INVALID, CONVOY_WHY_OTHER, "a convolution has %zu bytes, got %u",
                           sizeof(struct convoy_conv), problem->struct_size);
    if (problem->dtype != CONVOY_F32)
        return convoy_fail(err, CONVOY_UNSUPPORTED, CONVOY_WHY_DTYPE, "only f32, got data type %u", problem->dtype);
    if (problem->layout != CONVOY_NCHW)
        return convoy_fail(err, CONVOY_UNSUPPORTED, CONVOY_WHY_LAYOUT, "only NCHW, got layout %u", problem->layout);
    if (problem->flags & ~operations[problem->op].flags)
        return convoy_fail(err, CONVOY_UNSUPPORTED, CONVOY_WHY_FLAGS, "operation %u takes flags %#x, got %#x", problem->op,
                           operations[problem->op].flags, problem->flags);
    return check_conv(self, (const struct convoy_conv *)problem, err);
}

int64_t plan_points(const struct plan *plan)
{
    return (int64_t)plan->points.complex_points + plan->points.real_points;
}

enum { LONGEST_RUN = 8, RUNS_PER_WORKER = 8 };

int64_t plan_point_run(const struct plan *plan)
{
    return convoy_min(LONGEST_RUN, convoy_max(1, plan_points(plan) / ((int64_t)RUNS_PER_WORKER * plan->host->threads)));
}

float *plan_scratch(const struct plan *plan, float *workspace, size_t worker)
{
    const uint64_t scratch = plan->transform->scratch_bytes / sizeof(float);
    return workspace + (plan->workspace_bytes / sizeof(float) - (plan->host->threads - worker) * scratch);
}

static void info(const struct convoy_plan *base, struct convoy_plan_info *out)
{
    const struct plan *plan = (const struct plan *)base;
    struct convoy_plan_info mine = {
        .struct_size = out->struct_size,
        .workspace_bytes = plan->workspace_bytes,
        .prepared_bytes = plan->prepared_bytes,
        .numerics = plan->numerics,
    };
    memcpy(mine.algorithm, plan->algorithm, sizeof mine.algorithm);
    memcpy(out, &mine, out->struct_size < sizeof mine ? out->struct_size : sizeof mine);
}

static convoy_status check_slots(const struct convoy_args *args, uint32_t slots, struct convoy_error *err)
{
    for (uint32_t slot = 0; slot < CONVOY_NSLOTS; slot++)
        if ((slots & SLOT_BIT(slot)) && !convoy_slot(args, slot))
            return convoy_fail(err, CONVOY_INVALID, CONVOY_WHY_OTHER, "slot %u is needed and empty", slot);
    return CONVOY_OK;
}

static convoy_status prepare(struct convoy_plan *base, const struct convoy_args *args, struct convoy_error *err)
{
    const struct plan *plan = (const struct plan *)base;
    if (!plan->prepared_bytes)
        return CONVOY_OK;
    const uint32_t slots = SLOT_BIT(CONVOY_W) | SLOT_BIT(CONVOY_PREPARED) | SLOT_BIT(CONVOY_WORKSPACE);
    const convoy_status status = check_slots(args, slots, err);
    return status == CONVOY_OK ? data_pass_prepare(plan, args) : status;
}

static convoy_status execute(struct convoy_plan *base, const struct convoy_args *args, struct convoy_error *err)
{
    const struct plan *plan = (const struct plan *)base;
    const convoy_status status = check_slots(args, plan->slots, err);
    return status == CONVOY_OK ? plan->run(plan, args) : status;
}

static void destroy(struct convoy_plan *base)
{
    struct plan *plan = (struct plan *)base;
    if (plan->library)
        fft_library_close(plan->transform);
    if (plan->prepared_bytes)
        free(plan->data.a_offset);
    free(plan);
}

static const struct convoy_plan_ops data_ops = {
    .struct_size = sizeof data_ops, .info = info, .prepare = prepare, .execute = execute, .destroy = destroy};
static const struct convoy_plan_ops gradient_ops = {
    .struct_size = sizeof gradient_ops, .info = info, .prepare = NULL, .execute = execute, .destroy = destroy};

static uint32_t needed_slots(const struct convoy_problem *problem)
{
    uint32_t slots = operations[problem->op].slots | SLOT_BIT(CONVOY_WORKSPACE);
    if (problem->flags & CONVOY_WITH_BIAS)
        slots |= SLOT_BIT(problem->op == CONVOY_CONV_FWD ? CONVOY_BIAS : CONVOY_DBIAS);
    return slots;
}

static convoy_status make_plan(struct convoy_instance *instance, const struct convoy_problem *problem, struct convoy_plan **out,
                               struct convoy_error *err)
{
    const struct self *self = (const struct self *)instance;
    const struct variant *variant = self->variant;
    convoy_status status = supports(instance, problem, err);
    if (status != CONVOY_OK)
        return status;
    const struct convoy_conv *conv = (const struct convoy_conv *)problem;
    const bool gradient = problem->op == CONVOY_CONV_BWD_WEIGHTS;
    int32_t tile_h, tile_w;
    choose_tile(variant, conv, &tile_h, &tile_w);
    struct plan *plan = calloc(1, sizeof *plan);
    if (!plan)
        return convoy_fail(err, CONVOY_NO_MEMORY, CONVOY_WHY_MEMORY, "no memory for a plan of %zu bytes", sizeof *plan);
    *plan = (struct plan){
        .base = {gradient ? &gradient_ops : &data_ops},
        .host = self->host,
        .transform = variant->tile ? fft_codelets(self->mk->name, variant->tile) : NULL,
        .slots = needed_slots(problem),
        .numerics = {.kind = CONVOY_NUM_FFT,
                     .flags = CONVOY_DETERMINISTIC | CONVOY_THREAD_INVARIANT | (variant->gauss ? CONVOY_GAUSS : 0),
                     .tile_h = (uint32_t)tile_h,
                     .tile_w = (uint32_t)tile_w},
    };
    if (!plan->transform) {
        status = fft_library_open(tile_h, tile_w, self->mk->lanes, &plan->transform, err);
        if (status != CONVOY_OK)
            goto free_plan;
        plan->library = true;
    }
    geometry_make(&plan->geometry, conv, tile_h, tile_w, self->mk->lanes);
    plan->points = (struct points){
        .mk = self->mk,
        .family = complex_family(self->mk->name),
        .gauss = variant->gauss,
        .complex_points = plan->transform->complex_points,
        .real_points = plan->transform->real_points,
    };
    if (gradient)
        gradient_pass_plan(plan);
    else
        status = data_pass_plan(plan, err);
    if (status != CONVOY_OK)
        goto free_transform;
    plan->workspace_bytes += self->host->threads * plan->transform->scratch_bytes;
    snprintf(plan->algorithm, sizeof plan->algorithm, "%s %dx%d, %d products", variant->tile ? "FFT" : "FFTW", tile_h, tile_w,
             variant->gauss ? 3 : 4);
    *out = &plan->base;
    return CONVOY_OK;

free_transform:
    if (plan->library)
        fft_library_close(plan->transform);
free_plan:
    free(plan);
    return status;
}

static void close_instance(struct convoy_instance *instance)
{
    free(instance);
}

static const struct convoy_instance_ops instance_ops = {
    .struct_size = sizeof instance_ops,
    .supports = supports,
    .plan = make_plan,
    .sync = NULL, /* execute has finished when it returns */
    .close = close_instance,
};

static convoy_status open_instance(const struct convoy_host *host, const char *name, struct convoy_instance **out,
                                   struct convoy_error *err)
{
    const struct variant *variant = name && name[0] ? NULL : &variants[0];
    for (size_t at = 0; at < VARIANT_COUNT && !variant; at++)
        if (!strcmp(variants[at].name, name))
            variant = &variants[at];
    if (!variant)
        return convoy_fail(err, CONVOY_INVALID, CONVOY_WHY_OTHER, "there is no variant \"%s\"", name);
    struct self *self = malloc(sizeof *self);
    if (!self)
        return convoy_fail(err, CONVOY_NO_MEMORY, CONVOY_WHY_MEMORY, "no memory for an instance of %zu bytes", sizeof *self);
    *self = (struct self){
        .base = {.ops = &instance_ops, .memory = host->memory}, .host = host, .variant = variant, .mk = mk_family_select()};
    *out = &self->base;
    return CONVOY_OK;
}

const struct convoy_plugin convoy_plugin_v1 = {
    .struct_size = sizeof convoy_plugin_v1,
    .abi_minor = CONVOY_ABI_MINOR,
    .name = "fft",
    .version = "0.1.0",
    .author = "Convoy contributors",
    .summary = "overlap-save Fourier transforms in tiles: all passes, any stride, padding and groups; own codelets and FFTW",
    .variants = variant_names,
    .threading = CONVOY_THREADS_HOST,
    .open = open_instance,
};
