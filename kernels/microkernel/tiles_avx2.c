/* AVX2 with FMA: 16 registers hold 6 x 2 vectors of C, two of B and the broadcast. */
#include "tiles.h"

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
#define vec_relu(v) _mm256_max_ps(_mm256_setzero_ps(), v) /* of an unordered pair the second is taken */
#define NAME(rows, vectors) tile_##rows##x##vectors
#include "tile_body.h"

#define EACH_ROW(X, v) X(1, v) X(2, v) X(3, v) X(4, v) X(5, v) X(6, v)
EACH_ROW(DEFINE_TILE, 1)
EACH_ROW(DEFINE_TILE, 2)
#define EACH_LOW_ROW(X, v) X(1, v) X(2, v) X(3, v)
EACH_LOW_ROW(DEFINE_TILE, 3)
EACH_LOW_ROW(DEFINE_TILE, 4)

#define ENTRY(rows, vectors) [rows - 1][vectors - 1] = NAME(rows, vectors),
const struct mk_family mk_avx2 = {.name = "avx2",
                                  .lanes = LANES,
                                  .rows = 6,
                                  .vectors = 2,
                                  .tile = {EACH_ROW(ENTRY, 1) EACH_ROW(ENTRY, 2) EACH_LOW_ROW(ENTRY, 3) EACH_LOW_ROW(ENTRY, 4)}};
#endif
