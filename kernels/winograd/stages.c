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
    const struct span a = box_row(from.box, 0), b = box_row(to.box, 0);
    return (b.n - a.n) * image->image_stride + (to.channel - from.channel) * image->channel_stride +
           (ptrdiff_t)step * (b.th - a.th) * image->w + (ptrdiff_t)step * (b.tw - a.tw);
}

/* Pixels that `tiles` neighbouring tiles read. */
static int32_t width_of(const struct windows *s, int32_t tiles)
{
    return s->step * (tiles - 1) + s->taps;
}

void stage_forward(const struct windows *s, const float *image, struct part part, struct part next, const struct planes *shape,
                   float *planes, float *scratch)
{
    const struct box *box = part.box;
    const int32_t c = part.channel, last = box->rows - 1;
    const struct image *from = &s->image;
    const ptrdiff_t pitch = pitch_of(width_of(s, box->tw_end - box->tw));
    const struct pixel_row row = {from->channel_stride, distance(from, s->step, part, next),
                                  (int32_t)convoy_min(BLOCK, from->channels - c), 0, from->w};
    float *pixel_rows = scratch + MARGIN * BLOCK;
    float *columns = pixel_rows + width_of(s, (int32_t)convoy_min(box->rows, box->tiles_h)) * pitch;
    struct columns vertical = {.from_row = pitch, .to = columns, .to_row = pitch};
    struct rows horizontal = {.from = columns, .from_row = pitch, .plane = shape->plane, .tile = shape->row};
    horizontal.to = planes + box->first * shape->row + c;
    int32_t top = 0, gathered = 0; /* rows of the image, counted from that of the first tile */
    for (int32_t i = 0; i <= last; i++) {
        const struct span span = box_row(box, i);
        const float *plane = image + span.n * from->image_stride + c * from->channel_stride;
        if (i == 0 || span.th == 0)
            top = gathered = span.th * s->step;
        const int32_t first = span.th * s->step, below = (int32_t)convoy_min(last - i, box->tiles_h - 1 - span.th);
        for (; gathered < first + s->taps; gathered++) {
            /* Rows of tiles further down, which may be longer, need these pixels as well. */
            const int32_t shared = (int32_t)convoy_min((gathered - first) / s->step, below);
            const int32_t left = shared ? box->tw : span.tw, pixels = width_of(s, span.tw_end - left);
            const int64_t y = (int64_t)gathered + s->off_h;
            float *to = pixel_rows + (gathered - top) * pitch + (left - box->tw) * s->step * BLOCK;
            if (y >= 0 && y < from->h)
                s->family->gather(plane + y * from->w, &row, (int64_t)left * s->step + s->off_w, pixels, to);
            else
                memset(to, 0, (size_t)pixels * BLOCK * sizeof *scratch);
        }
        horizontal.tiles = span.tw_end - span.tw;
        vertical.pixels = width_of(s, span.tw_end - span.tw);
        vertical.from = pixel_rows + (first - top) * pitch + (span.tw - box->tw) * s->step * BLOCK;
        s->columns(&vertical);
        s->rows(&horizontal);
        horizontal.to += horizontal.tiles * shape->row;
    }
}

void stage_inverse(const struct outputs *s, float *image, struct part part, struct part next, const struct planes *shape,
                   const float *planes, const float *bias, float *scratch)
{
    const struct box *box = part.box;
    const int32_t k = part.channel;
    const struct image *to = &s->image;
    const int32_t m = s->transform->out;
    const ptrdiff_t pitch = pitch_of(m * (box->tw_end - box->tw));
    const struct pixel_row row = {to->channel_stride, distance(to, m, part, next), (int32_t)convoy_min(BLOCK, to->channels - k),
                                  s->stream, to->w};
    float added[BLOCK] = {0};
    for (int32_t lane = 0; bias && lane < row.channels; lane++)
        added[lane] = bias[k + lane];
    struct inverse inverse = {.from = planes + box->first * shape->row + k,
                              .plane = shape->plane,
                              .tile = shape->row,
                              .to = scratch + MARGIN * BLOCK,
                              .to_row = pitch};
    for (int32_t i = 0; i < box->rows; i++) {
        const struct span span = box_row(box, i);
        float *plane = image + span.n * to->image_stride + k * to->channel_stride + (int64_t)span.tw * m;
        inverse.tiles = span.tw_end - span.tw;
        const int64_t pixels = convoy_min(m * inverse.tiles, to->w - (int64_t)span.tw * m);
        s->transform->output(&inverse);
        inverse.from += inverse.tiles * shape->row;
        for (int64_t y = (int64_t)span.th * m; y < convoy_min(to->h, (int64_t)(span.th + 1) * m); y++)
            s->family->scatter(inverse.to + (y - (int64_t)span.th * m) * pitch, pixels, added, s->relu, &row, plane + y * to->w);
    }
    if (s->stream)
        s->family->order_stores();
}

/* The rectangle around the tiles of a box, which read size x size pixels every `step` pixels. */
static struct pixels rectangle(const struct image *image, const float *data, const struct box *box, int32_t step, int32_t size,
                               int32_t off_h, int32_t off_w)
{
    const struct span from = box_row(box, 0), to = box_row(box, box->rows - 1);
    const int32_t tw = box->rows > 1 ? box->tw : from.tw, tw_end = box->rows > 1 ? box->tw_end : to.tw_end;
    const int64_t y = (int64_t)from.th * step + off_h, x = (int64_t)tw * step + off_w;
    const int64_t top = convoy_max(0, y), bottom = convoy_min(image->h, (int64_t)to.th * step + size + off_h);
    const int64_t left = convoy_max(0, x), right = convoy_min(image->w, (int64_t)(tw_end - 1) * step + size + off_w);
    const int some = from.n == to.n && bottom > top && right > left;
    return (struct pixels){.from = data + from.n * image->image_stride + top * image->w + left,
                           .row = image->w,
                           .channel = image->channel_stride,
                           .rows = some ? bottom - top : 0,
                           .runs = convoy_ceil_div(right - left - 1, BLOCK) + 1,
                           .channels = image->channels};
}

struct pixels stage_read_pixels(const struct windows *s, const float *image, const struct box *box)
{
    return rectangle(&s->image, image, box, s->step, s->taps, s->off_h, s->off_w);
}

struct pixels stage_written_pixels(const struct outputs *s, const float *image, const struct box *box)
{
    return rectangle(&s->image, image, box, s->transform->out, s->transform->out, 0, 0);
}
