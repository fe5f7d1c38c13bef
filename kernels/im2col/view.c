#include "view.h"
#include <convoy/plugin.h>
#include <string.h>

struct axis axis_forward(int32_t in, int32_t out, int32_t stride, int32_t kernel, int32_t dilation, int32_t pad)
{
    return (struct axis){
        .in = in, .out = out, .stride = stride, .taps = kernel, .tap_step = 1, .place_step = 1, .offset = -pad, .step = dilation};
}

static int64_t divisor(int64_t a, int64_t b)
{
    while (b) {
        const int64_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

/* Forward, output o meets input i = o*stride - pad + r*dilation. So input phase + o*stride collects the taps r for which
 * stride divides phase + pad - r*dilation, from output o + (phase + pad - r*dilation)/stride. */
struct axis axis_phase(int32_t in, int32_t out, int32_t stride, int32_t kernel, int32_t dilation, int32_t pad, int32_t phase)
{
    struct axis axis = {.in = out, .out = (in - phase - 1) / stride + 1, .stride = 1, .place_first = phase, .place_step = stride};
    const int64_t common = divisor(dilation, stride);
    axis.tap_step = (int32_t)(stride / common);
    axis.step = -(dilation / common);
    for (int32_t r = 0; r < axis.tap_step && r < kernel; r++) {
        const int64_t distance = (int64_t)phase + pad - (int64_t)r * dilation;
        if (distance % stride)
            continue;
        axis.tap_first = r;
        axis.taps = (kernel - 1 - r) / axis.tap_step + 1;
        axis.offset = distance / stride;
    }
    return axis;
}

enum { LINE = 16 }; /* floats of a cache line */

/* An odd number of lines: pieces must not all begin in the same set of a cache. */
static int64_t spread(int64_t floats)
{
    return (convoy_ceil_div(floats, LINE) | 1) * LINE;
}

void view_cut(struct view *view, int64_t positions, int shared)
{
    const struct axis *h = &view->h;
    view->pixels = (int64_t)h->out * view->w.out;
    view->classes = h->taps;
    view->shift = view->before = view->rows = 0;
    const int64_t common = divisor(h->step < 0 ? -h->step : h->step, h->stride), classes = h->stride / common;
    if (shared && classes < h->taps) {
        const int64_t shift = h->step / common, reach = (convoy_ceil_div(h->taps, classes) - 1) * shift;
        const int64_t rows = reach < 0 ? -reach : reach;
        if (classes * (positions + rows * view->w.out) < h->taps * positions) {
            view->classes = classes;
            view->shift = shift;
            view->before = reach < 0 ? rows : 0;
            view->rows = rows;
        }
    }
    view->piece_floats = spread(positions + view->rows * view->w.out);
    view->channel_floats = view->classes * view->w.taps * view->piece_floats;
}

int64_t view_tap(const struct view *view, int64_t t, int64_t s)
{
    return (t % view->classes * view->w.taps + s) * view->piece_floats +
           (t / view->classes * view->shift + view->before) * view->w.out;
}

/* Outputs o >= 0 below `limit` whose input o*stride + offset lies in 0 .. in-1: [*first, *last). */
static void inside(int64_t in, int64_t limit, int64_t stride, int64_t offset, int64_t *first, int64_t *last)
{
    *first = convoy_min(offset < 0 ? convoy_ceil_div(-offset, stride) : 0, limit);
    *last = convoy_max(*first, convoy_min(limit, offset < in ? convoy_ceil_div(in - offset, stride) : 0));
}

static void zero(float *to, int64_t count)
{
    memset(to, 0, (size_t)count * sizeof *to);
}

/* Stride 1 and outputs as wide as inputs: position q reads plane[q + constant], so that a piece is one run of the plane, apart
 * from the columns that have wrapped into a neighbouring row. */
static void copy_run(const struct view *view, const float *plane, int64_t row, int64_t col, int64_t begin, int64_t end, float *to)
{
    const int64_t width = view->w.out;
    int64_t p_first, p_last;
    inside(view->w.in, width, 1, col, &p_first, &p_last);
    /* rows o of outputs with 0 <= o + row < h.in; o may be negative: a piece reaches beyond its view */
    const int64_t from = convoy_min(convoy_max(begin, -row * width + p_first), end);
    const int64_t upto = convoy_max(from, convoy_min(end, (view->h.in - row - 1) * width + p_last));
    if (p_first >= p_last || from == upto) {
        zero(to, end - begin);
        return;
    }
    zero(to, from - begin);
    memcpy(to + (from - begin), plane + (from + row * width + col), (size_t)(upto - from) * sizeof *to);
    zero(to + (upto - begin), end - upto);
    if (p_first == 0 && p_last == width)
        return;
    /* from lies in a row at p_first or later */
    for (int64_t line = from - (from + row * width) % width; line < upto; line += width) {
        for (int64_t q = convoy_max(line, from); q < convoy_min(line + p_first, upto); q++)
            to[q - begin] = 0.0f;
        for (int64_t q = convoy_max(line + p_last, from); q < convoy_min(line + width, upto); q++)
            to[q - begin] = 0.0f;
    }
}

static void copy_rows(const struct view *view, const struct loops *loops, const float *plane, int64_t row, int64_t col, int64_t o,
                      int64_t p, int64_t count, float *to)
{
    int64_t p_first, p_last;
    inside(view->w.in, view->w.out, view->w.stride, col, &p_first, &p_last);
    for (; count > 0; o++, p = 0) {
        const int64_t end = convoy_min(p + count, view->w.out), h = o * view->h.stride + row;
        const int64_t from = h < 0 || h >= view->h.in ? end : convoy_min(convoy_max(p, p_first), end);
        const int64_t upto = convoy_max(from, convoy_min(end, p_last));
        zero(to, from - p);
        if (from < upto) {
            const float *const x = plane + (h * view->w.in + from * view->w.stride + col);
            if (view->w.stride == 1)
                memcpy(to + (from - p), x, (size_t)(upto - from) * sizeof *to);
            else
                loops->take(x, view->w.stride, upto - from, to + (from - p));
        }
        zero(to + (upto - p), end - upto);
        to += end - p;
        count -= end - p;
    }
}

void view_pack(const struct view *view, const struct loops *loops, const float *x, int64_t channels, int64_t first, int64_t count,
               int64_t at, float *packed)
{
    const struct axis *h = &view->h, *w = &view->w;
    const int run = h->stride == 1 && w->stride == 1 && w->in == w->out;
    const int64_t begin = first - view->before * w->out, floats = count + view->rows * w->out;
    for (int64_t c = 0; c < channels; c++) {
        const float *const plane = x + c * h->in * w->in;
        for (int64_t t = 0; t < view->classes; t++)
            for (int64_t s = 0; s < w->taps; s++) {
                const int64_t row = h->offset + t * h->step, col = w->offset + s * w->step;
                float *const to = packed + (c * view->channel_floats + (t * w->taps + s) * view->piece_floats + at);
                if (run)
                    copy_run(view, plane, row, col, begin, begin + floats, to);
                else
                    copy_rows(view, loops, plane, row, col, first / w->out - view->before, first % w->out, floats, to);
            }
    }
}
