/* AVX-512: tiles of 14 outputs by 32 channels are turned over 16 x 16 at a time in registers. */
#include "isa.h"
#include "tiles.h"

#if defined(__AVX512F__)
#include <immintrin.h>

enum { LANES = 16 };
#include "fill_body.h"
#include "depthwise_body.h"
#include "columns_body.h"
#include "scatter_body.h"

/* Sixteen floats of a panel row: where they come from, relative to input column 0, and which of them lie in the image. */
struct fill_block {
    int64_t from;
    __mmask16 low, high; /* of the 16 floats at from, and of the next 16 where every second one is taken         */
    __mmask16 keep;      /* floats of the panel                                                              */
    int32_t width;
};

static __mmask16 inside(int64_t first, int64_t in)
{
    const int64_t from = first < 0 ? -first : 0, upto = in - first < 16 ? in - first : 16;
    return from >= upto ? 0 : (__mmask16)((0xffffu << from) & (0xffffu >> (16 - upto)));
}

/* The blocks of one row, all rows being alike; 0 if there are more than `most`. */
static int64_t fill_blocks(const struct panel_job *job, struct fill_block *blocks, int64_t most)
{
    const struct panel *const panel = job->panel;
    const int64_t step = panel->piece_step, in = job->w->in;
    int64_t count = 0;
    for (int32_t piece = 0; piece < panel->pieces; piece++) {
        for (int64_t j = 0; j < panel->piece_width; j += LANES) {
            if (count == most)
                return 0;
            struct fill_block *block = &blocks[count++];
            block->from = job->ow * job->w->stride + panel->piece_source[piece] + j * step;
            block->width = (int32_t)(panel->piece_width - j < LANES ? panel->piece_width - j : LANES);
            block->keep = (__mmask16)(0xffffu >> (LANES - block->width));
            block->low = inside(block->from, in);
            block->high = inside(block->from + LANES, in);
        }
    }
    return count;
}

static inline __attribute__((always_inline)) void fill_rows(const struct panel_job *job, const struct fill_block *blocks,
                                                            int64_t count, const int halve)
{
    const __m512i even = _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
    const struct panel *const panel = job->panel;
    const int64_t first = job->oh * job->h->stride,
                  ahead = 4 * job->layout->channel; /* rows are too short for the hardware's prefetch */
    float *to = job->to;
    for (int64_t c = 0; c < job->channels; c++) {
        const float *const plane = job->x + c * job->layout->channel;
        for (int64_t i = 0; i < panel->height; i++) {
            const int64_t h = first + panel->row_source[i];
            const __mmask16 there = h >= 0 && h < job->h->in ? 0xffff : 0;
            const float *const row = plane + (there ? h * job->layout->row : 0);
            for (int64_t b = 0; b < count; b++) {
                _mm_prefetch((const char *)(row + blocks[b].from + ahead), _MM_HINT_T0);
                __m512 v = _mm512_maskz_loadu_ps(blocks[b].low & there, row + blocks[b].from);
                if (halve)
                    v = _mm512_permutex2var_ps(v, even,
                                               _mm512_maskz_loadu_ps(blocks[b].high & there, row + blocks[b].from + LANES));
                _mm512_mask_storeu_ps(to, blocks[b].keep, v);
                to += blocks[b].width;
            }
        }
    }
}

static void fill(const struct panel_job *job)
{
    enum { MOST = 32 };
    struct fill_block blocks[MOST];
    const int64_t step = job->panel->piece_step, count = job->layout->col == 1 && step <= 2 ? fill_blocks(job, blocks, MOST) : 0;
    if (!count)
        fill_panel(job);
    else if (step == 1)
        fill_rows(job, blocks, count, 0);
    else
        fill_rows(job, blocks, count, 1);
}

