/* Pooling: maximum with index, averages over the padded image or over x alone, and the 2-norm; forward and backward.
 * D: maximum |value|, average mean|x|, 2-norm the value, gradients sum|terms|; INDEX is a value without a scale. */
#include "naive.h"
#include <convoy/shape.h>
#include <math.h>

enum { CHUNK = 1024 };

struct taps {
    int32_t first, last;
};

/* Taps of window o that meet 0..extent-1, for a window that starts at o*stride - pad. */
static struct taps taps_within(int32_t extent, int64_t o, int32_t kernel, int32_t stride, int32_t dilation, int32_t pad)
{
    struct taps taps;
    convoy_tap_range(extent, kernel, (int32_t)(pad - o * stride), dilation, 0, &taps.first, &taps.last);
    return taps;
}

/* By how many elements the window is divided. */
static double divisor(const struct convoy_pool *p, int64_t oh, int64_t ow)
{
    const int padded = p->kind == CONVOY_POOL_AVG_PAD;
    const struct taps r = padded ? taps_within(p->h + p->pad_t + p->pad_b, oh, p->kh, p->stride_h, p->dil_h, 0)
                                 : taps_within(p->h, oh, p->kh, p->stride_h, p->dil_h, p->pad_t);
    const struct taps s = padded ? taps_within(p->w + p->pad_l + p->pad_r, ow, p->kw, p->stride_w, p->dil_w, 0)
                                 : taps_within(p->w, ow, p->kw, p->stride_w, p->dil_w, p->pad_l);
    return (double)(r.last - r.first) * (double)(s.last - s.first);
}

struct window {
    double max, sum, abs_sum, square_sum;
    int64_t index;
};

static struct window window_at(const struct job *job, int64_t element)
{
    const struct convoy_pool *p = &job->problem->pool;
    const int64_t ow = element % p->ow, oh = element / p->ow % p->oh, plane = element / p->ow / p->oh;
    const float *x = (const float *)job->slot[CONVOY_X] + plane * p->h * p->w;
    const struct taps rows = taps_within(p->h, oh, p->kh, p->stride_h, p->dil_h, p->pad_t);
    const struct taps columns = taps_within(p->w, ow, p->kw, p->stride_w, p->dil_w, p->pad_l);
    struct window window = {.max = NAN, .index = -1};
    for (int64_t r = rows.first; r < rows.last; r++) {
        for (int64_t s = columns.first; s < columns.last; s++) {
            const int64_t h = oh * p->stride_h - p->pad_t + r * p->dil_h, w = ow * p->stride_w - p->pad_l + s * p->dil_w;
            const double value = (double)x[h * p->w + w];
            if (window.index < 0 || (!isnan(window.max) && (isnan(value) || value > window.max))) {
                window.max = value;
                window.index = r * p->kw + s;
            }
            window.sum += value;
            window.abs_sum += fabs(value);
            window.square_sum += value * value;
        }
    }
    return window;
}

static struct convoy_verdict_terms forward(const struct job *job, uint32_t slot, int64_t element)
{
    const struct convoy_pool *p = &job->problem->pool;
    const struct window window = window_at(job, element);
    double value, abs_sum;
    if (slot == CONVOY_INDEX) {
        value = (double)window.index;
        abs_sum = value;
    } else if (p->kind == CONVOY_POOL_MAX) {
        value = window.max;
        abs_sum = fabs(value);
    } else if (p->kind == CONVOY_POOL_L2) {
        value = sqrt(window.square_sum);
        abs_sum = value;
    } else {
        const double count = divisor(p, element / p->ow % p->oh, element % p->ow);
        value = window.sum / count;
        abs_sum = window.abs_sum / count;
    }
    return (struct convoy_verdict_terms){.value = value, .abs_sum = abs_sum, .norm = abs_sum};
}

/* What window `o` passes on to the x under its tap: all of dy to the maximum, a share of it to every element of an average,
 * d sqrt(sum x^2) / dx = x/y of it under the 2-norm. */
