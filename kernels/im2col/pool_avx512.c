/* The loops of pooling for AVX-512, with maxima over windows of two or three columns, two apart, in registers. */
#include "pool.h"

static int64_t max_rows_fast(const struct pool_max_row *row, int64_t rows);
static int max_back_rows_fast(const struct pool_back_rows *back);
#define LANES_HEADER "lanes_avx512.h"
#define POOL_LOOPS pool_loops_avx512
#define POOL_MAX_ROWS_FAST max_rows_fast
#define POOL_MAX_BACK_ROWS_FAST max_back_rows_fast
#include "pool_body.h"
#include <float.h>

/* Rows read in turn do not start the processor's prefetchers: what comes so many floats later is asked for. */
enum { MOST_ROWS = 3, NO_TAP = 0x10000, READ_AHEAD = 2048 };

/* Maxima over the rows of 32 columns, apart by the parity of the column, with the taps of their rows. */
struct columns {
    __m512 even, odd;
    __m512i even_tap, odd_tap;
};

struct rows {
    const float *x[MOST_ROWS]; /* where column 0 is, in rows of x                                     */
    __m512i tap[MOST_ROWS];    /* r*kw                                                                */
    int64_t width;
    __m512 strange[2]; /* NaN once an infinity or NaN was seen: x*0 is 0 for every other value    */
};

static inline __mmask16 columns_inside(int64_t first, int64_t count)
{
    const int64_t from = convoy_min(16, convoy_max(0, -first)), to = convoy_max(from, convoy_min(16, count - first));
    return (__mmask16)(((1u << to) - 1) & ~((1u << from) - 1));
}

/* The 64 floats that 16 windows go through, 2 apart both ways. A prefetch touches nothing: addresses outside x do no harm. */
static inline __attribute__((always_inline)) void fetch_ahead(const float *x)
{
    for (int line = 0; line < 4; line++)
        _mm_prefetch((const char *)(x + READ_AHEAD + line * 16), _MM_HINT_T0);
}

static inline __attribute__((always_inline)) __m512 max_of_rows(struct rows *rows, int count, int64_t column, __mmask16 inside,
                                                                int whole, int chain, __m512i *tap)
{
    const __m512 zero = _mm512_setzero_ps(), least = _mm512_set1_ps(-FLT_MAX);
    __m512 best = whole ? _mm512_loadu_ps(rows->x[0] + column) : _mm512_mask_loadu_ps(least, inside, rows->x[0] + column);
    rows->strange[chain] = _mm512_fmadd_ps(best, zero, rows->strange[chain]);
    *tap = rows->tap[0];
    for (int r = 1; r < count; r++) {
        const __m512 x = whole ? _mm512_loadu_ps(rows->x[r] + column) : _mm512_mask_loadu_ps(least, inside, rows->x[r] + column);
        rows->strange[chain] = _mm512_fmadd_ps(x, zero, rows->strange[chain]);
        *tap = _mm512_mask_mov_epi32(*tap, _mm512_cmp_ps_mask(x, best, _CMP_GT_OQ), rows->tap[r]);
        best = _mm512_max_ps(x, best); /* of two zeros the second: the first that was seen */
    }
    if (!whole)
        *tap = _mm512_mask_mov_epi32(_mm512_set1_epi32(NO_TAP), inside, *tap);
    return best;
}

static inline __attribute__((always_inline)) struct columns take_columns(struct rows *rows, int count, int64_t column)
{
    const __m512i even = _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
    const __m512i odd = _mm512_setr_epi32(1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31);
    __m512 low, high;
    __m512i low_tap, high_tap;
    if (column >= 0 && column + 32 <= rows->width) {
        low = max_of_rows(rows, count, column, 0, 1, 0, &low_tap);
        high = max_of_rows(rows, count, column + 16, 0, 1, 1, &high_tap);
    } else {
        low = max_of_rows(rows, count, column, columns_inside(column, rows->width), 0, 0, &low_tap);
        high = max_of_rows(rows, count, column + 16, columns_inside(column + 16, rows->width), 0, 1, &high_tap);
    }
    return (struct columns){
        .even = _mm512_permutex2var_ps(low, even, high),
        .odd = _mm512_permutex2var_ps(low, odd, high),
        .even_tap = _mm512_permutex2var_epi32(low_tap, even, high_tap),
        .odd_tap = _mm512_permutex2var_epi32(low_tap, odd, high_tap),
    };
}

