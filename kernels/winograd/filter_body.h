/* filter_body: the loops of one instruction set, included by its file after it has defined LANES, the doubles of a vector, and
 * FAMILY and FAMILY_NAME. The 16 filters are 16/LANES vectors that never meet; with r a constant, sums stay in registers. */
#include "filter.h"
#include <string.h>

typedef double VEC __attribute__((vector_size(LANES * sizeof(double))));
typedef float HALF __attribute__((vector_size(LANES * sizeof(float))));
enum { FLOAT_LANES = 2 * LANES };
typedef float FLOATS __attribute__((vector_size(FLOAT_LANES * sizeof(float))));

static inline __attribute__((always_inline)) VEC load(const double *p)
{
    VEC v;
    memcpy(&v, p, sizeof v);
    return v;
}

static inline __attribute__((always_inline)) FLOATS load_float(const float *p)
{
    FLOATS v;
    memcpy(&v, p, sizeof v);
    return v;
}

static inline __attribute__((always_inline)) void store_float(float *p, VEC v)
{
    const HALF half = __builtin_convertvector(v, HALF);
    memcpy(p, &half, sizeof half);
}

static inline __attribute__((always_inline)) void transform_lanes(const struct filter_matrix *f, const int r, const double *taps,
                                                                  float *points)
{
    for (int i = 0; i < f->alpha; i++) {
        VEC row[POINTS_MAX_R] = {{0}};
#pragma GCC unroll 5
        for (int s = 0; s < r; s++) {
            row[s] = f->g[i][0] * load(taps + s * FILTERS);
#pragma GCC unroll 5
            for (int t = 1; t < r; t++)
                row[s] += f->g[i][t] * load(taps + (t * r + s) * FILTERS);
        }
        for (int j = 0; j < f->alpha; j++, points += FILTERS) {
            VEC sum = f->g[j][0] * row[0];
#pragma GCC unroll 5
            for (int s = 1; s < r; s++)
                sum += f->g[j][s] * row[s];
            store_float(points, sum);
        }
    }
}

static inline __attribute__((always_inline)) void gradient_lanes(const struct filter_matrix *f, const int r, const float *points,
                                                                 ptrdiff_t plane, float *taps)
{
    FLOATS sum[POINTS_MAX_R * POINTS_MAX_R] = {{0}};
    for (int i = 0; i < f->alpha; i++) {
        FLOATS row[POINTS_MAX_R] = {{0}};
        for (int j = 0; j < f->alpha; j++, points += plane) {
            const FLOATS point = load_float(points);
#pragma GCC unroll 5
            for (int s = 0; s < r; s++)
                row[s] += f->rounded[j][s] * point;
        }
#pragma GCC unroll 25
        for (int tap = 0; tap < r * r; tap++)
            sum[tap] += f->rounded[i][tap / r] * row[tap % r];
    }
#pragma GCC unroll 25
    for (int tap = 0; tap < r * r; tap++)
        memcpy(taps + tap * FILTERS, &sum[tap], sizeof sum[tap]);
}

static void transform(const struct filter_matrix *f, const double *taps, float *points)
{
    for (int lane = 0; lane < FILTERS; lane += LANES) {
        if (f->r == 3)
            transform_lanes(f, 3, taps + lane, points + lane);
        else
            transform_lanes(f, f->r, taps + lane, points + lane);
    }
}

static void gradient(const struct filter_matrix *f, const float *points, ptrdiff_t plane, float *taps)
{
    for (int lane = 0; lane < FILTERS; lane += FLOAT_LANES) {
        if (f->r == 3)
            gradient_lanes(f, 3, points + lane, plane, taps + lane);
        else
            gradient_lanes(f, f->r, points + lane, plane, taps + lane);
    }
}

const struct filter_family FAMILY = {.name = FAMILY_NAME, .transform = transform, .gradient = gradient};
