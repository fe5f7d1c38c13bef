#include "fold.h"
#include <convoy/plugin.h>
#include <string.h>

struct job {
    const struct fold *fold;
    const float *from;
    float *to;
};

static int64_t folded_plane(const struct fold *f)
{
    return (int64_t)f->folded_h * f->folded_w;
}

int64_t fold_floats(const struct fold *f)
{
    return f->stride > 1 ? f->n * f->channels * f->stride * f->columns * folded_plane(f) : 0;
}

fold_split_fn *fold_split_find(const char *family, int32_t stride)
{
#if defined(__x86_64__)
    if (!strcmp(family, "avx512") && stride <= FOLD_MOST_SPLIT)
        return fold_split_avx512[stride];
#endif
    (void)family;
    (void)stride;
    return NULL;
}

/* The pixels first .. last-1 of a folded row that lie in a row of `width` pixels: pixel x is number stride*x + shift of it. */
struct span {
    int64_t first, last;
};

static struct span span_of(int32_t stride, int64_t shift, int64_t width, int64_t folded)
{
    struct span span = {shift < 0 ? convoy_ceil_div(-shift, stride) : 0, 0};
    span.last = shift < width ? convoy_min(folded, convoy_ceil_div(width - shift, stride)) : 0;
    span.first = convoy_min(span.first, folded);
    span.last = convoy_max(span.last, span.first);
    return span;
}

static void fold_row(const struct fold *f, const float *row, float *to, ptrdiff_t plane)
{
    for (int32_t b = 0; f->split && b < f->columns; b += f->stride, to += f->stride * plane)
        f->split(row, f->w, b - f->pad_l, f->folded_w, to, plane);
    for (int64_t b = 0; !f->split && b < f->columns; b++, to += plane) {
        const int64_t shift = b - f->pad_l;
        const struct span span = span_of(f->stride, shift, f->w, f->folded_w);
        memset(to, 0, (size_t)span.first * sizeof *to);
        for (int64_t x = span.first; x < span.last; x++)
            to[x] = row[x * f->stride + shift];
        memset(to + span.last, 0, (size_t)(f->folded_w - span.last) * sizeof *to);
    }
}

static void fold_task(void *context, size_t i, size_t worker)
{
    (void)worker;
    const struct job *job = context;
    const struct fold *f = job->fold;
    const int64_t n = (int64_t)i / f->channels, c = (int64_t)i % f->channels, plane = folded_plane(f);
    const float *image = job->from + n * f->image_stride + c * f->h * f->w;
    float *channel = job->to + (n * f->channels + c) * f->stride * f->columns * plane;
    for (int64_t h = 0; h < f->folded_h; h++) {
        for (int64_t a = 0; a < f->stride; a++) {
            const int64_t y = h * f->stride + a - f->pad_t;
            float *to = channel + a * f->columns * plane + h * f->folded_w;
            if (y >= 0 && y < f->h) {
                fold_row(f, image + y * f->w, to, plane);
                continue;
            }
            for (int64_t b = 0; b < f->columns; b++)
                memset(to + b * plane, 0, (size_t)f->folded_w * sizeof *to);
        }
    }
}

static void unfold_task(void *context, size_t i, size_t worker)
{
    (void)worker;
    const struct job *job = context;
    const struct fold *f = job->fold;
    const int64_t n = (int64_t)i / f->channels, c = (int64_t)i % f->channels, phases = (int64_t)f->stride * f->stride;
    float *image = job->to + n * f->image_stride + c * f->h * f->w;
    const float *from = job->from + (n * f->channels + c) * phases * folded_plane(f);
    for (int64_t phase = 0; phase < phases; phase++) {
        const int64_t shift = phase % f->stride - f->pad_l;
        const struct span span = span_of(f->stride, shift, f->w, f->folded_w);
        for (int64_t h = 0; h < f->folded_h; h++, from += f->folded_w) {
            const int64_t y = h * f->stride + phase / f->stride - f->pad_t;
            for (int64_t x = span.first; y >= 0 && y < f->h && x < span.last; x++)
                image[y * f->w + x * f->stride + shift] = from[x];
        }
    }
}

void fold_image(const struct convoy_host *host, const struct fold *fold, const float *image, float *folded)
{
    struct job job = {fold, image, folded};
    host->parallel(host, fold_task, &job, (size_t)fold->n * (size_t)fold->channels);
}

void unfold_image(const struct convoy_host *host, const struct fold *fold, const float *folded, float *image)
{
    struct job job = {fold, folded, image};
    host->parallel(host, unfold_task, &job, (size_t)fold->n * (size_t)fold->channels);
}
