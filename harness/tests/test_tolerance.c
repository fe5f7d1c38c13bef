/* The error constants against the arithmetic that they are for: float Winograd and Fourier transforms with random data must stay
 * within the bounds, and come near enough that the bounds mean something. */
#include "core/accuracy.h"
#include "core/error.h"
#include "core/rng.h"
#include "verify/tolerance.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

enum { POINTS = 15, TAPS = 4, PLANES = 6 };

static union problem problem_of(const char *text)
{
    union problem problem;
    struct convoy_error err = error_none();
    if (problem_parse(text, &problem, &err) != CONVOY_OK)
        fail_msg("%s: %s", text, err.text);
    return problem;
}

static struct tolerance tolerance_for(const char *text, struct convoy_numerics numerics)
{
    const union problem problem = problem_of(text);
    struct tolerance tolerance;
    struct finding finding = finding_none();
    if (!tolerance_of(&problem, &numerics, &tolerance, &finding))
        fail_msg("%s: %s", text, finding.reason);
    return tolerance;
}

static struct convoy_numerics winograd(uint32_t m, uint32_t r, uint32_t points, uint32_t split)
{
    return (struct convoy_numerics){.kind = CONVOY_NUM_WINOGRAD, .m = m, .r = r, .points = points, .split = split};
}

/* ---- Winograd simulated ---- */

/* Toom-Cook matrices of F(m,taps) for the given finite points and infinity; outputs are `step` inputs apart. */
struct transform {
    int m, n, taps, step;
    double a[POINTS][POINTS], g[POINTS][TAPS], b[POINTS][POINTS]; /* A^T m x n, G n x taps, B^T n x n */
};

static struct transform dense_transform(int m, int taps, const double *point)
{
    struct transform t = {.m = m, .n = m + taps - 1, .taps = taps, .step = 1};
    for (int j = 0; j < t.n; j++) {
        double coefficient[POINTS + 1] = {1}, norm = 1, power = 1;
        int degree = 0;
        for (int k = 0; k < t.n - 1; k++) {
            if (k == j)
                continue;
            for (int i = ++degree; i > 0; i--)
                coefficient[i] = coefficient[i - 1] - point[k] * coefficient[i];
            coefficient[0] *= -point[k];
            norm *= j < t.n - 1 ? point[j] - point[k] : 1;
        }
        memcpy(t.b[j], coefficient, sizeof t.b[j]);
        for (int i = 0; i < m && j < t.n - 1; i++, power *= point[j])
            t.a[i][j] = power;
        for (int i = 0; i < taps && j < t.n - 1; i++)
            t.g[j][i] = pow(point[j], i) / norm;
    }
    t.a[m - 1][t.n - 1] = 1;
    t.g[t.n - 1][taps - 1] = 1;
    return t;
}

/* Three taps at stride 2: F(m,2) on the even inputs and the outer taps, the middle tap times the odd inputs. */
static struct transform strided_transform(int m, const double *point)
{
    const struct transform half = dense_transform(m, 2, point);
    struct transform t = {.m = m, .n = 2 * m + 1, .taps = 3, .step = 2};
    for (int j = 0; j <= m; j++) {
        for (int i = 0; i <= m; i++)
            t.b[j][2 * i] = half.b[j][i];
        for (int i = 0; i < m; i++)
            t.a[i][j] = half.a[i][j];
        t.g[j][0] = half.g[j][0];
        t.g[j][2] = half.g[j][1];
    }
    for (int i = 0; i < m; i++)
        t.b[m + 1 + i][2 * i + 1] = t.a[i][m + 1 + i] = t.g[m + 1 + i][1] = 1;
    return t;
}

