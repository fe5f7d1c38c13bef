#include "geometry.h"
#include <convoy/plugin.h>

int32_t geometry_taps(int32_t kernel, int32_t stride)
{
    return (int32_t)convoy_ceil_div(kernel, stride);
}

static int32_t first_position(const struct convoy_conv *conv, bool height)
{
    if (conv->head.op != CONVOY_CONV_BWD_DATA)
        return 0;
    return height ? conv->pad_t / conv->stride_h : conv->pad_l / conv->stride_w;
}

int32_t geometry_positions(const struct convoy_conv *conv, bool height)
{
    if (conv->head.op != CONVOY_CONV_BWD_DATA)
        return height ? conv->oh : conv->ow;
    const int64_t last =
        height ? ((int64_t)conv->h - 1 + conv->pad_t) / conv->stride_h : ((int64_t)conv->w - 1 + conv->pad_l) / conv->stride_w;
    return (int32_t)(last - first_position(conv, height) + 1);
}

static struct axis make_axis(const struct convoy_conv *conv, bool height, int32_t tile)
{
    struct axis axis = {
        .strided = height ? conv->h : conv->w,
        .plain = height ? conv->oh : conv->ow,
        .kernel = height ? conv->kh : conv->kw,
        .stride = height ? conv->stride_h : conv->stride_w,
        .pad = height ? conv->pad_t : conv->pad_l,
        .tile = tile,
        .first = first_position(conv, height),
        .positions = geometry_positions(conv, height),
    };
    axis.phases = (int32_t)convoy_min(axis.stride, axis.kernel);
    axis.taps = geometry_taps(axis.kernel, axis.stride);
    axis.step = tile - axis.taps + 1;
    axis.tiles = (int32_t)convoy_ceil_div(axis.positions, axis.step);
    return axis;
}

static struct side make_side(int32_t channels, int32_t phases_h, int32_t phases_w, int32_t lanes)
{
    const int64_t phases = (int64_t)phases_h * phases_w;
    return (struct side){
        .channels = channels,
        .phases_h = phases_h,
        .phases_w = phases_w,
        .lanes = lanes,
        .groups = (int32_t)(phases * convoy_ceil_div(channels, lanes)),
        .depth = phases * channels,
    };
}

void geometry_make(struct geometry *geometry, const struct convoy_conv *conv, int32_t tile_h, int32_t tile_w, int32_t lanes)
{
    *geometry = (struct geometry){.conv = *conv, .h = make_axis(conv, true, tile_h), .w = make_axis(conv, false, tile_w)};
    geometry->x = make_side(conv->c / conv->groups, geometry->h.phases, geometry->w.phases, lanes);
    geometry->y = make_side(conv->k / conv->groups, 1, 1, lanes);
    geometry->tiles = (int64_t)conv->n * geometry->h.tiles * geometry->w.tiles;
}

struct side_group geometry_group(const struct side *side, int32_t group)
{
    const int32_t per_phase = (int32_t)convoy_ceil_div(side->channels, side->lanes);
    const int32_t phase = group / per_phase, channel = group % per_phase * side->lanes;
    return (struct side_group){
        .channel = channel,
        .lanes = (int32_t)convoy_min(side->lanes, side->channels - channel),
        .phase_h = phase / side->phases_w,
        .phase_w = phase % side->phases_w,
        .depth = (int64_t)phase * side->channels + channel,
    };
}

struct place { /* of a tile: image and first positions */
    int64_t n, h, w;
};

static struct place tile_place(const struct geometry *geometry, int64_t tile)
{
    const int64_t per_image = (int64_t)geometry->h.tiles * geometry->w.tiles, at = tile % per_image;
    return (struct place){
        .n = tile / per_image,
        .h = geometry->h.first + at / geometry->w.tiles * geometry->h.step,
        .w = geometry->w.first + at % geometry->w.tiles * geometry->w.step,
    };
}

/* Elements j of 0..limit-1 for which stride*(at + j) + phase - pad is an index of x. */
static void strided_range(const struct axis *axis, int64_t at, int32_t phase, int32_t limit, int32_t *first, int32_t *last)
{
    const int64_t shift = (int64_t)axis->pad - phase;
    const int64_t low = shift > 0 ? convoy_ceil_div(shift, axis->stride) : 0;
    const int64_t high = axis->strided + shift > 0 ? convoy_ceil_div(axis->strided + shift, axis->stride) : 0;
    *first = (int32_t)convoy_min(limit, convoy_max(0, low - at));
    *last = (int32_t)convoy_max(*first, convoy_min(limit, high - at));
}

