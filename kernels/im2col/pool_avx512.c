/* The loops of pooling for AVX-512. */
#include "pool.h"

static int max_back_rows_fast(const struct pool_back_rows *back);
#define LANES_HEADER "lanes_avx512.h"
#define POOL_LOOPS pool_loops_avx512
#define POOL_FWD_ROWS pool_fwd_rows_avx512
#define POOL_MAX_BACK_ROWS_FAST max_back_rows_fast
#include "pool_body.h"

static inline __mmask16 columns_inside(int64_t first, int64_t count)
{
    const int64_t from = convoy_min(16, convoy_max(0, -first)), to = convoy_max(from, convoy_min(16, count - first));
    return (__mmask16)(((1u << to) - 1) & ~((1u << from) - 1));
}

/* ---- gradients ---- */

/* What an instance is compiled for. */
struct shape {
    int kernel, stride;
    int odd_pad;
    int whole; /* every window and column of the block is there, and every row */
};

/* `stride` vectors of rows of dx from column w = stride*at on. The tap s of window ow lies at w = stride*ow - pad + s: ow - at is
 * the same for the whole block. Stride 2: the taps of one parity meet the even columns, those of the other the odd ones. */
struct block {
    int64_t at;
    __mmask16 windows[3], columns[2];
};

/* ow - at for tap s, but for pad_l / stride. */
static inline __attribute__((always_inline)) int ahead(int stride, int odd_pad, int s)
{
    return stride == 1 ? -s : s == 0 ? odd_pad : s == 1 ? 0 : odd_pad - 1;
}

/* The padded rows a*stride + b of dx, for every b: the taps b, b + stride, ... of windows a, a - 1, ... */
struct meeting {
    const float *dy[3]; /* rows a, a - 1, ..., window pad_l / stride */
    const uint8_t *index[3];
    float *dx[2];
    __mmask16 window[3], row[2]; /* all bits, or none where the row is missing */
};

static inline struct block block_at(const struct convoy_pool *p, int kernel, int stride, int64_t at)
{
    struct block block = {.at = at};
    for (int s = 0; s < kernel; s++)
        block.windows[s] = columns_inside(at + p->pad_l / stride + ahead(stride, p->pad_l & 1, s), p->ow);
    for (int vector = 0; vector < stride; vector++)
        block.columns[vector] = columns_inside(stride * at + 16 * vector, p->w);
    return block;
}

static inline int block_is_whole(const struct block *block, int kernel, int stride)
{
    __mmask16 all = block->columns[0] & block->columns[stride - 1];
    for (int s = 0; s < kernel; s++)
        all &= block->windows[s];
    return all == 0xffff;
}

