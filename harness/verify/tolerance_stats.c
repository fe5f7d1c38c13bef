#include "verify/tolerance_stats.h"
#include <convoy/plugin.h>
#include <convoy/shape.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const double u = TOLERANCE_U;
static const double least_normal = 0x1p-126, spacing_below = 0x1p-149;

/* ---- pooling ---- */

/* Windows that reach one element of the input. */
static double overlap(const struct convoy_pool *p)
{
    const int64_t rows = convoy_min(p->kh, convoy_ceil_div(convoy_span(p->kh, p->dil_h), p->stride_h));
    const int64_t columns = convoy_min(p->kw, convoy_ceil_div(convoy_span(p->kw, p->dil_w), p->stride_w));
    return (double)(rows * columns);
}

/* In units of u * D, D as the referee gives it (mean |x| of the window, sum |dy|, ...).
 *   max forward      copies: 0
 *   average          one rounding per addition, one of the divisor's reciprocal, one of the product: k^2 + 2
 *   2-norm           half of the relative error of k^2 squares that are added, and the root: k^2/2 + 2
 *   max backward     4 ulp of sum |dy|, 8u, where windows overlap: partial sums are smaller than the whole
 *   average backward as forward, over the windows that overlap
 *   2-norm backward  product and quotient per term, and the additions: overlap + 3
 * A rounding below the least normal number costs half of the spacing there. */
static double pool_units(const struct convoy_pool *p)
{
    const double taps = (double)p->kh * p->kw;
    const bool forward = p->head.op == CONVOY_POOL_FWD;
    switch (p->kind) {
    case CONVOY_POOL_MAX:
        return forward || overlap(p) <= 1 ? 0 : 8;
    case CONVOY_POOL_L2:
        return forward ? taps / 2 + 2 : overlap(p) + 3;
    default:
        return (forward ? taps : overlap(p)) + 2;
    }
}

void pool_bounds(const struct tensors *inputs, const struct answer *answer, double *bound)
{
    const double units = pool_units(&inputs->problem.pool);
    for (uint64_t e = 0; e < answer->count; e++)
        bound[e] = units * (u * answer->terms[e].abs_sum + spacing_below / 2);
}

static bool power_of_two(int64_t value)
{
    return (value & (value - 1)) == 0;
}

/* Sums of small integers are exact; an average then has the roundings of 1/count and of the product per window, and where
 * every divisor is a power of two it has none. At the border a divisor may be any smaller count. */
void pool_integer_bounds(const struct tensors *inputs, const struct answer *answer, double *bound)
{
    const struct convoy_pool *const p = &inputs->problem.pool;
    const bool average = p->kind == CONVOY_POOL_AVG_PAD || p->kind == CONVOY_POOL_AVG_VALID;
    const int64_t padded_h = (int64_t)p->h + p->pad_t + p->pad_b, padded_w = (int64_t)p->w + p->pad_l + p->pad_r;
    const bool clipped = (p->oh - 1) * (int64_t)p->stride_h + convoy_span(p->kh, p->dil_h) > padded_h ||
                         (p->ow - 1) * (int64_t)p->stride_w + convoy_span(p->kw, p->dil_w) > padded_w;
    const bool padding = p->pad_t || p->pad_b || p->pad_l || p->pad_r;
    const bool whole = !clipped && !(padding && p->kind == CONVOY_POOL_AVG_VALID);
    const bool exact = p->kind == CONVOY_POOL_MAX || (average && whole && power_of_two((int64_t)p->kh * p->kw));
    if (exact || answer->slot == CONVOY_INDEX) {
        memset(bound, 0, (size_t)answer->count * sizeof *bound);
    } else if (p->head.op == CONVOY_POOL_FWD) {
        for (uint64_t e = 0; e < answer->count; e++)
            bound[e] = 2 * u * fabs(answer->terms[e].value);
    } else {
        pool_bounds(inputs, answer, bound);
    }
}

/* ---- batch norm ---- */

/* What one channel's bounds follow from, in double. */
struct moments {
    double length; /* L = n*h*w                                     */
    double mean, abs_mean, var, istd;
    double mean_error, var_error; /* absolute; relative                            */
    double unstable_error;        /* relative, of E[x^2] - E[x]^2                  */
    double dy, dy_xhat;           /* |mean of dy|, |mean of dy*xhat| (backward)    */
};