/* y = M x M^T in float, M of rows x columns; zeros cost no rounding. */
static void sandwich(int rows, int columns, double matrix[][POINTS], const float *x, float *y)
{
    float half[POINTS * POINTS];
    for (int i = 0; i < rows; i++) {
        for (int w = 0; w < columns; w++) {
            float sum = 0;
            for (int k = 0; k < columns; k++)
                sum = fmaf((float)matrix[i][k], x[k * columns + w], sum);
            half[i * columns + w] = sum;
        }
    }
    for (int i = 0; i < rows; i++) {
        for (int j = 0; j < rows; j++) {
            float sum = 0;
            for (int k = 0; k < columns; k++)
                sum = fmaf((float)matrix[j][k], half[i * columns + k], sum);
            y[i * rows + j] = sum;
        }
    }
}

/* One input tile x added to the transformed sums, and its direct sums and squares per output. */
static void add_tile(struct transform *t, const float *x, const float *w, const float *u, float *sums, double *direct,
                     double *squares)
{
    float v[POINTS * POINTS];
    sandwich(t->n, t->n, t->b, x, v);
    for (int i = 0; i < t->n * t->n; i++)
        sums[i] = fmaf(v[i], u[i], sums[i]);
    const int taps = t->taps * t->taps;
    for (int i = 0; i < t->m * t->m * taps; i++) {
        const int oh = i / taps / t->m, ow = i / taps % t->m, r = i % taps / t->taps, s = i % t->taps;
        const double value = (double)x[(oh * t->step + r) * t->n + ow * t->step + s];
        direct[i / taps] += value * (double)w[r * t->taps + s];
        squares[i / taps] += value * value;
    }
}

static void transform_weights(const struct transform *t, const float *w, float *u)
{
    for (int i = 0; i < t->n * t->n; i++) {
        double sum = 0;
        for (int tap = 0; tap < t->taps * t->taps; tap++)
            sum += t->g[i / t->n][tap / t->taps] * t->g[i % t->n][tap % t->taps] * (double)w[tap];
        u[i] = (float)sum;
    }
}

/* The largest |error| / (u * (s + sqrt(C)|y|)) over planes of PLANES tiles; s is the largest of the plane. */
static double worst_constant(struct transform *t, int channels, int turns)
{
    double worst = 0;
    uint64_t draws = 0;
    const int outputs = t->m * t->m, taps = t->taps * t->taps;
    float *const w = calloc((size_t)(channels * taps), sizeof *w), *const u =
                                                                       calloc((size_t)(channels * POINTS * POINTS), sizeof *u);
    assert_true(w && u);
    for (int turn = 0; turn < turns; turn++) {
        double kernel = 0, scale = 0, error[PLANES * 49], size[PLANES * 49];
        for (int c = 0; c < channels; c++) {
            for (int tap = c * taps; tap < (c + 1) * taps; tap++) {
                w[tap] = rng_uniform(1, 1, draws++);
                kernel += (double)w[tap] * (double)w[tap];
            }
            transform_weights(t, w + c * taps, u + c * POINTS * POINTS);
        }
        for (int plane = 0; plane < PLANES; plane++) {
            float sums[POINTS * POINTS] = {0}, y[49], x[POINTS * POINTS];
            double direct[49] = {0}, squares[49] = {0};
            for (int c = 0; c < channels; c++) {
                for (int i = 0; i < t->n * t->n; i++)
                    x[i] = rng_uniform(1, 2, draws++);
                add_tile(t, x, w + c * taps, u + c * POINTS * POINTS, sums, direct, squares);
            }
            sandwich(t->m, t->n, t->a, sums, y);
            for (int i = 0; i < outputs; i++) {
                scale = fmax(scale, sqrt(squares[i] * kernel));
                size[plane * outputs + i] = sqrt(channels) * fabs(direct[i]);
                error[plane * outputs + i] = fabs((double)y[i] - direct[i]) / TOLERANCE_U;
            }
        }
        for (int i = 0; i < PLANES * outputs; i++)
            worst = fmax(worst, error[i] / (scale + size[i]));
    }
    free(w);
    free(u);
    return worst;
}

