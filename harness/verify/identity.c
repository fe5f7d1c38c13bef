/* All on small integers, so that both sides are equal, not close: outputs are exact, or rounded to the nearest integer where the
 * numerics make that exact. */
#include "verify/identity.h"
#include "core/rng.h"
#include "verify/fill.h"
#include "verify/identity_stats.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MASK_STREAM = 200, IMPULSE_STREAM };

/* The outputs of one run as integers in double; freed by the caller. NULL: the finding says why. */
static double *run_rounded(struct rig *rig, const struct tensors *inputs, uint32_t slot, struct finding *finding)
{
    if (!rig_run(rig, inputs, GUARD_LEFT, finding))
        return NULL;
    const float *const output = rig_output(rig, slot, finding);
    const size_t elements = (size_t)rig->slots[slot].elements;
    double *const rounded = output ? malloc(elements * sizeof *rounded) : NULL;
    if (!rounded) {
        finding_set(finding, VERDICT_NOT_RUN, "the harness has no memory for a copy of %s", slot_name(slot));
        return NULL;
    }
    for (size_t e = 0; e < elements; e++)
        rounded[e] = rint((double)output[e]);
    return rounded;
}

static double inner(const double *a, const float *b, int64_t elements)
{
    double sum = 0;
    for (int64_t e = 0; e < elements; e++)
        sum += a[e] * (double)b[e];
    return sum;
}

/* ---- adjoint: <conv(x,w), g> = <x, bwd_data(g,w)> = <w, bwd_weights(x,g)> ---- */

/* y of the forward pass, by the same instance if it can, else by the referee. */
static double *forward_outputs(const struct rig *rig, const struct tensors *inputs, const struct oracle *oracle,
                               struct finding *finding)
{
    struct rig forward;
    struct finding refused = finding_none();
    double *y = NULL;
    if (rig_open(&forward, rig->subject, &inputs->problem, 0, &refused)) {
        y = run_rounded(&forward, inputs, CONVOY_Y, finding);
        rig_close(&forward, finding);
        return y;
    }
    struct answer answer;
    if (!oracle_answer(oracle, inputs, CONVOY_Y, NULL, 0, &answer, finding))
        return NULL;
    y = malloc((size_t)answer.count * sizeof *y);
    for (uint64_t e = 0; y && e < answer.count; e++)
        y[e] = answer.terms[e].value;
    oracle_free(&answer);
    if (!y)
        finding_set(finding, VERDICT_NOT_RUN, "the harness has no memory for the forward outputs");
    return y;
}

/* The numerics of a plan for the forward problem, if there is one: its integers must be exact too. */
static struct fill_integers join_forward(const struct rig *rig, const union problem *forward, struct fill_integers integers)
{
    struct rig other;
    struct tolerance tolerance;
    struct finding refused = finding_none();
    if (!rig_open(&other, rig->subject, forward, 0, &refused))
        return integers;
    if (tolerance_of(forward, &other.info.numerics, &tolerance, &refused))
        integers = fill_join_integers(integers, fill_choose_integers(forward, &tolerance));
    rig_close(&other, &refused);
    return integers;
}

static bool check_adjoint(struct rig *rig, const struct oracle *oracle, struct fill_integers integers, uint64_t seed,
                          struct finding *finding)
{
    union problem forward_problem;
    struct tensors own = {.data = {0}}, forward = {.data = {0}};
    double *y = NULL, *gradient = NULL;
    bool ok = false;
    const bool weights = rig->problem.head.op == CONVOY_CONV_BWD_WEIGHTS;
    if (!problem_other_pass(&rig->problem, PASS_FWD, &forward_problem))
        return true;
    forward_problem.head.flags = 0;
    integers = join_forward(rig, &forward_problem, integers);
    if (!tensors_open(&rig->problem, &own) || !tensors_open(&forward_problem, &forward)) {
        finding_set(finding, VERDICT_NOT_RUN, "the harness has no memory for the adjoint test");
        goto out;
    }
    /* A value depends on seed and slot alone, so the forward pass draws the same x or w. */
    if (!fill_with_integers(&own, oracle, seed, &integers, finding) ||
        !fill_with_integers(&forward, oracle, seed, &integers, finding))
        goto out;
    gradient = run_rounded(rig, &own, weights ? CONVOY_DW : CONVOY_DX, finding);
    y = gradient ? forward_outputs(rig, &forward, oracle, finding) : NULL;
    if (!y)
        goto out;
    const uint32_t operand = weights ? CONVOY_W : CONVOY_X;
    const double left = inner(y, tensors_f32(&own, CONVOY_DY), own.info[CONVOY_DY].elements);
    const double right = inner(gradient, tensors_f32(&forward, operand), forward.info[operand].elements);
    ok = left == right ||
         finding_set(finding, VERDICT_FAIL, "adjoint identity on integers: <conv(x,w),g> is %.17g, but <%s> is %.17g", left,
                     weights ? "w,bwd_weights(x,g)" : "x,bwd_data(g,w)", right);
out:
    free(y);
    free(gradient);
    tensors_close(&forward);
    tensors_close(&own);
    return ok;
}