/* Equal maxima: the least tap is the first in row order. */
static inline __m512i least_tap(__m512i tap, __m512 value, __m512i value_tap, __m512 y)
{
    return _mm512_mask_min_epi32(tap, _mm512_cmp_ps_mask(value, y, _CMP_EQ_OQ), tap, value_tap);
}

/* The maxima y and their taps from those of the even and odd columns, and of the next even ones where windows are 3 wide. */
static inline __attribute__((always_inline)) __m512 max_of_columns(const struct columns *now, const struct columns *next, int kw,
                                                                   int indexed, __m512i *tap)
{
    const __m512 third = _mm512_castsi512_ps(_mm512_alignr_epi32(_mm512_castps_si512(next->even), _mm512_castps_si512(now->even), 1));
    __m512 y = _mm512_max_ps(now->odd, now->even);
    if (kw == 3)
        y = _mm512_max_ps(third, y);
    if (!indexed)
        return y;
    *tap = least_tap(_mm512_set1_epi32(NO_TAP), now->even, now->even_tap, y);
    *tap = least_tap(*tap, now->odd, _mm512_add_epi32(now->odd_tap, _mm512_set1_epi32(1)), y);
    if (kw == 3)
        *tap = least_tap(*tap, third, _mm512_add_epi32(_mm512_alignr_epi32(next->even_tap, now->even_tap, 1), _mm512_set1_epi32(2)), y);
    return y;
}

/* The statement keeps the compiler from joining conversion and store: vpmovdb to memory under a mask takes tens of cycles. */
static inline __m128i narrow_taps(__m512i tap)
{
    __m128i bytes = _mm512_cvtepi32_epi8(tap);
    __asm__("" : "+v"(bytes));
    return bytes;
}

static inline __attribute__((always_inline)) int is_strange(const struct rows *rows)
{
    return _mm512_cmp_ps_mask(rows->strange[0], rows->strange[1], _CMP_UNORD_Q) != 0;
}

static inline __attribute__((always_inline)) void step_rows(struct rows *rows, int count, int64_t floats)
{
    for (int r = 0; r < count; r++)
        rows->x[r] += floats;
}

static inline __attribute__((always_inline)) int64_t max_wide_rows(const struct pool_max_row *row, struct rows *rows,
                                                                   int64_t wanted, int count, int kw, int indexed)
{
    const int64_t width = row->p->ow, pad = row->p->pad_l, step = (int64_t)row->p->stride_h * row->p->w;
    float *y_row = row->y;
    uint8_t *tap_row = row->bytes;
    for (int64_t done = 0; done < wanted; done++) {
        struct columns now, next = take_columns(rows, count, -pad);
        __m512i tap;
        int64_t ow = 0;
        for (; ow + 16 <= width; ow += 16) {
            now = next;
            fetch_ahead(rows->x[0] + 4 * ow);
            if (ow + 16 < width || kw == 3)
                next = take_columns(rows, count, 2 * (ow + 16) - pad);
            _mm512_storeu_ps(y_row + ow, max_of_columns(&now, &next, kw, indexed, &tap));
            if (indexed)
                _mm_storeu_si128((__m128i *)(void *)(tap_row + ow), narrow_taps(tap));
        }
        if (ow < width) {
            const __mmask16 mask = lanes_mask_first(width - ow);
            now = next;
            fetch_ahead(rows->x[0] + 4 * ow);
            if (kw == 3)
                next = take_columns(rows, count, 2 * (ow + 16) - pad);
            _mm512_mask_storeu_ps(y_row + ow, mask, max_of_columns(&now, &next, kw, indexed, &tap));
            if (indexed)
                _mm_mask_storeu_epi8(tap_row + ow, mask, narrow_taps(tap));
        }
        if (is_strange(rows))
            return done;
        step_rows(rows, count, step);
        y_row += width;
        tap_row += indexed ? width : 0;
    }
    return wanted;
}

