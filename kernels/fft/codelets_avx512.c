/* The codelets with 16 channels per vector. */
#include "codelets.h"

#if defined(__AVX512F__)
#include <immintrin.h>

#define VEC __m512
#define LANES 16
#define MASK __mmask16
#define TABLE codelets_avx512
#define vec_load(p) _mm512_loadu_ps(p)
#define vec_store(p, v) _mm512_storeu_ps(p, v)
#define vec_zero() _mm512_setzero_ps()
#define vec_splat(f) _mm512_set1_ps(f)
#define vec_relu(v) _mm512_max_ps(_mm512_setzero_ps(), v) /* the second operand if either is NaN */
#define vec_load_masked(p, m) _mm512_maskz_loadu_ps(m, p)
#define vec_store_masked(p, m, v) _mm512_mask_storeu_ps(p, m, v)

static inline __mmask16 vec_mask(int first, int last)
{
    return (__mmask16)((1u << last) - (1u << first));
}

static inline __m512i lane_offsets(ptrdiff_t distance)
{
    const __m512i lane = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    return _mm512_mullo_epi32(lane, _mm512_set1_epi32((int)distance));
}

static inline __m512 vec_gather(const float *p, ptrdiff_t distance, __mmask16 mask)
{
    return _mm512_mask_i32gather_ps(_mm512_setzero_ps(), mask, lane_offsets(distance), p, 4);
}

static inline void vec_scatter(float *p, ptrdiff_t distance, __mmask16 mask, __m512 v)
{
    _mm512_mask_i32scatter_ps(p, mask, lane_offsets(distance), v, 4);
}

/* 16 x 16 in four steps: pairs of rows by 32 bits, of pairs by 64, then whole quarters twice. */
static inline __attribute__((always_inline)) void vec_transpose(__m512 *v)
{
    __m512 a[16], b[16];
#pragma GCC unroll 8
    for (int q = 0; q < 8; q++) {
        a[2 * q] = _mm512_unpacklo_ps(v[2 * q], v[2 * q + 1]);
        a[2 * q + 1] = _mm512_unpackhi_ps(v[2 * q], v[2 * q + 1]);
    }
#pragma GCC unroll 4
    for (int q = 0; q < 16; q += 4) {
        const __m512d a0 = _mm512_castps_pd(a[q]), a1 = _mm512_castps_pd(a[q + 1]), a2 = _mm512_castps_pd(a[q + 2]),
                      a3 = _mm512_castps_pd(a[q + 3]);
        b[q] = _mm512_castpd_ps(_mm512_unpacklo_pd(a0, a2));
        b[q + 1] = _mm512_castpd_ps(_mm512_unpackhi_pd(a0, a2));
        b[q + 2] = _mm512_castpd_ps(_mm512_unpacklo_pd(a1, a3));
        b[q + 3] = _mm512_castpd_ps(_mm512_unpackhi_pd(a1, a3));
    }
#pragma GCC unroll 4
    for (int q = 0; q < 4; q++) {
        const __m512 even_low = _mm512_shuffle_f32x4(b[q], b[q + 4], 0x88), odd_low = _mm512_shuffle_f32x4(b[q], b[q + 4], 0xdd);
        const __m512 even_high = _mm512_shuffle_f32x4(b[q + 8], b[q + 12], 0x88);
        const __m512 odd_high = _mm512_shuffle_f32x4(b[q + 8], b[q + 12], 0xdd);
        v[q] = _mm512_shuffle_f32x4(even_low, even_high, 0x88);
        v[q + 4] = _mm512_shuffle_f32x4(odd_low, odd_high, 0x88);
        v[q + 8] = _mm512_shuffle_f32x4(even_low, even_high, 0xdd);
        v[q + 12] = _mm512_shuffle_f32x4(odd_low, odd_high, 0xdd);
    }
}

#include "codelet_body.h"
#endif