/* ---- forward: linearity, shift, impulse ---- */

/* Rows and columns at the end, as many as a stride, are zero: shifting moves nothing out of the image. */
static void clear_ends(const struct convoy_conv *p, float *x)
{
    for (int64_t plane = 0; plane < (int64_t)p->n * p->c; plane++) {
        for (int64_t h = 0; h < p->h; h++) {
            for (int64_t w = 0; w < p->w; w++) {
                if (h >= p->h - p->stride_h || w >= p->w - p->stride_w)
                    x[(plane * p->h + h) * p->w + w] = 0;
            }
        }
    }
}

static bool check_linearity(struct rig *rig, struct tensors *inputs, const double *y, uint64_t seed, struct finding *finding)
{
    const int64_t in = inputs->info[CONVOY_X].elements, out = inputs->info[CONVOY_Y].elements;
    float *const x = tensors_f32(inputs, CONVOY_X);
    float *const whole = malloc((size_t)in * sizeof *whole);
    double *part[2] = {NULL, NULL};
    bool ok = whole || finding_set(finding, VERDICT_NOT_RUN, "the harness has no memory for the linearity test");
    if (whole)
        memcpy(whole, x, (size_t)in * sizeof *whole);
    /* Parts with disjoint supports keep the size of the values. */
    for (int turn = 0; ok && turn < 2; turn++) {
        for (int64_t e = 0; e < in; e++)
            x[e] = (int)(rng_u64(seed, MASK_STREAM, (uint64_t)e) >> 63) == turn ? whole[e] : 0;
        part[turn] = run_rounded(rig, inputs, CONVOY_Y, finding);
        ok = part[turn] != NULL;
    }
    for (int64_t e = 0; ok && e < out; e++) {
        if (!(part[0][e] + part[1][e] == y[e]))
            ok = finding_set(finding, VERDICT_FAIL,
                             "linearity on integers: conv(a)+conv(b) is %.9g at y element %lld, conv(a+b) is %.9g",
                             part[0][e] + part[1][e], (long long)e, y[e]);
    }
    if (whole)
        memcpy(x, whole, (size_t)in * sizeof *whole);
    free(part[0]);
    free(part[1]);
    free(whole);
    return ok;
}

/* x moved by one stride down and right moves y by one; leaves x moved. */
static bool check_shift(struct rig *rig, struct tensors *inputs, const double *y, struct finding *finding)
{
    const struct convoy_conv *const p = &inputs->problem.conv;
    float *const x = tensors_f32(inputs, CONVOY_X);
    for (int64_t plane = 0; plane < (int64_t)p->n * p->c; plane++) {
        for (int64_t h = p->h - 1; h >= 0; h--) {
            for (int64_t w = p->w - 1; w >= 0; w--) {
                const bool inside = h >= p->stride_h && w >= p->stride_w;
                x[(plane * p->h + h) * p->w + w] = inside ? x[(plane * p->h + h - p->stride_h) * p->w + w - p->stride_w] : 0;
            }
        }
    }
    double *const moved = run_rounded(rig, inputs, CONVOY_Y, finding);
    bool ok = moved != NULL;
    for (int64_t plane = 0; ok && plane < (int64_t)p->n * p->k; plane++) {
        for (int64_t oh = 1; ok && oh < p->oh; oh++) {
            for (int64_t ow = 1; ok && ow < p->ow; ow++) {
                const double here = moved[(plane * p->oh + oh) * p->ow + ow],
                             before = y[(plane * p->oh + oh - 1) * p->ow + ow - 1];
                if (!(here == before))
                    ok = finding_set(
                        finding, VERDICT_FAIL, "shift on integers: y[%lld,%lld,%lld,%lld] is %.9g, one stride before it was %.9g",
                        (long long)(plane / p->k), (long long)(plane % p->k), (long long)oh, (long long)ow, here, before);
            }
        }
    }
    free(moved);
    return ok;
}

/* The tap through which output o sees input `in`: in = o*stride - pad + tap*dilation. -1: none. */
static int64_t tap_between(int64_t in, int64_t out, int32_t stride, int32_t pad, int32_t dilation, int32_t kernel)
{
    const int64_t distance = in + pad - out * stride;
    if (distance < 0 || distance % dilation || distance / dilation >= kernel)
        return -1;
    return distance / dilation;
}

