/* Pooling forward for AVX-512: windows of 2x2 and 3x3 (stride 1 or 2 both ways) in registers. Sixteen windows of a row of y make a
 * strip, which is walked down: every row of x is reduced along its columns once, and where windows overlap the reduced rows are
 * kept for the next row of y. Images with rows of at most 16 columns come in pairs: one to each half of the vectors. */
#include "lanes_avx512.h"
#include "pool.h"
#include <convoy/plugin.h>
#include <math.h>

enum { READ_AHEAD = 2048 }; /* floats; strips do not start the processor's prefetchers */

enum kind { MAXIMA, MAXIMA_WITH_TAPS, MEANS };

/* One strip. Column 0 of `low` is the least even one, counted from the padded edge, that is not before the first window. */
struct strip {
    int64_t column, pitch; /* of low; from low to high                                    */
    __mmask16 low, high;   /* columns inside x; stride 1: of the first and the second taps */
    __mmask16 third;       /* stride 1: of the third taps                                 */
    __mmask16 windows;
    const float *beside; /* stride 2: in row 0 the column before low or after high, which one tap of one window needs */
    int64_t beside_step; /* to the next row; 0: outside x, and beside is what is taken for it                        */
};

/* What every instance is compiled for. */
struct shape {
    enum kind kind;
    int kernel, stride;
    int odd_pad; /* stride 2: windows begin at odd columns of low and high     */
    int paired;  /* two images                                                 */
    int whole;   /* every column and window of the strip is there              */
};

/* Sixteen windows over one row of x, or over several. */
struct reduced {
    __m512 value;
    __m512i tap;
};

#define INLINE static inline __attribute__((always_inline))

INLINE __mmask16 columns_inside(int64_t first, int64_t count)
{
    const int64_t from = convoy_min(16, convoy_max(0, -first)), to = convoy_max(from, convoy_min(16, count - first));
    return (__mmask16)(((1u << to) - 1) & ~((1u << from) - 1));
}

INLINE __m512 nothing(struct shape shape)
{
    return shape.kind == MEANS ? _mm512_setzero_ps() : _mm512_set1_ps(-INFINITY);
}

/* In a register, and not put together again from memory or from a general register wherever it is used. */
INLINE __m512 held(__m512 v)
{
    __asm__("" : "+v"(v));
    return v;
}
INLINE __m512i held_tap(int32_t tap)
{
    __m512i v = _mm512_set1_epi32(tap);
    __asm__("" : "+v"(v));
    return v;
}

/* Adds NaN to *strange where x is infinite or NaN: x*0 is 0 for every other value. */
INLINE __m512 take(struct shape shape, const float *x, __mmask16 inside, __m512 *strange)
{
    const __m512 v = held(shape.whole ? _mm512_loadu_ps(x) : _mm512_mask_loadu_ps(nothing(shape), inside, x));
    if (shape.kind != MEANS)
        *strange = shape.whole ? _mm512_fmadd_ps(v, _mm512_setzero_ps(), *strange)
                               : _mm512_mask3_fmadd_ps(v, _mm512_setzero_ps(), *strange, inside);
    return v;
}