static double gradient(const struct job *job, int64_t x_at, int64_t o, int64_t tap, double count)
{
    const struct convoy_pool *p = &job->problem->pool;
    const float *x = job->slot[CONVOY_X], *y = job->slot[CONVOY_Y];
    const double dy = (double)((const float *)job->slot[CONVOY_DY])[o];
    if (p->kind == CONVOY_POOL_MAX) {
        const int64_t index = convoy_index_bytes(p) == 1 ? ((const uint8_t *)job->slot[CONVOY_INDEX])[o]
                                                         : ((const int32_t *)job->slot[CONVOY_INDEX])[o];
        return index == tap ? dy : 0.0;
    }
    if (p->kind == CONVOY_POOL_L2)
        return y[o] == 0.0f ? 0.0 : dy * (double)x[x_at] / (double)y[o];
    return dy / count;
}

/* Windows that reach position `at` of an axis: 0 <= at + pad - o*stride <= span - 1. */
static struct taps windows_over(int32_t at, int32_t out, int32_t kernel, int32_t stride, int32_t dilation, int32_t pad)
{
    const int64_t span = convoy_span(kernel, dilation);
    struct taps windows;
    convoy_tap_range((int32_t)span, out, (int32_t)(at + pad - span + 1), stride, 0, &windows.first, &windows.last);
    return windows;
}

static struct convoy_verdict_terms backward(const struct job *job, int64_t element)
{
    const struct convoy_pool *p = &job->problem->pool;
    const int32_t w = (int32_t)(element % p->w), h = (int32_t)(element / p->w % p->h);
    const int64_t plane = element / p->w / p->h;
    const struct taps rows = windows_over(h, p->oh, p->kh, p->stride_h, p->dil_h, p->pad_t);
    const struct taps columns = windows_over(w, p->ow, p->kw, p->stride_w, p->dil_w, p->pad_l);
    const int average = p->kind == CONVOY_POOL_AVG_PAD || p->kind == CONVOY_POOL_AVG_VALID;
    struct convoy_verdict_terms sum = {0};
    for (int64_t oh = rows.first; oh < rows.last; oh++) {
        for (int64_t ow = columns.first; ow < columns.last; ow++) {
            const int64_t in_h = h + p->pad_t - oh * p->stride_h, in_w = w + p->pad_l - ow * p->stride_w;
            if (in_h % p->dil_h || in_w % p->dil_w)
                continue;
            const double term = gradient(job, element, (plane * p->oh + oh) * p->ow + ow,
                                         in_h / p->dil_h * p->kw + in_w / p->dil_w, average ? divisor(p, oh, ow) : 1.0);
            sum.value += term;
            sum.abs_sum += fabs(term);
        }
    }
    sum.norm = sum.abs_sum;
    return sum;
}

struct convoy_verdict_terms pool_element(const struct job *job, uint32_t slot, uint64_t element)
{
    return slot == CONVOY_DX ? backward(job, (int64_t)element) : forward(job, slot, (int64_t)element);
}

static void store_index(const struct job *job, uint64_t element)
{
    const int64_t index = window_at(job, (int64_t)element).index;
    if (convoy_index_bytes(&job->problem->pool) == 1)
        ((uint8_t *)job->slot[CONVOY_INDEX])[element] = (uint8_t)index;
    else
        ((int32_t *)job->slot[CONVOY_INDEX])[element] = (int32_t)index;
}

static void chunk(void *context, size_t i, size_t worker)
{
    (void)worker;
    const struct job *job = context;
    const uint32_t writes = binding_writes(job->problem);
    const uint32_t slot = (writes & (1u << CONVOY_DX)) ? CONVOY_DX : CONVOY_Y;
    const uint64_t elements = binding_elements(job->problem, slot), first = (uint64_t)i * CHUNK;
    for (uint64_t element = first; element < first + CHUNK && element < elements; element++) {
        ((float *)job->slot[slot])[element] = (float)pool_element(job, slot, element).value;
        if (writes & (1u << CONVOY_INDEX))
            store_index(job, element);
    }
}

void pool_execute(const struct job *job)
{
    const uint32_t slot = job->problem->head.op == CONVOY_POOL_BWD ? CONVOY_DX : CONVOY_Y;
    struct job shared = *job;
    job->host->parallel(job->host, chunk, &shared, (size_t)convoy_ceil_div((int64_t)binding_elements(job->problem, slot), CHUNK));
}
