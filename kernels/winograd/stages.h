/* stages: one box of tiles between NCHW and the transformed planes, 16 channels at a time. A plane holds one transform point
 * of every tile of a chunk: planes[point*plane + tile*row + channel].
 * Knows images and boxes; must not know which pass runs, nor threads. */
#ifndef CONVOY_WINOGRAD_STAGES_H
#define CONVOY_WINOGRAD_STAGES_H

#include "tiling.h"
#include "transform.h"

struct image { /* one group of a tensor                                                             */
    ptrdiff_t image_stride, channel_stride;
    int32_t channels, h, w;
};

struct windows { /* what of an image a tile reads                                                     */
    const struct transform_family *family;
    struct image image;
    int32_t step, taps, alpha; /* tiles are `step` apart and read taps x taps pixels                                */
    int32_t off_h, off_w;
    void (*columns)(const struct columns *);
    void (*rows)(const struct rows *);
};

struct planes {
    ptrdiff_t plane, row;
};

/* Floats of scratch memory that a box of this many tiles needs. */
int64_t stage_scratch_floats(int32_t step, int32_t taps, int32_t alpha, int32_t tile_rows, int32_t tile_columns);

/* A part, transformed, to planes + box->first*row + channel. Meanwhile the pixels of the part `next` are fetched. */
void stage_forward(const struct windows *windows, const float *image, struct part part, struct part next,
                   const struct planes *shape, float *planes, float *scratch);

struct outputs {
    const struct transform_family *family;
    const struct transform *transform;
    struct image image;
    int32_t relu;
    int32_t stream; /* the image leaves the caches anyway: write past them                                        */
};

/* The inverse transform of a part, bias (NULL: none) added, to the image. */
void stage_inverse(const struct outputs *outputs, float *image, struct part part, struct part next, const struct planes *shape,
                   const float *planes, const float *bias, float *scratch);

/* Where pixels of all channels lie: rows of runs of 16 floats, which may begin anywhere. */
struct pixels {
    const float *from;
    ptrdiff_t row, channel; /* floats between them */
    int64_t rows, runs, channels;
};

/* What stage_forward reads and what stage_inverse writes for a box of one image; no rows if it has several. */
struct pixels stage_read_pixels(const struct windows *windows, const float *image, const struct box *box);
struct pixels stage_written_pixels(const struct outputs *outputs, const float *image, const struct box *box);

#endif