static void plain_range(const struct axis *axis, int64_t at, int32_t limit, int32_t *first, int32_t *last)
{
    *first = (int32_t)convoy_min(limit, convoy_max(0, -at));
    *last = (int32_t)convoy_max(*first, convoy_min(limit, axis->plain - at));
}

static ptrdiff_t x_offset(const struct geometry *geometry, int32_t g, const struct side_group *group, const struct place *place)
{
    const struct convoy_conv *conv = &geometry->conv;
    const int64_t channel = place->n * conv->c + (int64_t)g * geometry->x.channels + group->channel;
    const int64_t h = place->h * conv->stride_h + group->phase_h - conv->pad_t,
                  w = place->w * conv->stride_w + group->phase_w - conv->pad_l;
    return (channel * conv->h + h) * conv->w + w;
}

static ptrdiff_t y_offset(const struct geometry *geometry, int32_t g, const struct side_group *group, const struct place *place)
{
    const struct convoy_conv *conv = &geometry->conv;
    const int64_t channel = place->n * conv->k + (int64_t)g * geometry->y.channels + group->channel;
    return (channel * conv->oh + place->h) * conv->ow + place->w;
}

void geometry_read_x(const struct geometry *geometry, const float *x, int32_t g, int32_t group, int64_t tile,
                     struct fft_source *source)
{
    const struct convoy_conv *conv = &geometry->conv;
    const struct side_group of = geometry_group(&geometry->x, group);
    const struct place place = tile_place(geometry, tile);
    *source = (struct fft_source){
        .origin = x + x_offset(geometry, g, &of, &place),
        .lane = (ptrdiff_t)conv->h * conv->w,
        .row = (ptrdiff_t)conv->stride_h * conv->w,
        .col = conv->stride_w,
        .lanes = of.lanes,
    };
    strided_range(&geometry->h, place.h, of.phase_h, geometry->h.tile, &source->row_first, &source->row_last);
    strided_range(&geometry->w, place.w, of.phase_w, geometry->w.tile, &source->col_first, &source->col_last);
}

void geometry_read_y(const struct geometry *geometry, const float *y, int32_t g, int32_t group, int64_t tile,
                     struct fft_source *source)
{
    const struct convoy_conv *conv = &geometry->conv;
    const struct side_group of = geometry_group(&geometry->y, group);
    struct place place = tile_place(geometry, tile);
    int32_t limit_h = geometry->h.step, limit_w = geometry->w.step; /* weight gradients: a tile's own positions and zeros */
    if (conv->head.op == CONVOY_CONV_BWD_DATA) {
        place.h -= geometry->h.taps - 1;
        place.w -= geometry->w.taps - 1;
        limit_h = geometry->h.tile;
        limit_w = geometry->w.tile;
    }
    *source = (struct fft_source){
        .origin = y + y_offset(geometry, g, &of, &place),
        .lane = (ptrdiff_t)conv->oh * conv->ow,
        .row = conv->ow,
        .col = 1,
        .lanes = of.lanes,
    };
    plain_range(&geometry->h, place.h, limit_h, &source->row_first, &source->row_last);
    plain_range(&geometry->w, place.w, limit_w, &source->col_first, &source->col_last);
}

static float tile_scale(const struct geometry *geometry)
{
    return 1.0f / ((float)geometry->h.tile * (float)geometry->w.tile);
}

void geometry_write_y(const struct geometry *geometry, float *y, const float *bias, int32_t g, int32_t group, int64_t tile,
                      struct fft_sink *sink)
{
    const struct convoy_conv *conv = &geometry->conv;
    const struct side_group of = geometry_group(&geometry->y, group);
    const struct place place = tile_place(geometry, tile);
    *sink = (struct fft_sink){
        .origin = y + y_offset(geometry, g, &of, &place),
        .lane = (ptrdiff_t)conv->oh * conv->ow,
        .row = conv->ow,
        .col = 1,
        .lanes = of.lanes,
        .scale = tile_scale(geometry),
        .bias = (conv->head.flags & CONVOY_WITH_BIAS) ? bias + (int64_t)g * geometry->y.channels + of.channel : NULL,
        .relu = conv->head.flags & CONVOY_WITH_RELU,
    };
    plain_range(&geometry->h, place.h, geometry->h.step, &sink->row_first, &sink->row_last);
    plain_range(&geometry->w, place.w, geometry->w.step, &sink->col_first, &sink->col_last);
}

