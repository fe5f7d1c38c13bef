/* spectra: where the transformed operands and their products lie, and the products themselves, point by point. It knows planes,
 * rows and panels, not what they were transformed from. All distances are in floats; every vector is aligned to its size.
 *
 * An operand holds its complex points one after the other, then the real ones:
 *     tiles   [tile][point][chunk][plane][channel of the chunk]
 *     kernels [point][chunk][panel][index in the chunk][plane][panel's vectors]              read strictly in this order
 *             Gauss: [point][chunk][panel][plane][index in the chunk][panel's vectors]
 *     product [row][panel][point][plane][panel's vectors]
 * The data passes multiply tiles and kernels, the reduction running along a tile's channels; weight gradients multiply the tiles
 * of x and dy, the reduction running over the tiles. With the tile outermost, a transform writes or reads few pages, and each
 * tile is a stream from point to point; an inverse transform reads one stretch of memory. A chunk is what one partial sum runs
 * over. */
#ifndef CONVOY_KERNELS_FFT_SPECTRA_H
#define CONVOY_KERNELS_FFT_SPECTRA_H

#include "complex_tile.h"
#include "transform.h"
#include <microkernel.h>

struct points {                          /* what all operands of a plan share */
    const struct mk_family *mk;          /* real points, and Gauss's products */
    const struct complex_family *family; /* the others */
    bool gauss;
    int32_t complex_points, real_points;
    int32_t panel_vectors; /* of the right operand and of a micro-kernel's tile */
};

/* Of operands and products. */
static inline int32_t points_planes(const struct points *points)
{
    return points->gauss ? 3 : 2;
}

struct tiles {
    int32_t groups, chunk_groups, lanes, planes;
    ptrdiff_t row, point, real_point, real_first;
    int64_t floats;
};
void tiles_make(struct tiles *tiles, const struct points *points, int32_t groups, int32_t chunk_groups, int64_t rows);
struct fft_spectrum tiles_at(const struct tiles *tiles, float *base, int64_t row, int32_t group);

struct kernels {
    int32_t groups, lanes, panel_vectors;
    int32_t planes;
    ptrdiff_t point, real_point, real_first;
    int64_t floats;
};
void kernels_make(struct kernels *kernels, const struct points *points, int32_t groups, int64_t depth);
/* Index `index` of a chunk that begins at `first` and has `size` indices. */
struct fft_spectrum kernels_at(const struct kernels *kernels, float *base, int64_t first, int64_t size, int64_t index,
                               int32_t group);

struct product {
    int32_t groups, lanes, planes, panel_vectors;
    int32_t complex_points;
    ptrdiff_t row, panel;
    int64_t floats;
};
void product_make(struct product *product, const struct points *points, int32_t groups, int64_t rows);
struct fft_spectrum product_at(const struct product *product, float *base, int64_t row, int32_t group);

/* What the next point will touch, fetched into the second-level cache meanwhile: pieces of rows one distance apart, the rows of
 * the product, and what kernels follow where the tiles do not fetch these themselves. */
struct product_ahead {
    const float *piece[2], *stretch;
    ptrdiff_t distance[2];
    int64_t pieces, piece_floats[2], stretch_floats;
    bool product;
};

/* One chunk of one point: every plane of the product from `depth` indices of both operands. */
struct product_call {
    int32_t point;  /* complex ones first */
    const float *a; /* A[row][index] of plane 0 = a[row*a_row + index*a_col], or a[row*a_row + a_offset[index]]  */
    ptrdiff_t a_row, a_col, a_plane;
    const ptrdiff_t *a_offset;
    const float *b; /* the chunk's panels, or with b_row re B[index] = b[index*b_row ...], the next plane b_plane behind */
    ptrdiff_t b_row, b_plane;
    float *c; /* the product's first row */
    const struct product *product;
    int64_t depth, rows;
    bool accumulate;
    struct product_ahead ahead; /* zeros: nothing */
};
void product_run(const struct points *points, const struct product_call *call);

/* Vectors per panel that suit a product of so many rows. */
int32_t points_panel_vectors(const struct points *points, int64_t rows);

#endif
