#include "stages.h"
#include <convoy/plugin.h>
#include <string.h>

/* Floats between rows of pixels in scratch memory: an odd number of cache lines, so that the rows of a column do not compete
 * for one cache set. gather and scatter work on 16 pixels at a time. */
static ptrdiff_t pitch_of(int32_t pixels)
{
    return (ptrdiff_t)(convoy_round_up(pixels, 16) + 1) * BLOCK;
}

int64_t stage_scratch_floats(int32_t step, int32_t taps, int32_t alpha, int32_t tile_rows, int32_t tile_columns)
{
    return ((int64_t)step * (tile_rows - 1) + taps + alpha) * pitch_of(step * (tile_columns - 1) + taps);
}

/* Floats from the first pixel of one part to that of the next; tiles are `step` pixels apart. */
static ptrdiff_t distance(const struct image *image, int32_t step, struct part from, struct part to)
{
    const struct box *a = from.box, *b = to.box;
    return (b->n - a->n) * image->image_stride + (to.channel - from.channel) * image->channel_stride +
           (ptrdiff_t)step * (b->th - a->th) * image->w + (ptrdiff_t)step * (b->tw - a->tw);
}

void stage_forward(const struct windows *s, const float *image, struct part part, struct part next, const struct planes *shape,
                   float *planes, float *scratch)
{
    const struct box *box = part.box;
    const int32_t c = part.channel;
    const struct image *from = &s->image;
    const int32_t tiles = box->tw_end - box->tw, rows = s->step * (box->th_end - box->th - 1) + s->taps;
    const int32_t pixels = s->step * (tiles - 1) + s->taps;
    const ptrdiff_t pitch = pitch_of(pixels);
    const struct pixel_row row = {from->channel_stride, distance(from, s->step, part, next),
                                  (int32_t)convoy_min(BLOCK, from->channels - c), from->w};
    const int64_t x0 = (int64_t)box->tw * s->step + s->off_w, y0 = (int64_t)box->th * s->step + s->off_h;
    float *columns = scratch + rows * pitch;
    struct columns vertical = {.from_row = pitch, .to = columns, .to_row = pitch, .pixels = pixels};
    struct rows horizontal = {.from = columns, .from_row = pitch, .plane = shape->plane, .tile = shape->row, .tiles = tiles};
    horizontal.to = planes + box->first * shape->row + c;
    for (int32_t n = box->n; n < box->n_end; n++) {
        const float *plane = image + n * from->image_stride + c * from->channel_stride;
        int32_t gathered = 0;
        for (int32_t th = 0; th < box->th_end - box->th; th++) {
            for (; gathered < th * s->step + s->taps; gathered++) {
                const int64_t y = y0 + gathered;
                if (y >= 0 && y < from->h)
                    s->family->gather(plane + y * from->w, &row, x0, pixels, scratch + gathered * pitch);
                else
                    memset(scratch + gathered * pitch, 0, (size_t)pixels * BLOCK * sizeof *scratch);
            }
            vertical.from = scratch + th * s->step * pitch;
            s->columns(&vertical);
            s->rows(&horizontal);
            horizontal.to += tiles * shape->row;
        }
    }
}

void stage_inverse(const struct outputs *s, float *image, struct part part, struct part next, const struct planes *shape,
                   const float *planes, const float *bias, float *scratch)
{
    const struct box *box = part.box;
    const int32_t k = part.channel;
    const struct image *to = &s->image;
    const int32_t m = s->transform->out, tiles = box->tw_end - box->tw;
    const ptrdiff_t pitch = pitch_of(m * tiles);
    const struct pixel_row row = {to->channel_stride, distance(to, m, part, next),
                                  (int32_t)convoy_min(BLOCK, to->channels - k), to->w};
    const int64_t pixels = convoy_min((int64_t)m * tiles, to->w - (int64_t)box->tw * m);
    float added[BLOCK] = {0};
    for (int32_t lane = 0; bias && lane < row.channels; lane++)
        added[lane] = bias[k + lane];
    struct inverse inverse = {.from = planes + box->first * shape->row + k,
                              .plane = shape->plane,
                              .tile = shape->row,
                              .to = scratch,
                              .to_row = pitch,
                              .tiles = tiles};
    for (int32_t n = box->n; n < box->n_end; n++) {
        float *plane = image + n * to->image_stride + k * to->channel_stride + (int64_t)box->tw * m;
        for (int32_t th = box->th; th < box->th_end; th++) {
            s->transform->output(&inverse);
            inverse.from += tiles * shape->row;
            for (int64_t y = (int64_t)th * m; y < convoy_min(to->h, (int64_t)(th + 1) * m); y++)
                s->family->scatter(scratch + (y - (int64_t)th * m) * pitch, pixels, added, s->relu, &row, plane + y * to->w);
        }
    }
}
