#include "core/problem_op.h"

#include <convoy/plugin.h>
#include <convoy/shape.h>
#include <math.h>
#include <string.h>

/* Bytes of one tensor and operations of one problem: well inside int64_t, so that sums of a few need no care. */
static const int64_t size_limit = INT64_C(1) << 62;

struct factor {
    const char *name;
    int32_t value;
};

static convoy_status need_at_least(const char *op, int32_t least, const struct factor *factor, size_t count,
                                   struct convoy_error *err)
{
    for (size_t at = 0; at < count; at++) {
        if (factor[at].value < least)
            return convoy_fail(err, CONVOY_INVALID, CONVOY_WHY_SIZE, "%s: %s is %d, must be at least %d", op, factor[at].name,
                               factor[at].value, least);
    }
    return CONVOY_OK;
}

/* Whether first * the product of the factors (all >= 1) stays within the limit. */
static bool product_fits(int64_t first, const int32_t *factor, size_t count)
{
    int64_t product = first;
    for (size_t at = 0; at < count; at++) {
        if (__builtin_mul_overflow(product, factor[at], &product) || product > size_limit)
            return false;
    }
    return true;
}

static convoy_status need_fit(const char *op, const char *what, int64_t first, const int32_t *factor, size_t count,
                              struct convoy_error *err)
{
    if (product_fits(first, factor, count))
        return CONVOY_OK;
    return convoy_fail(err, CONVOY_INVALID, CONVOY_WHY_SIZE, "%s: %s would be over 2^62", op, what);
}

static const int64_t float_bytes = sizeof(float);

/* One axis of a sliding window. */
struct axis {
    const char *extent_key, *kernel_key, *before_key, *after_key;
    int32_t in, kernel, stride, dilation, before, after;
};

static convoy_status need_kernel_within(const char *op, const struct axis *axis, struct convoy_error *err)
{
    const int64_t span = convoy_span(axis->kernel, axis->dilation);
    const int64_t padded = (int64_t)axis->in + axis->before + axis->after;
    if (span <= padded)
        return CONVOY_OK;
    if (axis->dilation == 1)
        return convoy_fail(err, CONVOY_INVALID, CONVOY_WHY_KERNEL, "%s: kernel %s %d is larger than the padded %s %lld", op,
                           axis->kernel_key, axis->kernel, axis->extent_key, (long long)padded);
    return convoy_fail(err, CONVOY_INVALID, CONVOY_WHY_KERNEL,
                       "%s: kernel %s %d (span %lld with dilation %d) is larger than the padded %s %lld", op, axis->kernel_key,
                       axis->kernel, (long long)span, axis->dilation, axis->extent_key, (long long)padded);
}

static convoy_status set_extent(const char *op, const char *name, int64_t value, int32_t *extent, struct convoy_error *err)
{
    if (value > INT32_MAX)
        return convoy_fail(err, CONVOY_INVALID, CONVOY_WHY_SIZE, "%s: output %s would be %lld, at most %d", op, name,
                           (long long)value, INT32_MAX);
    *extent = (int32_t)value;
    return CONVOY_OK;
}

