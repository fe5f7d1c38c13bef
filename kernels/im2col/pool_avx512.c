/* The loops of pooling for AVX-512. */
#include "pool.h"

static int max_back_rows_fast(const struct pool_back_rows *back);
#define LANES_HEADER "lanes_avx512.h"
#define POOL_LOOPS pool_loops_avx512
#define POOL_FWD_ROWS pool_fwd_rows_avx512
#define POOL_MAX_BACK_ROWS_FAST max_back_rows_fast
#include "pool_body.h"

enum { MOST_ROWS = 3 };

static inline __mmask16 columns_inside(int64_t first, int64_t count)
{
    const int64_t from = convoy_min(16, convoy_max(0, -first)), to = convoy_max(from, convoy_min(16, count - first));
    return (__mmask16)(((1u << to) - 1) & ~((1u << from) - 1));
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