/* The same for dw = G^T [ (A dy A^T) .* (B^T x B) ] G summed over tiles, of which `filled` outputs per axis exist. */
static double worst_gradient_constant(struct transform *t, int tiles, int filled, int turns)
{
    double worst = 0, a_rows[POINTS][POINTS], g_columns[TAPS][POINTS];
    const int taps = t->taps * t->taps, read = (filled - 1) * t->step + t->taps;
    uint64_t draws = 0;
    for (int j = 0; j < t->n; j++) {
        for (int i = 0; i < t->m; i++)
            a_rows[j][i] = t->a[i][j];
        for (int i = 0; i < t->taps; i++)
            g_columns[i][j] = t->g[j][i];
    }
    for (int turn = 0; turn < turns; turn++) {
        float sums[POINTS * POINTS] = {0}, dw[TAPS * TAPS];
        double direct[TAPS * TAPS] = {0}, squares[TAPS * TAPS] = {0}, dy_squares = 0, scale = 0;
        for (int tile = 0; tile < tiles; tile++) {
            float x[POINTS * POINTS] = {0}, dy[49] = {0}, v[POINTS * POINTS], d[POINTS * POINTS];
            for (int i = 0; i < t->n * t->n; i++)
                x[i] = i / t->n < read && i % t->n < read ? rng_uniform(1, 3, draws++) : 0;
            for (int i = 0; i < t->m * t->m; i++) {
                dy[i] = i / t->m < filled && i % t->m < filled ? rng_uniform(1, 4, draws++) : 0;
                dy_squares += (double)dy[i] * (double)dy[i];
                for (int tap = 0; tap < taps && dy[i] != 0; tap++) {
                    const double value =
                        (double)x[(i / t->m * t->step + tap / t->taps) * t->n + i % t->m * t->step + tap % t->taps];
                    direct[tap] += value * (double)dy[i];
                    squares[tap] += value * value;
                }
            }
            sandwich(t->n, t->n, t->b, x, v);
            sandwich(t->n, t->m, a_rows, dy, d);
            for (int i = 0; i < t->n * t->n; i++)
                sums[i] = fmaf(v[i], d[i], sums[i]);
        }
        sandwich(t->taps, t->n, g_columns, sums, dw);
        for (int tap = 0; tap < taps; tap++)
            scale = fmax(scale, sqrt(squares[tap] * dy_squares));
        for (int tap = 0; tap < taps; tap++)
            worst = fmax(worst, fabs((double)dw[tap] - direct[tap]) / TOLERANCE_U / (scale + sqrt(tiles) * fabs(direct[tap])));
    }
    return worst;
}

static const struct {
    uint32_t m, taps, step, points;
    double point[8];
} tiles[] = {
    {2, 3, 1, CONVOY_POINTS_GOOD, {0, 1, -1}},
    {4, 3, 1, CONVOY_POINTS_GOOD, {0, 0.625, -0.625, 1.5, -1.5}},
    {4, 3, 1, CONVOY_POINTS_TEXTBOOK, {0, 1, -1, 2, -2}},
    {5, 3, 1, CONVOY_POINTS_GOOD, {0.25, -0.25, 0.875, -0.875, 1.75, -1.75}},
    {6, 3, 1, CONVOY_POINTS_GOOD, {0, 0.5, -0.5, 1, -1, 2, -2}},
    {7, 3, 1, CONVOY_POINTS_GOOD, {0.25, -0.25, 0.625, -0.625, 1.125, -1.125, 2.25, -2.25}},
    {2, 3, 2, CONVOY_POINTS_GOOD, {1, -1}},
    {4, 3, 2, CONVOY_POINTS_GOOD, {0.375, -0.375, 1.25, -1.25}},
    {5, 3, 2, CONVOY_POINTS_GOOD, {0, 0.625, -0.625, 1.5, -1.5}},
    {6, 3, 2, CONVOY_POINTS_GOOD, {0.25, -0.25, 0.875, -0.875, 1.75, -1.75}},
    {7, 3, 2, CONVOY_POINTS_GOOD, {0, 0.5, -0.5, 1, -1, 2, -2}},
    {2, 4, 1, CONVOY_POINTS_GOOD, {0.375, -0.375, 1.25, -1.25}},
    {4, 4, 1, CONVOY_POINTS_GOOD, {0.25, -0.25, 0.875, -0.875, 1.75, -1.75}},
    {5, 4, 1, CONVOY_POINTS_GOOD, {0, 0.5, -0.5, 1, -1, 2, -2}},
    {6, 4, 1, CONVOY_POINTS_GOOD, {0.25, -0.25, 0.625, -0.625, 1.125, -1.125, 2.25, -2.25}},
};
enum { TILES = sizeof tiles / sizeof tiles[0] };

