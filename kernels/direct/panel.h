/* panel: the part of an image that a strip of outputs reads, copied into workspace with its zero border, so that the tiles above
 * it know no edges. Must not know what is computed from it: forward, phases of a backward pass and weight gradients share it.
 *
 * A correlation meets, at output q of an axis and tap t, the input q*stride + offset[t]; inputs outside 0..in-1 are zero. */
#ifndef CONVOY_DIRECT_PANEL_H
#define CONVOY_DIRECT_PANEL_H

#include <stddef.h>
#include <stdint.h>

struct axis {
    int32_t in, out, stride, taps;
    int64_t *offset; /* [taps], owned                                                                        */
    int32_t *tap;    /* [taps], owned: index of the kernel row or column                                      */
};

/* Distances in floats between neighbours of a tensor. */
struct layout {
    int64_t image, group, channel, row, col;
};

/* Along each axis the panel holds either every input between the first and the last that is read, or, where that is shorter, one
 * piece for each tap that holds just the inputs that the tap meets. */
struct panel {
    int32_t rows, cols;         /* outputs that it serves                                                     */
    int64_t height, width;      /* of one channel, in floats; a channel is height*width long                  */
    int32_t row_step, col_step; /* panel rows or columns between neighbouring outputs                         */
    int64_t *row_source;        /* [height]: input row relative to that of output 0                           */
    int64_t *piece_source;      /* [pieces]: first input column of each piece, likewise                       */
    int32_t pieces, piece_width, piece_step;
    int64_t *tap_row, *tap_col; /* [taps]: where a tap of output 0 lies                                       */
};

/* What panel_fill copies: `channels` channels of x (of an image and a group) for the outputs from (oh, ow). */
struct panel_job {
    const struct panel *panel;
    const struct axis *h, *w;
    const struct layout *layout;
    const float *x;
    int64_t channels, oh, ow;
    float *to;
};
typedef void panel_fill_fn(const struct panel_job *job);

/* unit_cols: neighbouring outputs of a row shall be neighbours in the panel, whatever the stride.
 * False: no memory, and the panel is empty. panel_close frees what panel_open allocated. */
int panel_open(struct panel *panel, const struct axis *h, const struct axis *w, int32_t rows, int32_t cols, int unit_cols);
void panel_close(struct panel *panel);
int64_t panel_channel_floats(const struct panel *panel);

/* The extent along an axis of a panel for that many outputs, without making it. */
int64_t panel_extent(const struct axis *axis, int32_t outputs, int unit);

/* Taps t of a kernel with `kernel` taps: offset[t] = t*dilation - pad. False: no memory. */
int axis_open(struct axis *axis, int32_t in, int32_t out, int32_t stride, int32_t kernel, int32_t dilation, int32_t pad);
/* The phase of a backward pass: inputs of the strided axis first, first + stride, ... see the definition. False: no memory. */
int axis_open_phase(struct axis *axis, int32_t in, int32_t out, int32_t stride, int32_t kernel, int32_t dilation, int32_t pad,
                    int32_t phase);
/* Leaves out the taps that no output meets an input at, but keeps one. */
void axis_keep_met(struct axis *axis);
void axis_close(struct axis *axis);

#endif
