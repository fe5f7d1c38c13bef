#include "bench/roof.h"
#include <convoy/shape.h>
#include <stdio.h>
#include <string.h>

/* Pairs of output position and tap along one axis that meet the image. */
static double pairs_inside(int32_t in, int32_t out, int32_t pad, int32_t stride, int32_t kernel, int32_t dilation)
{
    double pairs = 0;
    for (int32_t tap = 0; tap < kernel; tap++) {
        int32_t first, last;
        convoy_tap_range(in, out, pad, stride, tap * dilation, &first, &last);
        pairs += last - first;
    }
    return pairs;
}

double roof_least_flops(const struct convoy_conv *conv, const char *numerics)
{
    const double macs = (double)conv->n * conv->k * (conv->c / conv->groups) *
                        pairs_inside(conv->h, conv->oh, conv->pad_t, conv->stride_h, conv->kh, conv->dil_h) *
                        pairs_inside(conv->w, conv->ow, conv->pad_l, conv->stride_w, conv->kw, conv->dil_w);
    double saved = 1;
    int m = 0, r = 0;
    if (sscanf(numerics, "winograd(%d,%d)", &m, &r) == 2 && m > 0 && r > 0) {
        const double axis = (double)m * r / (m + r - 1);
        saved = axis * axis;
    } else if (!strncmp(numerics, "fft", 3)) {
        saved = (double)conv->kh * conv->kw;
    }
    return 2 * macs / saved;
}
