/* transform: the real two-dimensional Fourier transform of a tile for a few channels at once, and what a schedule must know of
 * it: how many points there are and where to put them. Lanes are channels. It knows no convolution: which patch is read and what
 * is done with the points is the caller's business.
 *
 * The spectrum of a real tile is Hermitian, so exactly tile_h * tile_w reals are kept: complex_points pairs, then real_points
 * that are their own conjugates. Two implementations: hand-written codelets for 8 to 32, FFTW for every size. */
#ifndef CONVOY_KERNELS_FFT_TRANSFORM_H
#define CONVOY_KERNELS_FFT_TRANSFORM_H

#include <convoy/convoy.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Where the patches of `lanes` channels lie: lane l has element (r, s) at origin[l*lane + r*row + s*col], distances in floats.
 * Only elements inside the two ranges exist, the others are zero; the origin itself may lie outside of the tensor. */
struct fft_source {
    const float *origin;
    ptrdiff_t lane, row, col;
    int32_t lanes;
    int32_t row_first, row_last, col_first, col_last; /* half open, inside the tile */
};

/* The same for results: element = scale * value + bias of the lane, then max(0, .) with relu. */
struct fft_sink {
    float *origin;
    ptrdiff_t lane, row, col;
    int32_t lanes;
    int32_t row_first, row_last, col_first, col_last;
    float scale;
    const float *bias; /* `lanes` floats or NULL */
    bool relu;
};

/* Where the points of one tile and one vector of channels lie: complex point f has plane p at at[f*point + p*plane], real point f
 * lies at real_at[f*real_point]; one vector each. */
struct fft_spectrum {
    float *at, *real_at;
    ptrdiff_t point, plane, real_point;
};

/* What is stored of a complex value a + bi. The product of a left X and a right W is X * conj(W), a correlation:
 * FOUR real products:  re = a a' + b b',  im = b a' - a b'; both sides keep (a, b).
 * THREE (Gauss):  M1 = (a+b) a',  M2 = a (-b'-a'),  M3 = b (a'-b');  re = M1 - M3,  im = M1 + M2. */
enum fft_form { FFT_FOUR, FFT_LEFT_GAUSS, FFT_RIGHT_GAUSS };

struct fft_transform {
    int32_t tile_h, tile_w;
    int32_t lanes; /* floats per vector */
    int32_t complex_points, real_points;
    uint64_t scratch_bytes; /* of both functions, a multiple of 64; aligned to 64 */
    void (*forward)(const struct fft_transform *transform, const struct fft_source *source, enum fft_form form,
                    const struct fft_spectrum *spectrum, float *scratch);
    /* Not normalised: the sink's scale holds 1/(tile_h*tile_w). The planes are (re, im), or Gauss's three products. */
    void (*inverse)(const struct fft_transform *transform, const struct fft_spectrum *spectrum, bool gauss,
                    const struct fft_sink *sink, float *scratch);
};

/* The codelets of an instruction set by its family name ("avx512", "avx2", "portable"); NULL for a tile other than 8, 16, 18, 20,
 * 24, 32. [any] */
const struct fft_transform *fft_codelets(const char *family, int32_t tile);

/* FFTW's transform of any tile, for vectors of `lanes` channels; freed by fft_library_close. [any] */
convoy_status fft_library_open(int32_t tile_h, int32_t tile_w, int32_t lanes, const struct fft_transform **transform,
                               struct convoy_error *err);
void fft_library_close(const struct fft_transform *transform);

/* Points of a real tile of any size. */
static inline int32_t fft_real_points(int32_t tile_h, int32_t tile_w)
{
    return (tile_h % 2 ? 1 : 2) * (tile_w % 2 ? 1 : 2);
}
static inline int32_t fft_complex_points(int32_t tile_h, int32_t tile_w)
{
    return (tile_h * tile_w - fft_real_points(tile_h, tile_w)) / 2;
}

#endif