/* The columns of sixteen windows, first to last. */
INLINE void take_columns(struct shape shape, const struct strip *strip, const float *x, const float *beside, __m512 strange[2],
                         __m512 column[3])
{
    if (shape.stride == 1) {
        column[0] = take(shape, x, strip->low, &strange[0]);
        column[1] = take(shape, x + 1, strip->high, &strange[1]);
        if (shape.kernel == 3)
            column[2] = take(shape, x + 2, strip->third, &strange[0]);
        return;
    }
    const __m512i evens = _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
    const __m512i odds = _mm512_setr_epi32(1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31);
    const __m512 low = take(shape, x, strip->low, &strange[0]), high = take(shape, x + strip->pitch, strip->high, &strange[1]);
    const __m512 even = _mm512_permutex2var_ps(low, evens, high), odd = _mm512_permutex2var_ps(low, odds, high);
    if (shape.odd_pad) {
        const __m512i before = _mm512_setr_epi32(0, 0, 1, 2, 3, 4, 5, 6, 0, 8, 9, 10, 11, 12, 13, 14);
        const __m512i odd_bits = _mm512_castps_si512(odd);
        if (shape.paired) {
            column[0] = _mm512_mask_permutexvar_ps(nothing(shape), 0xfefe, before, odd);
        } else {
            column[0] = _mm512_castsi512_ps(_mm512_alignr_epi32(odd_bits, _mm512_castps_si512(_mm512_set1_ps(*beside)), 15));
        }
        column[1] = even;
        column[2] = odd;
    } else {
        column[0] = even;
        column[1] = odd;
        if (shape.kernel == 3) {
            const __m512i after = _mm512_castps_si512(shape.paired ? even : _mm512_set1_ps(*beside));
            column[2] = _mm512_castsi512_ps(_mm512_alignr_epi32(after, _mm512_castps_si512(even), 1));
        }
    }
}

/* Of equal maxima the first in row order counts, as the comparisons are strict. */
INLINE struct reduced reduce_row(struct shape shape, const struct strip *strip, const float *x, const float *beside,
                                 const __m512i *column_tap, __m512 strange[2])
{
    __m512 column[3];
    take_columns(shape, strip, x, beside, strange, column);
    struct reduced r = {.value = column[0], .tap = _mm512_setzero_si512()};
    for (int s = 1; s < shape.kernel; s++) {
        if (shape.kind == MEANS) {
            r.value = _mm512_add_ps(r.value, column[s]);
            continue;
        }
        if (shape.kind == MAXIMA_WITH_TAPS)
            r.tap = _mm512_mask_mov_epi32(r.tap, _mm512_cmp_ps_mask(column[s], r.value, _CMP_GT_OQ), column_tap[s]);
        r.value = _mm512_max_ps(column[s], r.value); /* of two zeros the second: the first that was seen */
    }
    return r;
}

INLINE struct reduced join_rows(struct shape shape, const struct reduced *row, const __m512i *row_tap)
{
    struct reduced all = row[0];
    for (int r = 1; r < shape.kernel; r++) {
        if (shape.kind == MEANS) {
            all.value = _mm512_add_ps(all.value, row[r].value);
            continue;
        }
        if (shape.kind == MAXIMA_WITH_TAPS)
            all.tap =
                _mm512_mask_add_epi32(all.tap, _mm512_cmp_ps_mask(row[r].value, all.value, _CMP_GT_OQ), row[r].tap, row_tap[r]);
        all.value = _mm512_max_ps(row[r].value, all.value);
    }
    return all;
}

/* The statements keep the compiler from joining these with a store under a mask: vpmovdb takes tens of cycles then, and vextractf32x8
 * faults on what the mask leaves out. */
INLINE __m256 upper_half(__m512 v)
{
    __m256 half = _mm512_extractf32x8_ps(v, 1);
    __asm__("" : "+v"(half));
    return half;
}
INLINE __m128i narrow_taps(__m512i tap)
{
    __m128i bytes = _mm512_cvtepi32_epi8(tap);
    __asm__("" : "+v"(bytes));
    return bytes;
}

INLINE void store(struct shape shape, const struct strip *strip, struct reduced v, float *y, uint8_t *bytes, int64_t apart)
{
    if (shape.whole) {
        _mm512_storeu_ps(y, v.value);
        if (shape.kind == MAXIMA_WITH_TAPS)
            _mm_storeu_si128((__m128i *)(void *)bytes, narrow_taps(v.tap));
        return;
    }
    const __mmask16 first = shape.paired ? strip->windows & 0xff : strip->windows;
    _mm512_mask_storeu_ps(y, first, v.value);
    if (shape.paired)
        _mm256_mask_storeu_ps(y + apart, (__mmask8)(strip->windows >> 8), upper_half(v.value));
    if (shape.kind == MAXIMA_WITH_TAPS) {
        const __m128i taps = narrow_taps(v.tap);
        _mm_mask_storeu_epi8(bytes, first, taps);
        if (shape.paired)
            _mm_mask_storeu_epi8(bytes + apart, strip->windows >> 8, _mm_srli_si128(taps, 8));
    }
}

