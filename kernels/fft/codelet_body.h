/* codelet_body: the two-dimensional transforms of square tiles, included by each instruction set's file after it has defined
 *     VEC, LANES, vec_load(p), vec_store(p, v), vec_zero(), vec_splat(f), vec_relu(v), vec_transpose(VEC v[LANES]) in place,
 *     MASK, vec_mask(first, last), vec_load_masked(p, m), vec_store_masked(p, m, v), vec_gather(p, distance, m),
 *     vec_scatter(p, distance, m, v)
 * and TABLE, the name of the table of transforms. Masked accesses touch no element outside of their mask.
 *
 * Rows first: LANES rows of pixels, one per channel, are transposed so that a vector holds one pixel of all channels. The scratch
 * memory keeps a row's half spectrum as (re 0, re t/2, re 1, im 1, re 2, im 2, ...), t vectors, and one more, so that the columns
 * do not fall into one set of the cache. Columns 1..t/2-1 are complex; 0 and t/2 are real and give the points that are their own
 * conjugates. Point numbers: column-major, (j-1)*t + i for the complex columns j, then 1..t/2-1 of column 0 and of column t/2. */
#include "butterfly_body.h"

/* Pixels [first, last) of a row as lanes of a vector that begins at pixel `at`. */
FFT_INLINE MASK part_mask(int first, int last, const int at, const int place, const int width)
{
    first = first < at ? at : first;
    last = last > at + width ? at + width : last;
    return first < last ? vec_mask(first - at + place, last - at + place) : vec_mask(0, 0);
}

/* One transposition's worth of pixels: LANES pixels of a row from column `at`, or LANES/t whole rows where a row is shorter. */
FFT_INLINE void load_pixels(const int t, const struct fft_source *source, const int row, const int at, VEC *px)
{
    const int rows = t < LANES ? LANES / t : 1, width = t < LANES ? t : LANES;
    MASK mask[LANES / 4];
    const float *from[LANES / 4];
    for (int r = 0; r < rows; r++) {
        const bool inside = row + r >= source->row_first && row + r < source->row_last;
        mask[r] = inside ? part_mask(source->col_first, source->col_last, at, r * t, width) : vec_mask(0, 0);
        from[r] = source->origin + (row + r) * source->row + (at - r * t) * source->col;
    }
    if (source->col == 1) {
#pragma GCC unroll 16
        for (int c = 0; c < LANES; c++) {
            px[c] = vec_zero();
            if (c < source->lanes) {
                px[c] = vec_load_masked(from[0] + c * source->lane, mask[0]);
                for (int r = 1; r < rows; r++)
                    px[c] = px[c] + vec_load_masked(from[r] + c * source->lane, mask[r]);
            }
        }
    } else {
        for (int c = 0; c < LANES; c++) {
            px[c] = vec_zero();
            if (c < source->lanes)
                for (int r = 0; r < rows; r++)
                    px[c] = px[c] + vec_gather(from[r] + c * source->lane, source->col, mask[r]);
        }
    }
    vec_transpose(px);
}

FFT_INLINE void store_pixels(const int t, const struct fft_sink *sink, const int row, const int at, VEC *px)
{
    const int rows = t < LANES ? LANES / t : 1, width = t < LANES ? t : LANES;
    const VEC scale = vec_splat(sink->scale);
    const VEC bias = sink->bias ? vec_load_masked(sink->bias, vec_mask(0, sink->lanes)) : vec_zero();
#pragma GCC unroll 16
    for (int q = 0; q < LANES; q++)
        px[q] = px[q] * scale + bias;
    if (sink->relu) {
#pragma GCC unroll 16
        for (int q = 0; q < LANES; q++)
            px[q] = vec_relu(px[q]);
    }
    vec_transpose(px);
    for (int r = 0; r < rows; r++) {
        if (row + r < sink->row_first || row + r >= sink->row_last)
            continue;
        const MASK mask = part_mask(sink->col_first, sink->col_last, at, r * t, width);
        float *to = sink->origin + (row + r) * sink->row + (at - r * t) * sink->col;
        if (sink->col == 1) {
#pragma GCC unroll 16
            for (int c = 0; c < LANES; c++)
                if (c < sink->lanes)
                    vec_store_masked(to + c * sink->lane, mask, px[c]);
        } else {
            for (int c = 0; c < sink->lanes; c++)
                vec_scatter(to + c * sink->lane, sink->col, mask, px[c]);
        }
    }
}

