#include "core/problem_op.h"

#include <convoy/plugin.h>
#include <convoy/shape.h>
#include <string.h>

enum problem_family problem_family(const union problem *problem)
{
    const struct problem_op *const op = problem_op_find(problem);
    return op ? op->family : FAMILY_COUNT;
}

const char *family_name(enum problem_family family)
{
    static const char *const names[] = {
        [FAMILY_CONV] = "conv", [FAMILY_POOL] = "pool", [FAMILY_BN] = "bn", [FAMILY_ELTWISE] = "eltwise"};
    _Static_assert(sizeof names / sizeof *names == FAMILY_COUNT, "one name for each family");
    return (unsigned)family < FAMILY_COUNT ? names[family] : "unknown";
}

enum problem_pass problem_pass(const union problem *problem)
{
    const struct problem_op *const op = problem_op_find(problem);
    return op ? op->pass : PASS_COUNT;
}

const char *pass_name(enum problem_pass pass)
{
    static const char *const names[] = {[PASS_FWD] = "fwd", [PASS_BWD_DATA] = "bwd-data", [PASS_BWD_WEIGHTS] = "bwd-weights"};
    _Static_assert(sizeof names / sizeof *names == PASS_COUNT, "one name for each pass");
    return (unsigned)pass < PASS_COUNT ? names[pass] : "unknown";
}

const char *problem_op_name(const union problem *problem)
{
    const struct problem_op *const op = problem_op_find(problem);
    return op ? op->name : "unknown";
}

/* The code of the family's operation in a pass; 0: there is none. Inference has no backward pass. */
static convoy_op op_in_pass(convoy_op op, enum problem_family family, enum problem_pass pass)
{
    static const convoy_op codes[FAMILY_COUNT][PASS_COUNT] = {
        [FAMILY_CONV] = {CONVOY_CONV_FWD, CONVOY_CONV_BWD_DATA, CONVOY_CONV_BWD_WEIGHTS},
        [FAMILY_POOL] = {CONVOY_POOL_FWD, CONVOY_POOL_BWD, 0},
        [FAMILY_BN] = {CONVOY_BN_TRAIN, CONVOY_BN_BWD, 0},
        [FAMILY_ELTWISE] = {CONVOY_ELTWISE, CONVOY_ELTWISE, 0},
    };
    return op == CONVOY_BN_INFER ? 0 : codes[family][pass];
}

bool problem_other_pass(const union problem *problem, enum problem_pass pass, union problem *out)
{
    const struct problem_op *const from = problem_op_find(problem);
    if (!from || (unsigned)pass >= PASS_COUNT)
        return false;
    union problem other = *problem;
    if (pass != from->pass) {
        other.head.op = op_in_pass(from->op, from->family, pass);
        if (!other.head.op)
            return false;
        if (from->family == FAMILY_ELTWISE)
            other.eltwise.kind = from->other_kind;
        const struct problem_op *const to = problem_op_find(&other);
        if (!to)
            return false;
        other.head.flags &= to->flags; /* a fused activation or a bias has passes of its own */
        if (problem_complete(&other, NULL))
            return false;
    }
    *out = other;
    return true;
}

convoy_status problem_with_batch(const union problem *problem, int32_t n, union problem *out, struct convoy_error *err)
{
    union problem other = *problem;
    if (n < 1)
        return convoy_fail(err, CONVOY_INVALID, CONVOY_WHY_SIZE, "the batch size is %d, must be at least 1", n);
    switch (problem_family(problem)) {
    case FAMILY_CONV:
        other.conv.n = n;
        break;
    case FAMILY_POOL:
        other.pool.n = n;
        break;
    case FAMILY_BN:
        other.bn.n = n;
        break;
    case FAMILY_ELTWISE:
        /* The optimiser's work depends on the parameters, not on the batch. */
        if (other.eltwise.kind != CONVOY_ELT_SGD && __builtin_mul_overflow(other.eltwise.count, n, &other.eltwise.count))
            return convoy_fail(err, CONVOY_INVALID, CONVOY_WHY_SIZE, "%s: %d times n %lld is too large", problem_op_name(problem),
                               n, (long long)problem->eltwise.count);
        break;
    case FAMILY_COUNT:
        break;
    }
    const convoy_status status = problem_complete(&other, err);
    if (!status)
        *out = other;
    return status;
}

/* Counts are at most 2^62, so a small factor can leave int64_t. */
static int64_t times(int64_t count, int32_t factor)
{
    int64_t product;
    return __builtin_mul_overflow(count, factor, &product) ? INT64_MAX : product;
}

int64_t problem_flops(const union problem *problem)
{
    const struct problem_op *const op = problem_op_find(problem);
    if (!op)
        return 0;
    switch (op->family) {
    case FAMILY_CONV:
        return times(convoy_conv_macs(&problem->conv), 2);
    case FAMILY_POOL: {
        const struct convoy_pool *const p = &problem->pool;
        return (int64_t)p->n * p->c * p->oh * p->ow * p->kh * p->kw;
    }
    case FAMILY_BN: {
        const struct convoy_bn *const p = &problem->bn;
        return times((int64_t)p->n * p->c * p->h * p->w, op->element_flops);
    }
    default:
        return times(problem->eltwise.count, op->element_flops);
    }
}

bool problem_equal(const union problem *a, const union problem *b)
{
    static const size_t sizes[] = {
        [FAMILY_CONV] = sizeof(struct convoy_conv),
        [FAMILY_POOL] = sizeof(struct convoy_pool),
        [FAMILY_BN] = sizeof(struct convoy_bn),
        [FAMILY_ELTWISE] = sizeof(struct convoy_eltwise),
    };
    const enum problem_family family = problem_family(a);
    /* The ABI's structs have no padding. */
    return family != FAMILY_COUNT && problem_family(b) == family && !memcmp(a, b, sizes[family]);
}
