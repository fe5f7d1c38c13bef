/* lower: the index map between images and lowered matrices (im2col, col2im), one panel at a time.
 * Knows the geometry of a convolution and nothing of matrix products, threads or plans.
 *
 *     panel[(c*kh + r)*kw + s][q] = x[c][oh*stride_h - pad_t + r*dil_h][ow*stride_w - pad_l + s*dil_w]   (0 outside x)
 *
 * for output pixels first <= oh*p.ow + ow = first + q < first + count. Only h, w, kh, kw, strides, dilations, pad_t,
 * pad_l, oh and ow of the problem are read. */
#ifndef CONVOY_IM2COL_LOWER_H
#define CONVOY_IM2COL_LOWER_H

#include "loops.h"
#include <convoy/convoy.h>

/* Whether the lowered matrix is x itself: 1x1 taps, stride 1, no padding. [any] */
int lower_is_identity(const struct convoy_conv *p);

/* Whether the kernel covers each image exactly once, as in a fully connected layer: an image is its one lowered column. [any] */
int lower_is_dense(const struct convoy_conv *p);

/* Writes the channels*kh*kw rows of `count` pixels, one after the other, for `channels` planes of h*w that begin at x. [any] */
void lower_gather(const struct convoy_conv *p, const struct loops *loops, const float *x, int64_t channels, int64_t first,
                  int64_t count, float *panel);

/* The transposed map: adds every element of the panel that has a place in rows row_first <= h < row_last of the planes
 * to that place; dx points to row 0 of the first plane. May overwrite elements of the panel that have no place. [any] */
void lower_scatter_add(const struct convoy_conv *p, const struct loops *loops, float *panel, int64_t channels, int64_t first,
                       int64_t count, int32_t row_first, int32_t row_last, float *dx);

/* Output rows [*first, *last) that touch any of the input rows row_first <= h < row_last. [any] */
void lower_touching_rows(const struct convoy_conv *p, int32_t row_first, int32_t row_last, int32_t *first, int32_t *last);

#endif
