/* lanes_avx2: see lanes.h. */
#ifndef CONVOY_IM2COL_LANES_AVX2_H
#define CONVOY_IM2COL_LANES_AVX2_H

#include <immintrin.h>
#include <stdint.h>

#define LANES 8
typedef __m256 lanes;
typedef __m256i lanes_mask;

static inline lanes_mask lanes_mask_first(int64_t count)
{
    return _mm256_cmpgt_epi32(_mm256_set1_epi32((int)count), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}
static inline lanes lanes_set(float value) { return _mm256_set1_ps(value); }
static inline lanes lanes_load(const float *p) { return _mm256_loadu_ps(p); }
static inline lanes lanes_load_some(const float *p, lanes_mask mask) { return _mm256_maskload_ps(p, mask); }
static inline void lanes_store(float *p, lanes v) { _mm256_storeu_ps(p, v); }
static inline void lanes_store_some(float *p, lanes_mask mask, lanes v) { _mm256_maskstore_ps(p, mask, v); }
static inline void lanes_stream(float *p, lanes v) { _mm256_stream_ps(p, v); }
static inline void lanes_fence(void) { _mm_sfence(); }
static inline lanes lanes_keep(lanes v, lanes_mask mask) { return _mm256_and_ps(v, _mm256_castsi256_ps(mask)); }
static inline lanes lanes_choose(lanes_mask mask, lanes a, lanes b)
{
    return _mm256_blendv_ps(b, a, _mm256_castsi256_ps(mask));
}
static inline lanes lanes_add(lanes a, lanes b) { return _mm256_add_ps(a, b); }
static inline lanes lanes_sub(lanes a, lanes b) { return _mm256_sub_ps(a, b); }
static inline lanes lanes_mul(lanes a, lanes b) { return _mm256_mul_ps(a, b); }
static inline lanes lanes_multiply_add(lanes a, lanes b, lanes c) { return _mm256_fmadd_ps(a, b, c); }
/* The second operand where either is NaN. */
static inline lanes lanes_rectify(lanes v) { return _mm256_max_ps(_mm256_setzero_ps(), v); }
static inline lanes lanes_where_positive(lanes condition, lanes v, lanes otherwise)
{
    return _mm256_blendv_ps(otherwise, v, _mm256_cmp_ps(condition, _mm256_setzero_ps(), _CMP_GT_OQ));
}

/* Sums of four vectors over each half of theirs, added: four totals. */
static inline __m128 lanes_total_four(const lanes *v)
{
    const lanes sums = _mm256_hadd_ps(_mm256_hadd_ps(v[0], v[1]), _mm256_hadd_ps(v[2], v[3]));
    return _mm_add_ps(_mm256_castps256_ps128(sums), _mm256_extractf128_ps(sums, 1));
}

static inline void lanes_totals(const lanes v[16], float totals[16])
{
    for (int four = 0; four < 16; four += 4)
        _mm_storeu_ps(totals + four, lanes_total_four(v + four));
}
static inline float lanes_total(lanes v)
{
    const lanes four[4] = {v, v, v, v};
    return _mm_cvtss_f32(lanes_total_four(four));
}

#endif
