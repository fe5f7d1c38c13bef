/* microkernel: the register-tile family that the CPU kernels share.
 *
 * A tile computes C[i][j] (+)= sum over k of A[i][k] * B[k][j] for i < rows and j < vectors*lanes, with all of C in registers.
 * B rows are contiguous vectors; A elements are scalars that are broadcast, so A may be a packed panel, a transformed tile or the
 * pixels of an NCHW image as they lie. The method is that of GotoBLAS (Goto & van de Geijn, TOMS 34(3), 2008), with the roles
 * of A and B chosen so that lanes run over channels.
 *
 * Everything is float. No alignment is required beyond 4 bytes. Nothing here allocates; all functions [any]. */
#ifndef CONVOY_KERNELS_MICROKERNEL_H
#define CONVOY_KERNELS_MICROKERNEL_H

#include <stddef.h>
#include <stdint.h>

struct mk_tile {
    const float *a; /* A[i][k] = a[i*a_row + k*a_col], or a[i*a_row + a_offset[k]] if a_offset is not NULL  */
    ptrdiff_t a_row, a_col;
    const ptrdiff_t *a_offset;
    const float *b; /* B[k][j] = b[k*b_row + j]                                                           */
    ptrdiff_t b_row;
    float *c; /* C[i][j] = c[i*c_row + j]                                                           */
    ptrdiff_t c_row;
    int64_t k;                 /* >= 0                                                                               */
    int32_t accumulate;        /* 0: C is overwritten, 1: C is added to (the sum over k is formed first)              */
    int32_t relu;              /* 1: C = max(0, C) at the end; NaN stays NaN                                          */
    const ptrdiff_t *b_offset; /* B[k][j] = b[b_offset[k] + j] if not NULL; then a_offset must be NULL              */
    const float *row_add;      /* C[i][j] += row_add[i] at the end, before relu; NULL: nothing                        */
    /* Not with b_offset. The cache line at b_ahead + k*ahead_row is prefetched into L2 for a later call; NULL: nothing. It need
     * not exist. */
    const float *b_ahead;
    ptrdiff_t ahead_row;
    /* Neither with b_offset nor with a_offset. B[k][j] is stored to b_copy[k*vectors*lanes + j] on its way, and all lines of
     * a row of B are prefetched at b_ahead: the first of several calls packs what the others read; NULL: nothing. */
    float *b_copy;
};

typedef void mk_tile_fn(const struct mk_tile *tile);

enum { MK_MAX_ROWS = 14, MK_MAX_VECTORS = 4 };

struct mk_family {
    const char *name;      /* "avx512", "avx2", "portable"                                                       */
    int32_t lanes;         /* floats per vector                                                                  */
    int32_t rows, vectors; /* the tile that comes nearest to the peak: 14 x 2, 6 x 2, 4 x 2                       */
    /* tile[rows-1][vectors-1]; NULL where that many registers do not exist. Every row count from 1 to the largest of a
     * vector count is there, so a remainder never needs another path. */
    mk_tile_fn *tile[MK_MAX_ROWS][MK_MAX_VECTORS];
};

/* The widest family that this CPU runs. CONVOY_ISA=portable|avx2|avx512 narrows the choice (tests use it); a wider one than the
 * CPU has is ignored. */
const struct mk_family *mk_family_select(void);

/* A family by name, NULL if it is not compiled in or the CPU lacks it. */
const struct mk_family *mk_family_by_name(const char *name);

#endif
