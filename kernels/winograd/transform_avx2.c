/* AVX2 with FMA: a pixel is two vectors; 8x8 transposes. */
#include "transform.h"

#if defined(__AVX2__) && defined(__FMA__)
#include <immintrin.h>

#define VEC __m256
enum { LANES = 8 };
#define vec_load(p) _mm256_loadu_ps(p)
#define vec_store(p, v) _mm256_storeu_ps(p, v)
#include "transform_body.h"

static inline __attribute__((always_inline)) void transpose8(VEC *v)
{
    VEC a[8], b[8];
    for (int i = 0; i < 8; i += 2) {
        a[i] = _mm256_unpacklo_ps(v[i], v[i + 1]);
        a[i + 1] = _mm256_unpackhi_ps(v[i], v[i + 1]);
    }
    for (int i = 0; i < 8; i += 4) {
        b[i] = _mm256_shuffle_ps(a[i], a[i + 2], 0x44);
        b[i + 1] = _mm256_shuffle_ps(a[i], a[i + 2], 0xee);
        b[i + 2] = _mm256_shuffle_ps(a[i + 1], a[i + 3], 0x44);
        b[i + 3] = _mm256_shuffle_ps(a[i + 1], a[i + 3], 0xee);
    }
    for (int i = 0; i < 4; i++) {
        v[i] = _mm256_permute2f128_ps(b[i], b[i + 4], 0x20);
        v[i + 4] = _mm256_permute2f128_ps(b[i], b[i + 4], 0x31);
    }
}

/* Lanes first .. last-1. */
static inline __m256i lane_mask(int64_t first, int64_t last)
{
    const __m256i lane = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    const int32_t low = first < 0 ? 0 : first > 8 ? 8 : (int32_t)first, high = last < 0 ? 0 : last > 8 ? 8 : (int32_t)last;
    return _mm256_andnot_si256(_mm256_cmpgt_epi32(_mm256_set1_epi32(low), lane),
                               _mm256_cmpgt_epi32(_mm256_set1_epi32(high), lane));
}

static void gather(const float *row, const struct pixel_row *shape, int64_t x0, int64_t pixels, float *to)
{
    for (int64_t x = x0; x < x0 + pixels; x += 8, to += 8 * BLOCK) {
        const __m256i mask = lane_mask(-x, shape->width - x);
        const int whole = x >= 0 && x + 8 <= shape->width;
        for (int32_t half = 0; half < BLOCK; half += 8) {
            VEC v[8];
            for (int32_t c = 0; c < 8; c++) {
                const float *at = row + (half + c) * shape->channel_stride + x;
                v[c] = half + c >= shape->channels ? _mm256_setzero_ps()
                       : whole                     ? _mm256_loadu_ps(at)
                                                   : _mm256_maskload_ps(at, mask);
                __builtin_prefetch(at + shape->ahead);
            }
            transpose8(v);
            for (int32_t p = 0; p < 8; p++)
                _mm256_storeu_ps(to + p * BLOCK + half, v[p]);
        }
    }
}

static void scatter(const float *from, int64_t pixels, const float *bias, int relu, const struct pixel_row *shape, float *row)
{
    const VEC floor = _mm256_setzero_ps();
    for (int64_t x = 0; x < pixels; x += 8, from += 8 * BLOCK) {
        const __m256i mask = lane_mask(0, pixels - x);
        for (int32_t half = 0; half < BLOCK && half < shape->channels; half += 8) {
            VEC v[8];
            const VEC b = _mm256_loadu_ps(bias + half);
            for (int32_t p = 0; p < 8; p++) {
                /* Beyond the last pixel any value will do; this one is readable. */
                const float *at = x + p < pixels ? from + p * BLOCK + half : from + half;
                v[p] = _mm256_add_ps(_mm256_loadu_ps(at), b);
                if (relu)
                    v[p] = _mm256_max_ps(floor, v[p]); /* the second operand is what max returns for a NaN */
            }
            transpose8(v);
            for (int32_t c = 0; c < 8 && half + c < shape->channels; c++) {
                float *at = row + (half + c) * shape->channel_stride + x;
                _mm256_maskstore_ps(at, mask, v[c]);
                __builtin_prefetch(at + shape->ahead, 1);
            }
        }
    }
}

const struct transform_family transform_avx2 = {
    .name = "avx2",
    .gather = gather,
    .scatter = scatter,
    .transforms = transforms,
    .count = sizeof transforms / sizeof transforms[0],
};
#endif
