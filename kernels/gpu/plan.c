/* From a problem to a program: what every operation checks alike, then the operation's own planner. */
#include "program.h"
#include <stdlib.h>
#include <string.h>

const char *const gpu_variants[] = {"gemm", "winograd", "direct", "im2col", NULL};
_Static_assert(sizeof gpu_variants / sizeof *gpu_variants == GPU_VARIANT_COUNT + 1, "every variant has its name");

enum gpu_variant gpu_variant_find(const char *name)
{
    if (!name || !*name)
        return GPU_GEMM;
    for (int v = 0; v < GPU_VARIANT_COUNT; v++) {
        if (!strcmp(gpu_variants[v], name))
            return (enum gpu_variant)v;
    }
    return GPU_VARIANT_COUNT;
}

static const struct {
    size_t bytes;
    uint32_t flags; /* those that mean something */
} operation[CONVOY_OP_COUNT] = {
    [CONVOY_CONV_FWD] = {sizeof(struct convoy_conv), CONVOY_WITH_BIAS | CONVOY_WITH_RELU},
    [CONVOY_CONV_BWD_DATA] = {sizeof(struct convoy_conv), 0},
    [CONVOY_CONV_BWD_WEIGHTS] = {sizeof(struct convoy_conv), CONVOY_WITH_BIAS},
    [CONVOY_POOL_FWD] = {sizeof(struct convoy_pool), CONVOY_NO_INDEX},
    [CONVOY_POOL_BWD] = {sizeof(struct convoy_pool), 0},
    [CONVOY_BN_TRAIN] = {sizeof(struct convoy_bn), CONVOY_WITH_RELU},
    [CONVOY_BN_INFER] = {sizeof(struct convoy_bn), CONVOY_WITH_RELU},
    [CONVOY_BN_BWD] = {sizeof(struct convoy_bn), 0},
    [CONVOY_ELTWISE] = {sizeof(struct convoy_eltwise), 0},
};

static convoy_status check_positive(const int32_t *extent, size_t count, struct convoy_error *err)
{
    for (size_t e = 0; e < count; e++) {
        if (extent[e] < 1)
            return convoy_fail(err, CONVOY_INVALID, CONVOY_WHY_SIZE, "an extent is %d, the least is 1", extent[e]);
    }
    return CONVOY_OK;
}

static convoy_status check_pads(int32_t t, int32_t b, int32_t l, int32_t r, struct convoy_error *err)
{
    if (t < 0 || b < 0 || l < 0 || r < 0)
        return convoy_fail(err, CONVOY_INVALID, CONVOY_WHY_PAD, "negative padding");
    return CONVOY_OK;
}

static convoy_status check_conv(const struct convoy_conv *p, struct convoy_error *err)
{
    const int32_t extent[] = {p->n,      p->c,  p->h,        p->w,        p->k,     p->kh,    p->kw,
                              p->groups, p->oh, p->stride_h, p->stride_w, p->dil_h, p->dil_w, p->ow};
    convoy_status status = check_positive(extent, sizeof extent / sizeof *extent, err);
    if (status == CONVOY_OK)
        status = check_pads(p->pad_t, p->pad_b, p->pad_l, p->pad_r, err);
    if (status == CONVOY_OK && (p->c % p->groups || p->k % p->groups))
        status = convoy_fail(err, CONVOY_INVALID, CONVOY_WHY_GROUPS, "%d groups do not divide %d input and %d output channels",
                             p->groups, p->c, p->k);
    return status;
}

