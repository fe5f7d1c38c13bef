/* Every geometric change is one affine map from pixels of the output to pixels of the sample, read bilinearly, so that a sample
 * is resampled once; without one, pixels are copied. Order of the draws is fixed: a draw that is off changes no other. */
#include "data/augment.h"

#include "core/rng.h"

#include <convoy/plugin.h>
#include <math.h>

enum draw {
    DRAW_FLIP,
    DRAW_TOP,
    DRAW_LEFT,
    DRAW_ANGLE,
    DRAW_SCALE,
    DRAW_SHIFT_H,
    DRAW_SHIFT_W,
    DRAW_AREA,
    DRAW_ASPECT,
    DRAW_BRIGHTNESS,
    DRAW_CONTRAST,
    DRAW_CUT_H,
    DRAW_CUT_W,
    DRAW_COLOUR,     /* and one more for each channel */
    DRAW_TINT = 0x20, /* the same                      */
    DRAW_BETA = 64
};

enum { STREAM_AUGMENT = 0x40000000 };

static double unit(struct augment_key key, uint64_t draw)
{
    return rng_unit(key.seed ^ (key.epoch + 1) * 0x9e3779b97f4a7c15u, STREAM_AUGMENT + key.index, draw);
}

static double spread(struct augment_key key, uint64_t draw, double most)
{
    return most * (2 * unit(key, draw) - 1);
}

/* h_in = top + a*h + b*w, w_in = left + c*h + d*w */
struct affine {
    double top, left, a, b, c, d;
};

static int64_t whole(double from, int64_t below)
{
    return convoy_min(below - 1, (int64_t)(from * (double)below));
}

static bool is_copy(const struct augment_options *o)
{
    return !o->resized_crop && o->rotate_degrees == 0 && o->scale == 0 && o->shift == 0;
}

/* A network's window about the middle of the sample, or at random inside of it grown by pad_crop. */
static void window(const struct batches_options *o, const struct dataset *set, struct augment_key key, int64_t *top,
                   int64_t *left)
{
    const int32_t pad = o->augment.pad_crop;
    const int64_t room_h = set->h + 2 * (int64_t)pad - o->h, room_w = set->w + 2 * (int64_t)pad - o->w;
    *top = (int64_t)floor((set->h - o->h) / 2.0);
    *left = (int64_t)floor((set->w - o->w) / 2.0);
    if (pad && room_h > 0)
        *top = whole(unit(key, DRAW_TOP), room_h + 1) - pad;
    if (pad && room_w > 0)
        *left = whole(unit(key, DRAW_LEFT), room_w + 1) - pad;
}

static struct affine geometry(const struct batches_options *o, const struct dataset *set, struct augment_key key)
{
    const struct augment_options *g = &o->augment;
    int64_t top, left;
    window(o, set, key, &top, &left);
    double box_top = (double)top, box_left = (double)left, box_h = o->h, box_w = o->w;
    if (g->resized_crop) {
        const double area = 0.08 + 0.92 * unit(key, DRAW_AREA), aspect = exp((2 * unit(key, DRAW_ASPECT) - 1) * log(4.0 / 3));
        box_h = fmin(set->h, sqrt(area * set->h * set->w / aspect));
        box_w = fmin(set->w, sqrt(area * set->h * set->w * aspect));
        box_top = unit(key, DRAW_TOP) * (set->h - box_h);
        box_left = unit(key, DRAW_LEFT) * (set->w - box_w);
    }
    const double turn = spread(key, DRAW_ANGLE, g->rotate_degrees) * acos(-1) / 180,
                 zoom = 1 / (1 + spread(key, DRAW_SCALE, g->scale));
    const double step_h = box_h / o->h * zoom, step_w = box_w / o->w * zoom;
    const double middle_h = box_top + box_h / 2 + spread(key, DRAW_SHIFT_H, g->shift) * set->h;
    const double middle_w = box_left + box_w / 2 + spread(key, DRAW_SHIFT_W, g->shift) * set->w;
    struct affine map = {.a = cos(turn) * step_h, .b = -sin(turn) * step_w, .c = sin(turn) * step_h, .d = cos(turn) * step_w};
    map.top = middle_h - 0.5 + map.a * (0.5 - o->h / 2.0) + map.b * (0.5 - o->w / 2.0);
    map.left = middle_w - 0.5 + map.c * (0.5 - o->h / 2.0) + map.d * (0.5 - o->w / 2.0);
    return map;
}

static float pixel(const float *plane, int32_t height, int32_t width, int64_t h, int64_t w)
{
    return h < 0 || w < 0 || h >= height || w >= width ? 0 : plane[h * width + w];
}