static void sum_channel(const struct tensors *inputs, int64_t c, struct moments *m)
{
    const struct convoy_bn *const p = &inputs->problem.bn;
    const float *const x = tensors_f32(inputs, CONVOY_X);
    const int64_t plane = (int64_t)p->h * p->w;
    double sum = 0, abs_sum = 0, squares = 0;
    for (int64_t n = 0; n < p->n; n++) {
        for (int64_t e = (n * p->c + c) * plane; e < (n * p->c + c + 1) * plane; e++) {
            sum += (double)x[e];
            abs_sum += fabs((double)x[e]);
        }
    }
    m->mean = sum / m->length;
    m->abs_mean = abs_sum / m->length;
    for (int64_t n = 0; n < p->n; n++) {
        for (int64_t e = (n * p->c + c) * plane; e < (n * p->c + c + 1) * plane; e++)
            squares += ((double)x[e] - m->mean) * ((double)x[e] - m->mean);
    }
    m->var = squares / m->length;
}

static void sum_gradient(const struct tensors *inputs, int64_t c, struct moments *m)
{
    const struct convoy_bn *const p = &inputs->problem.bn;
    const float *const x = tensors_f32(inputs, CONVOY_X), *const dy = tensors_f32(inputs, CONVOY_DY);
    const int64_t plane = (int64_t)p->h * p->w;
    double sum = 0, product = 0;
    for (int64_t n = 0; n < p->n; n++) {
        for (int64_t e = (n * p->c + c) * plane; e < (n * p->c + c + 1) * plane; e++) {
            sum += (double)dy[e];
            product += (double)dy[e] * ((double)x[e] - m->mean) * m->istd;
        }
    }
    m->dy = fabs(sum) / m->length;
    m->dy_xhat = fabs(product) / m->length;
}

/* Mean: a chain of L additions of terms around mean|x|, 2 sqrt(L) u mean|x|, and its own rounding. Variance: (2 sqrt(L) + 8) u
 * relative, and the square of the mean's error, which a sum around a wrong mean has on top. One pass, E[x^2] - E[x]^2, loses
 * (1 + mean^2/var) of that: measured 1e-4 to 6.7e-4 at mean 10 and deviation 0.58, L = 1k to 100k, where two passes give
 * 6e-7 to 8.5e-6. */
static void measure(const struct tensors *inputs, int64_t c, struct moments *m)
{
    const struct convoy_bn *const p = &inputs->problem.bn;
    memset(m, 0, sizeof *m);
    m->length = (double)p->n * p->h * p->w;
    if (p->head.op == CONVOY_BN_BWD) {
        m->mean = (double)tensors_f32(inputs, CONVOY_SAVE_MEAN)[c];
        m->istd = (double)tensors_f32(inputs, CONVOY_SAVE_ISTD)[c];
        sum_gradient(inputs, c, m);
        return;
    }
    if (p->head.op == CONVOY_BN_TRAIN) {
        const double root = sqrt(m->length);
        sum_channel(inputs, c, m);
        m->mean_error = 2 * root * u * m->abs_mean + u * fabs(m->mean);
        m->var_error = (2 * root + 8) * u;
        m->unstable_error = m->var_error;
        if (m->var > 0) {
            m->var_error += m->mean_error * m->mean_error / m->var;
            m->unstable_error = m->var_error + u * (1 + m->mean * m->mean / m->var) * root;
        }
    } else {
        m->mean = (double)tensors_f32(inputs, CONVOY_RUN_MEAN)[c];
        m->var = (double)tensors_f32(inputs, CONVOY_RUN_VAR)[c];
    }
    m->istd = 1 / sqrt(m->var + (double)p->eps);
}

/* istd = (var + eps)^(-1/2): half of the variance's share of the relative error, and the roundings of sum, root and quotient.
 * A constant channel has no variance, but the mean's error leaves one: its square, beside eps. */
static double istd_error(const struct convoy_bn *p, const struct moments *m, double var_error)
{
    const double spread = m->var + (double)p->eps;
    const double absolute = m->var > 0 ? var_error * m->var : m->mean_error * m->mean_error;
    return 0.5 * absolute / spread + 4 * u;
}