static struct transform transform_of(size_t i)
{
    if (tiles[i].step == 2)
        return strided_transform((int)tiles[i].m, tiles[i].point);
    return dense_transform((int)tiles[i].m, (int)tiles[i].taps, tiles[i].point);
}

static void judge_constant(size_t i, const char *text, double worst)
{
    const struct tolerance tolerance = tolerance_for(text, winograd(tiles[i].m, tiles[i].taps, tiles[i].points, 0));
    print_message("F(%u,%u)/%u points %u, %s: %.3g of %.3g\n", (unsigned)tiles[i].m, (unsigned)tiles[i].taps,
                  (unsigned)tiles[i].step, (unsigned)tiles[i].points, text, worst, tolerance.element);
    assert_true(worst < tolerance.element);
    assert_true(worst > tolerance.element / 60); /* a bound far above what happens would find nothing */
}

static void test_winograd_constants(void **state)
{
    static const int channels[] = {1, 3, 64};
    (void)state;
    for (size_t i = 0; i < TILES; i++) {
        for (size_t c = 0; c < sizeof channels / sizeof channels[0]; c++) {
            char text[64];
            struct transform t = transform_of(i);
            snprintf(text, sizeof text, "conv_fwd:c%dh16k1kh%us%u", channels[c], (unsigned)tiles[i].taps,
                     (unsigned)tiles[i].step);
            judge_constant(i, text, worst_constant(&t, channels[c], 300 / channels[c] + 20));
        }
    }
}

/* Images of n tiles, each with all of its outputs or with one. */
static void test_winograd_gradient_constants(void **state)
{
    static const int counts[] = {1, 4, 64};
    (void)state;
    for (size_t i = 0; i < TILES; i++) {
        /* Four taps: with one output to a tile the error exceeds the bound for the same number of points. */
        if (tiles[i].taps > 3)
            continue;
        for (size_t n = 0; n < sizeof counts / sizeof counts[0]; n++) {
            char text[64];
            const int m = (int)tiles[i].m, turns = 2000 / counts[n] + 20;
            struct transform t = transform_of(i);
            snprintf(text, sizeof text, "conv_bwd_weights:n%dc1h%dk1kh%ds%d", counts[n], (m - 1) * t.step + t.taps, t.taps,
                     t.step);
            judge_constant(i, text, worst_gradient_constant(&t, counts[n], m, turns));
            /* At stride 2 a single output errs far less than its bound, since most of its products are not transformed. */
            if (t.step > 1)
                continue;
            snprintf(text, sizeof text, "conv_bwd_weights:n%dc1h%dk1kh%ds%d", counts[n], t.taps, t.taps, t.step);
            judge_constant(i, text, worst_gradient_constant(&t, counts[n], 1, turns));
        }
    }
}

/* ---- Fourier transforms simulated ---- */

enum { TILE_MOST = 32, SPECTRUM = TILE_MOST * TILE_MOST };

struct fourier {
    int tile;
    float cosine[TILE_MOST], sine[TILE_MOST]; /* of j/tile of a turn */
};

struct spectrum {
    float re[SPECTRUM], im[SPECTRUM];
};

static struct fourier fourier_of(int tile)
{
    struct fourier f = {.tile = tile};
    for (int j = 0; j < tile; j++) {
        f.cosine[j] = (float)cos(2 * 3.14159265358979323846 * j / tile);
        f.sine[j] = (float)sin(2 * 3.14159265358979323846 * j / tile);
    }
    return f;
}