static float bilinear(const float *plane, int32_t height, int32_t width, double h, double w)
{
    const double h0 = floor(h), w0 = floor(w), fh = h - h0, fw = w - w0;
    const int64_t top = (int64_t)h0, left = (int64_t)w0;
    return (
        float)((1 - fh) * ((1 - fw) * pixel(plane, height, width, top, left) + fw * pixel(plane, height, width, top, left + 1)) +
               fh *
                   ((1 - fw) * pixel(plane, height, width, top + 1, left) + fw * pixel(plane, height, width, top + 1, left + 1)));
}

static void resample(const struct batches_options *o, const struct dataset *set, struct augment_key key, const float *plane,
                     float *to)
{
    const bool flip = o->augment.flip && unit(key, DRAW_FLIP) < 0.5, copy = is_copy(&o->augment);
    const struct affine map = geometry(o, set, key);
    int64_t top, left;
    window(o, set, key, &top, &left);
    for (int32_t h = 0; h < o->h; h++) {
        for (int32_t w = 0; w < o->w; w++) {
            const int32_t from = flip ? o->w - 1 - w : w;
            to[h * o->w + w] =
                copy ? pixel(plane, set->h, set->w, top + h, left + from)
                     : bilinear(plane, set->h, set->w, map.top + map.a * h + map.b * from, map.left + map.c * h + map.d * from);
        }
    }
}

static void colours(const struct batches_options *o, struct augment_key key, float *x)
{
    const struct augment_options *g = &o->augment;
    const int64_t plane = (int64_t)o->h * o->w, size = o->c * plane;
    if (g->brightness == 0 && g->contrast == 0 && g->colour == 0 && g->tint == 0)
        return;
    const double bright = 1 + spread(key, DRAW_BRIGHTNESS, g->brightness), contrast = 1 + spread(key, DRAW_CONTRAST, g->contrast);
    double mean = 0;
    for (int64_t p = 0; p < size; p++)
        mean += x[p];
    mean /= (double)size;
    for (int32_t c = 0; c < o->c; c++) {
        const double colour = 1 + spread(key, DRAW_COLOUR + (uint64_t)c, g->colour);
        const double tint = spread(key, DRAW_TINT + (uint64_t)c, g->tint);
        for (int64_t p = 0; p < plane; p++)
            x[c * plane + p] = (float)(((x[c * plane + p] - mean) * contrast + mean) * bright * colour + tint);
    }
}

/* After normalising, 0 is the mean. */
static void cut(const struct batches_options *o, struct augment_key key, float *x)
{
    const int32_t side = o->augment.cutout;
    if (side <= 0)
        return;
    const int64_t top = whole(unit(key, DRAW_CUT_H), o->h) - side / 2, left = whole(unit(key, DRAW_CUT_W), o->w) - side / 2;
    for (int32_t c = 0; c < o->c; c++)
        for (int64_t h = convoy_max(0, top); h < convoy_min(o->h, top + side); h++)
            for (int64_t w = convoy_max(0, left); w < convoy_min(o->w, left + side); w++)
                x[(c * (int64_t)o->h + h) * o->w + w] = 0;
}

/* A plane of the sample for channel c of the network. */
static const float *source_plane(const struct batches_options *o, const struct dataset *set, const float *from, int32_t c,
                                 float *scratch)
{
    const int64_t plane = (int64_t)set->h * set->w;
    if (set->c == o->c)
        return from + c * plane;
    if (set->c == 1)
        return from;
    for (int64_t p = 0; p < plane; p++) {
        double sum = 0;
        for (int32_t s = 0; s < set->c; s++)
            sum += from[s * plane + p];
        scratch[p] = (float)(sum / set->c);
    }
    return scratch;
}

int64_t augment_scratch(const struct batches_options *options, const struct dataset *set)
{
    (void)options;
    return (int64_t)set->h * set->w;
}

void augment_sample(const struct batches_options *o, const struct dataset *set, struct augment_key key, const float *from,
                    float *to, float *scratch)
{
    const int64_t plane = (int64_t)o->h * o->w;
    for (int32_t c = 0; c < o->c; c++)
        resample(o, set, key, source_plane(o, set, from, c, scratch), to + c * plane);
    colours(o, key, to);
    for (int32_t c = 0; o->mean && c < o->c; c++)
        for (int64_t p = 0; p < plane; p++)
            to[c * plane + p] = (to[c * plane + p] - o->mean[c]) / o->deviation[c];
    cut(o, key, to);
}

float augment_beta(struct augment_key key, float alpha)
{
    for (uint64_t try = 0; try < 4096; try++) {
        const double u = pow(unit(key, DRAW_BETA + 2 * try), 1 / (double)alpha),
                     v = pow(unit(key, DRAW_BETA + 2 * try + 1), 1 / (double)alpha);
        if (u + v > 0 && u + v <= 1)
            return (float)(u / (u + v));
    }
    return 0.5f;
}
