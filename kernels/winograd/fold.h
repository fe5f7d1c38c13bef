/* fold: the phases of an image as channels. Pixel (y,x) of channel c, counted from the corner of the padding, is pixel (y/s,x/s)
 * of the folded channel (c*s + y%s)*s + x%s, so that a convolution of stride s becomes one of stride 1. One group at a time.
 * Knows images; must not know tiles. */
#ifndef CONVOY_WINOGRAD_FOLD_H
#define CONVOY_WINOGRAD_FOLD_H

#include <convoy/convoy.h>
#include <stddef.h>

/* `places` pixels of each phase of a row of `width` pixels, the first of phase b being x0 + b, to to[b*plane]; what is outside
 * the row is 0. */
typedef void fold_split_fn(const float *row, int64_t width, int64_t x0, int64_t places, float *to, ptrdiff_t plane);

enum { FOLD_MOST_SPLIT = 16 };
/* By stride, NULL where there is none. */
extern fold_split_fn *const fold_split_avx512[FOLD_MOST_SPLIT + 1]; /* on x86-64 only */

/* For an instruction set, as in mk_family, and a stride; NULL: plain C will do. */
fold_split_fn *fold_split_find(const char *family, int32_t stride);

struct fold {
    int32_t stride; /* 1: nothing is folded */
    int32_t n, channels, h, w;
    int32_t pad_t, pad_l;
    ptrdiff_t image_stride;     /* floats between images of the tensor */
    int32_t folded_h, folded_w; /* what does not come from the image is 0 */
    int32_t columns; /* phases per row of them: a multiple of the stride, those from `stride` on are one pixel further */
    fold_split_fn *split;
};

int64_t fold_floats(const struct fold *fold);

/* The group that begins at `image` to folded[n][c*s*s][h][w]. */
void fold_image(const struct convoy_host *host, const struct fold *fold, const float *image, float *folded);

/* The reverse, for columns = stride: every pixel of the image is written. */
void unfold_image(const struct convoy_host *host, const struct fold *fold, const float *folded, float *image);

#endif
