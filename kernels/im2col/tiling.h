/* tiling: into which pieces a convolution is cut. A pure function of the problem and of the kernels that OpenBLAS has
 * chosen, never of the number of threads, so that every sum is formed in the same order whoever computes it.
 *
 * The three passes are products with the lowered matrix L (c*kh*kw rows, oh*ow columns) of each image and group:
 *
 *     forward       y[k][pixels]  = W[k][c*kh*kw] * L                  task: a panel of pixels, all k
 *     bwd-data      L             = W^T * dy[k][pixels], col2im(L)     task: a block of channels, a strip of input rows
 *     bwd-weights   dW[k][c*kh*kw] = sum of dy * L^T                   task: a block of channels, all k */
#ifndef CONVOY_IM2COL_TILING_H
#define CONVOY_IM2COL_TILING_H

#include <convoy/convoy.h>

struct tiling {
    int64_t pixels;   /* columns of L held at a time                                                     */
    int64_t channels; /* and input channels: the panel has channels*kh*kw rows                           */
    int64_t panels;   /* ceil(oh*ow / pixels)                                                            */
    int64_t blocks;   /* ceil(c/groups / channels)                                                       */
    int64_t strips;   /* bwd-data: strips of input rows                                                  */
    int dense;        /* the columns of all images in one product per group: `blocks` of its outputs are the tasks   */
    int64_t parts;    /* forward: the channels, bwd-weights: images and panels, summed in this many separate parts */
};

struct tiling tiling_whole(const struct convoy_conv *problem); /* all of L of one image and group          */
struct tiling tiling_panel(const struct convoy_conv *problem);

/* Tasks of the pass. */
int64_t tiling_tasks(const struct convoy_conv *problem, const struct tiling *tiling);

/* Floats of one panel; 0 where x is its own lowered matrix. */
int64_t tiling_panel_floats(const struct convoy_conv *problem, const struct tiling *tiling);

/* The tile `index` of `count` equal ones over 0..length-1: [*first, *last). */
void tiling_share(int64_t length, int64_t count, int64_t index, int64_t *first, int64_t *last);

#endif