static convoy_status complete_conv(const char *op, struct convoy_conv *p, struct convoy_error *err)
{
    const struct factor positive[] = {
        {"n", p->n},
        {"c", p->c},
        {"h", p->h},
        {"w", p->w},
        {"k", p->k},
        {"kh", p->kh},
        {"kw", p->kw},
        {"g", p->groups},
        {"stride sh", p->stride_h},
        {"stride sw", p->stride_w},
        {"dilation dh", p->dil_h},
        {"dilation dw", p->dil_w},
    };
    const struct factor pads[] = {{"pad pt", p->pad_t}, {"pad pb", p->pad_b}, {"pad pl", p->pad_l}, {"pad pr", p->pad_r}};
    const struct axis vertical = {"height", "kh", "pt", "pb", p->h, p->kh, p->stride_h, p->dil_h, p->pad_t, p->pad_b};
    const struct axis horizontal = {"width", "kw", "pl", "pr", p->w, p->kw, p->stride_w, p->dil_w, p->pad_l, p->pad_r};
    convoy_status status = need_at_least(op, 1, positive, sizeof positive / sizeof *positive, err);
    if (!status)
        status = need_at_least(op, 0, pads, sizeof pads / sizeof *pads, err);
    if (status)
        return status;
    if (p->c % p->groups || p->k % p->groups) {
        const bool divides_c = p->c % p->groups == 0;
        return convoy_fail(err, CONVOY_INVALID, CONVOY_WHY_GROUPS, "%s: %d groups do not divide %s %d", op, p->groups,
                           divides_c ? "k" : "c", divides_c ? p->k : p->c);
    }
    status = need_kernel_within(op, &vertical, err);
    if (!status)
        status = need_kernel_within(op, &horizontal, err);
    if (!status)
        status = set_extent(op, "oh", convoy_out_extent(p->h, p->pad_t, p->pad_b, p->kh, p->stride_h, p->dil_h), &p->oh, err);
    if (!status)
        status = set_extent(op, "ow", convoy_out_extent(p->w, p->pad_l, p->pad_r, p->kw, p->stride_w, p->dil_w), &p->ow, err);
    if (status)
        return status;

    const int32_t x[] = {p->n, p->c, p->h, p->w};
    const int32_t w[] = {p->k, p->c / p->groups, p->kh, p->kw};
    const int32_t y[] = {p->n, p->k, p->oh, p->ow};
    const int32_t macs[] = {p->n, p->k, p->oh, p->ow, p->c / p->groups, p->kh, p->kw};
    status = need_fit(op, "the bytes of x", float_bytes, x, 4, err);
    if (!status)
        status = need_fit(op, "the bytes of the weights", float_bytes, w, 4, err);
    if (!status)
        status = need_fit(op, "the bytes of y", float_bytes, y, 4, err);
    if (!status)
        status = need_fit(op, "the multiply-adds", 1, macs, sizeof macs / sizeof *macs, err);
    return status;
}

/* Every window must hold an element of x: its first tap at start = o*stride - before >= 0 does if start < in; a window that
 * starts in the padding does if its first tap with a position >= 0, which is start mod dilation, is < in (that tap exists because
 * before < span). Only a dilation above `in` can step over the whole image. */
static convoy_status need_windows_on_image(const char *op, const struct axis *axis, int32_t out, struct convoy_error *err)
{
    const int64_t span = convoy_span(axis->kernel, axis->dilation);
    const struct factor pads[] = {{axis->before_key, axis->before}, {axis->after_key, axis->after}};
    for (size_t side = 0; side < 2; side++) {
        if (pads[side].value >= span)
            return convoy_fail(err, CONVOY_INVALID, CONVOY_WHY_PAD,
                               "%s: pad %s %d must be smaller than the span %lld of the kernel", op, pads[side].name,
                               pads[side].value, (long long)span);
    }
    int64_t blind = -1;
    if ((int64_t)(out - 1) * axis->stride - axis->before >= axis->in)
        blind = out - 1;
    for (int64_t o = 0; axis->dilation > axis->in && blind < 0 && o < out && o * axis->stride < axis->before; o++) {
        const int64_t beyond = (axis->before - o * axis->stride) % axis->dilation;
        if ((beyond ? axis->dilation - beyond : 0) >= axis->in)
            blind = o;
    }
    if (blind < 0)
        return CONVOY_OK;
    return convoy_fail(err, CONVOY_INVALID, CONVOY_WHY_PAD, "%s: window %lld over the %s holds no element of x, only padding", op,
                       (long long)blind, axis->extent_key);
}

static int64_t axis_pool_extent(const struct axis *axis, int rule)
{
    return convoy_pool_extent(axis->in, axis->before, axis->after, axis->kernel, axis->stride, axis->dilation, rule);
}

