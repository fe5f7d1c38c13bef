#include "verify/fill.h"
#include "core/rng.h"
#include <convoy/plugin.h>
#include <math.h>
#include <string.h>

/* Streams of the generator are slots; a second draw for the same element takes the stream further on. */
enum { SECOND_DRAW = 64 };

/* Long tensors repeat what was drawn first, for speed. Twice a prime divides no extent, so neighbours along every axis stay
 * unrelated; it is even because some patterns draw pairs. */
enum { PERIOD = 2 * 524287 };

static int64_t drawn_elements(int64_t elements)
{
    return elements < PERIOD ? elements : PERIOD;
}

static void repeat_drawn(float *data, int64_t elements)
{
    for (int64_t at = PERIOD; at < elements; at += PERIOD)
        memcpy(data + at, data, (size_t)drawn_elements(elements - at) * sizeof *data);
}

uint32_t fill_first_operand(const struct tensors *tensors)
{
    return tensors->data[CONVOY_X] ? CONVOY_X : tensors->data[CONVOY_DY] ? CONVOY_DY : CONVOY_DW;
}

/* ---- patterns ---- */

struct draw {
    uint64_t seed;
    uint32_t slot;
    bool first; /* the first operand */
};

static float draw_uniform(const struct draw *d, uint64_t e)
{
    return rng_uniform(d->seed, d->slot, e);
}
static float draw_large_mean(const struct draw *d, uint64_t e)
{
    return d->first ? 10 + rng_uniform(d->seed, d->slot, e) : rng_uniform(d->seed, d->slot, e);
}
static float draw_positive(const struct draw *d, uint64_t e)
{
    return fabsf(rng_uniform(d->seed, d->slot, e));
}
/* Neighbours cancel. Which of them is positive is random, for a sum in vector lanes would otherwise drift in each of them. */
static float draw_cancelling(const struct draw *d, uint64_t e)
{
    if (!d->first)
        return 1 + rng_uniform(d->seed, d->slot, e) / 64;
    const float size = 1e4f + rng_uniform(d->seed, d->slot, e);
    return (rng_u64(d->seed, d->slot + SECOND_DRAW, e / 2) ^ e) & 1 ? -size : size;
}
static float draw_wide_range(const struct draw *d, uint64_t e)
{
    const float value = rng_uniform(d->seed, d->slot, e);
    return d->first ? value * (float)pow(10, 15 * (double)rng_uniform(d->seed, d->slot + SECOND_DRAW, e)) : value;
}
static float draw_denormal(const struct draw *d, uint64_t e)
{
    const float value = rng_uniform(d->seed, d->slot, e);
    return d->first ? value * 0x1p-127f : value;
}

static const struct {
    const char *name;
    float (*draw)(const struct draw *, uint64_t);
} patterns[] = {
    [FILL_UNIFORM] = {"uniform", draw_uniform},          [FILL_LARGE_MEAN] = {"large-mean", draw_large_mean},
    [FILL_POSITIVE] = {"all-positive", draw_positive},   [FILL_CANCELLING] = {"cancelling", draw_cancelling},
    [FILL_WIDE_RANGE] = {"wide-range", draw_wide_range}, [FILL_DENORMAL] = {"denormal", draw_denormal},
};
_Static_assert(sizeof patterns / sizeof patterns[0] == FILL_PATTERN_COUNT, "one row for each pattern");

const char *fill_pattern_name(enum fill_pattern pattern)
{
    return patterns[pattern].name;
}

/* ---- inputs with rules of their own ---- */

/* Every fifth label is "ignored". */
static void fill_labels(struct tensors *tensors, uint64_t seed)
{
    int32_t *const label = tensors->data[CONVOY_INDEX];
    const uint64_t classes = (uint64_t)tensors->problem.eltwise.classes;
    for (int64_t row = 0; row < tensors->info[CONVOY_INDEX].elements; row++)
        label[row] = row % 5 == 4 ? -1 : (int32_t)rng_below(seed, CONVOY_INDEX, (uint64_t)row, classes);
}

