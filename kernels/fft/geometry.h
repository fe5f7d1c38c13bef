/* geometry: a convolution as tiles of dense correlations. It knows extents, strides and addresses, not how a tile is transformed.
 *
 * Stride s splits x into s phases per axis (polyphase; Vaidyanathan, Proc. IEEE 78(1), 1990): with the tap r = s*a + p and the
 * phase image x_p[i] = x[s*i + p - pad],
 *     y[o]     = sum over p, a of x_p[o + a] * w_p[a]             a dense layer with (phases * c) channels
 *     dx_p[q]  = sum over a    of dy[q - a] * w_p[a]              the same with (phases * c) results; dx index s*q + p - pad
 *     dw_p[a]  = sum over o    of x_p[o + a] * dy[o]
 * so the x side has phases, the y side is plain. Only the min(s, kernel) phases that hold a tap count. Reversing w_p turns the
 * second line into a correlation like the first: position q needs dy[q - taps + 1 ... q].
 * Overlap-save: a tile of t elements gives t - taps + 1 results that no wrapped product reaches. */
#ifndef CONVOY_KERNELS_FFT_GEOMETRY_H
#define CONVOY_KERNELS_FFT_GEOMETRY_H

#include "transform.h"

struct axis {
    int32_t strided, plain; /* extents of x and of y */
    int32_t kernel, stride, pad;
    int32_t phases, taps;     /* taps of the longest phase */
    int32_t tile, step;       /* step = tile - taps + 1 positions per tile */
    int32_t first, positions; /* of o, or of q for backward-data */
    int32_t tiles;
};

/* The channels of one side of a convolution group as vectors of lanes. */
struct side {
    int32_t channels, phases_h, phases_w, lanes;
    int32_t groups; /* vectors: phases * ceil(channels / lanes) */
    int64_t depth;  /* phases * channels */
};

struct side_group { /* one vector */
    int32_t channel, lanes, phase_h, phase_w;
    int64_t depth; /* number of its first channel among side.depth */
};

struct geometry {
    struct convoy_conv conv;
    struct axis h, w;
    struct side x, y;
    int64_t tiles; /* of all images */
};

/* Taps per axis, before a tile is chosen. [any] */
int32_t geometry_taps(int32_t kernel, int32_t stride);
/* Positions per axis that a pass computes. [any] */
int32_t geometry_positions(const struct convoy_conv *conv, bool height);

void geometry_make(struct geometry *geometry, const struct convoy_conv *conv, int32_t tile_h, int32_t tile_w, int32_t lanes);
struct side_group geometry_group(const struct side *side, int32_t group);

/* Patches of x and of dy, for convolution group g, vector `group` and tile number `tile`. */
void geometry_read_x(const struct geometry *geometry, const float *x, int32_t g, int32_t group, int64_t tile,
                     struct fft_source *source);
void geometry_read_y(const struct geometry *geometry, const float *y, int32_t g, int32_t group, int64_t tile,
                     struct fft_source *source);
/* Results into y (with bias and relu as the flags say) and dx. */
void geometry_write_y(const struct geometry *geometry, float *y, const float *bias, int32_t g, int32_t group, int64_t tile,
                      struct fft_sink *sink);
void geometry_write_x(const struct geometry *geometry, float *x, int32_t g, int32_t group, int64_t tile, struct fft_sink *sink);
/* Kernels for the forward pass: lanes over k, for one channel of x. */
void geometry_read_kernels(const struct geometry *geometry, const float *w, int32_t g, struct side_group x, int32_t lane,
                           int32_t y_group, struct fft_source *source);
/* Reversed kernels for backward-data: lanes over the channels of dx, for one k. */
void geometry_read_reversed(const struct geometry *geometry, const float *w, int32_t g, int32_t k, int32_t x_group,
                            struct fft_source *source);
/* Weight gradients, lanes over k, for one channel of x. */
void geometry_write_kernels(const struct geometry *geometry, float *w, int32_t g, struct side_group x, int32_t lane,
                            int32_t y_group, struct fft_sink *sink);

#endif