/* n values x[0], x[stride], ...: decimation in time by two down to an odd number, which is summed as it stands. */
static void fourier_line(const struct fourier *f, int n, const float *re, const float *im, int stride, float *to_re, float *to_im)
{
    const int turn = f->tile / n;
    if (n % 2) {
        for (int k = 0; k < n; k++) {
            to_re[k] = re[0];
            to_im[k] = im[0];
            for (int j = 1; j < n; j++) {
                const float c = f->cosine[j * k % n * turn], s = f->sine[j * k % n * turn];
                to_re[k] = fmaf(c, re[j * stride], fmaf(s, im[j * stride], to_re[k]));
                to_im[k] = fmaf(c, im[j * stride], fmaf(-s, re[j * stride], to_im[k]));
            }
        }
        return;
    }
    float odd_re[TILE_MOST / 2], odd_im[TILE_MOST / 2];
    fourier_line(f, n / 2, re, im, 2 * stride, to_re, to_im);
    fourier_line(f, n / 2, re + stride, im + stride, 2 * stride, odd_re, odd_im);
    for (int k = 0; k < n / 2; k++) {
        const float c = f->cosine[k * turn], s = f->sine[k * turn];
        const float re_k = fmaf(c, odd_re[k], s * odd_im[k]), im_k = fmaf(c, odd_im[k], -s * odd_re[k]);
        to_re[k + n / 2] = to_re[k] - re_k;
        to_im[k + n / 2] = to_im[k] - im_k;
        to_re[k] += re_k;
        to_im[k] += im_k;
    }
}

static void fourier_square(const struct fourier *f, const float *re, const float *im, float *to_re, float *to_im)
{
    const int t = f->tile;
    struct spectrum rows;
    for (int i = 0; i < t; i++)
        fourier_line(f, t, re + i * t, im + i * t, 1, rows.re + i * t, rows.im + i * t);
    for (int j = 0; j < t; j++) {
        float line_re[TILE_MOST], line_im[TILE_MOST];
        fourier_line(f, t, rows.re + j, rows.im + j, t, line_re, line_im);
        for (int i = 0; i < t; i++) {
            to_re[i * t + j] = line_re[i];
            to_im[i * t + j] = line_im[i];
        }
    }
}

/* X * conj(W) added to the sums: four products, or Gauss's three, of which each has its own sum. */
static void multiply_spectra(int points, bool gauss, const struct spectrum *x, const struct spectrum *w, float (*sums)[SPECTRUM])
{
    for (int i = 0; i < points; i++) {
        const float a = x->re[i], b = x->im[i], c = w->re[i], d = w->im[i];
        if (gauss) {
            sums[0][i] = fmaf(a + b, c, sums[0][i]);
            sums[1][i] = fmaf(a, -(c + d), sums[1][i]);
            sums[2][i] = fmaf(b, c - d, sums[2][i]);
        } else {
            sums[0][i] = fmaf(b, d, fmaf(a, c, sums[0][i]));
            sums[1][i] = fmaf(-a, d, fmaf(b, c, sums[1][i]));
        }
    }
}

/* The largest |error| / (u * (s + sqrt(C)|y|)) over planes of PLANES tiles that all meet the same kernels of `taps` per axis; s
 * is the largest of the plane. A weight gradient is the same with the tiles as channels and DY as kernels. */
