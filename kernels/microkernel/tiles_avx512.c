/* AVX-512: 32 registers hold 14 x 2 vectors of C, two of B and the broadcast, or 6 x 4, or 9 x 3. */
#include "tiles.h"

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
#define vec_relu(v) _mm512_max_ps(_mm512_setzero_ps(), v) /* of an unordered pair the second is taken */
#define NAME(rows, vectors) tile_##rows##x##vectors
#include "tile_body.h"

#define EACH_ROW(X, v) X(1, v) X(2, v) X(3, v) X(4, v) X(5, v) X(6, v)
EACH_ROW(DEFINE_TILE, 1)
EACH_ROW(DEFINE_TILE, 2)
EACH_ROW(DEFINE_TILE, 3)
EACH_ROW(DEFINE_TILE, 4)
#define EACH_HIGH_ROW(X, v) X(7, v) X(8, v) X(9, v)
EACH_HIGH_ROW(DEFINE_TILE, 1)
EACH_HIGH_ROW(DEFINE_TILE, 2)
EACH_HIGH_ROW(DEFINE_TILE, 3)
#define EACH_TOP_ROW(X, v) X(10, v) X(11, v) X(12, v) X(13, v) X(14, v)
EACH_TOP_ROW(DEFINE_TILE, 1)
EACH_TOP_ROW(DEFINE_TILE, 2)

#define ENTRY(rows, vectors) [rows - 1][vectors - 1] = NAME(rows, vectors),
const struct mk_family mk_avx512 = {.name = "avx512",
                                    .lanes = LANES,
                                    .rows = 14,
                                    .vectors = 2,
                                    .tile = {EACH_ROW(ENTRY, 1) EACH_ROW(ENTRY, 2) EACH_ROW(ENTRY, 3) EACH_ROW(ENTRY, 4)
                                                 EACH_HIGH_ROW(ENTRY, 1) EACH_HIGH_ROW(ENTRY, 2) EACH_HIGH_ROW(ENTRY, 3)
                                                     EACH_TOP_ROW(ENTRY, 1) EACH_TOP_ROW(ENTRY, 2)}};
#endif
