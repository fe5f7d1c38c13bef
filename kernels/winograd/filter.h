/* filter: the arithmetic of the filter side, 16 filters at a time: points = G taps Gt in double, and its adjoint
 * taps = Gt points G in float, which is done once for every execution. One table for each instruction set. Knows no layouts. All
 * functions [any]. */
#ifndef CONVOY_WINOGRAD_FILTER_H
#define CONVOY_WINOGRAD_FILTER_H

#include "points.h"
#include <stddef.h>

enum { FILTERS = 16 };

struct filter_matrix {
    int32_t r, alpha;
    double g[POINTS_MAX_DENSE][POINTS_MAX_R];
    float rounded[POINTS_MAX_DENSE][POINTS_MAX_R]; /* g */
};

struct filter_family {
    const char *name; /* as in mk_family */
    /* taps[r*r][16] to points[alpha*alpha][16], rounded to float once. */
    void (*transform)(const struct filter_matrix *, const double *taps, float *points);
    /* points[i*plane + lane], i < alpha*alpha, to taps[r*r][16]. */
    void (*gradient)(const struct filter_matrix *, const float *points, ptrdiff_t plane, float *taps);
};

/* NULL: not compiled in. */
const struct filter_family *filter_family_find(const char *name);

extern const struct filter_family filter_avx512, filter_avx2, filter_portable; /* the first two on x86-64 only */

#endif