/* What averages divide by along the rows of y. */
INLINE __m512 divisors_along_w(const struct pool_fwd_rows *rows, __mmask16 windows, int64_t ow, int paired)
{
    const __m512i divisors = _mm512_maskz_loadu_epi32(paired ? windows & 0xff : windows, rows->divisors_w + ow);
    return _mm512_cvtepi32_ps(paired ? _mm512_shuffle_i64x2(divisors, divisors, 0x44) : divisors);
}

/* A strip on its way down. */
struct walk {
    int64_t h;               /* under the first row of the windows  */
    const float *x, *beside; /* in row h                            */
    const char *fetch;
    float *y;
    uint8_t *bytes;
    struct reduced row[3];
    __m512 strange[2], share;
};

/* What does not change. */
struct path {
    struct strip strip;
    int64_t w, height, width, apart, fetch_step;
    __m512i column_tap[3], row_tap[3];
};

INLINE void reduce_rows(struct shape shape, const struct path *path, struct walk *walk, int first, int last, int inside)
{
    for (int r = first; r < last; r++) {
        walk->row[r] = (struct reduced){.value = nothing(shape), .tap = _mm512_setzero_si512()};
        if (inside || (walk->h + r >= 0 && walk->h + r < path->height))
            walk->row[r] = reduce_row(shape, &path->strip, walk->x + r * path->w, walk->beside + r * path->strip.beside_step,
                                      path->column_tap, walk->strange);
    }
}

INLINE void step(struct shape shape, const struct path *path, struct walk *walk, int inside)
{
    const int kept = shape.kernel > shape.stride ? shape.kernel - shape.stride : 0;
    for (int line = 0; line < shape.stride * shape.stride; line++)
        _mm_prefetch(walk->fetch + line * 64, _MM_HINT_T0);
    reduce_rows(shape, path, walk, kept, shape.kernel, inside);
    struct reduced all = join_rows(shape, walk->row, path->row_tap);
    if (shape.kind == MEANS)
        all.value = _mm512_mul_ps(all.value, walk->share);
    store(shape, &path->strip, all, walk->y, walk->bytes, path->apart);
    for (int r = 0; r < kept; r++)
        walk->row[r] = walk->row[r + shape.stride];
    walk->h += shape.stride;
    walk->x += shape.stride * path->w;
    walk->beside += shape.stride * path->strip.beside_step;
    walk->fetch += path->fetch_step;
    walk->y += path->width;
    if (shape.kind == MAXIMA_WITH_TAPS)
        walk->bytes += path->width;
}