/* A single 1 prints the kernel. */
static bool check_impulse(struct rig *rig, struct tensors *inputs, uint64_t seed, struct finding *finding)
{
    const struct convoy_conv *const p = &inputs->problem.conv;
    const float *const weights = tensors_f32(inputs, CONVOY_W);
    const int64_t n0 = p->n - 1, c0 = (int64_t)rng_below(seed, IMPULSE_STREAM, 0, (uint64_t)p->c), h0 = p->h / 2, w0 = p->w / 2;
    const int64_t group_c = p->c / p->groups, group_k = p->k / p->groups;
    memset(inputs->data[CONVOY_X], 0, (size_t)inputs->info[CONVOY_X].bytes);
    tensors_f32(inputs, CONVOY_X)[((n0 * p->c + c0) * p->h + h0) * p->w + w0] = 1;
    double *const y = run_rounded(rig, inputs, CONVOY_Y, finding);
    bool ok = y != NULL;
    for (int64_t e = 0; ok && e < inputs->info[CONVOY_Y].elements; e++) {
        const int64_t ow = e % p->ow, oh = e / p->ow % p->oh, k = e / p->ow / p->oh % p->k, n = e / p->ow / p->oh / p->k;
        const int64_t r = tap_between(h0, oh, p->stride_h, p->pad_t, p->dil_h, p->kh);
        const int64_t s = tap_between(w0, ow, p->stride_w, p->pad_l, p->dil_w, p->kw);
        double want = 0;
        if (n == n0 && k / group_k == c0 / group_c && r >= 0 && s >= 0)
            want = (double)weights[((k * group_c + c0 % group_c) * p->kh + r) * p->kw + s];
        if (!(y[e] == want))
            ok = finding_set(finding, VERDICT_FAIL,
                             "impulse: a 1 at x[%lld,%lld,%lld,%lld] gives %.9g at y[%lld,%lld,%lld,%lld], not the weight %.9g",
                             (long long)n0, (long long)c0, (long long)h0, (long long)w0, y[e], (long long)n, (long long)k,
                             (long long)oh, (long long)ow, want);
    }
    free(y);
    return ok;
}

static bool check_forward(struct rig *rig, const struct oracle *oracle, const struct fill_integers *integers, uint64_t seed,
                          struct finding *finding)
{
    struct tensors inputs;
    const struct convoy_conv *const p = &rig->problem.conv;
    if (!tensors_open(&rig->problem, &inputs))
        return finding_set(finding, VERDICT_NOT_RUN, "the harness has no memory for the identities");
    bool ok = fill_with_integers(&inputs, oracle, seed, integers, finding);
    if (ok) {
        const bool shifts = p->h > p->stride_h && p->w > p->stride_w;
        if (shifts)
            clear_ends(p, tensors_f32(&inputs, CONVOY_X));
        double *const y = run_rounded(rig, &inputs, CONVOY_Y, finding);
        ok = y && check_linearity(rig, &inputs, y, seed, finding) && (!shifts || check_shift(rig, &inputs, y, finding)) &&
             check_impulse(rig, &inputs, seed, finding);
        free(y);
    }
    tensors_close(&inputs);
    return ok;
}

static bool check_conv(struct rig *rig, const struct oracle *oracle, uint64_t seed, struct finding *finding)
{
    struct tolerance tolerance;
    if (!tolerance_of(&rig->problem, &rig->info.numerics, &tolerance, finding))
        return false;
    struct fill_integers integers = fill_choose_integers(&rig->problem, &tolerance);
    if (rig->problem.head.op != CONVOY_CONV_FWD)
        return check_adjoint(rig, oracle, integers, seed, finding);
    if (!(rig->problem.head.flags & (CONVOY_WITH_BIAS | CONVOY_WITH_RELU)))
        return check_forward(rig, oracle, &integers, seed, finding);
    /* A bias and a ReLU are not linear: the same layer without them, if it is supported. */
    struct rig plain;
    struct finding refused = finding_none();
    union problem problem = rig->problem;
    problem.head.flags = 0;
    if (!rig_open(&plain, rig->subject, &problem, 0, &refused))
        return true;
    bool ok = true;
    if (tolerance_of(&problem, &plain.info.numerics, &tolerance, &refused)) {
        integers = fill_choose_integers(&problem, &tolerance);
        ok = check_forward(&plain, oracle, &integers, seed, finding);
    }
    rig_close(&plain, finding);
    return ok;
}

bool identity_check(struct rig *rig, const struct oracle *oracle, uint64_t seed, struct finding *finding)
{
    switch (problem_family(&rig->problem)) {
    case FAMILY_CONV:
        return check_conv(rig, oracle, seed, finding);
    case FAMILY_POOL:
        return identity_pool(rig, oracle, seed, finding);
    case FAMILY_BN:
        return identity_bn(rig, oracle, seed, finding);
    default:
        return true;
    }
}