/* y: 16u (inference with given statistics: 8u) of the terms, and what the statistics' errors do to it. Inference may be folded to
 * x*scale + shift, whose product and shift round at the size of x and mean: 2u of each. */
static double y_bound(const struct tensors *inputs, const struct moments *m, int64_t c, uint64_t e, double abs_sum,
                      double var_error)
{
    const struct convoy_bn *const p = &inputs->problem.bn;
    const double x = (double)tensors_f32(inputs, CONVOY_X)[e], gamma = fabs((double)tensors_f32(inputs, CONVOY_GAMMA)[c]);
    if (p->head.op == CONVOY_BN_INFER)
        return 8 * u * abs_sum + 2 * u * gamma * m->istd * (fabs(x) + fabs(m->mean));
    return 16 * u * abs_sum + gamma * m->istd * (m->mean_error + fabs(x - m->mean) * istd_error(p, m, var_error));
}

static double bn_bound(const struct tensors *inputs, uint32_t slot, const struct moments *m, int64_t c, uint64_t e,
                       const struct convoy_verdict_terms *term, double var_error)
{
    const struct convoy_bn *const p = &inputs->problem.bn;
    const double root = sqrt(m->length), momentum = fabs((double)p->momentum);
    const double value = fabs(term->value);
    switch (slot) {
    case CONVOY_Y:
        return y_bound(inputs, m, c, e, term->abs_sum, var_error);
    case CONVOY_SAVE_MEAN:
        return m->mean_error;
    case CONVOY_SAVE_ISTD:
        return value * istd_error(p, m, var_error);
    case CONVOY_RUN_MEAN:
        return 4 * u * term->abs_sum + momentum * m->mean_error;
    case CONVOY_RUN_VAR: {
        const double absolute = m->var > 0 ? var_error * m->var : m->mean_error * m->mean_error;
        return 4 * u * term->abs_sum + momentum * absolute * (m->length > 1 ? m->length / (m->length - 1) : 1);
    }
    case CONVOY_DBETA: /* a chain of additions, as a direct convolution's */
        return 4 * u * (term->abs_sum + root * value);
    case CONVOY_DGAMMA: /* and four roundings in each term's xhat */
        return 4 * u * (2 * term->abs_sum + root * value);
    default: { /* DX: sixteen roundings of its terms, and the drift of the two sums */
        const double x = (double)tensors_f32(inputs, CONVOY_X)[e], gamma = fabs((double)tensors_f32(inputs, CONVOY_GAMMA)[c]);
        const double xhat = fabs(x - m->mean) * m->istd;
        return 16 * u * term->abs_sum + 4 * u * root * gamma * m->istd * (m->dy + xhat * m->dy_xhat);
    }
    }
}

bool bn_bounds(const struct tensors *inputs, const struct answer *answer, double *bound, double *unstable)
{
    const struct convoy_bn *const p = &inputs->problem.bn;
    const uint64_t plane = inputs->info[answer->slot].rank == 4 ? (uint64_t)p->h * (uint64_t)p->w : 1;
    struct moments *const channels = calloc((size_t)p->c, sizeof *channels);
    if (!channels)
        return false;
    for (int64_t c = 0; c < p->c; c++)
        measure(inputs, c, &channels[c]);
    for (uint64_t i = 0; i < answer->count; i++) {
        const uint64_t e = answer->index ? answer->index[i] : i;
        const int64_t c = (int64_t)(e / plane % (uint64_t)p->c);
        const struct moments *const m = &channels[c];
        const double floor = least_normal;
        bound[i] = bn_bound(inputs, answer->slot, m, c, e, &answer->terms[i], m->var_error) + floor;
        if (unstable)
            unstable[i] = bn_bound(inputs, answer->slot, m, c, e, &answer->terms[i], m->unstable_error) + floor;
    }
    free(channels);
    return true;
}

/* ---- element-wise ---- */

/* In units of u * D, D being the sum of |terms| that the formula adds (|value| where it adds none): its roundings, and 4u for
 * each exp, log or tanh of a good single-precision library (2 ulp). Functions that saturate and are computed through exp also
 * round at the size of their limit: so many more units of u * eltwise_limit. */
