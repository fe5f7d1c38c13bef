/* lanes_avx512: see lanes.h. */
#ifndef CONVOY_IM2COL_LANES_AVX512_H
#define CONVOY_IM2COL_LANES_AVX512_H

#include <immintrin.h>
#include <stdint.h>

#define LANES 16
typedef __m512 lanes;
typedef __mmask16 lanes_mask;

static inline lanes_mask lanes_mask_first(int64_t count)
{
    return (lanes_mask)((1u << count) - 1);
}
static inline lanes lanes_set(float value) { return _mm512_set1_ps(value); }
static inline lanes lanes_load(const float *p) { return _mm512_loadu_ps(p); }
static inline lanes lanes_load_some(const float *p, lanes_mask mask) { return _mm512_maskz_loadu_ps(mask, p); }
static inline void lanes_store(float *p, lanes v) { _mm512_storeu_ps(p, v); }
static inline void lanes_store_some(float *p, lanes_mask mask, lanes v) { _mm512_mask_storeu_ps(p, mask, v); }
static inline void lanes_stream(float *p, lanes v) { _mm512_stream_ps(p, v); }
static inline void lanes_fence(void) { _mm_sfence(); }
static inline lanes lanes_keep(lanes v, lanes_mask mask) { return _mm512_maskz_mov_ps(mask, v); }
static inline lanes lanes_choose(lanes_mask mask, lanes a, lanes b)
{
    return _mm512_mask_mov_ps(b, mask, a);
}
static inline lanes lanes_add(lanes a, lanes b) { return _mm512_add_ps(a, b); }
static inline lanes lanes_sub(lanes a, lanes b) { return _mm512_sub_ps(a, b); }
static inline lanes lanes_mul(lanes a, lanes b) { return _mm512_mul_ps(a, b); }
static inline lanes lanes_multiply_add(lanes a, lanes b, lanes c) { return _mm512_fmadd_ps(a, b, c); }
/* The second operand where either is NaN. */
static inline lanes lanes_rectify(lanes v) { return _mm512_max_ps(_mm512_setzero_ps(), v); }
static inline lanes lanes_where_positive(lanes condition, lanes v, lanes otherwise)
{
    return _mm512_mask_mov_ps(otherwise, _mm512_cmp_ps_mask(condition, _mm512_setzero_ps(), _CMP_GT_OQ), v);
}

/* Adds up four vectors: every quarter of the result holds their sums over that quarter. */
static inline lanes lanes_total_four(const lanes *v)
{
    const lanes a = _mm512_add_ps(_mm512_unpacklo_ps(v[0], v[1]), _mm512_unpackhi_ps(v[0], v[1]));
    const lanes b = _mm512_add_ps(_mm512_unpacklo_ps(v[2], v[3]), _mm512_unpackhi_ps(v[2], v[3]));
    const __m512d c = _mm512_castps_pd(a), d = _mm512_castps_pd(b);
    return _mm512_add_ps(_mm512_castpd_ps(_mm512_unpacklo_pd(c, d)), _mm512_castpd_ps(_mm512_unpackhi_pd(c, d)));
}

static inline void lanes_totals(const lanes v[16], float totals[16])
{
    const lanes p = lanes_total_four(v), q = lanes_total_four(v + 4), r = lanes_total_four(v + 8), s = lanes_total_four(v + 12);
    const lanes pq = _mm512_add_ps(_mm512_shuffle_f32x4(p, q, 0x44), _mm512_shuffle_f32x4(p, q, 0xee));
    const lanes rs = _mm512_add_ps(_mm512_shuffle_f32x4(r, s, 0x44), _mm512_shuffle_f32x4(r, s, 0xee));
    _mm512_storeu_ps(totals, _mm512_add_ps(_mm512_shuffle_f32x4(pq, rs, 0x88), _mm512_shuffle_f32x4(pq, rs, 0xdd)));
}
static inline float lanes_total(lanes v) { return _mm512_reduce_add_ps(v); }

#endif