/* dx gets what the taps bring, first the windows of row a. */
static inline __attribute__((always_inline)) void back_block(struct shape shape, const struct meeting *meeting,
                                                             const struct block *block, int64_t at, const __m128i *wanted)
{
    const __m512i low = _mm512_setr_epi32(0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
    const __m512i high = _mm512_setr_epi32(8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
    __m512 sum[2][2] = {{_mm512_setzero_ps(), _mm512_setzero_ps()}, {_mm512_setzero_ps(), _mm512_setzero_ps()}};
    for (int m = 0; m * shape.stride < shape.kernel; m++)
        for (int s = 0; s < shape.kernel; s++) {
            const float *from = meeting->dy[m] + at + ahead(shape.stride, shape.odd_pad, s);
            const uint8_t *taps_from = meeting->index[m] + at + ahead(shape.stride, shape.odd_pad, s);
            const int odd = shape.stride == 2 ? (s + shape.odd_pad) & 1 : 0;
            const __mmask16 inside = shape.whole ? 0xffff : block->windows[s] & meeting->window[m];
            const __m512 dy = shape.whole ? _mm512_loadu_ps(from) : _mm512_maskz_loadu_ps(inside, from);
            const __m128i taps =
                shape.whole ? _mm_loadu_si128((const __m128i *)(const void *)taps_from) : _mm_maskz_loadu_epi8(inside, taps_from);
            for (int b = 0; b < shape.stride && b + m * shape.stride < shape.kernel; b++) {
                const __m128i tap = wanted[(b + m * shape.stride) * shape.kernel + s];
                const __mmask16 chosen =
                    shape.whole ? _mm_cmpeq_epi8_mask(taps, tap) : _mm_mask_cmpeq_epi8_mask(inside, taps, tap);
                sum[b][odd] = _mm512_mask_add_ps(sum[b][odd], chosen, sum[b][odd], dy);
            }
        }
    for (int b = 0; b < shape.stride; b++) {
        __m512 v[2] = {sum[b][0], sum[b][1]};
        if (shape.stride == 2) {
            v[0] = _mm512_permutex2var_ps(sum[b][0], low, sum[b][1]);
            v[1] = _mm512_permutex2var_ps(sum[b][0], high, sum[b][1]);
        }
        for (int vector = 0; vector < shape.stride; vector++) {
            float *to = meeting->dx[b] + shape.stride * at + 16 * vector;
            if (shape.whole)
                _mm512_storeu_ps(to, v[vector]);
            else
                _mm512_mask_storeu_ps(to, block->columns[vector] & meeting->row[b], v[vector]);
        }
    }
}

static inline __attribute__((always_inline)) int back_wide_rows(const struct pool_back_rows *back, int kernel, int stride,
                                                                int odd_pad)
{
    const struct convoy_pool *p = back->p;
    const struct shape whole = {kernel, stride, odd_pad, 1}, partly = {kernel, stride, odd_pad, 0};
    const int64_t count = convoy_ceil_div(p->w, 16 * stride), last_h = back->h_first + back->rows;
    const struct block first = block_at(p, kernel, stride, 0), last = block_at(p, kernel, stride, (count - 1) * 16);
    const int64_t whole_first = block_is_whole(&first, kernel, stride) ? 0 : 16;
    int64_t whole_last = count * 16;
    struct block partial = last;
    __m128i wanted[9];
    for (int tap = 0; tap < kernel * kernel; tap++) {
        wanted[tap] = _mm_set1_epi8((char)tap);
        __asm__("" : "+v"(wanted[tap])); /* or it is made again for every row */
    }
    while (whole_last > whole_first && !block_is_whole(&partial, kernel, stride)) {
        whole_last -= 16;
        partial = block_at(p, kernel, stride, whole_last - 16);
    }
    for (int64_t a = (back->h_first + p->pad_t) / stride; a * stride - p->pad_t < last_h; a++) {
        const int64_t h = a * stride - p->pad_t;
        struct meeting meeting;
        __mmask16 all = 0xffff;
        for (int m = 0; m * stride < kernel; m++) {
            const int64_t from = (a - m) * p->ow + p->pad_l / stride;
            meeting.dy[m] = back->dy + from;
            meeting.index[m] = (const uint8_t *)back->index + from;
            all &= meeting.window[m] = a - m >= 0 && a - m < back->oh ? 0xffff : 0;
        }
        for (int b = 0; b < stride; b++) {
            meeting.dx[b] = back->dx + (h + b - back->h_first) * p->w;
            all &= meeting.row[b] = h + b >= back->h_first && h + b < last_h ? 0xffff : 0;
        }
        int64_t at = 0;
        if (all) {
            if (whole_first)
                back_block(partly, &meeting, &first, 0, wanted);
            for (at = whole_first; at < whole_last; at += 16)
                back_block(whole, &meeting, &first, at, wanted);
            if (at == last.at) {
                back_block(partly, &meeting, &last, at, wanted);
                at += 16;
            }
        }
        for (; at <= last.at; at += 16) {
            const struct block block = block_at(p, kernel, stride, at);
            back_block(partly, &meeting, &block, at, wanted);
        }
    }
    return 1;
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
    if (p->kh != p->kw || p->stride_h != p->stride_w || p->stride_w > 2 || p->dil_w != 1 || p->dil_h != 1)
        return 0;
    if (p->kw == 2 && p->stride_w == 2 && !p->pad_l && !p->pad_t && p->w == 2 * p->ow && back->h_first % 2 == 0 &&
        back->rows % 2 == 0 && back->h_first + back->rows <= 2 * back->oh) {
        if (p->w <= 16)
            back_narrow_rows(back);
        else
            back_pairs_of_rows(back);
        return 1;
    }
    switch (p->kw * 4 + (p->stride_w - 1) * 2 + (p->stride_w == 2 && p->pad_l % 2)) {
    case 2 * 4 + 0 * 2 + 0:
        return back_wide_rows(back, 2, 1, 0);
    case 2 * 4 + 1 * 2 + 0:
        return back_wide_rows(back, 2, 2, 0);
    case 2 * 4 + 1 * 2 + 1:
        return back_wide_rows(back, 2, 2, 1);
    case 3 * 4 + 0 * 2 + 0:
        return back_wide_rows(back, 3, 1, 0);
    case 3 * 4 + 1 * 2 + 0:
        return back_wide_rows(back, 3, 2, 0);
    case 3 * 4 + 1 * 2 + 1:
        return back_wide_rows(back, 3, 2, 1);
    default: return 0;
    }
}
