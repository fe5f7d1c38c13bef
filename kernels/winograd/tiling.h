/* tiling: how the m x m output tiles of a layer are grouped. A box is a rectangle of tiles of one image, or all tiles of several
 * small images: what one task transforms. A chunk is a run of boxes whose transformed data exist at the same time.
 * Knows extents only, no tensors. */
#ifndef CONVOY_WINOGRAD_TILING_H
#define CONVOY_WINOGRAD_TILING_H

#include <stddef.h>
#include <stdint.h>

/* One group of a convolution, in the direction in which the transforms run: tiles are of m x m output pixels, with alpha x alpha
 * transform points. off_h, off_w: input row and column that the first tile reads first. */
struct layer {
    int32_t n, in_c, in_h, in_w, out_c, out_h, out_w;
    int32_t off_h, off_w;
    int32_t m, alpha, tiles_h, tiles_w;
};

struct box {
    int32_t n, n_end, th, th_end, tw, tw_end;
    int64_t first; /* number of its first tile within the chunk; tiles count n, th, tw with tw fastest */
    int64_t tiles;
};

struct chunk {
    int64_t box, box_end, tiles;
};

struct tiling {
    struct box *boxes;
    struct chunk *chunks;
    int64_t box_count, chunk_count;
    int64_t most_tiles;              /* of a chunk     */
    int32_t most_rows, most_columns; /* of a box, in tiles */
};

/* Boxes of about box_tiles tiles and at most strip_pixels output pixels wide, in as many chunks of equally many boxes as come
 * nearest to chunk_tiles tiles each (1: each box is a chunk). Returns 0 where there is no memory. The caller frees with
 * tiling_free. */
int tiling_make(const struct layer *layer, int64_t box_tiles, int32_t strip_pixels, int64_t chunk_tiles, struct tiling *out);
void tiling_free(struct tiling *tiling);

/* What one task transforms: a box and the first of 16 channels. */
struct part {
    const struct box *box;
    int32_t channel;
};

/* Number i of the parts of the boxes from `box` on, with `blocks` blocks of 16 channels each; channels change first. After the
 * last part of all comes the last one again. */
struct part tiling_part(const struct tiling *tiling, int64_t box, size_t i, int32_t blocks);

#endif