static double worst_fourier_constant(int tile, int taps, bool gauss, int channels, int turns)
{
    const struct fourier f = fourier_of(tile);
    const int size = tile * tile, m = tile - taps + 1, outputs = m * m;
    static const float zeros[SPECTRUM];
    double worst = 0;
    uint64_t draws = 0;
    float *const w = calloc((size_t)(channels * taps * taps), sizeof *w);
    struct spectrum *const kernels = calloc((size_t)channels, sizeof *kernels);
    double *const error = calloc((size_t)(PLANES * outputs), sizeof *error), *const value = calloc((size_t)(PLANES * outputs),
                                                                                                   sizeof *value);
    assert_true(w && kernels && error && value);
    for (int turn = 0; turn < turns; turn++) {
        double energy = 0, scale = 0;
        for (int c = 0; c < channels; c++) {
            float padded[SPECTRUM] = {0};
            for (int tap = 0; tap < taps * taps; tap++) {
                const float drawn = rng_uniform(1, 5, draws++);
                w[c * taps * taps + tap] = padded[tap / taps * tile + tap % taps] = drawn;
                energy += (double)drawn * (double)drawn;
            }
            fourier_square(&f, padded, zeros, kernels[c].re, kernels[c].im);
        }
        for (int plane = 0; plane < PLANES; plane++) {
            float sums[3][SPECTRUM] = {{0}}, x[SPECTRUM], y[SPECTRUM], rest[SPECTRUM];
            double direct[SPECTRUM] = {0}, squares[SPECTRUM] = {0};
            struct spectrum spectrum;
            for (int c = 0; c < channels; c++) {
                for (int i = 0; i < size; i++)
                    x[i] = rng_uniform(1, 6, draws++);
                fourier_square(&f, x, zeros, spectrum.re, spectrum.im);
                multiply_spectra(size, gauss, &spectrum, &kernels[c], sums);
                for (int i = 0; i < outputs; i++)
                    for (int tap = 0; tap < taps * taps; tap++) {
                        const double at = (double)x[(i / m + tap / taps) * tile + i % m + tap % taps];
                        direct[i] += at * (double)w[c * taps * taps + tap];
                        squares[i] += at * at;
                    }
            }
            for (int i = 0; gauss && i < size; i++) {
                sums[1][i] += sums[0][i];
                sums[0][i] -= sums[2][i];
            }
            fourier_square(&f, sums[1], sums[0], rest, y); /* re and im exchanged twice: the inverse */
            for (int i = 0; i < outputs; i++) {
                const float got = y[i / m * tile + i % m] * (1.0f / (float)size);
                scale = fmax(scale, sqrt(squares[i] * energy));
                value[plane * outputs + i] = sqrt(channels) * fabs(direct[i]);
                error[plane * outputs + i] = fabs((double)got - direct[i]) / TOLERANCE_U;
            }
        }
        for (int i = 0; i < PLANES * outputs; i++)
            worst = fmax(worst, error[i] / (scale + value[i]));
    }
    free(w);
    free(kernels);
    free(error);
    free(value);
    return worst;
}

static const struct {
    int tile, taps;
} fourier_tiles[] = {{8, 3}, {16, 3}, {18, 5}, {20, 7}, {32, 11}};
enum { FOURIER_TILES = sizeof fourier_tiles / sizeof fourier_tiles[0] };

static void judge_fourier(const char *text, int tile, bool gauss, double worst)
{
    const struct convoy_numerics numerics = {
        .kind = CONVOY_NUM_FFT, .tile_h = (uint32_t)tile, .tile_w = (uint32_t)tile, .flags = gauss ? CONVOY_GAUSS : 0};
    const struct tolerance tolerance = tolerance_for(text, numerics);
    print_message("tile %d, %d products, %s: %.3g of %.3g\n", tile, gauss ? 3 : 4, text, worst, tolerance.element);
    assert_true(worst < tolerance.element);
    assert_true(worst > tolerance.element / 60);
}

/* 1.2 * 10^5 outputs per tile with one channel, 4 * 10^4 with four, 7 * 10^3 with 64: an error beyond the bound that happened to
 * one output in 4 * 10^4, 1.3 * 10^4 or 2.4 * 10^3 would be seen with a probability of 95 %. */
static void test_fourier_constants(void **state)
{
    static const int channels[] = {1, 2, 4, 64};
    (void)state;
    for (size_t i = 0; i < 2 * FOURIER_TILES; i++) {
        for (size_t c = 0; c < sizeof channels / sizeof channels[0]; c++) {
            const int tile = fourier_tiles[i / 2].tile, taps = fourier_tiles[i / 2].taps, step = tile - taps + 1;
            const int turns = 120000 / (PLANES * step * step) / (channels[c] < 8 ? 1 + (int)c : 16) + 1;
            char text[64];
            snprintf(text, sizeof text, "conv_fwd:c%dh%dk1kh%d", channels[c], tile, taps);
            judge_fourier(text, tile, i % 2, worst_fourier_constant(tile, taps, i % 2, channels[c], turns));
        }
    }
}

