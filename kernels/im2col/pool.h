/* pool: one axis of a pooling window, and what the two passes share. Knows nothing of threads. */
#ifndef CONVOY_IM2COL_POOL_H
#define CONVOY_IM2COL_POOL_H

#include "im2col.h"

struct pool_axis {
    int32_t in, out, kernel, stride, dil, pad_before, pad_after;
};
struct pool_axis pool_axis_h(const struct convoy_pool *p);
struct pool_axis pool_axis_w(const struct convoy_pool *p);

/* The taps of window `out` that lie inside x: [*first, *last), which may be empty. */
void pool_taps(const struct pool_axis *axis, int64_t out, int32_t *first, int32_t *last);

/* How many taps of window `out` an average divides by. */
int64_t pool_divisor(const struct pool_axis *axis, int64_t out, int32_t kind);

/* The windows whose tap lies inside x. */
struct pool_range {
    int32_t first, last;
};
struct pool_range pool_windows(const struct pool_axis *axis, int32_t tap);

/* Where tap (r, s) of window (oh, ow) lies in a plane of x; outside x for a tap outside x. */
int64_t pool_tap_offset(const struct convoy_pool *p, int64_t oh, int64_t r, int64_t ow, int64_t s);

/* Planes are dealt out in blocks, so that a task is worth its start. */
int64_t pool_block_planes(const struct convoy_pool *p);
int64_t pool_block_count(const struct convoy_pool *p);

uint64_t pool_fwd_workspace_bytes(const struct plan *plan);
uint64_t pool_bwd_workspace_bytes(const struct plan *plan);
convoy_status pool_fwd_run(const struct plan *plan, const struct convoy_args *args, struct convoy_error *err);
convoy_status pool_bwd_run(const struct plan *plan, const struct convoy_args *args, struct convoy_error *err);

#endif