/* Images of at most 16 columns without padding, windows 2 wide: two output rows to a vector. */
static inline __attribute__((always_inline)) int64_t max_narrow_rows(const struct pool_max_row *row, struct rows *rows,
                                                                     int64_t wanted, int count, int indexed)
{
    const int64_t width = row->p->ow, step = (int64_t)row->p->stride_h * row->p->w;
    const __mmask16 inside = lanes_mask_first(row->p->w);
    int32_t from[16];
    for (int32_t lane = 0; lane < 16; lane++)
        from[lane] = lane < width ? 2 * lane : 16 + 2 * (int32_t)(lane - width);
    const __m512i even = _mm512_loadu_si512(from), odd = _mm512_add_epi32(even, _mm512_set1_epi32(1));
    for (int64_t done = 0; done < wanted; done += 2) {
        __m512i low_tap, high_tap, tap;
        const __m512 low = max_of_rows(rows, count, 0, inside, 0, 0, &low_tap);
        __m512 high = low;
        const int64_t pair = convoy_min(2, wanted - done);
        high_tap = low_tap;
        fetch_ahead(rows->x[0]);
        if (pair == 2) {
            step_rows(rows, count, step);
            high = max_of_rows(rows, count, 0, inside, 0, 1, &high_tap);
        }
        if (is_strange(rows))
            return done;
        step_rows(rows, count, step);
        const struct columns now = {
            .even = _mm512_permutex2var_ps(low, even, high),
            .odd = _mm512_permutex2var_ps(low, odd, high),
            .even_tap = _mm512_permutex2var_epi32(low_tap, even, high_tap),
            .odd_tap = _mm512_permutex2var_epi32(low_tap, odd, high_tap),
        };
        const __mmask16 mask = lanes_mask_first(pair * width);
        _mm512_mask_storeu_ps(row->y + done * width, mask, max_of_columns(&now, &now, 2, indexed, &tap));
        if (indexed)
            _mm_mask_storeu_epi8(row->bytes + done * width, mask, narrow_taps(tap));
    }
    return wanted;
}

static inline __attribute__((always_inline)) int64_t max_rows_of(const struct pool_max_row *row, int64_t wanted, int count, int kw,
                                                                 int indexed)
{
    const struct convoy_pool *p = row->p;
    struct rows rows = {.width = p->w, .strange = {_mm512_setzero_ps(), _mm512_setzero_ps()}};
    for (int r = 0; r < count; r++) {
        rows.x[r] = row->x + (int64_t)r * p->dil_h * p->w;
        rows.tap[r] = _mm512_set1_epi32((row->r_first + r) * p->kw);
    }
    if (kw == 2 && !p->pad_l && p->w <= 16 && p->ow <= 8 && 2 * p->ow <= p->w)
        return max_narrow_rows(row, &rows, wanted, count, indexed);
    return max_wide_rows(row, &rows, wanted, count, kw, indexed);
}

static int64_t max_rows_fast(const struct pool_max_row *row, int64_t rows)
{
    const struct convoy_pool *p = row->p;
    const int count = row->r_last - row->r_first, indexed = row->index != NULL;
    if (p->stride_w != 2 || p->dil_w != 1 || p->kh > MOST_ROWS || (indexed && !row->bytes))
        return 0;
    switch (p->kw * 8 + count * 2 + indexed) {
    case 2 * 8 + 2 * 2 + 0: return max_rows_of(row, rows, 2, 2, 0);
    case 2 * 8 + 2 * 2 + 1: return max_rows_of(row, rows, 2, 2, 1);
    case 3 * 8 + 2 * 2 + 0: return max_rows_of(row, rows, 2, 3, 0);
    case 3 * 8 + 2 * 2 + 1: return max_rows_of(row, rows, 2, 3, 1);
    case 3 * 8 + 3 * 2 + 0: return max_rows_of(row, rows, 3, 3, 0);
    case 3 * 8 + 3 * 2 + 1: return max_rows_of(row, rows, 3, 3, 1);
    default: return 0;
    }
}

/* ---- gradients ---- */

/* Rows of dy that meet one row of dx, with the first tap of their rows. */
struct meeting {
    int rows;
    struct {
        const float *dy;
        const uint8_t *index;
        int first_tap;
    } row[MOST_ROWS];
};

/* The padded row is a*stride + b: the taps b, b + stride, ... of windows a, a - 1, ... */
static inline __attribute__((always_inline)) void find_meeting(const struct pool_back_rows *back, int64_t a, int64_t b,
                                                               struct meeting *meeting)
{
    const struct convoy_pool *p = back->p;
    meeting->rows = 0;
    for (int64_t r = b, oh = a; r < p->kh; r += p->stride_h, oh--)
        if (oh >= 0 && oh < back->oh) {
            meeting->row[meeting->rows].dy = back->dy + oh * p->ow;
            meeting->row[meeting->rows].index = (const uint8_t *)back->index + oh * p->ow;
            meeting->row[meeting->rows++].first_tap = (int)(r * p->kw);
        }
}

