#include "core/slots.h"

#include <convoy/shape.h>
#include <string.h>

static const char *const slot_names[] = {
    [CONVOY_WORKSPACE] = "workspace",
    [CONVOY_PREPARED] = "prepared",
    [CONVOY_X] = "x",
    [CONVOY_W] = "w",
    [CONVOY_BIAS] = "bias",
    [CONVOY_Y] = "y",
    [CONVOY_DX] = "dx",
    [CONVOY_DW] = "dw",
    [CONVOY_DBIAS] = "dbias",
    [CONVOY_DY] = "dy",
    [CONVOY_INDEX] = "index",
    [CONVOY_GAMMA] = "gamma",
    [CONVOY_BETA] = "beta",
    [CONVOY_RUN_MEAN] = "run_mean",
    [CONVOY_RUN_VAR] = "run_var",
    [CONVOY_SAVE_MEAN] = "save_mean",
    [CONVOY_SAVE_ISTD] = "save_istd",
    [CONVOY_DGAMMA] = "dgamma",
    [CONVOY_DBETA] = "dbeta",
    [CONVOY_X2] = "x2",
    [CONVOY_SCALARS] = "scalars",
};
_Static_assert(sizeof slot_names / sizeof *slot_names == CONVOY_NSLOTS, "one name for each slot");

static const struct {
    const char *name;
    int64_t bytes;
} types[] = {[SLOT_F32] = {"f32", 4}, [SLOT_U8] = {"u8", 1}, [SLOT_S32] = {"s32", 4}};

static void put(struct slot_info *slot, enum slot_role role, enum slot_type type, int32_t rank, const int64_t *extent)
{
    *slot = (struct slot_info){.role = role, .type = type, .rank = rank, .elements = 1};
    for (int32_t axis = 0; axis < rank; axis++) {
        slot->extent[axis] = extent[axis];
        slot->elements *= extent[axis];
    }
    slot->bytes = slot->elements * types[type].bytes;
}

static void put_vector(struct slot_info *slot, enum slot_role role, int64_t elements)
{
    put(slot, role, SLOT_F32, 1, &elements);
}

static void describe_conv(const struct convoy_conv *p, struct slot_info *info)
{
    const int64_t x[4] = {p->n, p->c, p->h, p->w};
    const int64_t w[4] = {p->k, p->c / p->groups, p->kh, p->kw};
    const int64_t y[4] = {p->n, p->k, p->oh, p->ow};
    const bool bias = p->head.flags & CONVOY_WITH_BIAS;
    switch (p->head.op) {
    case CONVOY_CONV_FWD:
        put(&info[CONVOY_X], SLOT_INPUT, SLOT_F32, 4, x);
        put(&info[CONVOY_W], SLOT_INPUT, SLOT_F32, 4, w);
        if (bias)
            put_vector(&info[CONVOY_BIAS], SLOT_INPUT, p->k);
        put(&info[CONVOY_Y], SLOT_OUTPUT, SLOT_F32, 4, y);
        break;
    case CONVOY_CONV_BWD_DATA:
        put(&info[CONVOY_DY], SLOT_INPUT, SLOT_F32, 4, y);
        put(&info[CONVOY_W], SLOT_INPUT, SLOT_F32, 4, w);
        put(&info[CONVOY_DX], SLOT_OUTPUT, SLOT_F32, 4, x);
        break;
    default: /* CONVOY_CONV_BWD_WEIGHTS */
        put(&info[CONVOY_X], SLOT_INPUT, SLOT_F32, 4, x);
        put(&info[CONVOY_DY], SLOT_INPUT, SLOT_F32, 4, y);
        put(&info[CONVOY_DW], SLOT_OUTPUT, SLOT_F32, 4, w);
        if (bias)
            put_vector(&info[CONVOY_DBIAS], SLOT_OUTPUT, p->k);
        break;
    }
}

static void describe_pool(const struct convoy_pool *p, struct slot_info *info)
{
    const int64_t x[4] = {p->n, p->c, p->h, p->w};
    const int64_t y[4] = {p->n, p->c, p->oh, p->ow};
    const bool forward = p->head.op == CONVOY_POOL_FWD;
    if (forward) {
        put(&info[CONVOY_X], SLOT_INPUT, SLOT_F32, 4, x);
        put(&info[CONVOY_Y], SLOT_OUTPUT, SLOT_F32, 4, y);
    } else {
        put(&info[CONVOY_DY], SLOT_INPUT, SLOT_F32, 4, y);
        put(&info[CONVOY_DX], SLOT_OUTPUT, SLOT_F32, 4, x);
    }
    if (p->kind == CONVOY_POOL_MAX && !(p->head.flags & CONVOY_NO_INDEX))
        put(&info[CONVOY_INDEX], forward ? SLOT_OUTPUT : SLOT_INPUT, convoy_index_bytes(p) == 1 ? SLOT_U8 : SLOT_S32, 4, y);
    if (p->kind == CONVOY_POOL_L2 && !forward) {
        put(&info[CONVOY_X], SLOT_INPUT, SLOT_F32, 4, x);
        put(&info[CONVOY_Y], SLOT_INPUT, SLOT_F32, 4, y);
    }
}