/* Functions with an exponential see +-4, and each sixteenth element +-100, where they saturate. */
static void stretch_arguments(struct tensors *tensors)
{
    float *const x = tensors_f32(tensors, CONVOY_X);
    for (int64_t e = 0; e < tensors->info[CONVOY_X].elements; e++)
        x[e] *= e % 16 == 15 ? 100 : 4;
}

/* A plane of zeros, so that some windows have the norm 0. */
static void clear_first_plane(struct tensors *tensors)
{
    const struct convoy_pool *const p = &tensors->problem.pool;
    if ((int64_t)p->n * p->c > 1)
        memset(tensors->data[CONVOY_X], 0, (size_t)p->h * (size_t)p->w * sizeof(float));
}

static void fill_parameters(struct tensors *tensors, uint64_t seed)
{
    float *const gamma = tensors_f32(tensors, CONVOY_GAMMA), *const var = tensors_f32(tensors, CONVOY_RUN_VAR);
    float *const scalars = tensors_f32(tensors, CONVOY_SCALARS);
    for (int64_t c = 0; gamma && c < tensors->info[CONVOY_GAMMA].elements; c++)
        gamma[c] = 1 + gamma[c] / 2;
    for (int64_t c = 0; var && c < tensors->info[CONVOY_RUN_VAR].elements; c++)
        var[c] = 1 + var[c] / 2;
    if (scalars) {
        scalars[0] = 0.05f;
        scalars[1] = 0.9f;
        scalars[2] = 0.01f;
        scalars[3] = (float)(seed % 2);
    }
    const union problem *const problem = &tensors->problem;
    if (problem->head.op == CONVOY_ELTWISE) {
        const int32_t kind = problem->eltwise.kind;
        if (tensors->data[CONVOY_INDEX])
            fill_labels(tensors, seed);
        if (tensors->data[CONVOY_X] && kind != CONVOY_ELT_ADD && kind != CONVOY_ELT_MUL && kind != CONVOY_ELT_SCALE)
            stretch_arguments(tensors);
    } else if (problem_family(problem) == FAMILY_POOL && problem->pool.kind == CONVOY_POOL_L2) {
        if (tensors->data[CONVOY_X])
            clear_first_plane(tensors);
    }
}

/* What the forward pass would have saved, from x; `make_x` fills the x of a problem that does not keep it. */
static bool fill_saved(struct tensors *tensors, const struct oracle *oracle, void (*make_x)(struct tensors *, const void *),
                       const void *context, struct finding *finding)
{
    union problem forward_problem;
    struct tensors forward;
    const uint32_t op = tensors->problem.head.op;
    const bool derivative = op == CONVOY_ELTWISE && tensors->data[CONVOY_DY];
    if (op != CONVOY_POOL_BWD && op != CONVOY_BN_BWD && !derivative)
        return true;
    if (op == CONVOY_POOL_BWD && !tensors->data[CONVOY_INDEX] && !tensors->data[CONVOY_Y])
        return true;
    if (!problem_other_pass(&tensors->problem, PASS_FWD, &forward_problem))
        return finding_set(finding, VERDICT_NOT_RUN, "%s has no forward pass to take its inputs from",
                           problem_op_name(&tensors->problem));
    if (!tensors_open(&forward_problem, &forward))
        return finding_set(finding, VERDICT_NOT_RUN, "the harness has no memory for the forward pass");
    make_x(&forward, context);
    bool ok = true;
    if (tensors->data[CONVOY_X])
        tensors_copy(&forward, tensors, CONVOY_X);
    if (op == CONVOY_BN_BWD)
        ok = oracle_store(oracle, &forward, CONVOY_SAVE_MEAN, tensors, CONVOY_SAVE_MEAN, finding) &&
             oracle_store(oracle, &forward, CONVOY_SAVE_ISTD, tensors, CONVOY_SAVE_ISTD, finding);
    else if (tensors->data[CONVOY_INDEX])
        ok = oracle_store(oracle, &forward, CONVOY_INDEX, tensors, CONVOY_INDEX, finding);
    else
        ok = oracle_store(oracle, &forward, CONVOY_Y, tensors, CONVOY_Y, finding);
    tensors_close(&forward);
    return ok;
}

