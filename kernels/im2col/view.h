/* view: a convolution, or one phase of a backward pass, as a product with a lowered matrix L, and how a strip of L is packed.
 * Knows the geometry; knows neither weights, nor tiles, nor threads.
 *
 *     L[(c, t, s)][o, p] = x[c][o*h.stride + h.offset + t*h.step][p*w.stride + w.offset + s*w.step]     (0 outside x)
 *
 * for outputs (o, p), written one after the other as positions q = o*w.out + p. The packed strip is lowered along the width only
 * (Cho & Brand, MEC, arXiv 1706.06873): taps t whose input rows differ by whole outputs share one piece, in which a tap's row of
 * L begins some rows of outputs earlier or later:
 *
 *     L[(c, t, s)][first + i] = packed[c*channel_floats + view_tap(t, s) + i] */
#ifndef CONVOY_IM2COL_VIEW_H
#define CONVOY_IM2COL_VIEW_H

#include "loops.h"
#include <stdint.h>

/* Taps number 0 to taps - 1 are the kernel's tap_first, tap_first + tap_step, ...; output o of the view is number
 * place_first + o*place_step of the tensor that is written. */
struct axis {
    int32_t in, out, stride, taps;
    int32_t tap_first, tap_step, place_first, place_step;
    int64_t offset, step;
};

struct view {
    struct axis h, w;
    int64_t pixels;       /* h.out * w.out                                                                    */
    int64_t classes;      /* pieces of a channel for each s: tap t lies in piece t % classes                     */
    int64_t shift;        /* rows of outputs from tap t to tap t + classes                                       */
    int64_t before, rows; /* rows of outputs that a piece holds before its strip, and in all beside it            */
    int64_t piece_floats, channel_floats;
};

struct axis axis_forward(int32_t in, int32_t out, int32_t stride, int32_t kernel, int32_t dilation, int32_t pad);

/* The inputs phase, phase + stride, ... of the axis: their gradients meet the same taps, at consecutive outputs. */
struct axis axis_phase(int32_t in, int32_t out, int32_t stride, int32_t kernel, int32_t dilation, int32_t pad, int32_t phase);

/* Chooses the pieces for strips of `positions`; shared: taps may share a piece, otherwise row (c, t, s) of L begins at
 * ((c*h.taps + t)*w.taps + s)*piece_floats. */
void view_cut(struct view *view, int64_t positions, int shared);

int64_t view_tap(const struct view *view, int64_t t, int64_t s);

/* Packs positions first .. first + count - 1 of `channels` planes from x on, to begin at position `at` of the strip. */
void view_pack(const struct view *view, const struct loops *loops, const float *x, int64_t channels, int64_t first, int64_t count,
               int64_t at, float *packed);

#endif
