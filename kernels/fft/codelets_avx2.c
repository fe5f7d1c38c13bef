/* The codelets with 8 channels per vector. */
#include "codelets.h"

#if defined(__AVX2__) && defined(__FMA__)
#include <immintrin.h>

#define VEC __m256
#define LANES 8
#define MASK __m256i
#define TABLE codelets_avx2
#define vec_load(p) _mm256_loadu_ps(p)
#define vec_store(p, v) _mm256_storeu_ps(p, v)
#define vec_zero() _mm256_setzero_ps()
#define vec_splat(f) _mm256_set1_ps(f)
#define vec_relu(v) _mm256_max_ps(_mm256_setzero_ps(), v) /* the second operand if either is NaN */
#define vec_load_masked(p, m) _mm256_maskload_ps(p, m)

static inline __m256i lane_numbers(void)
{
    return _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
}

static inline __m256i vec_mask(int first, int last)
{
    return _mm256_andnot_si256(_mm256_cmpgt_epi32(_mm256_set1_epi32(first), lane_numbers()),
                               _mm256_cmpgt_epi32(_mm256_set1_epi32(last), lane_numbers()));
}

/* A masked store costs many times a plain one on some processors. */
static inline void vec_store_masked(float *p, __m256i mask, __m256 v)
{
    if (_mm256_movemask_ps(_mm256_castsi256_ps(mask)) == 0xff)
        _mm256_storeu_ps(p, v);
    else
        _mm256_maskstore_ps(p, mask, v);
}

static inline __m256 vec_gather(const float *p, ptrdiff_t distance, __m256i mask)
{
    const __m256i offset = _mm256_mullo_epi32(lane_numbers(), _mm256_set1_epi32((int)distance));
    return _mm256_mask_i32gather_ps(_mm256_setzero_ps(), p, offset, _mm256_castsi256_ps(mask), 4);
}

static inline void vec_scatter(float *p, ptrdiff_t distance, __m256i mask, __m256 v)
{
    float value[8];
    _mm256_storeu_ps(value, v);
    for (unsigned chosen = (unsigned)_mm256_movemask_ps(_mm256_castsi256_ps(mask)); chosen; chosen &= chosen - 1) {
        const int lane = __builtin_ctz(chosen);
        p[lane * distance] = value[lane];
    }
}

static inline __attribute__((always_inline)) void vec_transpose(__m256 *v)
{
    __m256 a[8], b[8];
#pragma GCC unroll 4
    for (int q = 0; q < 4; q++) {
        a[2 * q] = _mm256_unpacklo_ps(v[2 * q], v[2 * q + 1]);
        a[2 * q + 1] = _mm256_unpackhi_ps(v[2 * q], v[2 * q + 1]);
    }
#pragma GCC unroll 2
    for (int q = 0; q < 8; q += 4) {
        b[q] = _mm256_shuffle_ps(a[q], a[q + 2], 0x44);
        b[q + 1] = _mm256_shuffle_ps(a[q], a[q + 2], 0xee);
        b[q + 2] = _mm256_shuffle_ps(a[q + 1], a[q + 3], 0x44);
        b[q + 3] = _mm256_shuffle_ps(a[q + 1], a[q + 3], 0xee);
    }
#pragma GCC unroll 4
    for (int q = 0; q < 4; q++) {
        v[q] = _mm256_permute2f128_ps(b[q], b[q + 4], 0x20);
        v[q + 4] = _mm256_permute2f128_ps(b[q], b[q + 4], 0x31);
    }
}

#include "codelet_body.h"
#endif
