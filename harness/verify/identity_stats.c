#include "verify/identity_stats.h"
#include "verify/examine.h"
#include "verify/fill.h"
#include <math.h>
#include <stdlib.h>

/* ---- pooling: <pool(x), g> = <x, pool_bwd(g)>: for an average it is linear, for a maximum dx picks the x that y is, and for the
 * 2-norm sum x * (g x / y) = g y ---- */

/* Both sides from the referee's bounds: sum bound*|x| of the gradient and sum bound*|g| of the output. */
static double inner_bound(const struct examination *e, uint32_t slot, const float *other)
{
    double sum = 0;
    for (uint64_t i = 0; i < e->answer[slot].count; i++)
        sum += e->bound[slot][i] * fabs((double)other[i]);
    return sum;
}

static double inner_output(struct rig *rig, uint32_t slot, const float *other, struct finding *finding)
{
    const float *const output = rig_output(rig, slot, finding);
    double sum = 0;
    for (int64_t e = 0; output && e < rig->slots[slot].elements; e++)
        sum += (double)output[e] * (double)other[e];
    return sum;
}

struct pool_sides {
    double forward, backward, bound;
};

static bool pool_inner_products(struct rig *rig, struct rig *forward, const struct tensors *own, const struct tensors *x,
                                const struct oracle *oracle, struct pool_sides *sides, struct finding *finding)
{
    struct tolerance tolerance, forward_tolerance;
    struct examination gradient, output;
    if (!tolerance_of(&rig->problem, &rig->info.numerics, &tolerance, finding) ||
        !tolerance_of(&forward->problem, &forward->info.numerics, &forward_tolerance, finding) ||
        !examine_open(&gradient, "identity", oracle, own, &tolerance, true, 0, 0, finding))
        return false;
    bool ok = examine_open(&output, "identity", oracle, x, &forward_tolerance, true, 0, 0, finding);
    if (ok) {
        sides->bound = inner_bound(&gradient, CONVOY_DX, tensors_f32(x, CONVOY_X)) +
                       inner_bound(&output, CONVOY_Y, tensors_f32(own, CONVOY_DY));
        ok = rig_run(rig, own, GUARD_LEFT, finding) && rig_run(forward, x, GUARD_LEFT, finding);
        examine_close(&output);
    }
    if (ok) {
        sides->forward = inner_output(forward, CONVOY_Y, tensors_f32(own, CONVOY_DY), finding);
        sides->backward = inner_output(rig, CONVOY_DX, tensors_f32(x, CONVOY_X), finding);
        ok = finding_open(finding);
    }
    examine_close(&gradient);
    return ok;
}

bool identity_pool(struct rig *rig, const struct oracle *oracle, uint64_t seed, struct finding *finding)
{
    union problem forward_problem;
    struct rig forward;
    struct tensors own = {.data = {0}}, x = {.data = {0}};
    struct finding refused = finding_none();
    struct pool_sides sides;
    const struct fill_integers integers = {.image = 3, .weight = 1, .multiple = 1, .density = 1};
    if (rig->problem.head.op != CONVOY_POOL_BWD || !problem_other_pass(&rig->problem, PASS_FWD, &forward_problem) ||
        !rig_open(&forward, rig->subject, &forward_problem, 0, &refused))
        return true;
    bool ok = tensors_open(&rig->problem, &own) && tensors_open(&forward_problem, &x);
    if (!ok)
        finding_set(finding, VERDICT_NOT_RUN, "the harness has no memory for the identities");
    ok = ok && fill_with_integers(&own, oracle, seed, &integers, finding) &&
         fill_with_integers(&x, oracle, seed, &integers, finding) &&
         pool_inner_products(rig, &forward, &own, &x, oracle, &sides, finding);
    if (ok && !(fabs(sides.forward - sides.backward) <= sides.bound))
        ok = finding_set(finding, VERDICT_FAIL,
                         "adjoint identity: <pool(x),g> is %.17g, but <x,pool_bwd(g)> is %.17g, farther than %.3g", sides.forward,
                         sides.backward, sides.bound);
    tensors_close(&x);
    tensors_close(&own);
    rig_close(&forward, finding);
    return ok;
}

/* ---- batch norm ---- */

/* Sums over one channel; the bounds of the elements add up to those of the sums. */
struct channel_sums {
    double length, x, xx, xhat, xhat_xhat, dy, dy_xhat;
    double value, value_bound;     /* sum of v, v = (y - beta)/gamma or dx                   */
    double product, product_bound; /* sum of v*v, or of dx*xhat                              */
};

static int64_t channel_element(const struct convoy_bn *p, int64_t c, int64_t e)
{
    const int64_t plane = (int64_t)p->h * p->w;
    return (e / plane * p->c + c) * plane + e % plane;
}

