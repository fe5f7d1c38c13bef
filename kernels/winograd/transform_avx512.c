/* AVX-512: a pixel is one vector; 16x16 transposes. */
#include "transform.h"

#if defined(__AVX512F__)
#include <immintrin.h>
#include <math.h>

#define VEC __m512
enum { LANES = 16 };
#define vec_load(p) _mm512_loadu_ps(p)
#define vec_store(p, v) _mm512_storeu_ps(p, v)
#include "transform_body.h"

/* Four rounds of 16 shuffles: pairs and quads of lanes within 128 bits, then the 128-bit parts. */
static inline __attribute__((always_inline)) void transpose16(VEC *v)
{
    VEC a[16], b[16];
#pragma GCC unroll 16
    for (int i = 0; i < 16; i += 2) {
        a[i] = _mm512_unpacklo_ps(v[i], v[i + 1]);
        a[i + 1] = _mm512_unpackhi_ps(v[i], v[i + 1]);
    }
#pragma GCC unroll 16
    for (int i = 0; i < 16; i += 4) {
        b[i] = _mm512_shuffle_ps(a[i], a[i + 2], 0x44);
        b[i + 1] = _mm512_shuffle_ps(a[i], a[i + 2], 0xee);
        b[i + 2] = _mm512_shuffle_ps(a[i + 1], a[i + 3], 0x44);
        b[i + 3] = _mm512_shuffle_ps(a[i + 1], a[i + 3], 0xee);
    }
#pragma GCC unroll 16
    for (int i = 0; i < 4; i++) {
        a[i] = _mm512_shuffle_f32x4(b[i], b[i + 4], 0x88);
        a[i + 4] = _mm512_shuffle_f32x4(b[i], b[i + 4], 0xdd);
        a[i + 8] = _mm512_shuffle_f32x4(b[i + 8], b[i + 12], 0x88);
        a[i + 12] = _mm512_shuffle_f32x4(b[i + 8], b[i + 12], 0xdd);
    }
#pragma GCC unroll 16
    for (int i = 0; i < 4; i++) {
        v[i] = _mm512_shuffle_f32x4(a[i], a[i + 8], 0x88);
        v[i + 8] = _mm512_shuffle_f32x4(a[i], a[i + 8], 0xdd);
        v[i + 4] = _mm512_shuffle_f32x4(a[i + 4], a[i + 12], 0x88);
        v[i + 12] = _mm512_shuffle_f32x4(a[i + 4], a[i + 12], 0xdd);
    }
}

/* Lanes first .. last-1. */
static inline __mmask16 lane_mask(int64_t first, int64_t last)
{
    const uint32_t low = first < 0 ? 0 : first > 16 ? 16 : (uint32_t)first, high = last < 0 ? 0 : last > 16 ? 16 : (uint32_t)last;
    return (__mmask16)(((1u << high) - 1) & ~((1u << low) - 1));
}

static inline __attribute__((always_inline)) void load_channels(const float *from, const struct pixel_row *shape,
                                                                const int32_t channels, __mmask16 mask, VEC *v)
{
#pragma GCC unroll 16
    for (int32_t c = 0; c < 16; c++) {
        const float *at = from + c * shape->channel_stride;
        v[c] = c < channels ? _mm512_maskz_loadu_ps(mask, at) : _mm512_setzero_ps();
        if (c < channels)
            __builtin_prefetch(at + shape->ahead);
    }
}

/* Pixels between the start of a cache line and this address. Blocks begin where lines do, in the first channel and most often
 * in all: channels may be a multiple of the page size apart, and then 32 halves of lines compete for one cache set. */
static inline int64_t misaligned(const float *at)
{
    return (int64_t)((uintptr_t)at / sizeof *at % 16);
}

static void clear(float *to, int64_t pixels)
{
    for (int64_t p = 0; p < pixels; p++)
        _mm512_storeu_ps(to + p * BLOCK, _mm512_setzero_ps());
}

static void gather(const float *row, const struct pixel_row *shape, int64_t x0, int64_t pixels, float *to)
{
    const int64_t end = x0 + pixels, left = x0 < 0 ? (end < 0 ? end : 0) : x0, right = end < shape->width ? end : shape->width;
    int64_t x = left;
    if (x < right) {
        for (x -= misaligned(row + x); x < right; x += 16) {
            const __mmask16 mask = lane_mask(-x, shape->width - x);
            VEC v[16];
            if (shape->channels == BLOCK)
                load_channels(row + x, shape, BLOCK, mask, v);
            else
                load_channels(row + x, shape, shape->channels, mask, v);
            transpose16(v);
#pragma GCC unroll 16
            for (int32_t p = 0; p < 16; p++)
                _mm512_storeu_ps(to + (x - x0 + p) * BLOCK, v[p]);
        }
    }
    clear(to, left - x0);
    if (x < end)
        clear(to + (x - x0) * BLOCK, end - x);
}

static inline __attribute__((always_inline)) void store_channels(float *to, const struct pixel_row *shape,
                                                                 const int32_t channels, __mmask16 mask, const VEC *v)
{
#pragma GCC unroll 16
    for (int32_t c = 0; c < 16; c++) {
        float *at = to + c * shape->channel_stride;
        if (c < channels) {
            _mm512_mask_storeu_ps(at, mask, v[c]);
            __builtin_prefetch(at + shape->ahead, 1);
        }
    }
}

/* Whole lines of 16 channels, past the caches. Nothing is fetched: the line is not read. */
static inline __attribute__((always_inline)) void stream_channels(float *to, const struct pixel_row *shape, const VEC *v)
{
#pragma GCC unroll 16
    for (int32_t c = 0; c < 16; c++)
        _mm512_stream_ps(to + c * shape->channel_stride, v[c]);
}

static void scatter(const float *from, int64_t pixels, const float *bias, int relu, const struct pixel_row *shape, float *row)
{
    const VEC b = _mm512_loadu_ps(bias), floor = relu ? _mm512_setzero_ps() : _mm512_set1_ps(-INFINITY);
    const int stream = shape->stream && shape->channels == BLOCK && shape->channel_stride % 16 == 0;
    for (int64_t x = -misaligned(row); x < pixels; x += 16) {
        const __mmask16 mask = lane_mask(-x, pixels - x);
        VEC v[16];
#pragma GCC unroll 16
        for (int32_t p = 0; p < 16; p++) /* the second operand is what max returns for a NaN */
            v[p] = _mm512_max_ps(floor, _mm512_add_ps(_mm512_loadu_ps(from + (x + p) * BLOCK), b));
        transpose16(v);
        if (stream && mask == 0xffff)
            stream_channels(row + x, shape, v);
        else if (shape->channels == BLOCK)
            store_channels(row + x, shape, BLOCK, mask, v);
        else
            store_channels(row + x, shape, shape->channels, mask, v);
    }
}

static void order_stores(void)
{
    _mm_sfence();
}

const struct transform_family transform_avx512 = {
    .name = "avx512",
    .gather = gather,
    .scatter = scatter,
    .order_stores = order_stores,
    .transforms = transforms,
    .count = sizeof transforms / sizeof transforms[0],
};
#endif
