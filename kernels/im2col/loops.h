/* loops: the innermost loops of this backend over contiguous or strided rows of floats, in plain C, compiled once for
 * every instruction set and chosen when the plugin is opened. Knows no problem and no thread. */
#ifndef CONVOY_IM2COL_LOOPS_H
#define CONVOY_IM2COL_LOOPS_H

#include <stdint.h>

enum { LOOPS_LANES = 8 }; /* independent sums: the additions of one chain wait for each other */

struct loops {
    const char *name;

    /* y += bias, then max(0, y) if wanted; NaN stays. */
    void (*finish)(float *y, int64_t count, float bias, int rectify);
    /* y[at] += x[at*stride] */
    void (*add_from)(const float *x, int64_t stride, int64_t count, float *y);
    /* y[at*stride] += x[at] */
    void (*add_to)(const float *x, int64_t count, float *y, int64_t stride);
    /* y[at] = x[at*stride] */
    void (*take)(const float *x, int64_t stride, int64_t count, float *y);

    /* The first maximum, NaN counting as the largest: where x[at*stride] beats y[at] it goes there, and tap to index[at]
     * unless index is NULL. */
    void (*maximum)(const float *x, int64_t stride, int64_t count, int32_t tap, float *y, int32_t *index);

    /* Statistics, added to LOOPS_LANES sums: x; (x - mean)^2; dy and dy*(x - mean). */
    void (*sum)(const float *x, int64_t count, double *sums);
    void (*sum_squares)(const float *x, int64_t count, double mean, double *squares);
    void (*sum_products)(const float *x, const float *dy, int64_t count, double mean, double *sums, double *products);
    /* y = ((x - high) - low)*scale + shift, then max(0, y) if wanted. */
    void (*normalise)(const float *x, int64_t count, float high, float low, float scale, float shift, int rectify, float *y);
    /* dx = scale*((dy - mean_dy) - (x - mean)*slope) */
    void (*normalise_bwd)(const float *x, const float *dy, int64_t count, float mean, float mean_dy, float slope, float scale,
                          float *dx);
};

extern const struct loops loops_portable, loops_avx2, loops_avx512;

/* The widest set that this processor has. [any] */
const struct loops *loops_choose(void);

#endif
