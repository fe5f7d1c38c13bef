#include "plane.h"

#if defined(__AVX512F__)
#include <immintrin.h>
#include <stddef.h>

#if defined(__clang__)
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 16")
#endif

enum { LANES = 16, KERNEL_MOST = 7, ROWS_MOST = 4 };

/* The columns of sixteen outputs: for each tap where its inputs begin in a row, and which of them lie in the image. */
struct window {
    int64_t from[KERNEL_MOST];
    __mmask16 low[KERNEL_MOST],
        high[KERNEL_MOST];             /* of the 16 floats there, and of the next 16 where every second one is taken */
    __mmask16 keep, meet[KERNEL_MOST]; /* outputs; those whose input lies in the image                               */
};

/* Of sixteen places `first`, `first` + `step`, .. those in 0.. `in` - 1. */
static inline __mmask16 inside(int64_t first, int64_t step, int64_t in)
{
    const int64_t from = first < 0 ? (-first + step - 1) / step : 0, end = first < in ? (in - first + step - 1) / step : 0,
                  upto = end < LANES ? end : LANES;
    return from >= upto ? 0 : (__mmask16)((0xffffu << from) & (0xffffu >> (LANES - upto)));
}

static inline __attribute__((always_inline)) void open_window(struct window *window, const struct plane_shape *shape, int64_t ow,
                                                              const int kernel, const int stride)
{
    window->keep = inside(ow, 1, shape->ow);
    UNROLL
    for (int s = 0; s < kernel; s++) {
        window->from[s] = ow * stride - shape->pad_l + s;
        window->low[s] = inside(window->from[s], 1, shape->w);
        window->high[s] = inside(window->from[s] + LANES, 1, shape->w);
        window->meet[s] = inside(window->from[s], stride, shape->w) & window->keep;
    }
}

static inline __attribute__((always_inline)) __m512 load(const float *row, const struct window *window, const int s,
                                                         const int stride)
{
    const float *const from = row + window->from[s];
    const __m512 low = _mm512_maskz_loadu_ps(window->low[s], from);
    if (stride == 1)
        return low;
    const __m512i even = _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
    return _mm512_permutex2var_ps(low, even, _mm512_maskz_loadu_ps(window->high[s], from + LANES));
}

/* Each row of inputs is read once for all `rows` rows of outputs that meet it. */
static inline __attribute__((always_inline)) void correlate_block(const struct plane_shape *shape, const struct window *window,
                                                                  const float *x, const float *weight, __m512 bias, __m512 floor,
                                                                  float *y, int64_t oh, const int rows, const int kernel,
                                                                  const int stride)
{
    __m512 sum[ROWS_MOST];
    UNROLL
    for (int j = 0; j < rows; j++)
        sum[j] = bias;
    UNROLL
    for (int i = 0; i < (rows - 1) * stride + kernel; i++) {
        const int64_t h = oh * stride - shape->pad_t + i;
        if (h < 0 || h >= shape->h)
            continue;
        UNROLL
        for (int s = 0; s < kernel; s++) {
            const __m512 v = load(x + h * shape->w, window, s, stride);
            UNROLL
            for (int j = 0; j < rows; j++) {
                const int r = i - j * stride;
                if (r >= 0 && r < kernel)
                    sum[j] = _mm512_fmadd_ps(_mm512_set1_ps(weight[r * kernel + s]), v, sum[j]);
            }
        }
    }
    UNROLL
    for (int j = 0; j < rows; j++) /* of an unordered pair the second is taken, so NaN stays */
        _mm512_mask_storeu_ps(y + (oh + j) * shape->ow, window->keep, _mm512_max_ps(floor, sum[j]));
}

static inline __attribute__((always_inline)) void correlate(const struct plane_shape *shape, const float *x, const float *weight,
                                                            float bias, int32_t relu, float *y, const int kernel,
                                                            const int stride)
{
    const __m512 start = _mm512_set1_ps(bias), floor = relu ? _mm512_setzero_ps() : _mm512_set1_ps(-__builtin_inff());
    for (int64_t ow = 0; ow < shape->ow; ow += LANES) {
        struct window window;
        open_window(&window, shape, ow, kernel, stride);
        int64_t oh = 0;
        for (; oh + ROWS_MOST <= shape->oh; oh += ROWS_MOST)
            correlate_block(shape, &window, x, weight, start, floor, y + ow, oh, ROWS_MOST, kernel, stride);
        for (; oh < shape->oh; oh++)
            correlate_block(shape, &window, x, weight, start, floor, y + ow, oh, 1, kernel, stride);
    }
}

