/* depthwise: the loops over pixels for groups of few channels, where lanes over channels would be empty. They read a panel whose
 * neighbouring outputs lie side by side (col_step 1). */
#ifndef CONVOY_DIRECT_DEPTHWISE_H
#define CONVOY_DIRECT_DEPTHWISE_H

#include <stddef.h>
#include <stdint.h>

/* y[oh][ow] = bias + sum over t < terms of weight[t] * panel[offset[t] + oh*panel_row + ow]. */
struct depthwise_rows {
    const float *panel, *weight;
    const ptrdiff_t *offset;
    int64_t terms, rows, cols, panel_row;
    float *y;
    int64_t y_row;
    float bias;
    int32_t relu;
};
typedef void depthwise_rows_fn(const struct depthwise_rows *job);

/* gradient[t] += sum over oh, ow of dy[oh][ow] * panel[offset[t] + oh*panel_row + ow]. */
struct depthwise_gradient {
    const float *panel, *dy;
    const ptrdiff_t *offset;
    int64_t terms, rows, cols, panel_row, dy_row;
    float *gradient;
};
typedef void depthwise_gradient_fn(const struct depthwise_gradient *job);

#endif