/* Images of one tile. 700 elements of dw and more: one in 230 would be seen with 95 %. */
static void test_fourier_gradient_constants(void **state)
{
    static const int counts[] = {1, 4, 64};
    (void)state;
    for (size_t i = 0; i < 2 * FOURIER_TILES; i++) {
        for (size_t n = 0; n < sizeof counts / sizeof counts[0]; n++) {
            const int tile = fourier_tiles[i / 2].tile, taps = fourier_tiles[i / 2].taps;
            char text[64];
            snprintf(text, sizeof text, "conv_bwd_weights:n%dc1h%dk1kh%d", counts[n], tile, taps);
            judge_fourier(
                text, tile, i % 2,
                worst_fourier_constant(tile, tile - taps + 1, i % 2, counts[n], 60000 / (tile * tile * (counts[n] + 2)) + 1));
        }
    }
}

/* ---- the table's rules ---- */

static void test_chains(void **state)
{
    (void)state;
    const struct convoy_numerics direct = {.kind = CONVOY_NUM_DIRECT}, chunked = {.kind = CONVOY_NUM_GEMM, .split = 32};
    const struct convoy_numerics fft = {.kind = CONVOY_NUM_FFT, .tile_h = 16, .tile_w = 16};
    assert_true(tolerance_for("conv_fwd:c512h7k8kh3p1", direct).chain == 512 * 9);
    assert_true(tolerance_for("conv_fwd:c512h7k8kh3p1", chunked).chain == 288);
    assert_true(tolerance_for("conv_fwd:c512h7k8kh3p1g2", direct).chain == 256 * 9);
    assert_true(tolerance_for("conv_bwd_data:c512h7k8kh3p1", direct).chain == 72);
    assert_true(tolerance_for("conv_bwd_weights:n3c2h7k8kh3p1", direct).chain == 147);
    assert_true(tolerance_for("conv_fwd:c512h7k8kh3p1", winograd(4, 3, CONVOY_POINTS_GOOD, 64)).chain == 64);
    assert_true(tolerance_for("conv_bwd_weights:n3c2h7k8kh3p1", winograd(4, 3, CONVOY_POINTS_GOOD, 0)).chain == 12);
    assert_true(tolerance_for("conv_bwd_weights:n3c2h28k8kh3p1", fft).chain == 12);
    /* Long chains may have a larger RMS error, short ones not a smaller one. */
    assert_true(tolerance_for("conv_fwd:c512h7k8kh3p1", direct).relative_rms >
                tolerance_for("conv_fwd:c64h7k8kh3p1", direct).relative_rms);
    assert_true(tolerance_for("conv_fwd:c1h7k8kh3p1", direct).relative_rms ==
                tolerance_for("conv_fwd:c64h7k8kh3p1", direct).relative_rms);
}

static void test_strided_tiles(void **state)
{
    (void)state;
    /* Stride 2 splits a 3x3 kernel into phases of at most 2 taps. */
    const double small = tolerance_for("conv_fwd:c512h16k8kh3s2p1", winograd(4, 3, CONVOY_POINTS_GOOD, 0)).element;
    const double large = tolerance_for("conv_fwd:c512h16k8kh3s2p1", winograd(7, 3, CONVOY_POINTS_GOOD, 0)).element;
    assert_true(fabs(small - 8) < 0.1 && fabs(large - 56) < 0.5);
}