/* ---- patterns over a whole problem ---- */

struct pattern_context {
    uint64_t seed;
    enum fill_pattern pattern;
};

static void draw_inputs(struct tensors *tensors, const void *raw)
{
    const struct pattern_context *const context = raw;
    for (uint32_t slot = 0; slot < CONVOY_NSLOTS; slot++) {
        float *const data = tensors_f32(tensors, slot);
        if (!data || tensors->info[slot].type != SLOT_F32)
            continue;
        const struct draw draw = {context->seed, slot, slot == fill_first_operand(tensors)};
        for (int64_t e = 0; e < drawn_elements(tensors->info[slot].elements); e++)
            data[e] = patterns[context->pattern].draw(&draw, (uint64_t)e);
        repeat_drawn(data, tensors->info[slot].elements);
    }
    fill_parameters(tensors, context->seed);
}

bool fill_with_pattern(struct tensors *tensors, const struct oracle *oracle, uint64_t seed, enum fill_pattern pattern,
                       struct finding *finding)
{
    const struct pattern_context context = {seed, pattern};
    draw_inputs(tensors, &context);
    return fill_saved(tensors, oracle, draw_inputs, &context, finding);
}

/* ---- integers ---- */

static int32_t draw_integer(uint64_t seed, uint32_t slot, uint64_t e, int32_t range)
{
    return (int32_t)rng_below(seed, slot, e, 2 * (uint64_t)range + 1) - range;
}

/* Pairs mean + d, mean - d: sums and means are integers. Each fifth channel is constant: there eps is all of the variance. */
static void draw_bn_integers(struct tensors *tensors, uint64_t seed)
{
    const struct convoy_bn *const p = &tensors->problem.bn;
    float *const x = tensors_f32(tensors, CONVOY_X);
    const int64_t plane = (int64_t)p->h * p->w, length = p->n * plane;
    for (int64_t c = 0; c < p->c; c++) {
        const int32_t mean = draw_integer(seed, CONVOY_X + SECOND_DRAW, (uint64_t)c, 4);
        const bool constant = c % 5 == 1;
        for (int64_t e = 0; e < length; e++) {
            const uint64_t pair = (uint64_t)(c * length + e / 2 * 2);
            const bool single = e == length - 1 && length % 2 == 1;
            const int32_t d = constant || single ? 0 : 1 + (int32_t)rng_below(seed, CONVOY_X, pair, 4);
            x[((e / plane) * p->c + c) * plane + e % plane] = (float)(e % 2 ? mean - d : mean + d);
        }
    }
}

struct integer_context {
    uint64_t seed;
    const struct fill_integers *integers;
};

static void draw_integers(struct tensors *tensors, const void *raw)
{
    const struct integer_context *const context = raw;
    const struct fill_integers *const integers = context->integers;
    for (uint32_t slot = 0; slot < CONVOY_NSLOTS; slot++) {
        float *const data = tensors_f32(tensors, slot);
        if (!data || tensors->info[slot].type != SLOT_F32)
            continue;
        const bool weight = slot == CONVOY_W || slot == CONVOY_BIAS;
        for (int64_t e = 0; e < drawn_elements(tensors->info[slot].elements); e++) {
            const uint64_t at = (uint64_t)e;
            if (weight)
                data[e] = (float)(integers->multiple * draw_integer(context->seed, slot, at, integers->weight));
            else if (integers->density >= 1 || rng_unit(context->seed, slot + SECOND_DRAW, at) < integers->density)
                data[e] = (float)draw_integer(context->seed, slot, at, integers->image);
            else
                data[e] = 0;
        }
        repeat_drawn(data, tensors->info[slot].elements);
    }
    float *const gamma = tensors_f32(tensors, CONVOY_GAMMA), *const var = tensors_f32(tensors, CONVOY_RUN_VAR);
    for (int64_t c = 0; gamma && c < tensors->info[CONVOY_GAMMA].elements; c++)
        gamma[c] = (float)(1 + c % 3) * (c % 2 ? -1 : 1);
    for (int64_t c = 0; var && c < tensors->info[CONVOY_RUN_VAR].elements; c++)
        var[c] = (float)(1 + c % 4);
    if (tensors->data[CONVOY_SCALARS]) {
        const float scalars[4] = {0.5f, 0.5f, 0.25f, (float)(context->seed % 2)};
        memcpy(tensors->data[CONVOY_SCALARS], scalars, sizeof scalars);
    }
    if (problem_family(&tensors->problem) == FAMILY_BN)
        draw_bn_integers(tensors, context->seed);
    else if (tensors->problem.head.op == CONVOY_ELTWISE && tensors->data[CONVOY_INDEX])
        fill_labels(tensors, context->seed);
}

