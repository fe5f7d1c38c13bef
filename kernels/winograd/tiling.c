#include "tiling.h"
#include <convoy/plugin.h>
#include <stdlib.h>

/* The size that cuts `whole` into equal parts of at most `most`. */
static int32_t even_part(int32_t whole, int64_t most)
{
    const int64_t parts = convoy_ceil_div(whole, convoy_max(1, convoy_min(most, whole)));
    return (int32_t)convoy_ceil_div(whole, parts);
}

static int32_t least(int64_t a, int32_t b)
{
    return (int32_t)convoy_min(a, b);
}

int tiling_make(const struct layer *layer, int64_t box_tiles, int32_t strip_pixels, int64_t chunk_tiles, struct tiling *out)
{
    const int32_t columns = even_part(layer->tiles_w, convoy_min(box_tiles, strip_pixels / layer->m));
    const int32_t rows = even_part(layer->tiles_h, box_tiles / columns);
    const int64_t image = (int64_t)layer->tiles_h * layer->tiles_w;
    const int32_t images = (int64_t)rows * columns == image ? even_part(layer->n, box_tiles / image) : 1;
    const int64_t count =
        convoy_ceil_div(layer->n, images) * convoy_ceil_div(layer->tiles_h, rows) * convoy_ceil_div(layer->tiles_w, columns);
    const int64_t chunks = convoy_max(1, (layer->n * image + chunk_tiles / 2) / chunk_tiles),
                  chunk_boxes = convoy_ceil_div(count, chunks);
    *out = (struct tiling){.box_count = count, .most_rows = rows, .most_columns = columns};
    out->boxes = calloc((size_t)count, sizeof *out->boxes);
    out->chunks = calloc((size_t)count, sizeof *out->chunks);
    if (!out->boxes || !out->chunks) {
        tiling_free(out);
        return 0;
    }
    struct chunk *chunk = out->chunks;
    int64_t b = 0;
    for (int32_t n = 0; n < layer->n; n += images) {
        for (int32_t th = 0; th < layer->tiles_h; th += rows) {
            for (int32_t tw = 0; tw < layer->tiles_w; tw += columns, b++) {
                struct box *box = &out->boxes[b];
                *box = (struct box){.n = n,
                                    .n_end = least((int64_t)n + images, layer->n),
                                    .th = th,
                                    .th_end = least((int64_t)th + rows, layer->tiles_h),
                                    .tw = tw,
                                    .tw_end = least((int64_t)tw + columns, layer->tiles_w)};
                box->tiles = (int64_t)(box->n_end - n) * (box->th_end - th) * (box->tw_end - tw);
                if (b - chunk->box == chunk_boxes) {
                    chunk++;
                    chunk->box = b;
                }
                box->first = chunk->tiles;
                chunk->tiles += box->tiles;
                chunk->box_end = b + 1;
                out->most_tiles = convoy_max(out->most_tiles, chunk->tiles);
            }
        }
    }
    out->chunk_count = chunk - out->chunks + 1;
    return 1;
}

void tiling_free(struct tiling *tiling)
{
    free(tiling->boxes);
    free(tiling->chunks);
    tiling->boxes = NULL;
    tiling->chunks = NULL;
}

enum { CHANNELS = 16 };

struct part tiling_part(const struct tiling *tiling, int64_t box, size_t i, int32_t blocks)
{
    const int64_t at = box + (int64_t)(i / (size_t)blocks);
    if (at >= tiling->box_count)
        return (struct part){&tiling->boxes[tiling->box_count - 1], (blocks - 1) * CHANNELS};
    return (struct part){&tiling->boxes[at], (int32_t)(i % (size_t)blocks) * CHANNELS};
}