static convoy_status check_pool(const struct convoy_pool *p, struct convoy_error *err)
{
    const int32_t extent[] = {p->n, p->c, p->h, p->w, p->kh, p->kw, p->oh, p->ow, p->stride_h, p->stride_w, p->dil_h, p->dil_w};
    convoy_status status = check_positive(extent, sizeof extent / sizeof *extent, err);
    if (status == CONVOY_OK)
        status = check_pads(p->pad_t, p->pad_b, p->pad_l, p->pad_r, err);
    if (status != CONVOY_OK)
        return status;
    if (p->kind < CONVOY_POOL_MAX || p->kind > CONVOY_POOL_L2)
        return convoy_fail(err, CONVOY_UNSUPPORTED, CONVOY_WHY_OP, "unknown pooling kind %d", p->kind);
    if ((p->head.flags & CONVOY_NO_INDEX) && p->kind != CONVOY_POOL_MAX)
        return convoy_fail(err, CONVOY_UNSUPPORTED, CONVOY_WHY_FLAGS, "only maximum pooling has an index to leave out");
    return CONVOY_OK;
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

static convoy_status check_problem(const struct convoy_problem *problem, struct convoy_error *err)
{
    const uint32_t op = problem->op;
    if (op >= CONVOY_OP_COUNT || !operation[op].bytes)
        return convoy_fail(err, CONVOY_UNSUPPORTED, CONVOY_WHY_OP, "operation %u is not known here", op);
    if (problem->struct_size < operation[op].bytes)
        return convoy_fail(err, CONVOY_INVALID, CONVOY_WHY_OTHER, "the problem has %u bytes, operation %u needs %zu",
                           problem->struct_size, op, operation[op].bytes);
    if (problem->dtype != CONVOY_F32)
        return convoy_fail(err, CONVOY_UNSUPPORTED, CONVOY_WHY_DTYPE, "only f32 is implemented, got data type %u",
                           problem->dtype);
    if (problem->layout != CONVOY_NCHW)
        return convoy_fail(err, CONVOY_UNSUPPORTED, CONVOY_WHY_LAYOUT, "only NCHW is implemented, got layout %u",
                           problem->layout);
    if (problem->flags & ~operation[op].flags)
        return convoy_fail(err, CONVOY_UNSUPPORTED, CONVOY_WHY_FLAGS, "operation %u takes flags %#x here, got %#x", op,
                           operation[op].flags, problem->flags);
    switch (op) {
    case CONVOY_CONV_FWD:
    case CONVOY_CONV_BWD_DATA:
    case CONVOY_CONV_BWD_WEIGHTS:
        return check_conv((const struct convoy_conv *)problem, err);
    case CONVOY_POOL_FWD:
    case CONVOY_POOL_BWD:
        return check_pool((const struct convoy_pool *)problem, err);
    case CONVOY_ELTWISE:
        return check_eltwise((const struct convoy_eltwise *)problem, err);
    default: {
        const struct convoy_bn *const p = (const struct convoy_bn *)problem;
        const int32_t extent[] = {p->n, p->c, p->h, p->w};
        return check_positive(extent, sizeof extent / sizeof *extent, err);
    }
    }
}

static void make(struct planner *planner, enum gpu_variant variant, const struct convoy_problem *problem)
{
    switch (problem->op) {
    case CONVOY_CONV_FWD:
    case CONVOY_CONV_BWD_DATA:
    case CONVOY_CONV_BWD_WEIGHTS:
        conv_program(planner, variant, (const struct convoy_conv *)problem);
        break;
    case CONVOY_POOL_FWD:
    case CONVOY_POOL_BWD:
        pool_program(planner, (const struct convoy_pool *)problem);
        break;
    case CONVOY_ELTWISE:
        eltwise_program(planner, (const struct convoy_eltwise *)problem);
        break;
    default:
        bn_program(planner, (const struct convoy_bn *)problem);
        break;
    }
}

/* What takes the place of an algorithm for which there is no room. Direct sums have nothing to lay out. */
static const enum gpu_variant smaller[GPU_VARIANT_COUNT] = {
    [GPU_GEMM] = GPU_DIRECT,
    [GPU_WINOGRAD] = GPU_GEMM,
    [GPU_DIRECT] = GPU_DIRECT,
    [GPU_IM2COL] = GPU_DIRECT,
};
enum { SHRINK_STEP = 2, SHRINK_MOST = 12 };

/* Plans with ever smaller chunks as long as that is what is missing; true: it is still missing. */
static bool make_shrinking(const struct gpu_device *device, enum gpu_variant variant, const struct convoy_problem *problem,
                           struct gpu_program *made, convoy_status *status, struct convoy_error *err)
{
    for (uint32_t shrink = 0;; shrink += SHRINK_STEP) {
        struct planner planner = {
            .device = device, .program = made, .phase = CONVOY_PHASE_MULTIPLY, .shrink = shrink, .err = err};
        *made = (struct gpu_program){
            .numerics = {.kind = CONVOY_NUM_STATS,
                         .flags = CONVOY_DETERMINISTIC | CONVOY_THREAD_INVARIANT | CONVOY_MAY_FLUSH_DENORMALS}};
        make(&planner, variant, problem);
        *status = planner.status;
        if (!planner.crowded || shrink == SHRINK_MOST)
            return planner.crowded;
        gpu_program_free(made);
    }
}

convoy_status gpu_program_make(const struct gpu_device *device, enum gpu_variant variant, const struct convoy_problem *problem,
                               struct gpu_program *program, struct convoy_error *err)
{
    convoy_status status = check_problem(problem, err);
    if (status != CONVOY_OK)
        return status;
    struct gpu_program made;
    enum gpu_variant tried = variant;
    bool crowded = make_shrinking(device, tried, problem, &made, &status, err);
    struct gpu_device plain = *device; /* what was chosen was chosen for another algorithm */
    plain.choice = NULL;
    for (; crowded && smaller[tried] != tried; crowded = make_shrinking(&plain, tried, problem, &made, &status, err)) {
        gpu_program_free(&made);
        tried = smaller[tried];
    }
    made.replaced = tried != variant;
    if (made.replaced) /* what runs is told in every report */
        strncat(made.algorithm, ", no room", sizeof made.algorithm - strlen(made.algorithm) - 1);
    if (status != CONVOY_OK || !program)
        gpu_program_free(&made);
    else
        *program = made;
    return status;
}

static convoy_status try_room(struct convoy_memory *memory, const struct gpu_program *program, struct convoy_error *err)
{
    struct convoy_buffer *workspace = NULL, *prepared = NULL;
    convoy_status status = memory->alloc(memory, program->workspace_bytes, &workspace, err);
    if (status != CONVOY_OK)
        return status;
    status = memory->alloc(memory, program->prepared_bytes, &prepared, err);
    if (status == CONVOY_OK)
        memory->free(memory, prepared);
    memory->free(memory, workspace);
    return status;
}

convoy_status gpu_program_fit(const struct gpu_device *device, enum gpu_variant variant, const struct convoy_problem *problem,
                              struct convoy_memory *memory, struct gpu_program *program, struct convoy_error *err)
{
    struct gpu_device limited = *device;
    convoy_status room = CONVOY_OK;
    do {
        const convoy_status status = gpu_program_make(&limited, variant, problem, program, err);
        if (status != CONVOY_OK)
            return room == CONVOY_OK ? status : room;
        const uint64_t bytes = program->workspace_bytes + program->prepared_bytes;
        room = bytes && memory ? try_room(memory, program, err) : CONVOY_OK;
        limited.workspace_bytes = bytes / 2;
        if (room != CONVOY_OK)
            gpu_program_free(program);
    } while (room == CONVOY_NO_MEMORY);
    return room;
}

void gpu_program_free(struct gpu_program *program)
{
    free(program->prepare);
    free(program->step);
    *program = (struct gpu_program){0};
}
