/* AVX-512: 32 registers hold 6 x 2 complex sums, two complex vectors of B and the broadcasts, or 13 x 1, or 2 x 4. */
#include "complex_tile.h"

#if defined(__AVX512F__)
#include <immintrin.h>

#define VEC __m512
#define LANES 16
#define vec_load(p) _mm512_loadu_ps(p)
#define vec_store(p, v) _mm512_storeu_ps(p, v)
#define vec_broadcast(p) _mm512_set1_ps(*(p))
#define vec_zero() _mm512_setzero_ps()
#define vec_add(a, b) _mm512_add_ps(a, b)
#define vec_fma(a, b, c) _mm512_fmadd_ps(a, b, c)
#define vec_fnma(a, b, c) _mm512_fnmadd_ps(a, b, c)
#define NAME(rows, vectors) complex_##rows##x##vectors
#include "complex_body.h"

#define FEW_ROWS(X, v) X(1, v) X(2, v)
#define SOME_ROWS(X, v) FEW_ROWS(X, v) X(3, v) X(4, v) X(5, v) X(6, v)
#define MANY_ROWS(X, v) SOME_ROWS(X, v) X(7, v) X(8, v) X(9, v) X(10, v) X(11, v) X(12, v) X(13, v)
MANY_ROWS(DEFINE_TILE, 1)
SOME_ROWS(DEFINE_TILE, 2)
FEW_ROWS(DEFINE_TILE, 4)
FEW_ROWS(DEFINE_TILE, 3)
const struct complex_family complex_avx512 = {
    .name = "avx512",
    .vectors = 2,
    .few_rows = 2,
    .few_vectors = 4,
    .tile = {MANY_ROWS(ENTRY, 1) SOME_ROWS(ENTRY, 2) FEW_ROWS(ENTRY, 3) FEW_ROWS(ENTRY, 4)},
};
#endif
