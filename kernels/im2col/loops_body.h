/* loops_body: the bodies of loops.h. Included once by each of loops.c, loops_avx2.c and loops_avx512.c, which define LOOPS
 * as the object to make, LOOPS_NAME as its name and LOOPS_OF as the name of an operation's loops. Strided loops are written out for the strides that are common, so
 * that the compiler can vectorise them. */
#include "bn.h"
#include "eltwise.h"
#include "loops.h"
#include "pool.h"

static inline float rectified(float value)
{
    return value < 0.0f ? 0.0f : value;
}

static void finish(float *y, int64_t count, float bias, int rectify)
{
    if (rectify)
        for (int64_t at = 0; at < count; at++)
            y[at] = rectified(y[at] + bias);
    else
        for (int64_t at = 0; at < count; at++)
            y[at] += bias;
}

static void add_to(const float *restrict x, int64_t count, float *restrict y, int64_t stride)
{
    if (stride == 1)
        for (int64_t at = 0; at < count; at++)
            y[at] += x[at];
    else
        for (int64_t at = 0; at < count; at++)
            y[at * stride] += x[at];
}

static void take(const float *restrict x, int64_t stride, int64_t count, float *restrict y)
{
    if (stride == 2)
        for (int64_t at = 0; at < count; at++)
            y[at] = x[at * 2];
    else
        for (int64_t at = 0; at < count; at++)
            y[at] = x[at * stride];
}

static void sum(const float *restrict x, int64_t count, double *restrict sums)
{
    double lanes[LOOPS_LANES] = {0};
    int64_t at = 0;
    for (; at + LOOPS_LANES <= count; at += LOOPS_LANES)
        for (int64_t lane = 0; lane < LOOPS_LANES; lane++)
            lanes[lane] += x[at + lane];
    for (int64_t lane = 0; at < count; at++, lane++)
        lanes[lane] += x[at];
    for (int64_t lane = 0; lane < LOOPS_LANES; lane++)
        sums[lane] += lanes[lane];
}

const struct loops LOOPS = {
    .name = LOOPS_NAME,
    .finish = finish,
    .add_to = add_to,
    .take = take,
    .sum = sum,
    .bn = &LOOPS_OF(bn),
    .pool = &LOOPS_OF(pool),
    .eltwise = &LOOPS_OF(eltwise),
};
