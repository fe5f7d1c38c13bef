/* tiling: how the m x m output tiles of a layer are grouped. Wide images are cut into vertical strips; a box is a run of tiles of
 * one strip in reading order, which may begin and end within a row and go on in the next image: what one task transforms. A chunk
 * is a run of boxes whose transformed data exist at the same time. Knows extents only, no tensors. */
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
    int32_t tiles_h;      /* of an image                                                    */
    int32_t row, rows;    /* rows of tiles, counted on over the images                      */
    int32_t tw, tw_end;   /* columns of the strip                                           */
    int32_t skipped, cut; /* tiles that the first row lacks on the left, the last on the right */
    int64_t first;        /* number of its first tile within the chunk                      */
    int64_t tiles;
};

/* The tiles of one row of a box. */
struct span {
    int32_t n, th, tw, tw_end;
};
struct span box_row(const struct box *box, int32_t row);

struct chunk {
    int64_t box, box_end, tiles;
};

struct tiling {
    struct box *boxes;
    struct chunk *chunks;
    int64_t box_count, chunk_count;
    int64_t most_tiles;              /* of a chunk                    */
    int32_t most_rows, most_columns; /* of a box in one image, in tiles */
};

/* Strips of at most strip_pixels output pixels, each in equal boxes of about box_tiles tiles: whole rows where that gives each of
 * `workers` the same work, else as many boxes as make it the same. In as many chunks of equally many boxes as come nearest to
 * chunk_tiles tiles each (1: each box is a chunk). Returns 0 where there is no memory. The caller frees with tiling_free. */
int tiling_make(const struct layer *layer, int64_t box_tiles, int64_t workers, int32_t strip_pixels, int64_t chunk_tiles,
                struct tiling *out);
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