INLINE __m512 make_strip(struct shape shape, const struct pool_fwd_rows *rows, const struct strip *strip, int64_t ow,
                         const char *fetch, int64_t fetch_step)
{
    const struct convoy_pool *p = rows->p;
    const int kept = shape.kernel > shape.stride ? shape.kernel - shape.stride : 0;
    const int64_t last = rows->first + rows->rows;
    /* Rows of y whose windows lie within the rows of x. */
    const int64_t first_inside = convoy_max(rows->first, (p->pad_t + shape.stride - 1) / shape.stride);
    const int64_t last_inside = convoy_min(last, (rows->h - shape.kernel + p->pad_t + shape.stride) / shape.stride);
    const struct path path = {
        .strip = *strip,
        .w = p->w,
        .height = rows->h,
        .width = p->ow,
        .apart = rows->rows * p->ow,
        .fetch_step = fetch_step,
        .column_tap = {held_tap(0), held_tap(1), held_tap(2)},
        .row_tap = {held_tap(0), held_tap(shape.kernel), held_tap(2 * shape.kernel)},
    };
    const int64_t h = rows->first * shape.stride - p->pad_t;
    struct walk walk = {
        .h = h,
        .x = rows->x + h * p->w + strip->column,
        .beside = strip->beside + h * strip->beside_step,
        .fetch = fetch,
        .y = rows->y + ow,
        .bytes = shape.kind == MAXIMA_WITH_TAPS ? rows->bytes + ow : NULL,
        .strange = {_mm512_setzero_ps(), _mm512_setzero_ps()},
        .share = _mm512_setzero_ps(),
    };
    const __m512 along_w = shape.kind == MEANS ? divisors_along_w(rows, strip->windows, ow, shape.paired) : walk.share;
    int64_t oh = rows->first;
    reduce_rows(shape, &path, &walk, 0, kept, 0);
    while (oh < last) {
        if (shape.kind == MEANS)
            walk.share = _mm512_div_ps(_mm512_set1_ps(1.0f), _mm512_mul_ps(_mm512_set1_ps((float)rows->divisors_h[oh]), along_w));
        if (oh >= first_inside && oh < last_inside) {
            for (; oh < last_inside; oh++)
                step(shape, &path, &walk, 1);
        } else {
            step(shape, &path, &walk, 0);
            oh++;
        }
    }
    return _mm512_add_ps(walk.strange[0], walk.strange[1]);
}

INLINE struct strip strip_at(struct shape shape, const struct pool_fwd_rows *rows, int64_t ow)
{
    const struct convoy_pool *p = rows->p;
    const int64_t column = shape.stride * ow - p->pad_l + shape.odd_pad;
    struct strip strip = {
        .column = column, .low = columns_inside(column, p->w), .windows = columns_inside(0, p->ow - ow), .beside = rows->x};
    if (shape.stride == 1) {
        strip.high = columns_inside(column + 1, p->w);
        strip.third = columns_inside(column + 2, p->w);
    } else if (shape.paired) {
        const int both = rows->images == 2;
        strip.pitch = both ? rows->h * p->w : 0;
        strip.high = both ? strip.low : 0;
        strip.windows |= (__mmask16)(both ? strip.windows << 8 : 0);
    } else {
        static const float outside[] = {[MAXIMA] = -INFINITY, [MAXIMA_WITH_TAPS] = -INFINITY, [MEANS] = 0.0f};
        const int64_t beside = shape.odd_pad ? column - 1 : column + 32;
        const int inside = beside >= 0 && beside < p->w;
        strip.pitch = 16;
        strip.high = columns_inside(column + 16, p->w);
        strip.beside = inside ? rows->x + beside : &outside[shape.kind];
        strip.beside_step = inside ? p->w : 0;
    }
    return strip;
}

/* True unless a value was infinite or NaN. */
INLINE int make_rows(struct shape shape, const struct pool_fwd_rows *rows)
{
    const struct convoy_pool *p = rows->p;
    const int64_t strips = shape.paired ? 1 : convoy_ceil_div(p->ow, 16);
    const int64_t row_bytes = shape.stride * p->w * rows->images * (int64_t)sizeof(float), step = row_bytes / strips;
    const char *fetch = (const char *)(rows->x + rows->first * shape.stride * p->w) +
                        convoy_max(READ_AHEAD * (int64_t)sizeof(float), rows->rows * row_bytes);
    __m512 strange = _mm512_setzero_ps();
    for (int64_t ow = 0; ow < p->ow; ow += 16, fetch += rows->rows * step) {
        const struct strip strip = strip_at(shape, rows, ow);
        shape.whole = !shape.paired && (strip.low & strip.high & strip.windows) == 0xffff &&
                      (shape.stride == 2 || shape.kernel == 2 || strip.third == 0xffff);
        if (shape.whole) {
            shape.whole = 1;
            strange = _mm512_add_ps(strange, make_strip(shape, rows, &strip, ow, fetch, step));
        } else {
            shape.whole = 0;
            strange = _mm512_add_ps(strange, make_strip(shape, rows, &strip, ow, fetch, step));
        }
    }
    return _mm512_cmp_ps_mask(strange, strange, _CMP_UNORD_Q) == 0;
}

