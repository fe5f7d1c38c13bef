/* Which slots each operation reads and writes (the arrows in convoy.h), and their addresses for one call. */
#include "naive.h"

#define SLOT(name) (1u << CONVOY_##name)

struct access {
    uint32_t reads, writes;
};

static const struct access operation[CONVOY_OP_COUNT] = {
    [CONVOY_CONV_FWD] = {SLOT(X) | SLOT(W), SLOT(Y)},
    [CONVOY_CONV_BWD_DATA] = {SLOT(DY) | SLOT(W), SLOT(DX)},
    [CONVOY_CONV_BWD_WEIGHTS] = {SLOT(X) | SLOT(DY), SLOT(DW)},
    [CONVOY_POOL_FWD] = {SLOT(X), SLOT(Y)},
    [CONVOY_POOL_BWD] = {SLOT(DY), SLOT(DX)},
    [CONVOY_BN_TRAIN] = {SLOT(X) | SLOT(GAMMA) | SLOT(BETA) | SLOT(RUN_MEAN) | SLOT(RUN_VAR),
                         SLOT(Y) | SLOT(SAVE_MEAN) | SLOT(SAVE_ISTD) | SLOT(RUN_MEAN) | SLOT(RUN_VAR)},
    [CONVOY_BN_INFER] = {SLOT(X) | SLOT(GAMMA) | SLOT(BETA) | SLOT(RUN_MEAN) | SLOT(RUN_VAR), SLOT(Y)},
    [CONVOY_BN_BWD] = {SLOT(X) | SLOT(DY) | SLOT(GAMMA) | SLOT(SAVE_MEAN) | SLOT(SAVE_ISTD),
                       SLOT(DX) | SLOT(DGAMMA) | SLOT(DBETA)},
};

static struct access eltwise_access(int32_t kind)
{
    if (kind <= CONVOY_ELT_SOFTSIGN || kind == CONVOY_ELT_SCALE)
        return (struct access){SLOT(X), SLOT(Y)};
    if (kind <= CONVOY_ELT_SOFTSIGN_BWD)
        return (struct access){SLOT(DY) | SLOT(Y), SLOT(DX)};
    if (kind == CONVOY_ELT_ADD || kind == CONVOY_ELT_MUL)
        return (struct access){SLOT(X) | SLOT(X2), SLOT(Y)};
    if (kind == CONVOY_ELT_XENT)
        return (struct access){SLOT(X) | SLOT(INDEX), SLOT(Y)};
    if (kind == CONVOY_ELT_XENT_BWD)
        return (struct access){SLOT(X) | SLOT(INDEX), SLOT(DX)};
    return (struct access){SLOT(DW) | SLOT(SCALARS) | SLOT(W) | SLOT(X2), SLOT(W) | SLOT(X2)};
}

static struct access problem_access(const union problem *problem)
{
    const uint32_t op = problem->head.op, flags = problem->head.flags;
    if (op == CONVOY_ELTWISE)
        return eltwise_access(problem->eltwise.kind);
    struct access access = operation[op];
    if (op == CONVOY_CONV_FWD && (flags & CONVOY_WITH_BIAS))
        access.reads |= SLOT(BIAS);
    if (op == CONVOY_CONV_BWD_WEIGHTS && (flags & CONVOY_WITH_BIAS))
        access.writes |= SLOT(DBIAS);
    if (op == CONVOY_POOL_FWD && problem->pool.kind == CONVOY_POOL_MAX && !(flags & CONVOY_NO_INDEX))
        access.writes |= SLOT(INDEX);
    if (op == CONVOY_POOL_BWD && problem->pool.kind == CONVOY_POOL_MAX)
        access.reads |= SLOT(INDEX);
    if (op == CONVOY_POOL_BWD && problem->pool.kind == CONVOY_POOL_L2)
        access.reads |= SLOT(X) | SLOT(Y);
    return access;
}

uint32_t binding_reads(const union problem *problem)
{
    return problem_access(problem).reads;
}

uint32_t binding_writes(const union problem *problem)
{
    return problem_access(problem).writes;
}

static uint64_t volume(int32_t n, int32_t c, int32_t h, int32_t w)
{
    return (uint64_t)n * (uint64_t)c * (uint64_t)h * (uint64_t)w;
}

uint64_t binding_elements(const union problem *problem, uint32_t slot)
{
    const struct convoy_conv *conv = &problem->conv;
    const struct convoy_pool *pool = &problem->pool;
    const struct convoy_bn *bn = &problem->bn;
    switch (problem->head.op) {
    case CONVOY_CONV_FWD:
        return volume(conv->n, conv->k, conv->oh, conv->ow);
    case CONVOY_CONV_BWD_DATA:
        return volume(conv->n, conv->c, conv->h, conv->w);
    case CONVOY_CONV_BWD_WEIGHTS:
        return slot == CONVOY_DBIAS ? (uint64_t)conv->k : volume(conv->k, conv->c / conv->groups, conv->kh, conv->kw);
    case CONVOY_POOL_FWD:
        return volume(pool->n, pool->c, pool->oh, pool->ow);
    case CONVOY_POOL_BWD:
        return volume(pool->n, pool->c, pool->h, pool->w);
    case CONVOY_ELTWISE:
        return (uint64_t)(problem->eltwise.kind == CONVOY_ELT_XENT ? problem->eltwise.count / problem->eltwise.classes
                                                                   : problem->eltwise.count);
    default:
        return slot == CONVOY_Y || slot == CONVOY_DX ? volume(bn->n, bn->c, bn->h, bn->w) : (uint64_t)bn->c;
    }
}

/* A label beyond the classes would read outside its row. */
static convoy_status check_labels(const struct job *job, struct convoy_error *err)
{
    const struct convoy_eltwise *p = &job->problem->eltwise;
    const int32_t *label = job->slot[CONVOY_INDEX];
    for (int64_t row = 0; row < p->count / p->classes; row++)
        if (label[row] >= p->classes)
            return convoy_fail(err, CONVOY_INVALID, CONVOY_WHY_OTHER, "label %d of row %lld is not below %d classes", label[row],
                               (long long)row, p->classes);
    return CONVOY_OK;
}

convoy_status binding_resolve(struct job *job, const struct convoy_args *args, uint32_t required, struct convoy_error *err)
{
    for (uint32_t slot = 0; slot < CONVOY_NSLOTS; slot++) {
        job->slot[slot] = convoy_slot(args, slot);
        if ((required & (1u << slot)) && !job->slot[slot])
            return convoy_fail(err, CONVOY_INVALID, CONVOY_WHY_OTHER, "slot %u is missing", slot);
    }
    const union problem *problem = job->problem;
    if (problem->head.op == CONVOY_ELTWISE &&
        (problem->eltwise.kind == CONVOY_ELT_XENT || problem->eltwise.kind == CONVOY_ELT_XENT_BWD))
        return check_labels(job, err);
    return CONVOY_OK;
}
