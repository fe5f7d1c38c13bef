/* spectra: where the transformed operands and their products lie, and the products themselves, point by point. It knows planes,
 * rows and panels, not what they were transformed from. All distances are in floats; every vector is aligned to its size.
 *
 * An operand holds its complex points one after the other, then the real ones:
 *     left    of the data passes   [row = tile][point][chunk][plane][channel of the chunk]   the reduction runs along a row
 *             of weight gradients  [point][plane][row = tile][channel]                       the reduction runs down the rows
 *     right   [point][chunk][panel][plane][index in the chunk][panel's vectors]              read strictly in this order
 *     product [row][point][plane][vectors]
 * With the tile outermost, a transform writes or reads few pages, and each row is a stream from point to point.
 * The left has three planes, (a, b, -a) or Gauss's; so re and im are the same product with the first plane or the second as
 * beginning. A chunk is what one partial sum runs over. */
#ifndef CONVOY_KERNELS_FFT_SPECTRA_H
#define CONVOY_KERNELS_FFT_SPECTRA_H

#include "transform.h"
#include <microkernel.h>

struct points { /* what all operands of a plan share */
    const struct mk_family *mk;
    bool gauss;
    int32_t complex_points, real_points;
    int32_t panel_vectors; /* of the right operand and of a micro-kernel's tile */
};

enum { LEFT_PLANES = 3 };
/* Planes of the right operand and of the product. */
static inline int32_t points_planes(const struct points *points)
{
    return points->gauss ? 3 : 2;
}

struct left_rows { /* left of the data passes */
    int32_t groups, chunk_groups, lanes;
    ptrdiff_t row, point, real_point, real_first;
    int64_t floats;
};
void left_rows_make(struct left_rows *left, const struct points *points, int32_t groups, int32_t chunk_groups, int64_t rows);
struct fft_spectrum left_rows_at(const struct left_rows *left, float *base, int64_t row, int32_t group);

struct left_stack { /* left of weight gradients */
    int32_t lanes;
    ptrdiff_t pitch; /* between rows */
    int64_t rows;
    ptrdiff_t point, real_point, real_first;
    int64_t floats;
};
void left_stack_make(struct left_stack *left, const struct points *points, int32_t groups, int64_t rows);
struct fft_spectrum left_stack_at(const struct left_stack *left, float *base, int64_t row, int32_t group);

struct right {
    int32_t groups, lanes, panel_vectors;
    int32_t planes;
    ptrdiff_t point, real_point, real_first;
    int64_t floats;
};
void right_make(struct right *right, const struct points *points, int32_t groups, int64_t depth);
/* Index `index` of a chunk that begins at `first` and has `size` indices. */
struct fft_spectrum right_at(const struct right *right, float *base, int64_t first, int64_t size, int64_t index, int32_t group);

struct product {
    int32_t groups, lanes, planes;
    ptrdiff_t row, point, real_point, real_first;
    int64_t floats;
};
void product_make(struct product *product, const struct points *points, int32_t groups, int64_t rows);
struct fft_spectrum product_at(const struct product *product, float *base, int64_t row, int32_t group);

/* What the next call will touch, fetched into the second-level cache meanwhile: a stretch of the right operand, and of each row
 * of the left and of the product a piece. */
struct product_ahead {
    const float *a, *b, *c;
    int64_t a_floats, b_floats, c_floats;
};

/* One chunk of one point: every plane of the product from `depth` indices of both operands. */
struct product_call {
    const float *a; /* A[row][index] of plane 0 = a[row*a_row + index*a_col], or a[row*a_row + a_offset[index]]  */
    ptrdiff_t a_row, a_col, a_plane;
    const ptrdiff_t *a_offset; /* for two planes, or NULL; then a_plane = depth * a_col                                   */
    const float *b;            /* the chunk's panels                                                                    */
    float *c;
    ptrdiff_t c_row, c_plane;
    int64_t depth, rows;
    int32_t groups; /* of the right operand */
    bool real;      /* one plane */
    bool accumulate;
    struct product_ahead ahead; /* zeros: nothing */
};
void product_run(const struct points *points, const struct product_call *call);

/* Rows that a tile of that many vectors can have. */
int32_t family_rows(const struct mk_family *mk, int32_t vectors);

#endif