static convoy_status complete_pool(const char *op, struct convoy_pool *p, struct convoy_error *err)
{
    const struct factor positive[] = {
        {"n", p->n},
        {"c", p->c},
        {"h", p->h},
        {"w", p->w},
        {"kh", p->kh},
        {"kw", p->kw},
        {"stride sh", p->stride_h},
        {"stride sw", p->stride_w},
        {"dilation dh", p->dil_h},
        {"dilation dw", p->dil_w},
    };
    const struct factor pads[] = {{"pad pt", p->pad_t}, {"pad pb", p->pad_b}, {"pad pl", p->pad_l}, {"pad pr", p->pad_r}};
    const struct axis vertical = {"height", "kh", "pt", "pb", p->h, p->kh, p->stride_h, p->dil_h, p->pad_t, p->pad_b};
    const struct axis horizontal = {"width", "kw", "pl", "pr", p->w, p->kw, p->stride_w, p->dil_w, p->pad_l, p->pad_r};
    convoy_status status = need_at_least(op, 1, positive, sizeof positive / sizeof *positive, err);
    if (!status)
        status = need_at_least(op, 0, pads, sizeof pads / sizeof *pads, err);
    if (!status)
        status = need_kernel_within(op, &vertical, err);
    if (!status)
        status = need_kernel_within(op, &horizontal, err);
    if (status)
        return status;

    bool keep = false;
    for (int rule = CONVOY_SIZE_FLOOR; rule <= CONVOY_SIZE_CEIL_CAFFE; rule++)
        keep = keep || (axis_pool_extent(&vertical, rule) == p->oh && axis_pool_extent(&horizontal, rule) == p->ow);
    if (!keep) {
        status = set_extent(op, "oh", axis_pool_extent(&vertical, CONVOY_SIZE_FLOOR), &p->oh, err);
        if (!status)
            status = set_extent(op, "ow", axis_pool_extent(&horizontal, CONVOY_SIZE_FLOOR), &p->ow, err);
        if (status)
            return status;
    }
    status = need_windows_on_image(op, &vertical, p->oh, err);
    if (!status)
        status = need_windows_on_image(op, &horizontal, p->ow, err);
    if (status)
        return status;

    const int32_t x[] = {p->n, p->c, p->h, p->w};
    const int32_t y[] = {p->n, p->c, p->oh, p->ow};
    const int32_t taps[] = {p->n, p->c, p->oh, p->ow, p->kh, p->kw};
    status = need_fit(op, "the bytes of x", float_bytes, x, 4, err);
    if (!status)
        status = need_fit(op, "the bytes of y", float_bytes, y, 4, err);
    if (!status)
        status = need_fit(op, "the window taps", 1, taps, sizeof taps / sizeof *taps, err);
    p->reserved = 0;
    return status;
}

static convoy_status complete_bn(const char *op, const struct convoy_bn *p, struct convoy_error *err)
{
    const struct factor positive[] = {{"n", p->n}, {"c", p->c}, {"h", p->h}, {"w", p->w}};
    const int32_t x[] = {p->n, p->c, p->h, p->w};
    convoy_status status = need_at_least(op, 1, positive, sizeof positive / sizeof *positive, err);
    if (status)
        return status;
    if (!(p->eps > 0) || !isfinite(p->eps))
        return convoy_fail(err, CONVOY_INVALID, CONVOY_WHY_OTHER, "%s: eps is %g, must be above 0", op, (double)p->eps);
    if (!(p->momentum >= 0 && p->momentum <= 1))
        return convoy_fail(err, CONVOY_INVALID, CONVOY_WHY_OTHER, "%s: mom is %g, must be from 0 to 1", op, (double)p->momentum);
    return need_fit(op, "the bytes of x", float_bytes, x, 4, err);
}

