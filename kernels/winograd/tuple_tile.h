/* tuple_tile: register tiles for products of at most SPLIT terms, which is all that the Winograd engine computes. Beside the
 * shared family (microkernel.h) they have the loop over terms unrolled, so that its end is predicted and the end of one tile
 * overlaps the start of the next, fetch their part of C at the start, and carry two streams of prefetches between the
 * multiplications, for whoever comes next. Instruction sets without such a table use the shared family.
 * Knows strides only. All functions [any]; 4-byte alignment suffices. */
#ifndef CONVOY_WINOGRAD_TUPLE_TILE_H
#define CONVOY_WINOGRAD_TUPLE_TILE_H

#include "microkernel.h"

/* C[i][j] (+)= sum over k of A[i][k] B[k][j]. */
struct tuple_tile {
    const float *a; /* product: A[i][k] = a[i*a_stride + k]; gradient: A[i][k] = a[k*a_stride + i]                */
    ptrdiff_t a_stride;
    const float *b;
    ptrdiff_t b_stride; /* B[k][j] = b[k*b_stride + j]                                                            */
    float *c;
    ptrdiff_t c_stride;
    int64_t k;
    int32_t accumulate; /* 1: C is added to, after the sum over k has been formed                                 */
    /* Lines fetched while computing: at step k, near + k*near_step for each vector of the tile into the first level cache,
     * and far + k*far_step into the second. Steps in bytes; nothing is read, any address will do. */
    const char *near, *far;
    ptrdiff_t near_step, far_step;
};

typedef void tuple_tile_fn(const struct tuple_tile *tile);

struct tuple_tiles {
    tuple_tile_fn *product[MK_MAX_ROWS][MK_MAX_VECTORS], *gradient[MK_MAX_ROWS][MK_MAX_VECTORS]; /* as in mk_family */
};

extern const struct tuple_tiles tuple_tiles_avx512; /* on x86-64 only */

#endif
