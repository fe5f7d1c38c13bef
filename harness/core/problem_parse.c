#include "core/problem_pairs.h"

#include <convoy/plugin.h>
#include <convoy/shape.h>
#include <string.h>

static bool has(const struct pairs *pairs, enum problem_key key)
{
    return pairs->given & KEY_BIT(key);
}

static int64_t integer_or(const struct pairs *pairs, enum problem_key key, int64_t otherwise)
{
    return has(pairs, key) ? pairs->integer[key] : otherwise;
}

/* The same for keys whose numbers were checked to fit int32_t. */
static int32_t extent_or(const struct pairs *pairs, enum problem_key key, int32_t otherwise)
{
    return (int32_t)integer_or(pairs, key, otherwise);
}

static float real_or(const struct pairs *pairs, enum problem_key key, float otherwise)
{
    return has(pairs, key) ? pairs->real[key] : otherwise;
}

/* The general key gives both axes their value, the particular ones replace it; the second axis follows the first. */
static void take_axes(const struct pairs *pairs, enum problem_key both, enum problem_key first, enum problem_key second,
                      int32_t *first_value, int32_t *second_value)
{
    *first_value = extent_or(pairs, first, extent_or(pairs, both, 1));
    *second_value = extent_or(pairs, second, extent_or(pairs, both, *first_value));
}

static void take_conv(const struct pairs *pairs, struct convoy_conv *p)
{
    const int32_t pad = extent_or(pairs, KEY_P, 0);
    p->n = extent_or(pairs, KEY_N, 1);
    p->c = extent_or(pairs, KEY_C, 0);
    p->h = extent_or(pairs, KEY_H, 0);
    p->w = extent_or(pairs, KEY_W, p->h);
    p->k = extent_or(pairs, KEY_K, 0);
    p->kh = extent_or(pairs, KEY_KH, 0);
    p->kw = extent_or(pairs, KEY_KW, p->kh);
    p->groups = extent_or(pairs, KEY_G, 1);
    take_axes(pairs, KEY_S, KEY_SH, KEY_SW, &p->stride_h, &p->stride_w);
    take_axes(pairs, KEY_D, KEY_DH, KEY_DW, &p->dil_h, &p->dil_w);
    p->pad_t = extent_or(pairs, KEY_PT, pad);
    p->pad_b = extent_or(pairs, KEY_PB, pad);
    p->pad_l = extent_or(pairs, KEY_PL, pad);
    p->pad_r = extent_or(pairs, KEY_PR, pad);
}

/* One axis of a transposed convolution: its output must be an extent, and the output padding one that PyTorch takes. */
static convoy_status check_transposed_axis(const char *key, int32_t in, int32_t kernel, int32_t stride, int32_t dilation,
                                           int64_t pads, int32_t out_pad, struct convoy_error *err)
{
    const int64_t out = (int64_t)(in - 1) * stride + convoy_span(kernel, dilation) - pads + out_pad;
    if (out_pad >= stride && out_pad >= dilation)
        return convoy_fail(err, CONVOY_INVALID, CONVOY_WHY_PAD,
                           "conv_transpose: %s %d must be smaller than the stride %d or the dilation %d", key, out_pad, stride,
                           dilation);
    if (out < 1 || out > INT32_MAX)
        return convoy_fail(err, CONVOY_INVALID, CONVOY_WHY_SIZE,
                           "conv_transpose: the output %s would be %lld, must be from 1 to %d",
                           key[2] == 'h' ? "height" : "width", (long long)out, INT32_MAX);
    return CONVOY_OK;
}

static convoy_status complete_transposed(const struct pairs *pairs, union problem *problem, struct convoy_error *err)
{
    const struct convoy_conv p = problem->conv;
    const int32_t oph = extent_or(pairs, KEY_OPH, 0), opw = extent_or(pairs, KEY_OPW, 0);
    convoy_status status = check_transposed_axis("oph", p.h, p.kh, p.stride_h, p.dil_h, (int64_t)p.pad_t + p.pad_b, oph, err);
    if (!status)
        status = check_transposed_axis("opw", p.w, p.kw, p.stride_w, p.dil_w, (int64_t)p.pad_l + p.pad_r, opw, err);
    if (status)
        return status;
    convoy_conv_transpose(&p, oph, opw, &problem->conv);
    status = problem_complete(problem, err);
    if (!status && (problem->conv.oh != p.h || problem->conv.ow != p.w))
        return convoy_fail(
            err, CONVOY_INVALID, CONVOY_WHY_PAD,
            "conv_transpose: the convolution back from %dx%d gives %dx%d instead of the input's %dx%d: oph or opw is too large",
            problem->conv.h, problem->conv.w, problem->conv.oh, problem->conv.ow, p.h, p.w);
    return status;
}

