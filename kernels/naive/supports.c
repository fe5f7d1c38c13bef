/* What the reference takes: everything in convoy.h. What it refuses: other types, layouts and flags, and malformed problems. */
#include "naive.h"
#include <string.h>

static const struct {
    const char *name;
    size_t bytes;
    uint32_t flags;
} operation[CONVOY_OP_COUNT] = {
    [CONVOY_CONV_FWD] = {"forward convolution", sizeof(struct convoy_conv), CONVOY_WITH_BIAS | CONVOY_WITH_RELU},
    [CONVOY_CONV_BWD_DATA] = {"backward-data convolution", sizeof(struct convoy_conv), 0},
    [CONVOY_CONV_BWD_WEIGHTS] = {"backward-weights convolution", sizeof(struct convoy_conv), CONVOY_WITH_BIAS},
    [CONVOY_POOL_FWD] = {"forward pooling", sizeof(struct convoy_pool), CONVOY_NO_INDEX},
    [CONVOY_POOL_BWD] = {"backward pooling", sizeof(struct convoy_pool), 0},
    [CONVOY_BN_TRAIN] = {"batch norm training", sizeof(struct convoy_bn), CONVOY_WITH_RELU},
    [CONVOY_BN_INFER] = {"batch norm inference", sizeof(struct convoy_bn), CONVOY_WITH_RELU},
    [CONVOY_BN_BWD] = {"backward batch norm", sizeof(struct convoy_bn), 0},
    [CONVOY_ELTWISE] = {"element-wise operation", sizeof(struct convoy_eltwise), 0},
};

static convoy_status check_extents(const int32_t *extent, size_t count, const char *what, struct convoy_error *err)
{
    for (size_t e = 0; e < count; e++)
        if (extent[e] < 1)
            return convoy_fail(err, CONVOY_INVALID, CONVOY_WHY_SIZE, "an extent of the %s is %d, the least is 1", what,
                               extent[e]);
    return CONVOY_OK;
}

static convoy_status check_conv(const struct convoy_conv *p, struct convoy_error *err)
{
    const int32_t extent[] = {p->n, p->c, p->h, p->w, p->k, p->kh, p->kw, p->groups, p->oh, p->ow};
    const int32_t step[] = {p->stride_h, p->stride_w, p->dil_h, p->dil_w};
    convoy_status status = check_extents(extent, sizeof extent / sizeof *extent, "convolution", err);
    if (status == CONVOY_OK)
        status = check_extents(step, sizeof step / sizeof *step, "convolution's strides and dilations", err);
    if (status != CONVOY_OK)
        return status;
    if (p->pad_t < 0 || p->pad_b < 0 || p->pad_l < 0 || p->pad_r < 0)
        return convoy_fail(err, CONVOY_INVALID, CONVOY_WHY_PAD, "negative padding");
    if (p->c % p->groups || p->k % p->groups)
        return convoy_fail(err, CONVOY_INVALID, CONVOY_WHY_GROUPS, "%d groups do not divide %d input and %d output channels",
                           p->groups, p->c, p->k);
    return CONVOY_OK;
}

static convoy_status check_pool(const struct convoy_pool *p, struct convoy_error *err)
{
    const int32_t extent[] = {p->n, p->c, p->h, p->w, p->kh, p->kw, p->oh, p->ow};
    const int32_t step[] = {p->stride_h, p->stride_w, p->dil_h, p->dil_w};
    convoy_status status = check_extents(extent, sizeof extent / sizeof *extent, "pooling", err);
    if (status == CONVOY_OK)
        status = check_extents(step, sizeof step / sizeof *step, "pooling's strides and dilations", err);
    if (status != CONVOY_OK)
        return status;
    if (p->pad_t < 0 || p->pad_b < 0 || p->pad_l < 0 || p->pad_r < 0)
        return convoy_fail(err, CONVOY_INVALID, CONVOY_WHY_PAD, "negative padding");
    if (p->kind < CONVOY_POOL_MAX || p->kind > CONVOY_POOL_L2)
        return convoy_fail(err, CONVOY_UNSUPPORTED, CONVOY_WHY_OP, "unknown pooling kind %d", p->kind);
    if ((p->head.flags & CONVOY_NO_INDEX) && p->kind != CONVOY_POOL_MAX)
        return convoy_fail(err, CONVOY_UNSUPPORTED, CONVOY_WHY_FLAGS, "only maximum pooling has an index to leave out");
    return CONVOY_OK;
}

static convoy_status check_bn(const struct convoy_bn *p, struct convoy_error *err)
{
    const int32_t extent[] = {p->n, p->c, p->h, p->w};
    return check_extents(extent, sizeof extent / sizeof *extent, "batch norm", err);
}

static convoy_status check_eltwise(const struct convoy_eltwise *p, struct convoy_error *err)
{
    if (p->kind < CONVOY_ELT_RELU || p->kind >= CONVOY_ELT_COUNT)
        return convoy_fail(err, CONVOY_UNSUPPORTED, CONVOY_WHY_OP, "unknown element-wise kind %d", p->kind);
    if (p->count < 1)
        return convoy_fail(err, CONVOY_INVALID, CONVOY_WHY_SIZE, "no elements");
    if ((p->kind == CONVOY_ELT_XENT || p->kind == CONVOY_ELT_XENT_BWD) && (p->classes < 1 || p->count % p->classes))
        return convoy_fail(err, CONVOY_INVALID, CONVOY_WHY_SIZE, "%lld logits are no whole rows of %d classes",
                           (long long)p->count, p->classes);
    return CONVOY_OK;
}

convoy_status supports_problem(const struct convoy_problem *problem, union problem *copy, struct convoy_error *err)
{
    if (problem->op == 0 || problem->op >= CONVOY_OP_COUNT)
        return convoy_fail(err, CONVOY_UNSUPPORTED, CONVOY_WHY_OP, "unknown operation %u", problem->op);
    if (problem->struct_size < operation[problem->op].bytes)
        return convoy_fail(err, CONVOY_INVALID, CONVOY_WHY_OTHER, "a %s problem has %u bytes, needs %zu",
                           operation[problem->op].name, problem->struct_size, operation[problem->op].bytes);
    if (problem->dtype != CONVOY_F32)
        return convoy_fail(err, CONVOY_UNSUPPORTED, CONVOY_WHY_DTYPE, "only float tensors, got type %u", problem->dtype);
    if (problem->layout != CONVOY_NCHW)
        return convoy_fail(err, CONVOY_UNSUPPORTED, CONVOY_WHY_LAYOUT, "only layout NCHW, got %u", problem->layout);
    if (problem->flags & ~operation[problem->op].flags)
        return convoy_fail(err, CONVOY_UNSUPPORTED, CONVOY_WHY_FLAGS, "a %s knows no flags 0x%x", operation[problem->op].name,
                           problem->flags & ~operation[problem->op].flags);

    union problem checked = {0};
    memcpy(&checked, problem, operation[problem->op].bytes);
    convoy_status status = CONVOY_OK;
    switch (problem->op) {
    case CONVOY_CONV_FWD:
    case CONVOY_CONV_BWD_DATA:
    case CONVOY_CONV_BWD_WEIGHTS:
        status = check_conv(&checked.conv, err);
        break;
    case CONVOY_POOL_FWD:
    case CONVOY_POOL_BWD:
        status = check_pool(&checked.pool, err);
        break;
    case CONVOY_ELTWISE:
        status = check_eltwise(&checked.eltwise, err);
        break;
    default:
        status = check_bn(&checked.bn, err);
        break;
    }
    if (status == CONVOY_OK && copy)
        *copy = checked;
    return status;
}
