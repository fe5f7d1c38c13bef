/* AVX-512: 16 tiles are one vector. */
#include "stem.h"

#if defined(__AVX512F__)
#include <immintrin.h>
#include <stdint.h>

#define VEC __m512
#include "transforms.h"

#define UNROLL _Pragma("GCC unroll 16")
#define INLINE static inline __attribute__((always_inline))

enum { LANES = 16, CHUNKS = 4, CHUNK_TILES = 4 };
/* So many rows of points have their sums for four filters in registers. */
enum { MOST_ROWS = 7 };

/* Where 16 places go. Tiles of 4 pixels leave as vectors of 4 tiles side by side, since rows are whole vectors (stem_row);
 * others one by one. A piece is one of these: lane 0 belongs at `offset`. */
struct piece {
    ptrdiff_t offset;
    int32_t rows; /* of pixels, 0: nothing is stored */
    __mmask16 mask;
};

struct target {
    struct piece pieces[LANES];
    int32_t whole; /* all four vectors are stored with all lanes and rows */
};

/* `tiles` tiles of one row from a place on. */
static struct piece piece_of(const struct stem *s, int64_t place, int32_t tiles)
{
    const int64_t th = place / s->row, tw = place % s->row;
    if (th >= s->tiles_h || tw >= s->tiles_w)
        return (struct piece){0, 0, 0};
    const int64_t left = s->out_w - tw * s->m, below = s->out_h - th * s->m;
    const uint32_t pixels = (uint32_t)(left < tiles * s->m ? left : tiles * s->m);
    return (struct piece){.offset = th * s->m * s->out_w + tw * s->m,
                          .rows = (int32_t)(below < s->m ? below : s->m),
                          .mask = (__mmask16)((1u << pixels) - 1)};
}

static void aim(const struct stem *s, int64_t place, struct target *to)
{
    const int32_t tiles = s->m == CHUNK_TILES ? CHUNK_TILES : 1;
    to->whole = 1;
    for (int32_t piece = 0; piece < LANES / tiles; piece++) {
        to->pieces[piece] = piece_of(s, place + piece * tiles, tiles);
        to->whole &= to->pieces[piece].rows == s->m && to->pieces[piece].mask == 0xffff;
    }
}

INLINE void store_piece(const struct piece *piece, int32_t y, ptrdiff_t width, float *image, VEC v)
{
    if (y < piece->rows)
        _mm512_mask_storeu_ps(image + piece->offset + y * width, piece->mask, v);
}

/* Four pixels of each of 16 tiles, which are lanes, to four vectors of four tiles. */
INLINE void store_four(const struct target *to, int32_t y, ptrdiff_t width, const VEC *v, int32_t stream, float *image)
{
    const VEC a = _mm512_unpacklo_ps(v[0], v[1]), b = _mm512_unpackhi_ps(v[0], v[1]);
    const VEC c = _mm512_unpacklo_ps(v[2], v[3]), d = _mm512_unpackhi_ps(v[2], v[3]);
    const VEC p = _mm512_shuffle_ps(a, c, 0x44), q = _mm512_shuffle_ps(a, c, 0xee);
    const VEC r = _mm512_shuffle_ps(b, d, 0x44), t = _mm512_shuffle_ps(b, d, 0xee);
    /* Vector p holds tiles 0, 4, 8, 12; q 1, 5, ... */
    const VEC pq = _mm512_shuffle_f32x4(p, q, 0x44), rt = _mm512_shuffle_f32x4(r, t, 0x44);
    const VEC pq2 = _mm512_shuffle_f32x4(p, q, 0xee), rt2 = _mm512_shuffle_f32x4(r, t, 0xee);
    VEC z[CHUNKS];
    z[0] = _mm512_shuffle_f32x4(pq, rt, 0x88);
    z[1] = _mm512_shuffle_f32x4(pq, rt, 0xdd);
    z[2] = _mm512_shuffle_f32x4(pq2, rt2, 0x88);
    z[3] = _mm512_shuffle_f32x4(pq2, rt2, 0xdd);
    UNROLL for (int chunk = 0; chunk < CHUNKS; chunk++)
    {
        float *at = image + to->pieces[chunk].offset + y * width;
        if (to->whole && stream && (uintptr_t)at % sizeof z[chunk] == 0)
            _mm512_stream_ps(at, z[chunk]);
        else if (to->whole)
            _mm512_storeu_ps(at, z[chunk]);
        else
            store_piece(&to->pieces[chunk], y, width, image, z[chunk]);
    }
}

