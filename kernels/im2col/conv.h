/* conv: what the three passes of a convolution share: pointers, scratch memory, the addition of partial sums. */
#ifndef CONVOY_IM2COL_CONV_H
#define CONVOY_IM2COL_CONV_H

#include "im2col.h"

/* One execute. Workspace: panels of the lanes, then the partial sums. */
struct conv_call {
    const struct plan *plan;
    const struct convoy_conv *p;
    const struct tiling *tiling;
    int64_t group_c, group_k; /* channels of one group                                                   */
    int64_t rows, pixels;     /* of the lowered matrix: group_c*kh*kw, oh*ow                             */
    int64_t tasks;
    const float *x, *w, *bias, *dy;
    float *y, *dx, *dw, *dbias;
    float *panels, *partials; /* partials: parts - 1 arrays of the size of the output                    */
};

/* Floats of the output of which partial sums are kept: y, or dw. */
int64_t conv_sum_floats(const struct convoy_conv *p);

/* dbias[k] = the sum of dy over images and pixels: one task for each k, context a struct conv_call. */
void conv_make_bias(void *context, size_t k, size_t worker);

/* The panel that this task may use. */
float *conv_panel(const struct conv_call *call, size_t task, size_t worker);

convoy_status conv_fwd_run(const struct plan *plan, const struct convoy_args *args, struct convoy_error *err);
convoy_status conv_bwd_data_run(const struct plan *plan, const struct convoy_args *args, struct convoy_error *err);
convoy_status conv_bwd_weights_run(const struct plan *plan, const struct convoy_args *args, struct convoy_error *err);
convoy_status conv_dense_run(const struct plan *plan, const struct convoy_args *args, struct convoy_error *err);
struct conv_call conv_begin(const struct plan *plan, const struct convoy_args *args);

#endif