static void test_integer_rules(void **state)
{
    (void)state;
    assert_true(tolerance_for("conv_fwd:c4h8k4kh3", (struct convoy_numerics){.kind = CONVOY_NUM_GEMM}).exact_integers);
    assert_true(tolerance_for("conv_fwd:c4h8k4kh3", winograd(2, 3, CONVOY_POINTS_GOOD, 0)).exact_integers);
    assert_false(tolerance_for("conv_fwd:c4h8k4kh3", winograd(4, 3, CONVOY_POINTS_GOOD, 0)).exact_integers);
    assert_false(tolerance_for("conv_fwd:c4h8k4kh3s2", winograd(2, 3, CONVOY_POINTS_GOOD, 0)).exact_integers);
    assert_false(tolerance_for("conv_fwd:c4h8k4kh3", (struct convoy_numerics){.kind = CONVOY_NUM_FFT, .tile_h = 8, .tile_w = 8})
                     .exact_integers);
}

static void test_refusals(void **state)
{
    static const struct {
        const char *text;
        struct convoy_numerics numerics;
    } cases[] = {
        {"conv_fwd:c4h8k4kh3", {.kind = CONVOY_NUM_STATS}},
        {"conv_fwd:c4h8k4kh3", {.kind = 0}},
        {"conv_fwd:c4h8k4kh3", {.kind = 99}},
        {"conv_fwd:c4h8k4kh3", {.kind = CONVOY_NUM_WINOGRAD, .m = 14, .r = 3, .points = CONVOY_POINTS_GOOD}},
        {"conv_fwd:c4h8k4kh3", {.kind = CONVOY_NUM_WINOGRAD, .m = 4, .r = 3}},
        {"maxpool_fwd:c4h8kh2s2", {.kind = CONVOY_NUM_GEMM}},
        {"bn_train:c4h8", {.kind = CONVOY_NUM_FFT}},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const union problem problem = problem_of(cases[i].text);
        struct tolerance tolerance;
        struct finding finding = finding_none();
        assert_false(tolerance_of(&problem, &cases[i].numerics, &tolerance, &finding));
        assert_int_equal(finding.verdict, VERDICT_CONTRACT);
    }
}

static void test_names_and_classes(void **state)
{
    const union problem wide = problem_of("conv_fwd:c512h7k8kh3p1"), narrow = problem_of("conv_fwd:c64h7k8kh3p1");
    const struct convoy_numerics gauss = {.kind = CONVOY_NUM_FFT, .tile_h = 16, .tile_w = 16, .flags = CONVOY_GAUSS};
    const struct convoy_numerics oblong = {.kind = CONVOY_NUM_FFT, .tile_h = 16, .tile_w = 32};
    const struct convoy_numerics exact = {.kind = CONVOY_NUM_EXACT}, f4 = winograd(4, 3, CONVOY_POINTS_GOOD, 0);
    const struct convoy_numerics split = winograd(4, 3, CONVOY_POINTS_GOOD, 64), f6 = winograd(6, 3, CONVOY_POINTS_GOOD, 64);
    char name[32];
    (void)state;
    tolerance_numerics_name(&f4, name, sizeof name);
    assert_string_equal(name, "winograd(4,3)");
    tolerance_numerics_name(&gauss, name, sizeof name);
    assert_string_equal(name, "fft(16,gauss)");
    tolerance_numerics_name(&oblong, name, sizeof name);
    assert_string_equal(name, "fft(16x32)");
    tolerance_numerics_name(&exact, name, sizeof name);
    assert_string_equal(name, "exact");
    assert_string_equal(accuracy_class(&wide, &exact), "exact");
    assert_string_equal(accuracy_class(&wide, &gauss), "strict");
    assert_string_equal(accuracy_class(&wide, &f4), "fast");
    assert_string_equal(accuracy_class(&narrow, &f4), "strict");
    assert_string_equal(accuracy_class(&wide, &split), "strict");
    assert_string_equal(accuracy_class(&wide, &f6), "fast");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_winograd_constants),
        cmocka_unit_test(test_winograd_gradient_constants),
        cmocka_unit_test(test_fourier_constants),
        cmocka_unit_test(test_fourier_gradient_constants),
        cmocka_unit_test(test_chains),
        cmocka_unit_test(test_strided_tiles),
        cmocka_unit_test(test_integer_rules),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_names_and_classes),
    };
    return cmocka_run_group_tests_name("tolerance", tests, NULL, NULL);
}