/* Columns 2q and 2q + 1 of dx meet every second tap each, at consecutive outputs. */
static inline __attribute__((always_inline)) void spread(const struct plane_shape *shape, const float *dy, const float *weight,
                                                         float *dx, const int kernel)
{
    const __m512i low = _mm512_setr_epi32(0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23),
                  high = _mm512_add_epi32(low, _mm512_set1_epi32(8));
    const int64_t odd = shape->pad_l & 1;
    for (int64_t q = 0; 2 * q < shape->w; q += LANES) {
        const __mmask16 keep_low = inside(2 * q, 1, shape->w), keep_high = inside(2 * q + LANES, 1, shape->w);
        struct window window;
        UNROLL
        for (int s = 0; s < kernel; s++) {
            window.from[s] = q + ((odd ^ (s & 1)) + shape->pad_l - s) / 2;
            window.low[s] = inside(window.from[s], 1, shape->ow);
        }
        for (int64_t h = 0; h < shape->h; h++) {
            __m512 sum[2] = {_mm512_setzero_ps(), _mm512_setzero_ps()}; /* of even taps, of odd ones */
            for (int64_t r = (h + shape->pad_t) & 1; r < kernel; r += 2) {
                const int64_t oh = (h + shape->pad_t - r) / 2;
                if (h + shape->pad_t < r || oh >= shape->oh)
                    continue;
                UNROLL
                for (int s = 0; s < kernel; s++)
                    sum[s & 1] = _mm512_fmadd_ps(_mm512_set1_ps(weight[r * kernel + s]), load(dy + oh * shape->ow, &window, s, 1),
                                                 sum[s & 1]);
            }
            float *const to = dx + h * shape->w + 2 * q;
            _mm512_mask_storeu_ps(to, keep_low, _mm512_permutex2var_ps(sum[odd], low, sum[!odd]));
            _mm512_mask_storeu_ps(to + LANES, keep_high, _mm512_permutex2var_ps(sum[odd], high, sum[!odd]));
        }
    }
}

/* `rows` rows of taps from row `r` on, as many as there are registers for their sums. */
static inline __attribute__((always_inline)) void gradient_rows(const struct plane_shape *shape, const float *x, const float *dy,
                                                                float *dw, const int r, const int rows, const int kernel,
                                                                const int stride)
{
    __m512 sum[KERNEL_MOST][KERNEL_MOST];
    /* With masks, since NaN times the zeros of a border is NaN. */
    UNROLL
    for (int i = 0; i < rows; i++) {
        UNROLL
        for (int s = 0; s < kernel; s++)
            sum[i][s] = _mm512_setzero_ps();
    }
    for (int64_t ow = 0; ow < shape->ow; ow += LANES) {
        struct window window;
        open_window(&window, shape, ow, kernel, stride);
        for (int64_t oh = 0; oh < shape->oh; oh++) {
            const __m512 d = _mm512_maskz_loadu_ps(window.keep, dy + oh * shape->ow + ow);
            UNROLL
            for (int i = 0; i < rows; i++) {
                const int64_t h = oh * stride - shape->pad_t + r + i;
                if (h < 0 || h >= shape->h)
                    continue;
                UNROLL
                for (int s = 0; s < kernel; s++)
                    sum[i][s] = _mm512_mask3_fmadd_ps(d, load(x + h * shape->w, &window, s, stride), sum[i][s], window.meet[s]);
            }
        }
    }
    UNROLL
    for (int i = 0; i < rows; i++) {
        UNROLL
        for (int s = 0; s < kernel; s++)
            dw[(r + i) * kernel + s] += _mm512_reduce_add_ps(sum[i][s]);
    }
}

static inline __attribute__((always_inline)) void gradient(const struct plane_shape *shape, const float *x, const float *dy,
                                                           float *dw, const int kernel, const int stride)
{
    const int rows = kernel <= 5 ? kernel : 3;
    UNROLL
    for (int r = 0; r < kernel; r += rows)
        gradient_rows(shape, x, dy, dw, r, r + rows <= kernel ? rows : kernel - r, kernel, stride);
}

#define EACH(X) X(3, 1) X(3, 2) X(5, 1) X(5, 2) X(7, 1) X(7, 2)
#define EACH_STRIDED(X) X(3) X(5) X(7)

#define DEFINE(kernel, stride)                                                                                                   \
    static void correlate_##kernel##_##stride(const struct plane_shape *shape, const float *x, const float *weight, float bias,  \
                                              int32_t relu, float *y)                                                            \
    {                                                                                                                            \
        correlate(shape, x, weight, bias, relu, y, kernel, stride);                                                              \
    }                                                                                                                            \
    static void gradient_##kernel##_##stride(const struct plane_shape *shape, const float *x, const float *dy, float *dw)        \
    {                                                                                                                            \
        gradient(shape, x, dy, dw, kernel, stride);                                                                              \
    }
#define DEFINE_STRIDED(kernel)                                                                                                   \
    static void spread_##kernel(const struct plane_shape *shape, const float *dy, const float *weight, float *dx)                \
    {                                                                                                                            \
        spread(shape, dy, weight, dx, kernel);                                                                                   \
    }
EACH(DEFINE)
EACH_STRIDED(DEFINE_STRIDED)

#define spread_of_1(kernel) NULL
#define spread_of_2(kernel) spread_##kernel
#define ENTRY(kernel, stride)                                                                                                    \
    {kernel, stride, correlate_##kernel##_##stride, spread_of_##stride(kernel), gradient_##kernel##_##stride},
const struct plane_loops plane_loops_avx512[] = {EACH(ENTRY){0}};
#endif
