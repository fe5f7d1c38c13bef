/* complex_tile: register tiles of a complex product, C[i][j] (+)= sum over k of A[i][k] * conj(B[k][j]), all parts in registers,
 * lanes along j. Each vector of B is loaded once for both parts of C: with few rows this halves what is read of B, which is the
 * larger operand, and a row costs two broadcasts for four products per vector. It knows no points, panels or chunks.
 *
 * No alignment is required beyond 4 bytes. All functions [any]. */
#ifndef CONVOY_KERNELS_FFT_COMPLEX_TILE_H
#define CONVOY_KERNELS_FFT_COMPLEX_TILE_H

#include <stddef.h>
#include <stdint.h>

struct complex_tile {
    const float *a; /* re A[i][k] = a[i*a_row + k*a_col], or a[i*a_row + a_offset[k]]; im a_plane behind */
    ptrdiff_t a_row, a_col, a_plane;
    const ptrdiff_t *a_offset; /* NULL: strides */
    const float *b;            /* re B[k] = b[k*b_row ...], im b_plane behind */
    ptrdiff_t b_row, b_plane;
    float *c; /* re C[i] = c[i*c_row ...], im c_plane behind */
    ptrdiff_t c_row, c_plane;
    int64_t k;
    int32_t accumulate; /* 0: C is overwritten, 1: C is added to (the sum over k is formed first) */
    int32_t fetch;      /* 1: B is one stream and read for the first time; what follows it is fetched ahead */
};

typedef void complex_tile_fn(const struct complex_tile *tile);

enum { COMPLEX_MAX_ROWS = 13, COMPLEX_MAX_VECTORS = 4 };

struct complex_family {
    const char *name;              /* as the micro-kernel's */
    int32_t vectors;               /* of the tile for many rows */
    int32_t few_rows, few_vectors; /* up to so many rows, a tile of so many vectors keeps the multipliers busier */
    /* tile[rows-1][vectors-1], every row count from 1 to the largest of a vector count; vectors 1 and the two above */
    complex_tile_fn *tile[COMPLEX_MAX_ROWS][COMPLEX_MAX_VECTORS];
};

/* By the micro-kernel's family name. */
const struct complex_family *complex_family(const char *name);

extern const struct complex_family complex_avx512, complex_avx2, complex_portable; /* the first two on x86-64 only */

#endif