struct eltwise_row {
    double units, limit;
};
static const struct eltwise_row eltwise_rows[CONVOY_ELT_COUNT] = {
    [CONVOY_ELT_RELU] = {0, 0},         [CONVOY_ELT_RELU_BWD] = {0, 0},     [CONVOY_ELT_HARDTANH] = {0, 0},
    [CONVOY_ELT_HARDTANH_BWD] = {0, 0}, [CONVOY_ELT_LEAKY] = {1, 0},        [CONVOY_ELT_LEAKY_BWD] = {1, 0},
    [CONVOY_ELT_MUL] = {1, 0},          [CONVOY_ELT_ADD] = {2, 0},          [CONVOY_ELT_SCALE] = {2, 0},
    [CONVOY_ELT_SIGMOID] = {8, 0},      [CONVOY_ELT_SIGMOID_BWD] = {4, 0},  [CONVOY_ELT_TANH] = {8, 4},
    [CONVOY_ELT_TANH_BWD] = {6, 0},     [CONVOY_ELT_ELU] = {6, 0},          [CONVOY_ELT_ELU_BWD] = {3, 0},
    [CONVOY_ELT_SOFTPLUS] = {6, 2},     [CONVOY_ELT_SOFTPLUS_BWD] = {6, 0}, [CONVOY_ELT_SOFTSIGN] = {3, 0},
    [CONVOY_ELT_SOFTSIGN_BWD] = {6, 0}, [CONVOY_ELT_SGD] = {6, 0},
};

/* tanh tends to alpha; 1 + exp(x) in softplus to 1. */
static double eltwise_limit(const struct convoy_eltwise *p)
{
    return p->kind == CONVOY_ELT_TANH ? fabs((double)p->alpha) : 1;
}

struct row_range {
    double most, least;
};

static struct row_range logits_range(const struct tensors *inputs, int64_t row)
{
    const int64_t classes = inputs->problem.eltwise.classes;
    const float *const x = tensors_f32(inputs, CONVOY_X) + row * classes;
    struct row_range range = {-INFINITY, INFINITY};
    for (int64_t k = 0; k < classes; k++) {
        range.most = fmax(range.most, (double)x[k]);
        range.least = fmin(range.least, (double)x[k]);
    }
    return range;
}

/* Softmax: exp(x - max) carries 4u of its own and u times its argument, at most the range R of the logits; their sum a chain of
 * `classes` additions; log and the difference round at the size of the largest logit. */
static double xent_bound(const struct tensors *inputs, uint64_t e, const struct convoy_verdict_terms *term)
{
    const struct convoy_eltwise *const p = &inputs->problem.eltwise;
    const bool forward = p->kind == CONVOY_ELT_XENT;
    const int64_t row = forward ? (int64_t)e : (int64_t)e / p->classes;
    if (((const int32_t *)inputs->data[CONVOY_INDEX])[row] < 0)
        return 0;
    const struct row_range range = logits_range(inputs, row);
    const double share = 8 + sqrt((double)p->classes) + (range.most - range.least);
    if (forward)
        return u * (share + 4 * fmax(fabs(range.most), fabs(range.least)) + 4 * fabs(term->value));
    return u * (share + 2) * term->abs_sum;
}

void eltwise_bounds(const struct tensors *inputs, const struct answer *answer, double *bound)
{
    const struct convoy_eltwise *const p = &inputs->problem.eltwise;
    const struct eltwise_row *const row = &eltwise_rows[p->kind];
    const bool xent = p->kind == CONVOY_ELT_XENT || p->kind == CONVOY_ELT_XENT_BWD;
    const double limit = row->limit * u * eltwise_limit(p);
    for (uint64_t e = 0; e < answer->count; e++) {
        const struct convoy_verdict_terms *const term = &answer->terms[e];
        if (xent)
            bound[e] = xent_bound(inputs, answer->index ? answer->index[e] : e, term) + least_normal;
        else if (row->units > 0)
            bound[e] = (row->units * u * term->abs_sum + limit) * (1 + 0x1p-20) + least_normal;
        else
            bound[e] = 0;
    }
}