FFT_INLINE void store_points(const int count, enum fft_form form, const struct fft_spectrum *out, const int first, const VEC *re,
                             const VEC *im)
{
    const ptrdiff_t point = out->point, plane = out->plane;
    float *at = out->at + first * point;
    switch (form) {
    case FFT_FOUR:
#pragma GCC unroll 32
        for (int f = 0; f < count; f++) {
            vec_store(at + f * point, re[f]);
            vec_store(at + f * point + plane, im[f]);
        }
        break;
    case FFT_LEFT_GAUSS:
#pragma GCC unroll 32
        for (int f = 0; f < count; f++) {
            vec_store(at + f * point, re[f] + im[f]);
            vec_store(at + f * point + plane, re[f]);
            vec_store(at + f * point + 2 * plane, im[f]);
        }
        break;
    case FFT_RIGHT_GAUSS:
#pragma GCC unroll 32
        for (int f = 0; f < count; f++) {
            vec_store(at + f * point, re[f]);
            vec_store(at + f * point + plane, -(im[f] + re[f]));
            vec_store(at + f * point + 2 * plane, re[f] - im[f]);
        }
        break;
    }
}

FFT_INLINE void load_points(const int count, bool gauss, const struct fft_spectrum *in, const int first, VEC *re, VEC *im)
{
    const ptrdiff_t point = in->point, plane = in->plane;
    const float *at = in->at + first * point;
    if (gauss) {
#pragma GCC unroll 32
        for (int f = 0; f < count; f++) {
            const VEC m = vec_load(at + f * point);
            re[f] = m - vec_load(at + f * point + 2 * plane);
            im[f] = m + vec_load(at + f * point + plane);
        }
    } else {
#pragma GCC unroll 32
        for (int f = 0; f < count; f++) {
            re[f] = vec_load(at + f * point);
            im[f] = vec_load(at + f * point + plane);
        }
    }
}

/* A row of the tile in every channel, both ends; fetching beyond the tensor does no harm. */
FFT_INLINE void fetch_row(const float *from, ptrdiff_t lane, ptrdiff_t last, int lanes)
{
    for (int c = 0; c < lanes; c++) {
        __builtin_prefetch(from + c * lane, 0, 3);
        __builtin_prefetch(from + c * lane + last, 0, 3);
    }
}

FFT_INLINE void forward(const int t, const struct fft_source *source, enum fft_form form, const struct fft_spectrum *out,
                        VEC *scratch)
{
    const int pitch = t + 1, rows = t < LANES ? LANES / t : 1;
    for (int row = 0; row < t; row += rows) {
        if (row + rows <= source->row_first || row >= source->row_last) {
            for (int v = 0; v < rows * pitch; v++)
                scratch[row * pitch + v] = vec_zero();
            continue;
        }
        VEC px[32 > LANES ? 32 : LANES];
        for (int r = 4; r < 4 + rows && row + r < source->row_last; r++)
            fetch_row(source->origin + (row + r) * source->row, source->lane, (t - 1) * source->col, source->lanes);
#pragma GCC unroll 8
        for (int at = 0; at < t; at += LANES)
            load_pixels(t, source, row, at, px + at);
#pragma GCC unroll 2
        for (int r = 0; r < rows; r++) {
            VEC re[17], im[17];
            VEC *to = scratch + (row + r) * pitch;
            real_n(t, px + r * t, 1, re, im);
            to[0] = re[0];
            to[1] = re[t / 2];
#pragma GCC unroll 16
            for (int f = 1; f < t / 2; f++) {
                to[2 * f] = re[f];
                to[2 * f + 1] = im[f];
            }
        }
    }
    for (int f = 1; f < t / 2; f++) {
        VEC re[32], im[32];
        complex_n(t, scratch + 2 * f, scratch + 2 * f + 1, pitch, re, im);
        store_points(t, form, out, (f - 1) * t, re, im);
    }
    for (int side = 0; side < 2; side++) {
        VEC re[17], im[17];
        real_n(t, scratch + side, pitch, re, im);
        store_points(t / 2 - 1, form, out, (t / 2 - 1) * (t + side), re + 1, im + 1);
        vec_store(out->real_at + 2 * side * out->real_point, re[0]);
        vec_store(out->real_at + (2 * side + 1) * out->real_point, re[t / 2]);
    }
}

