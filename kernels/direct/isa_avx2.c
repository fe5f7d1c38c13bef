/* AVX2: tiles of 6 outputs by 16 channels are turned over 8 x 8 at a time in registers. */
#include "isa.h"
#include "tiles.h"

#if defined(__AVX2__) && defined(__FMA__)
#include <immintrin.h>

enum { LANES = 8 };
#include "fill_body.h"
#include "depthwise_body.h"
#include "columns_body.h"
#include "scatter_body.h"

/* Rows of v become columns: unpack pairs of rows, then pairs of pairs, then exchange halves. */
static inline __attribute__((always_inline)) void transpose_8x8(__m256 v[8])
{
    __m256 t[8];
#pragma GCC unroll 4
    for (int i = 0; i < 8; i += 2) {
        t[i] = _mm256_unpacklo_ps(v[i], v[i + 1]);
        t[i + 1] = _mm256_unpackhi_ps(v[i], v[i + 1]);
    }
#pragma GCC unroll 2
    for (int i = 0; i < 8; i += 4) {
        v[i] = _mm256_shuffle_ps(t[i], t[i + 2], 0x44);
        v[i + 1] = _mm256_shuffle_ps(t[i], t[i + 2], 0xee);
        v[i + 2] = _mm256_shuffle_ps(t[i + 1], t[i + 3], 0x44);
        v[i + 3] = _mm256_shuffle_ps(t[i + 1], t[i + 3], 0xee);
    }
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++) {
        t[i] = _mm256_permute2f128_ps(v[i], v[i + 4], 0x20);
        t[i + 4] = _mm256_permute2f128_ps(v[i], v[i + 4], 0x31);
    }
#pragma GCC unroll 8
    for (int i = 0; i < 8; i++)
        v[i] = t[i];
}

static inline __m256i first_lanes(int64_t count)
{
    return _mm256_cmpgt_epi32(_mm256_set1_epi32((int)count), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}

static void store_tile(const struct tile_store *s)
{
    if (s->y_col != 1) {
        store_scattered(s);
        return;
    }
    const __m256i mask = first_lanes(s->rows);
    const __m256 floor = s->relu ? _mm256_setzero_ps() : _mm256_set1_ps(-__builtin_inff());
    for (int32_t first = 0; first < s->channels; first += LANES) {
        __m256 v[8];
#pragma GCC unroll 8
        for (int i = 0; i < 8; i++)
            v[i] = i < s->rows ? _mm256_loadu_ps(s->tile + i * s->width + first) : _mm256_setzero_ps();
        transpose_8x8(v);
        float *const y = s->y + first * s->y_channel;
#pragma GCC unroll 8
        for (int j = 0; j < 8; j++) {
            if (first + j >= s->channels)
                break;
            if (s->bias)
                v[j] = _mm256_add_ps(v[j], _mm256_broadcast_ss(s->bias + first + j));
            v[j] = _mm256_max_ps(floor, v[j]); /* of an unordered pair the second is taken, so NaN stays */
            _mm256_maskstore_ps(y + j * s->y_channel, mask, v[j]);
        }
    }
}

static void transpose(const struct transpose *t)
{
    for (int64_t first = 0; first < t->width; first += LANES) {
        const int64_t channels = t->channels - first;
        const float *const from = t->from + first * t->channel;
        for (int64_t p = 0; p < t->pixels; p += LANES) {
            const int64_t pixels = t->pixels - p < LANES ? t->pixels - p : LANES;
            const __m256i mask = first_lanes(pixels);
            __m256 v[8];
#pragma GCC unroll 8
            for (int j = 0; j < 8; j++)
                v[j] = j < channels ? _mm256_maskload_ps(from + j * t->channel + p, mask) : _mm256_setzero_ps();
            transpose_8x8(v);
            float *const to = t->to + p * t->row + first;
#pragma GCC unroll 8
            for (int i = 0; i < 8; i++) {
                if (i < pixels)
                    _mm256_storeu_ps(to + i * t->row, v[i]);
            }
        }
    }
}

const struct isa isa_avx2 = {
    .family = &mk_avx2,
    .store_rows = 8,
    .fill = fill_panel,
    .store = store_tile,
    .transpose = transpose,
    .columns = pack_columns,
    .depthwise = depthwise_rows,
    .depthwise_gradient = depthwise_gradient,
};
#endif