/* The derivatives are functions of y, so y must tell the branch: x > 0 iff y > 0. */
static convoy_status need_invertible(const char *op, const struct convoy_eltwise *p, struct convoy_error *err)
{
    const bool leaky = p->kind == CONVOY_ELT_LEAKY || p->kind == CONVOY_ELT_LEAKY_BWD;
    const bool elu = p->kind == CONVOY_ELT_ELU || p->kind == CONVOY_ELT_ELU_BWD;
    const bool tangent = p->kind == CONVOY_ELT_TANH || p->kind == CONVOY_ELT_TANH_BWD;
    if ((leaky || elu) && !(p->alpha > 0))
        return convoy_fail(err, CONVOY_INVALID, CONVOY_WHY_OTHER, "%s: alpha is %g, must be above 0", op, (double)p->alpha);
    if (elu && !(p->beta > 0))
        return convoy_fail(err, CONVOY_INVALID, CONVOY_WHY_OTHER, "%s: beta is %g, must be above 0", op, (double)p->beta);
    if (tangent && p->alpha == 0)
        return convoy_fail(err, CONVOY_INVALID, CONVOY_WHY_OTHER, "%s: alpha is 0, must be another number", op);
    return CONVOY_OK;
}

static convoy_status complete_eltwise(const struct problem_op *op, struct convoy_eltwise *p, struct convoy_error *err)
{
    if (p->count < 1)
        return convoy_fail(err, CONVOY_INVALID, CONVOY_WHY_SIZE, "%s: n is %lld, must be at least 1", op->name,
                           (long long)p->count);
    if (p->count > size_limit / float_bytes)
        return convoy_fail(err, CONVOY_INVALID, CONVOY_WHY_SIZE, "%s: the bytes of %lld elements would be over 2^62", op->name,
                           (long long)p->count);
    /* What a kind does not use has one value, so that equal problems are equal bytes. */
    if (!(op->keys & KEY_BIT(KEY_CLASSES)))
        p->classes = 0;
    if (!(op->keys & KEY_BIT(KEY_ALPHA)))
        p->alpha = 1;
    if (!(op->keys & KEY_BIT(KEY_BETA)))
        p->beta = 1;
    if (!isfinite(p->alpha) || !isfinite(p->beta))
        return convoy_fail(err, CONVOY_INVALID, CONVOY_WHY_OTHER, "%s: alpha %g, beta %g: must be finite", op->name,
                           (double)p->alpha, (double)p->beta);
    if (op->keys & KEY_BIT(KEY_CLASSES)) {
        if (p->classes < 1)
            return convoy_fail(err, CONVOY_INVALID, CONVOY_WHY_SIZE, "%s: classes is %d, must be at least 1", op->name,
                               p->classes);
        if (p->count % p->classes)
            return convoy_fail(err, CONVOY_INVALID, CONVOY_WHY_SIZE, "%s: %d classes do not divide n %lld", op->name, p->classes,
                               (long long)p->count);
    }
    return need_invertible(op->name, p, err);
}

convoy_status problem_complete(union problem *problem, struct convoy_error *err)
{
    const struct problem_op *const op = problem_op_find(problem);
    if (!op)
        return convoy_fail(err, CONVOY_INVALID, CONVOY_WHY_OP, "there is no operation %u of kind %d", problem->head.op,
                           problem_kind(problem));
    if (problem->head.flags & ~op->flags)
        return convoy_fail(err, CONVOY_INVALID, CONVOY_WHY_FLAGS, "%s: flags 0x%x mean nothing here", op->name,
                           problem->head.flags & ~op->flags);
    problem->head.dtype = CONVOY_F32;
    problem->head.layout = CONVOY_NCHW;
    problem->head.reserved = 0;
    switch (op->family) {
    case FAMILY_CONV:
        problem->head.struct_size = sizeof problem->conv;
        return complete_conv(op->name, &problem->conv, err);
    case FAMILY_POOL:
        problem->head.struct_size = sizeof problem->pool;
        return complete_pool(op->name, &problem->pool, err);
    case FAMILY_BN:
        problem->head.struct_size = sizeof problem->bn;
        return complete_bn(op->name, &problem->bn, err);
    default:
        problem->head.struct_size = sizeof problem->eltwise;
        return complete_eltwise(op, &problem->eltwise, err);
    }
}
