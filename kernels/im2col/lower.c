#include "lower.h"
#include <convoy/plugin.h>
#include <convoy/shape.h>

int lower_is_identity(const struct convoy_conv *p)
{
    return p->kh == 1 && p->kw == 1 && p->stride_h == 1 && p->stride_w == 1 && p->pad_t == 0 && p->pad_l == 0 && p->oh == p->h &&
           p->ow == p->w;
}

int lower_is_dense(const struct convoy_conv *p)
{
    const int whole_h = p->kh == p->h && (p->dil_h == 1 || p->kh == 1), whole_w = p->kw == p->w && (p->dil_w == 1 || p->kw == 1);
    return p->oh == 1 && p->ow == 1 && whole_h && whole_w && p->pad_t == 0 && p->pad_l == 0;
}

/* One row of the lowered matrix: a tap (r, s) seen from output pixels first .. first + count - 1. */
struct tap {
    int32_t shift_h, shift_w;  /* input row = oh*stride_h + shift_h, column = ow*stride_w + shift_w         */
    int32_t oh_first, oh_last; /* output rows and columns whose tap lies inside the input rows in question  */
    int32_t ow_first, ow_last;
};

static struct tap tap_at(const struct convoy_conv *p, int32_t r, int32_t s, int32_t row_first, int32_t row_last)
{
    struct tap t;
    t.shift_h = r * p->dil_h - p->pad_t;
    t.shift_w = s * p->dil_w - p->pad_l;
    convoy_tap_range(row_last - row_first, p->oh, p->pad_t + row_first, p->stride_h, r * p->dil_h, &t.oh_first, &t.oh_last);
    convoy_tap_range(p->w, p->ow, p->pad_l, p->stride_w, s * p->dil_w, &t.ow_first, &t.ow_last);
    return t;
}

/* Stride 1 and output rows as long as input rows: pixel q reads x[q + constant], so that a lowered row is one contiguous
 * piece of the plane, apart from the columns where the tap has wrapped into a neighbouring row. */
static int is_shift(const struct convoy_conv *p)
{
    return p->stride_h == 1 && p->stride_w == 1 && p->ow == p->w;
}

static void zero(float *to, int64_t count)
{
    memset(to, 0, (size_t)count * sizeof *to);
}

/* Zeroes the wrapped columns of the pixels begin <= q < end. */
static void zero_wrapped(const struct convoy_conv *p, const struct tap *t, int64_t begin, int64_t end, int64_t first, float *row)
{
    if (t->ow_first == 0 && t->ow_last == p->ow)
        return;
    for (int64_t line = begin / p->ow * p->ow; line < end; line += p->ow) {
        for (int64_t q = convoy_max(line, begin); q < convoy_min(line + t->ow_first, end); q++)
            row[q - first] = 0.0f;
        for (int64_t q = convoy_max(line + t->ow_last, begin); q < convoy_min(line + p->ow, end); q++)
            row[q - first] = 0.0f;
    }
}

/* The pixels from the first to the last one of first..last-1 whose tap lies inside: [*from, *to). What they read or
 * write lies between two elements of the rows in question, so that even those among them that wrap stay in these rows. */
static void shift_range(const struct convoy_conv *p, const struct tap *t, int64_t first, int64_t last, int64_t *from, int64_t *to)
{
    const int none = t->oh_first >= t->oh_last || t->ow_first >= t->ow_last;
    *from = none ? first : convoy_min(convoy_max(first, (int64_t)t->oh_first * p->ow + t->ow_first), last);
    *to = none ? first : convoy_max(convoy_min(last, ((int64_t)t->oh_last - 1) * p->ow + t->ow_last), *from);
}

static void gather_shift(const struct convoy_conv *p, const struct tap *t, const float *plane, int64_t first, int64_t last,
                         float *row)
{
    int64_t from, to;
    shift_range(p, t, first, last, &from, &to);
    zero(row, from - first);
    if (from < to)
        memcpy(row + (from - first), plane + (from + (int64_t)t->shift_h * p->w + t->shift_w), (size_t)(to - from) * sizeof *row);
    zero(row + (to - first), last - to);
    zero_wrapped(p, t, from, to, first, row);
}

