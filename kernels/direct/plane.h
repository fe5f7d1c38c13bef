/* plane: the loops of depthwise layers over one plane of pixels, read where it lies: vectors with masks take the place of a copy with
 * a border. Lanes are neighbouring outputs of a row. */
#ifndef CONVOY_DIRECT_PLANE_H
#define CONVOY_DIRECT_PLANE_H

#include <stdint.h>

/* Outputs (oh, ow) meet the inputs (oh*stride - pad_t + r, ow*stride - pad_l + s); those outside of h x w count as zero. */
struct plane_shape {
    int32_t h, w, oh, ow, pad_t, pad_l;
};

struct plane_loops {
    int32_t kernel, stride; /* kernel x kernel taps, both axes alike                                          */
    /* y[oh][ow] = bias + sum over r, s of weight[r*kernel + s] * x[..][..], then at least 0 with relu; NaN stays. */
    void (*correlate)(const struct plane_shape *shape, const float *x, const float *weight, float bias, int32_t relu, float *y);
    /* dx = the sum over the taps of weight[r*kernel + s] * dy at the outputs that meet it. NULL for stride 1: that is a correlation. */
    void (*spread)(const struct plane_shape *shape, const float *dy, const float *weight, float *dx);
    /* dw[r*kernel + s] += sum over oh, ow of dy[oh][ow] * x[..][..]. */
    void (*gradient)(const struct plane_shape *shape, const float *x, const float *dy, float *dw);
};

extern const struct plane_loops plane_loops_avx512[]; /* kernel 0 ends the list */

#endif