/* Rows of v become columns: unpack pairs of rows, then pairs of pairs, then move 128-bit quarters. */
static inline __attribute__((always_inline)) void transpose_16x16(__m512 v[16])
{
    __m512 t[16];
#pragma GCC unroll 8
    for (int i = 0; i < 16; i += 2) {
        t[i] = _mm512_unpacklo_ps(v[i], v[i + 1]);
        t[i + 1] = _mm512_unpackhi_ps(v[i], v[i + 1]);
    }
#pragma GCC unroll 4
    for (int i = 0; i < 16; i += 4) {
        v[i] = _mm512_shuffle_ps(t[i], t[i + 2], 0x44);
        v[i + 1] = _mm512_shuffle_ps(t[i], t[i + 2], 0xee);
        v[i + 2] = _mm512_shuffle_ps(t[i + 1], t[i + 3], 0x44);
        v[i + 3] = _mm512_shuffle_ps(t[i + 1], t[i + 3], 0xee);
    }
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++) {
        t[i] = _mm512_shuffle_f32x4(v[i], v[i + 4], 0x88);
        t[i + 4] = _mm512_shuffle_f32x4(v[i + 8], v[i + 12], 0x88);
        t[i + 8] = _mm512_shuffle_f32x4(v[i], v[i + 4], 0xdd);
        t[i + 12] = _mm512_shuffle_f32x4(v[i + 8], v[i + 12], 0xdd);
    }
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++) {
        v[i] = _mm512_shuffle_f32x4(t[i], t[i + 4], 0x88);
        v[i + 8] = _mm512_shuffle_f32x4(t[i], t[i + 4], 0xdd);
        v[i + 4] = _mm512_shuffle_f32x4(t[i + 8], t[i + 12], 0x88);
        v[i + 12] = _mm512_shuffle_f32x4(t[i + 8], t[i + 12], 0xdd);
    }
}

/* Sixteen channels of a tile. */
static inline __attribute__((always_inline)) void store_half(const struct tile_store *s, int32_t first, int32_t channels)
{
    __m512 v[16];
#pragma GCC unroll 16
    for (int i = 0; i < 16; i++)
        v[i] = i < s->rows ? _mm512_loadu_ps(s->tile + i * s->width + first) : _mm512_setzero_ps();
    transpose_16x16(v);
    const uint32_t mask = (1u << s->rows) - 1; /* of neighbours; apart: of every second element */
    const __m512i twice = _mm512_setr_epi32(0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7);
    const uint32_t apart = 0x55555555u & (uint32_t)((1ull << 2 * s->rows) - 1);
    const __m512 floor = s->relu ? _mm512_setzero_ps() : _mm512_set1_ps(-__builtin_inff());
    const float *const bias = s->bias ? s->bias + first : NULL;
    float *y = s->y + first * s->y_channel;
#pragma GCC unroll 16
    for (int j = 0; j < 16; j++) {
        if (j >= channels)
            break;
        if (bias)
            v[j] = _mm512_add_ps(v[j], _mm512_set1_ps(bias[j]));
        v[j] = _mm512_max_ps(floor, v[j]); /* of an unordered pair the second is taken, so NaN stays */
        float *const to = y + j * s->y_channel;
        if (s->y_col == 1) {
            _mm512_mask_storeu_ps(to, (__mmask16)mask, v[j]);
        } else {
            _mm512_mask_storeu_ps(to, (__mmask16)apart, _mm512_permutexvar_ps(twice, v[j]));
            _mm512_mask_storeu_ps(to + LANES, (__mmask16)(apart >> LANES),
                                  _mm512_permutexvar_ps(twice, _mm512_shuffle_f32x4(v[j], v[j], 0xee)));
        }
    }
}

static void store_tile(const struct tile_store *s)
{
    if (s->y_col > 2) {
        store_scattered(s);
        return;
    }
    for (int32_t first = 0; first < s->channels; first += LANES)
        store_half(s, first, s->channels - first < LANES ? s->channels - first : LANES);
}

static void transpose(const struct transpose *t)
{
    for (int64_t first = 0; first < t->width; first += LANES) {
        const int64_t channels = t->channels - first;
        const float *const from = t->from + first * t->channel;
        for (int64_t p = 0; p < t->pixels; p += LANES) {
            const int64_t pixels = t->pixels - p < LANES ? t->pixels - p : LANES;
            const __mmask16 mask = (__mmask16)((1u << pixels) - 1);
            if (p + 2 * LANES < t->pixels) {
                for (int64_t j = 0; j < LANES && j < channels; j++)
                    _mm_prefetch((const char *)(from + j * t->channel + p + 2 * LANES), _MM_HINT_T0);
            }
            __m512 v[16];
#pragma GCC unroll 16
            for (int j = 0; j < 16; j++)
                v[j] = j < channels ? _mm512_maskz_loadu_ps(mask, from + j * t->channel + p) : _mm512_setzero_ps();
            transpose_16x16(v);
            float *const to = t->to + p * t->row + first;
#pragma GCC unroll 16
            for (int i = 0; i < 16; i++) {
                if (i < pixels)
                    _mm512_storeu_ps(to + i * t->row, v[i]);
            }
        }
    }
}

const struct isa isa_avx512 = {
    .family = &mk_avx512,
    .store_rows = 16,
    .fill = fill,
    .store = store_tile,
    .transpose = transpose,
    .columns = pack_columns,
    .depthwise = depthwise_rows,
    .depthwise_gradient = depthwise_gradient,
    .planes = plane_loops_avx512,
};
#endif