static void describe_bn(const struct convoy_bn *p, struct slot_info *info)
{
    const int64_t image[4] = {p->n, p->c, p->h, p->w};
    const bool backward = p->head.op == CONVOY_BN_BWD;
    put(&info[CONVOY_X], SLOT_INPUT, SLOT_F32, 4, image);
    put_vector(&info[CONVOY_GAMMA], SLOT_INPUT, p->c);
    if (backward) {
        put(&info[CONVOY_DY], SLOT_INPUT, SLOT_F32, 4, image);
        put_vector(&info[CONVOY_SAVE_MEAN], SLOT_INPUT, p->c);
        put_vector(&info[CONVOY_SAVE_ISTD], SLOT_INPUT, p->c);
        put(&info[CONVOY_DX], SLOT_OUTPUT, SLOT_F32, 4, image);
        put_vector(&info[CONVOY_DGAMMA], SLOT_OUTPUT, p->c);
        put_vector(&info[CONVOY_DBETA], SLOT_OUTPUT, p->c);
        return;
    }
    const bool train = p->head.op == CONVOY_BN_TRAIN;
    put_vector(&info[CONVOY_BETA], SLOT_INPUT, p->c);
    put_vector(&info[CONVOY_RUN_MEAN], train ? SLOT_INOUT : SLOT_INPUT, p->c);
    put_vector(&info[CONVOY_RUN_VAR], train ? SLOT_INOUT : SLOT_INPUT, p->c);
    put(&info[CONVOY_Y], SLOT_OUTPUT, SLOT_F32, 4, image);
    if (train) {
        put_vector(&info[CONVOY_SAVE_MEAN], SLOT_OUTPUT, p->c);
        put_vector(&info[CONVOY_SAVE_ISTD], SLOT_OUTPUT, p->c);
    }
}

static void describe_xent(const struct convoy_eltwise *p, struct slot_info *info)
{
    const int64_t logits[2] = {p->count / p->classes, p->classes};
    put(&info[CONVOY_X], SLOT_INPUT, SLOT_F32, 2, logits);
    put(&info[CONVOY_INDEX], SLOT_INPUT, SLOT_S32, 1, logits);
    if (p->kind == CONVOY_ELT_XENT)
        put_vector(&info[CONVOY_Y], SLOT_OUTPUT, logits[0]);
    else
        put(&info[CONVOY_DX], SLOT_OUTPUT, SLOT_F32, 2, logits);
}

static void describe_eltwise(const struct convoy_eltwise *p, struct slot_info *info)
{
    switch (p->kind) {
    case CONVOY_ELT_XENT:
    case CONVOY_ELT_XENT_BWD:
        describe_xent(p, info);
        return;
    case CONVOY_ELT_SGD:
        put_vector(&info[CONVOY_DW], SLOT_INPUT, p->count);
        put_vector(&info[CONVOY_SCALARS], SLOT_INPUT, 4);
        put_vector(&info[CONVOY_W], SLOT_INOUT, p->count);
        put_vector(&info[CONVOY_X2], SLOT_INOUT, p->count);
        return;
    case CONVOY_ELT_ADD:
    case CONVOY_ELT_MUL:
        put_vector(&info[CONVOY_X2], SLOT_INPUT, p->count);
        break;
    default:
        break;
    }
    const union problem whole = {.eltwise = *p};
    if (problem_pass(&whole) == PASS_FWD) {
        put_vector(&info[CONVOY_X], SLOT_INPUT, p->count);
        put_vector(&info[CONVOY_Y], SLOT_OUTPUT, p->count);
    } else {
        put_vector(&info[CONVOY_DY], SLOT_INPUT, p->count);
        put_vector(&info[CONVOY_Y], SLOT_INPUT, p->count);
        put_vector(&info[CONVOY_DX], SLOT_OUTPUT, p->count);
    }
}

void slots_describe(const union problem *problem, struct slot_info info[CONVOY_NSLOTS])
{
    memset(info, 0, CONVOY_NSLOTS * sizeof *info);
    switch (problem_family(problem)) {
    case FAMILY_CONV:
        describe_conv(&problem->conv, info);
        break;
    case FAMILY_POOL:
        describe_pool(&problem->pool, info);
        break;
    case FAMILY_BN:
        describe_bn(&problem->bn, info);
        break;
    case FAMILY_ELTWISE:
        describe_eltwise(&problem->eltwise, info);
        break;
    case FAMILY_COUNT:
        break;
    }
}

const char *slot_name(uint32_t slot)
{
    return slot < CONVOY_NSLOTS ? slot_names[slot] : "unknown";
}

int slot_by_name(const char *name)
{
    for (int slot = 0; slot < CONVOY_NSLOTS; slot++) {
        if (!strcmp(slot_names[slot], name))
            return slot;
    }
    return -1;
}

const char *slot_type_name(enum slot_type type)
{
    return (size_t)type < sizeof types / sizeof *types ? types[type].name : "unknown";
}

int64_t slots_traffic_bytes(const union problem *problem)
{
    struct slot_info info[CONVOY_NSLOTS];
    int64_t sum = 0;
    slots_describe(problem, info);
    for (uint32_t slot = 0; slot < CONVOY_NSLOTS; slot++) {
        const int times = info[slot].role == SLOT_INOUT ? 2 : info[slot].role != SLOT_UNUSED;
        for (int time = 0; time < times; time++) {
            if (__builtin_add_overflow(sum, info[slot].bytes, &sum))
                return INT64_MAX; /* each tensor may have up to 2^62 bytes */
        }
    }
    return sum;
}