static void gather_rows(const struct convoy_conv *p, const struct loops *loops, const struct tap *t, const float *plane,
                        int64_t first, int64_t last, float *row)
{
    for (int64_t oh = first / p->ow; oh * p->ow < last; oh++) {
        const int64_t line = oh * p->ow;
        const int64_t begin = convoy_max(first - line, 0), end = convoy_min(last - line, p->ow);
        const int inside = oh >= t->oh_first && oh < t->oh_last;
        const int64_t from = convoy_min(convoy_max(begin, inside ? t->ow_first : end), end);
        const int64_t until = convoy_max(convoy_min(end, t->ow_last), from);
        float *to = row + (line + begin - first);
        zero(to, from - begin);
        if (from < until) {
            const float *x = plane + ((oh * p->stride_h + t->shift_h) * p->w + from * p->stride_w + t->shift_w);
            if (p->stride_w == 1)
                memcpy(to + (from - begin), x, (size_t)(until - from) * sizeof *to);
            else
                loops->take(x, p->stride_w, until - from, to + (from - begin));
        }
        zero(to + (until - begin), end - until);
    }
}

void lower_gather(const struct convoy_conv *p, const struct loops *loops, const float *x, int64_t channels, int64_t first,
                  int64_t count, float *panel)
{
    const int shifted = is_shift(p);
    for (int32_t r = 0; r < p->kh; r++)
        for (int32_t s = 0; s < p->kw; s++) {
            const struct tap t = tap_at(p, r, s, 0, p->h);
            for (int64_t c = 0; c < channels; c++) {
                const float *plane = x + c * p->h * p->w;
                float *row = panel + ((c * p->kh + r) * p->kw + s) * count;
                if (shifted)
                    gather_shift(p, &t, plane, first, first + count, row);
                else
                    gather_rows(p, loops, &t, plane, first, first + count, row);
            }
        }
}

static void scatter_shift(const struct convoy_conv *p, const struct loops *loops, const struct tap *t, float *row, int64_t first,
                          int64_t last, float *plane)
{
    int64_t from, to;
    shift_range(p, t, first, last, &from, &to);
    if (from >= to)
        return;
    zero_wrapped(p, t, from, to, first, row); /* what wraps adds 0 to a neighbour */
    loops->add_to(row + (from - first), to - from, plane + (from + (int64_t)t->shift_h * p->w + t->shift_w), 1);
}

static void scatter_rows(const struct convoy_conv *p, const struct loops *loops, const struct tap *t, const float *row,
                         int64_t first, int64_t last, float *plane)
{
    const int64_t oh_first = convoy_max(first / p->ow, t->oh_first);
    for (int64_t oh = oh_first; oh < t->oh_last && oh * p->ow < last; oh++) {
        const int64_t line = oh * p->ow;
        const int64_t from = convoy_max(first - line, t->ow_first), until = convoy_min(last - line, t->ow_last);
        if (from < until)
            loops->add_to(row + (line + from - first), until - from,
                          plane + ((oh * p->stride_h + t->shift_h) * p->w + from * p->stride_w + t->shift_w), p->stride_w);
    }
}

void lower_scatter_add(const struct convoy_conv *p, const struct loops *loops, float *panel, int64_t channels, int64_t first,
                       int64_t count, int32_t row_first, int32_t row_last, float *dx)
{
    const int shifted = is_shift(p);
    for (int64_t c = 0; c < channels; c++)
        for (int32_t r = 0; r < p->kh; r++)
            for (int32_t s = 0; s < p->kw; s++) {
                const struct tap t = tap_at(p, r, s, row_first, row_last);
                float *plane = dx + c * p->h * p->w;
                float *row = panel + ((c * p->kh + r) * p->kw + s) * count;
                if (shifted)
                    scatter_shift(p, loops, &t, row, first, first + count, plane);
                else
                    scatter_rows(p, loops, &t, row, first, first + count, plane);
            }
}

void lower_touching_rows(const struct convoy_conv *p, int32_t row_first, int32_t row_last, int32_t *first, int32_t *last)
{
    *first = p->oh;
    *last = 0;
    for (int32_t r = 0; r < p->kh; r++) {
        int32_t from, until;
        convoy_tap_range(row_last - row_first, p->oh, p->pad_t + row_first, p->stride_h, r * p->dil_h, &from, &until);
        if (from < until) {
            *first = from < *first ? from : *first;
            *last = until > *last ? until : *last;
        }
    }
    if (*first > *last)
        *first = *last;
}
