#include "panel.h"
#include <convoy/plugin.h>
#include <stdlib.h>
#include <string.h>

static int axis_alloc(struct axis *axis, int32_t taps)
{
    axis->taps = taps;
    axis->offset = malloc((size_t)(taps + 1) * sizeof *axis->offset);
    axis->tap = malloc((size_t)(taps + 1) * sizeof *axis->tap);
    if (axis->offset && axis->tap)
        return 1;
    axis_close(axis);
    return 0;
}

int axis_open(struct axis *axis, int32_t in, int32_t out, int32_t stride, int32_t kernel, int32_t dilation, int32_t pad)
{
    *axis = (struct axis){.in = in, .out = out, .stride = stride};
    if (!axis_alloc(axis, kernel))
        return 0;
    for (int32_t t = 0; t < kernel; t++) {
        axis->offset[t] = (int64_t)t * dilation - pad;
        axis->tap[t] = t;
    }
    return 1;
}

/* The forward axis has outputs o and inputs i = o*stride - pad + r*dilation. The gradient at input i collects o = (i + pad -
 * r*dilation) / stride over the taps r that divide. With i = phase + q*stride all inputs q of one phase meet the same taps, at o
 * = q + (phase + pad - r*dilation)/stride: a correlation of stride 1 over the gradient. */
int axis_open_phase(struct axis *axis, int32_t in, int32_t out, int32_t stride, int32_t kernel, int32_t dilation, int32_t pad,
                    int32_t phase)
{
    *axis = (struct axis){.in = out, .out = phase < in ? (in - phase - 1) / stride + 1 : 0, .stride = 1};
    if (!axis_alloc(axis, kernel))
        return 0;
    axis->taps = 0;
    for (int32_t r = 0; r < kernel; r++) {
        const int64_t distance = (int64_t)phase + pad - (int64_t)r * dilation;
        if (distance % stride)
            continue;
        axis->offset[axis->taps] = distance / stride;
        axis->tap[axis->taps++] = r;
    }
    return 1;
}

void axis_keep_met(struct axis *axis)
{
    int32_t kept = 0;
    for (int32_t t = 0; t < axis->taps; t++) {
        /* The first output whose input is not before the first one, if it is not behind the last one. */
        const int64_t before = convoy_max(0, -axis->offset[t]), output = convoy_ceil_div(before, axis->stride);
        if (output >= axis->out || output * axis->stride + axis->offset[t] >= axis->in)
            continue;
        axis->offset[kept] = axis->offset[t];
        axis->tap[kept++] = axis->tap[t];
    }
    axis->taps = (int32_t)convoy_max(1, kept);
}

void axis_close(struct axis *axis)
{
    free(axis->offset);
    free(axis->tap);
    *axis = (struct axis){0};
}

static int64_t least_offset(const struct axis *axis)
{
    int64_t least = axis->offset[0];
    for (int32_t t = 1; t < axis->taps; t++)
        least = convoy_min(least, axis->offset[t]);
    return least;
}

static int64_t span_extent(const struct axis *axis, int32_t outputs)
{
    int64_t most = axis->offset[0];
    for (int32_t t = 1; t < axis->taps; t++)
        most = convoy_max(most, axis->offset[t]);
    return (int64_t)(outputs - 1) * axis->stride + most - least_offset(axis) + 1;
}

static int by_taps(const struct axis *axis, int32_t outputs, int unit)
{
    return (unit && axis->stride > 1) || (int64_t)axis->taps * outputs < span_extent(axis, outputs);
}

int64_t panel_extent(const struct axis *axis, int32_t outputs, int unit)
{
    return by_taps(axis, outputs, unit) ? (int64_t)axis->taps * outputs : span_extent(axis, outputs);
}

int64_t panel_channel_floats(const struct panel *panel)
{
    return panel->height * panel->width;
}

int panel_open(struct panel *panel, const struct axis *h, const struct axis *w, int32_t rows, int32_t cols, int unit_cols)
{
    const int rows_by_taps = by_taps(h, rows, 0), cols_by_taps = by_taps(w, cols, unit_cols);
    *panel =
        (struct panel){.rows = rows, .cols = cols, .height = panel_extent(h, rows, 0), .width = panel_extent(w, cols, unit_cols)};
    panel->row_step = rows_by_taps ? 1 : h->stride;
    panel->col_step = cols_by_taps ? 1 : w->stride;
    panel->pieces = cols_by_taps ? w->taps : 1;
    panel->piece_width = (int32_t)(panel->width / panel->pieces);
    panel->piece_step = cols_by_taps ? w->stride : 1;
    panel->row_source = malloc((size_t)panel->height * sizeof *panel->row_source);
    panel->piece_source = malloc((size_t)panel->pieces * sizeof *panel->piece_source);
    panel->tap_row = malloc((size_t)h->taps * sizeof *panel->tap_row);
    panel->tap_col = malloc((size_t)w->taps * sizeof *panel->tap_col);
    if (!panel->row_source || !panel->piece_source || !panel->tap_row || !panel->tap_col) {
        panel_close(panel);
        return 0;
    }
    for (int64_t i = 0; i < panel->height; i++)
        panel->row_source[i] = rows_by_taps ? i % rows * h->stride + h->offset[i / rows] : least_offset(h) + i;
    for (int32_t piece = 0; piece < panel->pieces; piece++)
        panel->piece_source[piece] = cols_by_taps ? w->offset[piece] : least_offset(w);
    for (int32_t t = 0; t < h->taps; t++)
        panel->tap_row[t] = rows_by_taps ? (int64_t)t * rows : h->offset[t] - least_offset(h);
    for (int32_t t = 0; t < w->taps; t++)
        panel->tap_col[t] = cols_by_taps ? (int64_t)t * cols : w->offset[t] - least_offset(w);
    return 1;
}

void panel_close(struct panel *panel)
{
    free(panel->row_source);
    free(panel->piece_source);
    free(panel->tap_row);
    free(panel->tap_col);
    *panel = (struct panel){0};
}
