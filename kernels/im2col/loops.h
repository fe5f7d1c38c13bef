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
    /* y[at*stride] += x[at] */
    void (*add_to)(const float *x, int64_t count, float *y, int64_t stride);
    /* y[at] = x[at*stride] */
    void (*take)(const float *x, int64_t stride, int64_t count, float *y);

    /* x, added to LOOPS_LANES sums. */
    void (*sum)(const float *x, int64_t count, double *sums);

    /* The loops of whole operations. */
    const struct bn_loops *bn;
    const struct pool_loops *pool;
    const struct eltwise_loops *eltwise;
};

extern const struct loops loops_portable, loops_avx2, loops_avx512;

/* The widest set that this processor has, or the one that CONVOY_ISA names if it can be run. [any] */
const struct loops *loops_choose(void);

/* Whether tensors of so many bytes together leave the last cache, so that stores past the caches save reading what they
 * overwrite. Asks the system: for plans. [any] */
int loops_leave_cache(int64_t bytes);

#endif