/* Up to eight pixels of each tile: two tiles to a vector. */
INLINE void store_tiles(const struct target *to, int32_t y, ptrdiff_t width, const VEC *v, const int m, float *image)
{
    VEC w[8], a[8], b[8];
    UNROLL for (int x = 0; x < 8; x++) w[x] = x < m ? v[x] : _mm512_setzero_ps();
    UNROLL for (int x = 0; x < 8; x += 2)
    {
        a[x] = _mm512_unpacklo_ps(w[x], w[x + 1]);
        a[x + 1] = _mm512_unpackhi_ps(w[x], w[x + 1]);
    }
    UNROLL for (int x = 0; x < 8; x += 4)
    {
        b[x] = _mm512_shuffle_ps(a[x], a[x + 2], 0x44);
        b[x + 1] = _mm512_shuffle_ps(a[x], a[x + 2], 0xee);
        b[x + 2] = _mm512_shuffle_ps(a[x + 1], a[x + 3], 0x44);
        b[x + 3] = _mm512_shuffle_ps(a[x + 1], a[x + 3], 0xee);
    }
    /* b[t] has pixels 0..3 of tiles t, t+4, t+8, t+12, b[4+t] pixels 4..7. */
    UNROLL for (int t = 0; t < 4; t++)
    {
        const VEC low = _mm512_shuffle_f32x4(b[t], b[t + 4], 0x44), high = _mm512_shuffle_f32x4(b[t], b[t + 4], 0xee);
        const VEC even = _mm512_shuffle_f32x4(low, high, 0x88), odd = _mm512_shuffle_f32x4(low, high, 0xdd);
        /* even: tile t in the lower half and t+8 in the upper; odd: t+4 and t+12. */
        store_piece(&to->pieces[t], y, width, image, even);
        store_piece(&to->pieces[t + 4], y, width, image, odd);
        store_piece(&to->pieces[t + 8], y, width, image, _mm512_shuffle_f32x4(even, even, 0xee));
        store_piece(&to->pieces[t + 12], y, width, image, _mm512_shuffle_f32x4(odd, odd, 0xee));
    }
}

/* Sums over the channels for one column of points and four filters. */
INLINE void sum_rows(const float *v, const float *u, int32_t channels, const int alpha, const int first, const int last,
                     VEC (*sum)[STEM_FILTERS])
{
    UNROLL for (int i = first; i < last; i++)
    {
        UNROLL for (int q = 0; q < STEM_FILTERS; q++) sum[i][q] = _mm512_setzero_ps();
    }
    for (int32_t c = 0; c < channels; c++, v += alpha * LANES, u += alpha * STEM_FILTERS) {
        UNROLL for (int i = first; i < last; i++)
        {
            const VEC at = _mm512_loadu_ps(v + i * LANES);
            UNROLL for (int q = 0; q < STEM_FILTERS; q++) sum[i][q] =
                _mm512_fmadd_ps(at, _mm512_set1_ps(u[i * STEM_FILTERS + q]), sum[i][q]);
        }
    }
}