static inline __attribute__((always_inline)) __m512 add_chosen_lanes(__m512 sum, const float *dy, const uint8_t *index, int tap,
                                                                     __mmask16 inside, int whole)
{
    const __m128i wanted = _mm_set1_epi8((char)tap);
    if (whole) {
        const __m128i taps = _mm_loadu_si128((const __m128i *)(const void *)index);
        return _mm512_mask_add_ps(sum, _mm_cmpeq_epi8_mask(taps, wanted), sum, _mm512_loadu_ps(dy));
    }
    const __mmask16 chosen = _mm_mask_cmpeq_epi8_mask(inside, _mm_maskz_loadu_epi8(inside, index), wanted);
    return _mm512_mask_add_ps(sum, chosen, sum, _mm512_maskz_loadu_ps(chosen, dy));
}

/* Columns w = 2i and 2i + 1 of dx. The tap s of window ow lies at w = 2*ow - pad + s: the taps of one parity meet the even columns,
 * those of the other the odd ones, and ow - i is the same for all i. */
static inline __attribute__((always_inline)) void back_row_of(const struct pool_back_rows *back, const struct meeting *meeting,
                                                              float *dx, int kw, int odd_pad)
{
    const int64_t width = back->p->w, windows = back->p->ow, pad = back->p->pad_l;
    const __m512i low = _mm512_setr_epi32(0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
    const __m512i high = _mm512_setr_epi32(8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
    int64_t ahead[3];
    for (int s = 0; s < kw; s++)
        ahead[s] = (((s + odd_pad) & 1) + pad - s) / 2;
    for (int64_t i = 0; 2 * i < width; i += 16) {
        __m512 sum[2] = {_mm512_setzero_ps(), _mm512_setzero_ps()};
        const int whole = i + ahead[kw - 1] >= 0 && i + ahead[0] + 17 <= windows; /* ahead[1] is at most ahead[0] + 1 */
        for (int at = 0; at < meeting->rows; at++)
            for (int s = 0; s < kw; s++) {
                const int64_t ow = i + ahead[s];
                const int odd = (s + odd_pad) & 1, tap = meeting->row[at].first_tap + s;
                const float *dy = meeting->row[at].dy + ow;
                const uint8_t *index = meeting->row[at].index + ow;
                sum[odd] = whole ? add_chosen_lanes(sum[odd], dy, index, tap, 0, 1)
                                 : add_chosen_lanes(sum[odd], dy, index, tap, columns_inside(ow, windows), 0);
            }
        const __m512 left = _mm512_permutex2var_ps(sum[0], low, sum[1]), right = _mm512_permutex2var_ps(sum[0], high, sum[1]);
        if (2 * i + 32 <= width) {
            _mm512_storeu_ps(dx + 2 * i, left);
            _mm512_storeu_ps(dx + 2 * i + 16, right);
        } else {
            _mm512_mask_storeu_ps(dx + 2 * i, columns_inside(2 * i, width), left);
            _mm512_mask_storeu_ps(dx + 2 * i + 16, columns_inside(2 * i + 16, width), right);
        }
    }
}

static inline __attribute__((always_inline)) void back_wide_rows(const struct pool_back_rows *back, int kw, int odd_pad)
{
    const struct convoy_pool *p = back->p;
    int64_t a = (back->h_first + p->pad_t) / p->stride_h, b = (back->h_first + p->pad_t) % p->stride_h;
    for (int64_t row = 0; row < back->rows; row++) {
        struct meeting meeting;
        find_meeting(back, a, b, &meeting);
        back_row_of(back, &meeting, back->dx + row * p->w, kw, odd_pad);
        if (++b == p->stride_h) {
            b = 0;
            a++;
        }
    }
}

/* Windows 2x2, 2 apart, that cover images of at most 16 columns: two rows of dy to a vector, four rows of dx. h_first and rows are
 * multiples of 2. */
static void back_narrow_rows(const struct pool_back_rows *back)
{
    const int64_t width = back->p->ow, first = back->h_first / 2, rows = back->rows / 2;
    const __mmask16 columns = lanes_mask_first(2 * width);
    int32_t from[16];
    for (int32_t lane = 0; lane < 16; lane++)
        from[lane] = lane / 2 + lane % 2 * 16;
    const __m512i low = _mm512_loadu_si512(from), high = _mm512_add_epi32(low, _mm512_set1_epi32((int)width));
    for (int64_t row = 0; row < rows; row += 2) {
        const int pair = row + 1 < rows;
        const __mmask16 inside = lanes_mask_first(pair ? 2 * width : width);
        const int64_t at = (first + row) * width;
        const __m512 dy = _mm512_maskz_loadu_ps(inside, back->dy + at);
        const __m128i taps = _mm_maskz_loadu_epi8(inside, (const uint8_t *)back->index + at);
        for (int r = 0; r < 2; r++) {
            const __m512 left = _mm512_maskz_mov_ps(_mm_cmpeq_epi8_mask(taps, _mm_set1_epi8((char)(2 * r))), dy);
            const __m512 right = _mm512_maskz_mov_ps(_mm_cmpeq_epi8_mask(taps, _mm_set1_epi8((char)(2 * r + 1))), dy);
            float *dx = back->dx + (2 * row + r) * 2 * width;
            _mm512_mask_storeu_ps(dx, columns, _mm512_permutex2var_ps(left, low, right));
            if (pair)
                _mm512_mask_storeu_ps(dx + 4 * width, columns, _mm512_permutex2var_ps(left, high, right));
        }
    }
}

/* The same windows on wider images: a row of dy to two rows of dx. */
static void back_pairs_of_rows(const struct pool_back_rows *back)
{
    const int64_t width = back->p->ow, first = back->h_first / 2, rows = back->rows / 2;
    const __m512i low = _mm512_setr_epi32(0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
    const __m512i high = _mm512_add_epi32(low, _mm512_set1_epi32(8));
    const __mmask16 rest = lanes_mask_first(width % 16), rest_low = columns_inside(0, width % 16 * 2);
    const __mmask16 rest_high = columns_inside(16, width % 16 * 2);
    for (int64_t row = 0; row < rows; row++) {
        const float *dy_row = back->dy + (first + row) * width;
        const uint8_t *tap_row = (const uint8_t *)back->index + (first + row) * width;
        for (int64_t ow = 0; ow < width; ow += 16) {
            const int whole = ow + 16 <= width;
            const __m512 dy = whole ? _mm512_loadu_ps(dy_row + ow) : _mm512_maskz_loadu_ps(rest, dy_row + ow);
            const __m128i taps = whole ? _mm_loadu_si128((const __m128i *)(const void *)(tap_row + ow))
                                       : _mm_maskz_loadu_epi8(rest, tap_row + ow);
            for (int r = 0; r < 2; r++) {
                const __m512 even = _mm512_maskz_mov_ps(_mm_cmpeq_epi8_mask(taps, _mm_set1_epi8((char)(2 * r))), dy);
                const __m512 odd = _mm512_maskz_mov_ps(_mm_cmpeq_epi8_mask(taps, _mm_set1_epi8((char)(2 * r + 1))), dy);
                const __m512 left = _mm512_permutex2var_ps(even, low, odd), right = _mm512_permutex2var_ps(even, high, odd);
                float *dx = back->dx + (2 * row + r) * 2 * width + 2 * ow;
                if (whole) {
                    _mm512_storeu_ps(dx, left);
                    _mm512_storeu_ps(dx + 16, right);
                } else {
                    _mm512_mask_storeu_ps(dx, rest_low, left);
                    _mm512_mask_storeu_ps(dx + 16, rest_high, right);
                }
            }
        }
    }
}

static int max_back_rows_fast(const struct pool_back_rows *back)
{
    const struct convoy_pool *p = back->p;
    if (p->stride_w != 2 || p->dil_w != 1 || p->dil_h != 1 || p->kh > MOST_ROWS)
        return 0;
    if (p->kw == 2 && p->kh == 2 && p->stride_h == 2 && !p->pad_l && !p->pad_t && p->w == 2 * p->ow &&
        back->h_first % 2 == 0 && back->rows % 2 == 0 && back->h_first + back->rows <= 2 * back->oh) {
        if (p->w <= 16)
            back_narrow_rows(back);
        else
            back_pairs_of_rows(back);
        return 1;
    }
    switch (p->kw * 2 + (p->pad_l & 1)) {
    case 2 * 2 + 0: back_wide_rows(back, 2, 0); return 1;
    case 2 * 2 + 1: back_wide_rows(back, 2, 1); return 1;
    case 3 * 2 + 0: back_wide_rows(back, 3, 0); return 1;
    case 3 * 2 + 1: back_wide_rows(back, 3, 1); return 1;
    default: return 0;
    }
}