#define INSTANCE(name, ...)                                                                                                      \
    static int name(const struct pool_fwd_rows *rows)                                                                            \
    {                                                                                                                            \
        return make_rows((struct shape){__VA_ARGS__}, rows);                                                                     \
    }
#define INSTANCES(kind, suffix)                                                                                                  \
    INSTANCE(two_##suffix, kind, 2, 2, 0, 0, 0)                                                                                  \
    INSTANCE(two_odd_##suffix, kind, 2, 2, 1, 0, 0)                                                                              \
    INSTANCE(two_paired_##suffix, kind, 2, 2, 0, 1, 0)                                                                           \
    INSTANCE(two_odd_paired_##suffix, kind, 2, 2, 1, 1, 0)                                                                       \
    INSTANCE(three_##suffix, kind, 3, 2, 0, 0, 0)                                                                                \
    INSTANCE(three_odd_##suffix, kind, 3, 2, 1, 0, 0)                                                                            \
    INSTANCE(three_paired_##suffix, kind, 3, 2, 0, 1, 0)                                                                         \
    INSTANCE(three_odd_paired_##suffix, kind, 3, 2, 1, 1, 0)                                                                     \
    INSTANCE(two_dense_##suffix, kind, 2, 1, 0, 0, 0)                                                                            \
    INSTANCE(three_dense_##suffix, kind, 3, 1, 0, 0, 0)
INSTANCES(MAXIMA, maxima)
INSTANCES(MAXIMA_WITH_TAPS, taps)
INSTANCES(MEANS, means)

#define ENTRIES(suffix)                                                                                                          \
    {                                                                                                                            \
        [0] = {{two_dense_##suffix, two_dense_##suffix}, {two_dense_##suffix, two_dense_##suffix}},                              \
        [1] = {{two_##suffix, two_odd_##suffix}, {two_paired_##suffix, two_odd_paired_##suffix}},                                \
        [2] = {{three_dense_##suffix, three_dense_##suffix}, {three_dense_##suffix, three_dense_##suffix}},                      \
        [3] = {{three_##suffix, three_odd_##suffix}, {three_paired_##suffix, three_odd_paired_##suffix}},                        \
    }

/* By kind, kernel and stride, whether paired, whether the padding is odd. */
static int (*const instances[][4][2][2])(const struct pool_fwd_rows *) = {
    [MAXIMA] = ENTRIES(maxima),
    [MAXIMA_WITH_TAPS] = ENTRIES(taps),
    [MEANS] = ENTRIES(means),
};

/* Whether every window has a tap inside x. */
static int windows_are_filled(const struct pool_axis *axis)
{
    return axis->pad_before < axis->kernel && (int64_t)(axis->out - 1) * axis->stride - axis->pad_before < axis->in;
}

int pool_fwd_rows_avx512(const struct pool_fwd_rows *rows)
{
    const struct convoy_pool *p = rows->p;
    const struct pool_axis h = pool_axis_h(p), w = pool_axis_w(p);
    if (p->kind == CONVOY_POOL_L2 || p->kh != p->kw || p->kw < 2 || p->kw > 3 || p->stride_h != p->stride_w || p->stride_w > 2 ||
        p->dil_h != 1 || p->dil_w != 1 || !windows_are_filled(&h) || !windows_are_filled(&w))
        return 0;
    const enum kind kind = p->kind != CONVOY_POOL_MAX ? MEANS : rows->bytes ? MAXIMA_WITH_TAPS : MAXIMA;
    return instances[kind][(p->kw - 2) * 2 + p->stride_w - 1][rows->paired][p->pad_l & 1](rows);
}
