#include "tiling.h"
#include <convoy/plugin.h>
#include <stdlib.h>

/* The size that cuts `whole` into equal parts of at most `most`. */
static int32_t even_part(int32_t whole, int64_t most)
{
    const int64_t parts = convoy_ceil_div(whole, convoy_max(1, convoy_min(most, whole)));
    return (int32_t)convoy_ceil_div(whole, parts);
}

/* Tiles first .. end-1 of a strip. */
static struct box box_of(const struct layer *layer, int32_t tw, int32_t tw_end, int64_t first, int64_t end)
{
    const int64_t columns = tw_end - tw, row = first / columns, row_end = convoy_ceil_div(end, columns);
    return (struct box){.tiles_h = layer->tiles_h,
                        .row = (int32_t)row,
                        .rows = (int32_t)(row_end - row),
                        .tw = tw,
                        .tw_end = tw_end,
                        .skipped = (int32_t)(first - row * columns),
                        .cut = (int32_t)(row_end * columns - end),
                        .tiles = end - first};
}

struct span box_row(const struct box *box, int32_t row)
{
    const int32_t at = box->row + row;
    return (struct span){.n = at / box->tiles_h,
                         .th = at % box->tiles_h,
                         .tw = box->tw + (row ? 0 : box->skipped),
                         .tw_end = box->tw_end - (row < box->rows - 1 ? 0 : box->cut)};
}

int tiling_make(const struct layer *layer, int64_t box_tiles, int64_t workers, int32_t strip_pixels, int64_t chunk_tiles,
                struct tiling *out)
{
    const int32_t columns = even_part(layer->tiles_w, strip_pixels / layer->m);
    const int64_t rows = (int64_t)layer->n * layer->tiles_h, strips = convoy_ceil_div(layer->tiles_w, columns);
    /* Boxes of whole rows read no row twice, but may leave one worker with more than others. */
    const int64_t box_rows = convoy_max(1, box_tiles / columns), row_boxes = convoy_ceil_div(rows, box_rows) * strips;
    const int64_t most = convoy_ceil_div(row_boxes, workers) * workers * box_rows * columns, all = rows * layer->tiles_w;
    const int whole = workers == 1 || most <= all + all / 16;
    const int64_t narrowest = rows * (layer->tiles_w - (strips - 1) * columns);
    const int64_t parts =
        whole ? row_boxes / strips : convoy_min(narrowest, convoy_round_up(convoy_ceil_div(rows * columns, box_tiles), workers));
    const int64_t count = parts * strips, chunks = convoy_max(1, (all + chunk_tiles / 2) / chunk_tiles),
                  chunk_boxes = convoy_ceil_div(count, chunks);
    *out = (struct tiling){.box_count = count, .most_columns = columns};
    out->boxes = calloc((size_t)count, sizeof *out->boxes);
    out->chunks = calloc((size_t)count, sizeof *out->chunks);
    if (!out->boxes || !out->chunks) {
        tiling_free(out);
        return 0;
    }
    struct chunk *chunk = out->chunks;
    for (int64_t b = 0; b < count; b++) {
        const int32_t tw = (int32_t)(b / parts) * columns, tw_end = (int32_t)convoy_min((int64_t)tw + columns, layer->tiles_w);
        const int64_t part = b % parts, unit = whole ? tw_end - tw : 1, units = rows * (tw_end - tw) / unit;
        struct box *box = &out->boxes[b];
        *box = box_of(layer, tw, tw_end, part * units / parts * unit, (part + 1) * units / parts * unit);
        if (b - chunk->box == chunk_boxes) {
            chunk++;
            chunk->box = b;
        }
        box->first = chunk->tiles;
        chunk->tiles += box->tiles;
        chunk->box_end = b + 1;
        out->most_tiles = convoy_max(out->most_tiles, chunk->tiles);
        out->most_rows = (int32_t)convoy_max(out->most_rows, convoy_min(box->rows, layer->tiles_h));
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
