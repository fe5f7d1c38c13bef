/* AVX2: 16 registers hold 6 x 1 complex sums, one complex vector of B and the broadcast, or 2 x 2. */
#include "complex_tile.h"

#if defined(__AVX2__) && defined(__FMA__)
#include <immintrin.h>

#define VEC __m256
#define LANES 8
#define vec_load(p) _mm256_loadu_ps(p)
#define vec_store(p, v) _mm256_storeu_ps(p, v)
#define vec_broadcast(p) _mm256_broadcast_ss(p)
#define vec_zero() _mm256_setzero_ps()
#define vec_add(a, b) _mm256_add_ps(a, b)
#define vec_fma(a, b, c) _mm256_fmadd_ps(a, b, c)
#define vec_fnma(a, b, c) _mm256_fnmadd_ps(a, b, c)
#define NAME(rows, vectors) complex_##rows##x##vectors
#include "complex_body.h"

#define FEW_ROWS(X, v) X(1, v) X(2, v)
#define MANY_ROWS(X, v) FEW_ROWS(X, v) X(3, v) X(4, v) X(5, v) X(6, v)
MANY_ROWS(DEFINE_TILE, 1)
FEW_ROWS(DEFINE_TILE, 2)
const struct complex_family complex_avx2 = {
    .name = "avx2",
    .vectors = 1,
    .few_rows = 2,
    .few_vectors = 2,
    .tile = {MANY_ROWS(ENTRY, 1) FEW_ROWS(ENTRY, 2)},
};
#endif
