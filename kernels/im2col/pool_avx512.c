/* The loops of pooling for AVX-512, with maxima over windows of two or three columns, two apart, in registers. */
#include "pool.h"

static int max_row_fast(const struct pool_max_row *row);
static int max_back_row_fast(const struct pool_back_row *row);
#define LANES_HEADER "lanes_avx512.h"
#define POOL_LOOPS pool_loops_avx512
#define POOL_MAX_ROW_FAST max_row_fast
#define POOL_MAX_BACK_ROW_FAST max_back_row_fast
#include "pool_body.h"
#include <float.h>

enum { MOST_ROWS = 3, NO_TAP = 0x10000 };

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

static inline __attribute__((always_inline)) int max_row_of(const struct pool_max_row *row, int count, int kw, int indexed)
{
    const struct convoy_pool *p = row->p;
    struct rows rows = {.width = p->w, .strange = {_mm512_setzero_ps(), _mm512_setzero_ps()}};
    for (int r = 0; r < count; r++) {
        rows.x[r] = row->x + (int64_t)r * p->dil_h * p->w;
        rows.tap[r] = _mm512_set1_epi32((row->r_first + r) * p->kw);
    }
    struct columns next = take_columns(&rows, count, -p->pad_l);
    for (int64_t ow = 0; ow < p->ow; ow += 16) {
        const struct columns now = next;
        if (ow + 16 < p->ow || kw == 3)
            next = take_columns(&rows, count, 2 * (ow + 16) - p->pad_l);
        const __m512 third = _mm512_castsi512_ps(_mm512_alignr_epi32(_mm512_castps_si512(next.even), _mm512_castps_si512(now.even), 1));
        __m512 y = _mm512_max_ps(now.odd, now.even);
        if (kw == 3)
            y = _mm512_max_ps(third, y);
        const __mmask16 mask = lanes_mask_first(convoy_min(16, p->ow - ow));
        _mm512_mask_storeu_ps(row->y + ow, mask, y);
        if (!indexed)
            continue;
        __m512i tap = least_tap(_mm512_set1_epi32(NO_TAP), now.even, now.even_tap, y);
        tap = least_tap(tap, now.odd, _mm512_add_epi32(now.odd_tap, _mm512_set1_epi32(1)), y);
        if (kw == 3)
            tap = least_tap(tap, third, _mm512_add_epi32(_mm512_alignr_epi32(next.even_tap, now.even_tap, 1), _mm512_set1_epi32(2)), y);
        _mm_mask_storeu_epi8(row->bytes + ow, mask, _mm512_cvtepi32_epi8(tap));
    }
    return _mm512_cmp_ps_mask(rows.strange[0], rows.strange[1], _CMP_UNORD_Q) == 0;
}

static int max_row_fast(const struct pool_max_row *row)
{
    const struct convoy_pool *p = row->p;
    const int count = row->r_last - row->r_first, indexed = row->index != NULL;
    if (p->stride_w != 2 || p->dil_w != 1 || p->kh > MOST_ROWS || (indexed && !row->bytes))
        return 0;
    switch (p->kw * 8 + count * 2 + indexed) {
    case 2 * 8 + 1 * 2 + 1: return max_row_of(row, 1, 2, 1);
    case 2 * 8 + 2 * 2 + 0: return max_row_of(row, 2, 2, 0);
    case 2 * 8 + 2 * 2 + 1: return max_row_of(row, 2, 2, 1);
    case 3 * 8 + 2 * 2 + 0: return max_row_of(row, 2, 3, 0);
    case 3 * 8 + 2 * 2 + 1: return max_row_of(row, 2, 3, 1);
    case 3 * 8 + 3 * 2 + 0: return max_row_of(row, 3, 3, 0);
    case 3 * 8 + 3 * 2 + 1: return max_row_of(row, 3, 3, 1);
    default: return 0;
    }
}

/* Columns w = 2i and 2i + 1 of dx. The tap s of window ow lies at w = 2*ow - pad + s: the taps of one parity meet the even columns,
 * those of the other the odd ones, and i - ow is the same for all i. */
static inline __attribute__((always_inline)) int back_row_of(const struct pool_back_row *row, int kw, int odd_pad)
{
    const struct convoy_pool *p = row->p;
    const __m512i low = _mm512_setr_epi32(0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
    const __m512i high = _mm512_setr_epi32(8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
    int64_t ahead[3];
    for (int s = 0; s < kw; s++)
        ahead[s] = (((s + odd_pad) & 1) + p->pad_l - s) / 2;
    for (int64_t i = 0; 2 * i < p->w; i += 16) {
        __mmask16 inside[3];
        __m512 sum[2] = {_mm512_setzero_ps(), _mm512_setzero_ps()};
        for (int s = 0; s < kw; s++)
            inside[s] = columns_inside(i + ahead[s], p->ow);
        for (int at = 0; at < row->rows; at++) {
            const float *dy = row->tap[at].dy;
            const uint8_t *index = row->tap[at].index;
            const int first_tap = row->tap[at].r * kw;
            for (int s = 0; s < kw; s++) {
                const int odd = (s + odd_pad) & 1;
                const int64_t ow = i + ahead[s];
                const __m128i taps = _mm_maskz_loadu_epi8(inside[s], index + ow);
                const __mmask16 chosen = _mm_mask_cmpeq_epi8_mask(inside[s], taps, _mm_set1_epi8((char)(first_tap + s)));
                sum[odd] = _mm512_add_ps(sum[odd], _mm512_maskz_loadu_ps(chosen, dy + ow));
            }
        }
        const __m512 left = _mm512_permutex2var_ps(sum[0], low, sum[1]), right = _mm512_permutex2var_ps(sum[0], high, sum[1]);
        if (2 * i + 32 <= p->w) {
            _mm512_storeu_ps(row->dx + 2 * i, left);
            _mm512_storeu_ps(row->dx + 2 * i + 16, right);
        } else {
            _mm512_mask_storeu_ps(row->dx + 2 * i, columns_inside(2 * i, p->w), left);
            _mm512_mask_storeu_ps(row->dx + 2 * i + 16, columns_inside(2 * i + 16, p->w), right);
        }
    }
    return 1;
}

static int max_back_row_fast(const struct pool_back_row *row)
{
    const struct convoy_pool *p = row->p;
    if (p->stride_w != 2 || p->dil_w != 1 || p->kh * p->kw > 256)
        return 0;
    switch (p->kw * 2 + (p->pad_l & 1)) {
    case 2 * 2 + 0: return back_row_of(row, 2, 0);
    case 2 * 2 + 1: return back_row_of(row, 2, 1);
    case 3 * 2 + 0: return back_row_of(row, 3, 0);
    case 3 * 2 + 1: return back_row_of(row, 3, 1);
    default: return 0;
    }
}