bool fill_with_integers(struct tensors *tensors, const struct oracle *oracle, uint64_t seed, const struct fill_integers *integers,
                        struct finding *finding)
{
    const struct integer_context context = {seed, integers};
    draw_integers(tensors, &context);
    return fill_saved(tensors, oracle, draw_integers, &context, finding);
}

/* Images and weights share the budget: the largest equal range with range^2 <= budget, at most `most`. */
static int32_t range_within(double budget, int32_t most)
{
    const double range = floor(sqrt(budget));
    return range >= most ? most : (int32_t)range;
}

/* Exact sums: growth * terms * image * weight < 2^24 in the worst case. */
static struct fill_integers choose_exact(const struct tolerance *t)
{
    struct fill_integers integers = {.image = 1, .weight = 1, .multiple = t->multiple, .density = 1};
    const double budget = 0x1p24 / (t->growth * t->terms * t->multiple);
    const int32_t range = range_within(budget, 16);
    if (range >= 1) {
        integers.image = integers.weight = range;
        return integers;
    }
    /* Two thirds of the values in -1..1 are not zero; a quarter of the budget leaves room for an uneven spread. */
    integers.density = budget / 4;
    return integers;
}

/* Nearest integer: c u (s + sqrt(L)|y|) < 1/4. For values of mean square q, s is near terms*q and sqrt(L)|y| at most five of that
 * (a deviation of sqrt(terms)*q per output); half as much again for where the data are uneven. q of -a..a is a(a+1)/3. */
static struct fill_integers choose_rounded(const struct tolerance *t)
{
    struct fill_integers integers = {.image = 1, .weight = 1, .multiple = 1, .density = 1};
    const double budget = 0.25 / (t->element * TOLERANCE_U) / (9 * t->terms);
    for (int32_t range = 16; range >= 1; range--) {
        if (range * (range + 1) / 3.0 <= budget) {
            integers.image = integers.weight = range;
            return integers;
        }
    }
    /* The mean square of images scales with their density, s with its root. */
    const double share = budget / (2 / 3.0);
    integers.density = share * share;
    return integers;
}

struct fill_integers fill_choose_integers(const union problem *problem, const struct tolerance *tolerance)
{
    struct fill_integers integers = {.image = 8, .weight = 8, .multiple = 1, .density = 1};
    if (problem_family(problem) == FAMILY_POOL)
        integers.image = 3; /* ties are frequent */
    if (problem_family(problem) != FAMILY_CONV)
        return integers;
    integers = tolerance->exact_integers ? choose_exact(tolerance) : choose_rounded(tolerance);
    /* A weight gradient multiplies two images, each of which is thinned. */
    if (problem->head.op == CONVOY_CONV_BWD_WEIGHTS)
        integers.density = sqrt(integers.density);
    return integers;
}

struct fill_integers fill_join_integers(struct fill_integers a, struct fill_integers b)
{
    a.image = (int32_t)convoy_min(a.image, b.image);
    a.weight = (int32_t)convoy_min(a.weight, b.weight);
    a.multiple = (int32_t)convoy_max(a.multiple, b.multiple);
    a.density = fmin(a.density, b.density);
    return a;
}

struct fill_integers fill_thin_integers(struct fill_integers a)
{
    if (a.image > 1) {
        a.image /= 2;
        a.weight = (int32_t)convoy_max(1, a.weight / 2);
    } else {
        a.density /= 4;
    }
    return a;
}