#define DEFINE_STEM(m, r, alpha)                                                                                                 \
    static void stem_input_##m##_##r(const struct stem *s, const float *phases, int64_t place, float *v)                         \
    {                                                                                                                            \
        const int32_t step = s->stride * (m), kinds = s->stride * s->stride;                                                     \
        for (int32_t c = 0; c < s->channels; c++) {                                                                              \
            const int32_t image = c / kinds, a = c % kinds / s->stride, b = c % s->stride;                                       \
            const float *from = phases + (((ptrdiff_t)image * step + a) * s->columns + b) * s->phase + place;                    \
            VEC between[alpha][alpha];                                                                                           \
            for (int x = 0; x < (alpha); x++) {                                                                                  \
                const float *column = from + x * s->stride * s->phase;                                                           \
                VEC d[alpha], t[alpha];                                                                                          \
                UNROLL for (int y = 0; y < (alpha); y++) d[y] =                                                                  \
                    _mm512_loadu_ps(column + y % (m)*s->stride * s->columns * s->phase + y / (m)*s->row);                        \
                input_##m##_##r(d, t);                                                                                           \
                UNROLL for (int i = 0; i < (alpha); i++) between[i][x] = t[i];                                                   \
            }                                                                                                                    \
            for (int i = 0; i < (alpha); i++) {                                                                                  \
                VEC t[alpha];                                                                                                    \
                input_##m##_##r(between[i], t);                                                                                  \
                UNROLL for (int j = 0; j < (alpha); j++)                                                                         \
                    _mm512_storeu_ps(v + ((j * s->channels + c) * (alpha) + i) * LANES, t[j]);                                   \
            }                                                                                                                    \
        }                                                                                                                        \
    }                                                                                                                            \
    static void stem_output_##m##_##r(const struct stem *s, const float *v, const float *u, const float *bias, int64_t place,    \
                                      float *image)                                                                              \
    {                                                                                                                            \
        struct target target;                                                                                                    \
        const ptrdiff_t plane = (ptrdiff_t)s->out_h * s->out_w, width = s->out_w;                                                \
        aim(s, place, &target);                                                                                                  \
        for (int32_t k = 0; k < s->filters; k += STEM_FILTERS) {                                                                 \
            VEC between[STEM_FILTERS][m][alpha];                                                                                 \
            for (int j = 0; j < (alpha); j++) {                                                                                  \
                VEC sum[alpha][STEM_FILTERS];                                                                                    \
                const float *vj = v + j * s->channels * (alpha)*LANES;                                                           \
                const int half = (alpha) > MOST_ROWS ? ((alpha) + 1) / 2 : (alpha);                                              \
                sum_rows(vj, u, s->channels, alpha, 0, half, sum);                                                               \
                sum_rows(vj, u, s->channels, alpha, half, alpha, sum);                                                           \
                u += s->channels * (alpha)*STEM_FILTERS;                                                                         \
                UNROLL for (int q = 0; q < STEM_FILTERS; q++)                                                                    \
                {                                                                                                                \
                    VEC column[alpha], t[m];                                                                                     \
                    UNROLL for (int i = 0; i < (alpha); i++) column[i] = sum[i][q];                                              \
                    output_##m##_##r(column, t);                                                                                 \
                    UNROLL for (int i = 0; i < (m); i++) between[q][i][j] = t[i];                                                \
                }                                                                                                                \
            }                                                                                                                    \
            for (int q = 0; q < STEM_FILTERS && k + q < s->filters; q++) {                                                       \
                const VEC added = _mm512_set1_ps(bias ? bias[k + q] : 0), floor = _mm512_setzero_ps();                           \
                for (int i = 0; i < (m); i++) {                                                                                  \
                    VEC y[m];                                                                                                    \
                    output_##m##_##r(between[q][i], y);                                                                          \
                    UNROLL for (int x = 0; x < (m); x++)                                                                         \
                    {                                                                                                            \
                        y[x] = _mm512_add_ps(y[x], added);                                                                       \
                        if (s->relu) /* the second operand is what max returns for a NaN */                                      \
                            y[x] = _mm512_max_ps(floor, y[x]);                                                                   \
                    }                                                                                                            \
                    if ((m) == CHUNK_TILES)                                                                                      \
                        store_four(&target, i, width, y, s->stream, image + (k + q) * plane);                                    \
                    else                                                                                                         \
                        store_tiles(&target, i, width, y, m, image + (k + q) * plane);                                           \
                }                                                                                                                \
            }                                                                                                                    \
        }                                                                                                                        \
        if (s->stream)                                                                                                           \
            _mm_sfence();                                                                                                        \
    }
EACH_DENSE(DEFINE_STEM)

#define STEM_ENTRY(m, r, alpha) {m, r, stem_input_##m##_##r, stem_output_##m##_##r},
static const struct stem_transform transforms[] = {EACH_DENSE(STEM_ENTRY)};

const struct stem_family stem_avx512 = {
    .name = "avx512", .transforms = transforms, .count = sizeof transforms / sizeof transforms[0]};
#endif
