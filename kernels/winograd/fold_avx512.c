/* AVX-512: rows split into their phases where the stride is a power of two, by rounds that part even from odd pixels. */
#include "fold.h"

#if defined(__AVX512F__)
#include <immintrin.h>

enum { LANES = 16 };
#define UNROLL _Pragma("GCC unroll 16")

/* Lanes first .. last-1. */
static inline __mmask16 lane_mask(int64_t first, int64_t last)
{
    const uint32_t low = first < 0 ? 0 : first > 16 ? 16 : (uint32_t)first, high = last < 0 ? 0 : last > 16 ? 16 : (uint32_t)last;
    return (__mmask16)(((1u << high) - 1) & ~((1u << low) - 1));
}

/* After each round the first half of the vectors has the even pixels of what was there, so that in the end number i has the
 * phase whose bits are those of i reversed. */
static inline __attribute__((always_inline)) void split(const float *row, int64_t width, int64_t x0, int64_t places, float *to,
                                                        ptrdiff_t plane, const int bits)
{
    const int stride = 1 << bits;
    const __m512i even = _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
    const __m512i odd = _mm512_setr_epi32(1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31);
    for (int64_t place = 0; place < places; place += LANES, to += LANES) {
        __m512 v[LANES], w[LANES];
        const int64_t x = x0 + place * stride;
        UNROLL for (int i = 0; i < stride; i++) v[i] =
            _mm512_maskz_loadu_ps(lane_mask(-(x + i * LANES), width - (x + i * LANES)), row + x + i * LANES);
        UNROLL for (int round = 0; round < bits; round++)
        {
            /* Groups of vectors that hold the same phases, in order of their places. */
            const int group = stride >> round;
            UNROLL for (int i = 0; i < stride; i += 2)
            {
                const int first = i / group * group, at = first + (i - first) / 2;
                w[at] = _mm512_permutex2var_ps(v[i], even, v[i + 1]);
                w[at + group / 2] = _mm512_permutex2var_ps(v[i], odd, v[i + 1]);
            }
            UNROLL for (int i = 0; i < stride; i++) v[i] = w[i];
        }
        const __mmask16 mask = lane_mask(0, places - place);
        UNROLL for (int i = 0; i < stride; i++)
        {
            int phase = 0;
            UNROLL for (int bit = 0; bit < bits; bit++) phase |= (i >> bit & 1) << (bits - 1 - bit);
            _mm512_mask_storeu_ps(to + phase * plane, mask, v[i]);
        }
    }
}

#define DEFINE_SPLIT(stride, bits)                                                                                               \
    static void split_##stride(const float *row, int64_t width, int64_t x0, int64_t places, float *to, ptrdiff_t plane)          \
    {                                                                                                                            \
        split(row, width, x0, places, to, plane, bits);                                                                          \
    }
DEFINE_SPLIT(2, 1)
DEFINE_SPLIT(4, 2)
DEFINE_SPLIT(8, 3)
DEFINE_SPLIT(16, 4)

fold_split_fn *const fold_split_avx512[FOLD_MOST_SPLIT + 1] = {[2] = split_2, [4] = split_4, [8] = split_8, [16] = split_16};
#endif
