#include "stages.h"
#include <convoy/plugin.h>
#include <string.h>

/* Pixels before and after a row in scratch memory, for gather and scatter, which work on whole cache lines of the image. */
enum { MARGIN = 15 };

/* Floats between rows of pixels in scratch memory: an odd number of cache lines, so that the rows of a column do not compete
 * for one cache set. Rows share their margins. */
static ptrdiff_t pitch_of(int32_t pixels)
{
    return (ptrdiff_t)((pixels + MARGIN) | 1) * BLOCK;
}

int64_t stage_scratch_floats(int32_t step, int32_t taps, int32_t alpha, int32_t tile_rows, int32_t tile_columns)
{
    /* Inputs and transformed columns, or one row of output tiles; the first has a margin before, the last behind it. */
    return ((int64_t)step * (tile_rows - 1) + taps + alpha) * pitch_of(step * (tile_columns - 1) + taps) + 2 * MARGIN * BLOCK;
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
                                  (int32_t)convoy_min(BLOCK, from->channels - c), 0, from->w};
    const int64_t x0 = (int64_t)box->tw * s->step + s->off_w, y0 = (int64_t)box->th * s->step + s->off_h;
    float *pixel_rows = scratch + MARGIN * BLOCK, *columns = pixel_rows + rows * pitch;
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
                    s->family->gather(plane + y * from->w, &row, x0, pixels, pixel_rows + gathered * pitch);
                else
                    memset(pixel_rows + gathered * pitch, 0, (size_t)pixels * BLOCK * sizeof *scratch);
            }
            vertical.from = pixel_rows + th * s->step * pitch;
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
                                  (int32_t)convoy_min(BLOCK, to->channels - k), s->stream, to->w};
    const int64_t pixels = convoy_min((int64_t)m * tiles, to->w - (int64_t)box->tw * m);
    float added[BLOCK] = {0};
    for (int32_t lane = 0; bias && lane < row.channels; lane++)
        added[lane] = bias[k + lane];
    struct inverse inverse = {.from = planes + box->first * shape->row + k,
                              .plane = shape->plane,
                              .tile = shape->row,
                              .to = scratch + MARGIN * BLOCK,
                              .to_row = pitch,
                              .tiles = tiles};
    for (int32_t n = box->n; n < box->n_end; n++) {
        float *plane = image + n * to->image_stride + k * to->channel_stride + (int64_t)box->tw * m;
        for (int32_t th = box->th; th < box->th_end; th++) {
            s->transform->output(&inverse);
            inverse.from += tiles * shape->row;
            for (int64_t y = (int64_t)th * m; y < convoy_min(to->h, (int64_t)(th + 1) * m); y++)
                s->family->scatter(inverse.to + (y - (int64_t)th * m) * pitch, pixels, added, s->relu, &row, plane + y * to->w);
        }
    }
    if (s->stream)
        s->family->order_stores();
}

static struct pixels rectangle(const struct image *image, const float *data, const struct box *box, int64_t y, int64_t x,
                               int64_t rows, int64_t columns)
{
    const int64_t top = convoy_max(0, y), left = convoy_max(0, x), bottom = convoy_min(image->h, y + rows),
                  right = convoy_min(image->w, x + columns);
    const int some = box->n_end - box->n == 1 && bottom > top && right > left;
    return (struct pixels){.from = data + box->n * image->image_stride + top * image->w + left,
                           .row = image->w,
                           .channel = image->channel_stride,
                           .rows = some ? bottom - top : 0,
                           .runs = convoy_ceil_div(right - left - 1, BLOCK) + 1,
                           .channels = image->channels};
}

struct pixels stage_read_pixels(const struct windows *s, const float *image, const struct box *box)
{
    return rectangle(&s->image, image, box, (int64_t)box->th * s->step + s->off_h, (int64_t)box->tw * s->step + s->off_w,
                     (int64_t)s->step * (box->th_end - box->th - 1) + s->taps,
                     (int64_t)s->step * (box->tw_end - box->tw - 1) + s->taps);
}

struct pixels stage_written_pixels(const struct outputs *s, const float *image, const struct box *box)
{
    const int64_t m = s->transform->out;
    return rectangle(&s->image, image, box, box->th * m, box->tw * m, (box->th_end - box->th) * m, (box->tw_end - box->tw) * m);
}
