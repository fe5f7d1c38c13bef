/* program.h: what the planners of the operations build programs with. Private to kernels/gpu. */
#ifndef CONVOY_GPU_PROGRAM_H
#define CONVOY_GPU_PROGRAM_H

#include "gpu.h"
#include <convoy/plugin.h>
#include <convoy/shape.h>

#define GPU_SLOT(name) (1u << CONVOY_##name)

struct planner {
    const struct gpu_device *device;
    struct gpu_program *program;
    bool preparing;       /* steps go to prepare */
    uint32_t phase;       /* of the steps that follow */
    convoy_status status; /* the first failure; after it, calls do nothing that matters */
    struct convoy_error *err;
    struct gpu_step scrap; /* what failed calls write to */
    uint64_t workspace_used;
    uint32_t shrink; /* chunks are cut to 1 / 2^shrink, because the program did not fit before */
    bool crowded;    /* `status` says that areas do not fit: smaller chunks or another algorithm might */
    struct { /* weights as panels, for later images of the same rows and channels */
        uint64_t offset, bytes;
        int32_t row, col; /* widths of the panels */
    } packed;
};

/* A step of `groups` work-groups of `group` invocations, its parameters and binds zero. Never NULL; valid until the next call. */
struct gpu_step *planner_step(struct planner *planner, enum gpu_module_id module, uint32_t group, int64_t groups);
/* The same for `items` invocations without shared memory. */
struct gpu_step *planner_flat(struct planner *planner, enum gpu_module_id module, int64_t items);
/* Work-group size of kernels that reduce over their lanes in a tree. */
uint32_t planner_tree_group(const struct planner *planner);
void planner_bind(struct planner *planner, struct gpu_step *step, uint32_t at, uint32_t slot, uint32_t access,
                  uint64_t offset_bytes, uint64_t bytes);
/* Offsets of a new area of the workspace or the prepared weights; one area is at most range_bytes. */
uint64_t planner_workspace(struct planner *planner, uint64_t bytes);
uint64_t planner_prepared(struct planner *planner, uint64_t bytes);
/* How much of operands to lay out at a time, `wish` if there is room. */
int64_t planner_chunk(const struct planner *planner, int64_t wish_bytes);
/* What the next areas of the workspace overlay, once all steps that use the present ones are made. */
void planner_reuse(struct planner *planner, uint64_t from);
/* y[i] = sum of `parts` values, part[i*stride + j*pitch], from the workspace to a slot. */
void planner_sum(struct planner *planner, uint64_t from, uint64_t from_bytes, uint32_t slot, uint64_t to, int64_t count,
                 int64_t parts, int64_t stride, int64_t pitch);
void planner_fail(struct planner *planner, convoy_status status, convoy_why why, const char *text);

/* How many of `count` units fit into one bind each, units of the largest tensor having unit_bytes; at least 1, or it fails. A
 * multiple of `multiple` unless all fit. */
int64_t planner_slice(struct planner *planner, int64_t count, int64_t unit_bytes, int64_t multiple);

/* mul and shift for params.h */
struct divisor {
    uint32_t mul, shift;
};
struct divisor divisor_of(int64_t d);
#define SET_DIVISOR(params, field, d)                                                                                            \
    do {                                                                                                                         \
        const struct divisor divisor = divisor_of(d);                                                                            \
        (params)->field##_mul = divisor.mul;                                                                                     \
        (params)->field##_shift = divisor.shift;                                                                                 \
    } while (0)

/* The operations. */
void eltwise_program(struct planner *planner, const struct convoy_eltwise *p);
void pool_program(struct planner *planner, const struct convoy_pool *p);
void bn_program(struct planner *planner, const struct convoy_bn *p);
void conv_program(struct planner *planner, enum gpu_variant variant, const struct convoy_conv *p);

/* Sums of `dy` (n, c, plane floats each) over n and plane, per channel, to `slot`. */
void bn_channel_sums(struct planner *planner, int64_t n, int64_t c, int64_t plane, uint32_t dy, uint32_t slot);

#endif