FFT_INLINE void inverse(const int t, const struct fft_spectrum *in, bool gauss, const struct fft_sink *sink, VEC *scratch)
{
    const int pitch = t + 1, rows = t < LANES ? LANES / t : 1;
    for (int f = 1; f < t / 2; f++) {
        VEC re[32], im[32], to_re[32], to_im[32];
        for (int row = sink->row_first + 2 * f - 2; row < sink->row_first + 2 * f && row < sink->row_last; row++)
            fetch_row(sink->origin + row * sink->row, sink->lane, (sink->col_last - 1) * sink->col, sink->lanes);
        load_points(t, gauss, in, (f - 1) * t, re, im);
        complex_n(t, im, re, 1, to_im, to_re); /* exchanging re and im before and after conjugates the transform */
#pragma GCC unroll 32
        for (int r = 0; r < t; r++) {
            scratch[r * pitch + 2 * f] = to_re[r];
            scratch[r * pitch + 2 * f + 1] = to_im[r];
        }
    }
    for (int side = 0; side < 2; side++) {
        VEC re[17], im[17];
        load_points(t / 2 - 1, gauss, in, (t / 2 - 1) * (t + side), re + 1, im + 1);
        re[0] = vec_load(in->real_at + 2 * side * in->real_point);
        re[t / 2] = vec_load(in->real_at + (2 * side + 1) * in->real_point);
        hermitian_n(t, re, im, scratch + side, pitch);
    }
    for (int row = sink->row_first / rows * rows; row < sink->row_last; row += rows) {
        VEC px[32 > LANES ? 32 : LANES];
#pragma GCC unroll 16
        for (int q = t < LANES ? LANES : t; q < (t + LANES - 1) / LANES * LANES; q++)
            px[q] = vec_zero();
#pragma GCC unroll 2
        for (int r = 0; r < rows; r++) {
            VEC re[17], im[17];
            const VEC *from = scratch + (row + r) * pitch;
            re[0] = from[0];
            re[t / 2] = from[1];
#pragma GCC unroll 16
            for (int f = 1; f < t / 2; f++) {
                re[f] = from[2 * f];
                im[f] = from[2 * f + 1];
            }
            hermitian_n(t, re, im, px + r * t, 1);
        }
#pragma GCC unroll 8
        for (int at = 0; at < t; at += LANES)
            if (at < sink->col_last)
                store_pixels(t, sink, row, at, px + at);
    }
}

#define DEFINE_CODELET(t)                                                                                                        \
    static void forward_##t(const struct fft_transform *transform, const struct fft_source *source, enum fft_form form,          \
                            const struct fft_spectrum *spectrum, float *scratch)                                                 \
    {                                                                                                                            \
        (void)transform;                                                                                                         \
        forward(t, source, form, spectrum, (VEC *)(void *)scratch);                                                              \
    }                                                                                                                            \
    static void inverse_##t(const struct fft_transform *transform, const struct fft_spectrum *spectrum, bool gauss,              \
                            const struct fft_sink *sink, float *scratch)                                                         \
    {                                                                                                                            \
        (void)transform;                                                                                                         \
        inverse(t, spectrum, gauss, sink, (VEC *)(void *)scratch);                                                               \
    }
DEFINE_CODELET(8)
DEFINE_CODELET(16)
DEFINE_CODELET(18)
DEFINE_CODELET(20)
DEFINE_CODELET(24)
DEFINE_CODELET(32)

#define CODELET(t)                                                                                                               \
    {                                                                                                                            \
        .tile_h = t, .tile_w = t, .lanes = LANES, .complex_points = t * t / 2 - 2, .real_points = 4,                             \
        .scratch_bytes = (t * (t + 1) * sizeof(VEC) + 63) / 64 * 64, .forward = forward_##t, .inverse = inverse_##t              \
    }
const struct fft_transform TABLE[CODELET_COUNT] = {CODELET(8), CODELET(16), CODELET(18), CODELET(20), CODELET(24), CODELET(32)};