/* Train: v has mean 0 and variance var/(var+eps). */
static bool check_moments(const struct tensors *inputs, const float *y, const double *bound, int64_t c, struct finding *finding)
{
    const struct convoy_bn *const p = &inputs->problem.bn;
    const float *const x = tensors_f32(inputs, CONVOY_X);
    const double gamma = (double)tensors_f32(inputs, CONVOY_GAMMA)[c], beta = (double)tensors_f32(inputs, CONVOY_BETA)[c];
    const int64_t length = (int64_t)p->n * p->h * p->w;
    struct channel_sums s = {.length = (double)length};
    for (int64_t i = 0; i < length; i++)
        s.x += (double)x[channel_element(p, c, i)];
    for (int64_t i = 0; i < length; i++) {
        const int64_t e = channel_element(p, c, i);
        const double v = ((double)y[e] - beta) / gamma, off = bound[e] / fabs(gamma), distance = (double)x[e] - s.x / s.length;
        s.xx += distance * distance;
        s.value += v;
        s.value_bound += off;
        s.product += v * v;
        s.product_bound += off * (2 * fabs(v) + off);
    }
    const double var = s.xx / s.length, want = var / (var + (double)p->eps);
    if (!(fabs(s.value) <= s.value_bound))
        return finding_set(finding, VERDICT_FAIL, "the normalised output of channel %lld has mean %.3g, farther from 0 than %.3g",
                           (long long)c, s.value / s.length, s.value_bound / s.length);
    if (!(fabs(s.product / s.length - want) <= s.product_bound / s.length))
        return finding_set(finding, VERDICT_FAIL, "the normalised output of channel %lld has variance %.9g, not %.9g",
                           (long long)c, s.product / s.length, want);
    return true;
}

/* Backward: dx is orthogonal to 1 and to xhat, up to what eps and the rounding of the saved statistics leave:
 *     sum dx      = gamma*istd*(sum dy - dbeta - mean(xhat)*dgamma)        = -gamma*istd*mean(xhat)*dgamma
 *     sum dx*xhat = gamma*istd*(dgamma - mean(xhat)*dbeta - mean(xhat^2)*dgamma) */
static bool check_orthogonal(const struct tensors *inputs, const float *dx, const double *bound, int64_t c,
                             struct finding *finding)
{
    const struct convoy_bn *const p = &inputs->problem.bn;
    const float *const x = tensors_f32(inputs, CONVOY_X), *const dy = tensors_f32(inputs, CONVOY_DY);
    const double mean = (double)tensors_f32(inputs, CONVOY_SAVE_MEAN)[c], istd = (double)tensors_f32(inputs, CONVOY_SAVE_ISTD)[c];
    const double scale = (double)tensors_f32(inputs, CONVOY_GAMMA)[c] * istd;
    const int64_t length = (int64_t)p->n * p->h * p->w;
    struct channel_sums s = {.length = (double)length};
    for (int64_t i = 0; i < length; i++) {
        const int64_t e = channel_element(p, c, i);
        const double xhat = ((double)x[e] - mean) * istd;
        s.xhat += xhat;
        s.xhat_xhat += xhat * xhat;
        s.dy += (double)dy[e];
        s.dy_xhat += (double)dy[e] * xhat;
        s.value += (double)dx[e];
        s.value_bound += bound[e];
        s.product += (double)dx[e] * xhat;
        s.product_bound += bound[e] * fabs(xhat);
    }
    const double sum = -scale * s.xhat / s.length * s.dy_xhat;
    const double product = scale * (s.dy_xhat - s.xhat / s.length * s.dy - s.xhat_xhat / s.length * s.dy_xhat);
    if (!(fabs(s.value - sum) <= s.value_bound))
        return finding_set(finding, VERDICT_FAIL, "sum(dx) of channel %lld is %.9g, farther from %.3g than %.3g", (long long)c,
                           s.value, sum, s.value_bound);
    if (!(fabs(s.product - product) <= s.product_bound))
        return finding_set(finding, VERDICT_FAIL, "sum(dx*xhat) of channel %lld is %.9g, farther from %.3g than %.3g",
                           (long long)c, s.product, product, s.product_bound);
    return true;
}

bool identity_bn(struct rig *rig, const struct oracle *oracle, uint64_t seed, struct finding *finding)
{
    const bool train = rig->problem.head.op == CONVOY_BN_TRAIN && !(rig->problem.head.flags & CONVOY_WITH_RELU);
    const bool backward = rig->problem.head.op == CONVOY_BN_BWD;
    struct tensors inputs;
    struct tolerance tolerance;
    struct examination e;
    if (!train && !backward)
        return true;
    if (!tolerance_of(&rig->problem, &rig->info.numerics, &tolerance, finding))
        return false;
    if (!tensors_open(&rig->problem, &inputs))
        return finding_set(finding, VERDICT_NOT_RUN, "the harness has no memory for the identities");
    bool ok = fill_with_pattern(&inputs, oracle, seed, FILL_UNIFORM, finding) &&
              examine_open(&e, "identity", oracle, &inputs, &tolerance, false, 0, 0, finding);
    if (ok) {
        const uint32_t slot = train ? CONVOY_Y : CONVOY_DX;
        ok = rig_run(rig, &inputs, GUARD_LEFT, finding);
        const float *const output = ok ? rig_output(rig, slot, finding) : NULL;
        for (int64_t c = 0; output && ok && c < rig->problem.bn.c; c++)
            ok = train ? check_moments(&inputs, output, e.bound[slot], c, finding)
                       : check_orthogonal(&inputs, output, e.bound[slot], c, finding);
        ok = ok && output;
        examine_close(&e);
    }
    tensors_close(&inputs);
    return ok;
}