static convoy_status take_pool(const struct pairs *pairs, struct convoy_pool *p, struct convoy_error *err)
{
    const int32_t pad = extent_or(pairs, KEY_P, 0);
    const bool global = integer_or(pairs, KEY_GLOBAL, 0);
    p->n = extent_or(pairs, KEY_N, 1);
    p->c = extent_or(pairs, KEY_C, 0);
    p->h = extent_or(pairs, KEY_H, 0);
    p->w = extent_or(pairs, KEY_W, p->h);
    p->kind = pairs->op->kind;
    take_axes(pairs, KEY_S, KEY_SH, KEY_SW, &p->stride_h, &p->stride_w);
    take_axes(pairs, KEY_D, KEY_DH, KEY_DW, &p->dil_h, &p->dil_w);
    p->pad_t = extent_or(pairs, KEY_PT, pad);
    p->pad_b = extent_or(pairs, KEY_PB, pad);
    p->pad_l = extent_or(pairs, KEY_PL, pad);
    p->pad_r = extent_or(pairs, KEY_PR, pad);
    if (global) {
        for (int key = KEY_KH; key < KEY_COUNT; key++) {
            const bool window = (key >= KEY_KH && key <= KEY_PR) || key == KEY_CEIL;
            if (window && has(pairs, (enum problem_key)key))
                return convoy_fail(err, CONVOY_INVALID, CONVOY_WHY_KERNEL, "%s: global1 leaves no choice for key '%s'",
                                   pairs->op->name, problem_keys[key].name);
        }
        p->kh = p->h;
        p->kw = p->w;
    } else {
        p->kh = extent_or(pairs, KEY_KH, 0);
        p->kw = extent_or(pairs, KEY_KW, p->kh);
    }
    const int rule = extent_or(pairs, KEY_CEIL, CONVOY_SIZE_FLOOR);
    const int64_t oh = convoy_pool_extent(p->h, p->pad_t, p->pad_b, p->kh, p->stride_h, p->dil_h, rule);
    const int64_t ow = convoy_pool_extent(p->w, p->pad_l, p->pad_r, p->kw, p->stride_w, p->dil_w, rule);
    if (oh > INT32_MAX || ow > INT32_MAX)
        return convoy_fail(err, CONVOY_INVALID, CONVOY_WHY_SIZE, "%s: the output would be %lldx%lld, at most %d each",
                           pairs->op->name, (long long)oh, (long long)ow, INT32_MAX);
    p->oh = (int32_t)oh;
    p->ow = (int32_t)ow;
    return CONVOY_OK;
}

static void take_bn(const struct pairs *pairs, struct convoy_bn *p)
{
    p->n = extent_or(pairs, KEY_N, 1);
    p->c = extent_or(pairs, KEY_C, 0);
    p->h = extent_or(pairs, KEY_H, 0);
    p->w = extent_or(pairs, KEY_W, p->h);
    p->eps = real_or(pairs, KEY_EPS, problem_default_eps);
    p->momentum = real_or(pairs, KEY_MOM, problem_default_momentum);
}

static void take_eltwise(const struct pairs *pairs, struct convoy_eltwise *p)
{
    p->count = integer_or(pairs, KEY_N, 0);
    p->kind = pairs->op->kind;
    p->classes = extent_or(pairs, KEY_CLASSES, 0);
    p->alpha = real_or(pairs, KEY_ALPHA, 1);
    p->beta = real_or(pairs, KEY_BETA, 1);
}

static convoy_status problem_from_pairs(const struct pairs *pairs, union problem *problem, struct convoy_error *err)
{
    static const struct {
        enum problem_key key;
        uint32_t flag;
    } switches[] = {{KEY_B, CONVOY_WITH_BIAS}, {KEY_R, CONVOY_WITH_RELU}, {KEY_NOINDEX, CONVOY_NO_INDEX}};
    convoy_status status = CONVOY_OK;
    problem->head.op = pairs->op->op;
    for (size_t at = 0; at < sizeof switches / sizeof *switches; at++) {
        if (integer_or(pairs, switches[at].key, 0))
            problem->head.flags |= switches[at].flag;
    }
    switch (pairs->op->family) {
    case FAMILY_CONV:
        take_conv(pairs, &problem->conv);
        if (!pairs->op->op)
            return complete_transposed(pairs, problem, err);
        break;
    case FAMILY_POOL:
        status = take_pool(pairs, &problem->pool, err);
        break;
    case FAMILY_BN:
        take_bn(pairs, &problem->bn);
        break;
    default:
        take_eltwise(pairs, &problem->eltwise);
        break;
    }
    return status ? status : problem_complete(problem, err);
}

convoy_status problem_parse(const char *text, union problem *out, struct convoy_error *err)
{
    struct pairs pairs;
    union problem problem;
    memset(&problem, 0, sizeof problem);
    convoy_status status = pairs_read(text, &pairs, err);
    if (!status)
        status = problem_from_pairs(&pairs, &problem, err);
    if (!status)
        *out = problem;
    return status;
}