void geometry_write_x(const struct geometry *geometry, float *x, int32_t g, int32_t group, int64_t tile, struct fft_sink *sink)
{
    const struct convoy_conv *conv = &geometry->conv;
    const struct side_group of = geometry_group(&geometry->x, group);
    const struct place place = tile_place(geometry, tile);
    *sink = (struct fft_sink){
        .origin = x + x_offset(geometry, g, &of, &place),
        .lane = (ptrdiff_t)conv->h * conv->w,
        .row = (ptrdiff_t)conv->stride_h * conv->w,
        .col = conv->stride_w,
        .lanes = of.lanes,
        .scale = tile_scale(geometry),
    };
    strided_range(&geometry->h, place.h, of.phase_h, geometry->h.step, &sink->row_first, &sink->row_last);
    strided_range(&geometry->w, place.w, of.phase_w, geometry->w.step, &sink->col_first, &sink->col_last);
}

static int32_t phase_taps(const struct axis *axis, int32_t phase)
{
    return geometry_taps(axis->kernel - phase, axis->stride);
}

static ptrdiff_t kernel_offset(const struct geometry *geometry, int64_t k, int64_t c, int64_t r, int64_t s)
{
    const struct convoy_conv *conv = &geometry->conv;
    return ((k * geometry->x.channels + c) * conv->kh + r) * conv->kw + s;
}

void geometry_read_kernels(const struct geometry *geometry, const float *w, int32_t g, struct side_group x, int32_t lane,
                           int32_t y_group, struct fft_source *source)
{
    const struct convoy_conv *conv = &geometry->conv;
    const struct side_group y = geometry_group(&geometry->y, y_group);
    const int64_t k = (int64_t)g * geometry->y.channels + y.channel;
    *source = (struct fft_source){
        .origin = w + kernel_offset(geometry, k, x.channel + lane, x.phase_h, x.phase_w),
        .lane = kernel_offset(geometry, 1, 0, 0, 0),
        .row = (ptrdiff_t)conv->stride_h * conv->kw,
        .col = conv->stride_w,
        .lanes = y.lanes,
        .row_last = phase_taps(&geometry->h, x.phase_h),
        .col_last = phase_taps(&geometry->w, x.phase_w),
    };
}

void geometry_read_reversed(const struct geometry *geometry, const float *w, int32_t g, int32_t k, int32_t x_group,
                            struct fft_source *source)
{
    const struct convoy_conv *conv = &geometry->conv;
    const struct side_group x = geometry_group(&geometry->x, x_group);
    const int32_t taps_h = geometry->h.taps, taps_w = geometry->w.taps;
    const int64_t r = (int64_t)conv->stride_h * (taps_h - 1) + x.phase_h, s = (int64_t)conv->stride_w * (taps_w - 1) + x.phase_w;
    *source = (struct fft_source){
        .origin = w + kernel_offset(geometry, (int64_t)g * geometry->y.channels + k, x.channel, r, s),
        .lane = kernel_offset(geometry, 0, 1, 0, 0),
        .row = -(ptrdiff_t)conv->stride_h * conv->kw,
        .col = -(ptrdiff_t)conv->stride_w,
        .lanes = x.lanes,
        .row_first = taps_h - phase_taps(&geometry->h, x.phase_h),
        .row_last = taps_h,
        .col_first = taps_w - phase_taps(&geometry->w, x.phase_w),
        .col_last = taps_w,
    };
}

void geometry_write_kernels(const struct geometry *geometry, float *w, int32_t g, struct side_group x, int32_t lane,
                            int32_t y_group, struct fft_sink *sink)
{
    const struct convoy_conv *conv = &geometry->conv;
    const struct side_group y = geometry_group(&geometry->y, y_group);
    const int64_t k = (int64_t)g * geometry->y.channels + y.channel;
    *sink = (struct fft_sink){
        .origin = w + kernel_offset(geometry, k, x.channel + lane, x.phase_h, x.phase_w),
        .lane = kernel_offset(geometry, 1, 0, 0, 0),
        .row = (ptrdiff_t)conv->stride_h * conv->kw,
        .col = conv->stride_w,
        .lanes = y.lanes,
        .row_last = phase_taps(&geometry->h, x.phase_h),
        .col_last = phase_taps(&geometry->w, x.phase_w),
        .scale = tile_scale(geometry),
    };
}
