/* loops_body: the bodies of loops.h. Included once by each of loops.c, loops_avx2.c and loops_avx512.c, which define LOOPS
 * as the object to make and LOOPS_NAME as its name. Strided loops are written out for the strides that are common, so
 * that the compiler can vectorise them. */
#include "loops.h"

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

static void add_from(const float *restrict x, int64_t stride, int64_t count, float *restrict y)
{
    if (stride == 1)
        for (int64_t at = 0; at < count; at++)
            y[at] += x[at];
    else if (stride == 2)
        for (int64_t at = 0; at < count; at++)
            y[at] += x[at * 2];
    else
        for (int64_t at = 0; at < count; at++)
            y[at] += x[at * stride];
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

/* Whether a value comes before the best so far: it is larger or NaN, and the best is no NaN. */
static inline int beats(float value, float best)
{
    return !(value <= best) & (best == best);
}

static inline void maximum_index(const float *restrict x, int64_t stride, int64_t count, int32_t tap, float *restrict y,
                                 int32_t *restrict index)
{
    for (int64_t at = 0; at < count; at++) {
        const float value = x[at * stride], best = y[at];
        const int32_t before = index[at];
        const int wins = beats(value, best);
        y[at] = wins ? value : best;
        index[at] = wins ? tap : before;
    }
}

static inline void maximum_value(const float *restrict x, int64_t stride, int64_t count, float *restrict y)
{
    for (int64_t at = 0; at < count; at++) {
        const float value = x[at * stride], best = y[at];
        y[at] = beats(value, best) ? value : best;
    }
}

static void maximum(const float *x, int64_t stride, int64_t count, int32_t tap, float *y, int32_t *index)
{
    if (index && stride == 1)
        maximum_index(x, 1, count, tap, y, index);
    else if (index && stride == 2)
        maximum_index(x, 2, count, tap, y, index);
    else if (index)
        maximum_index(x, stride, count, tap, y, index);
    else if (stride == 1)
        maximum_value(x, 1, count, y);
    else if (stride == 2)
        maximum_value(x, 2, count, y);
    else
        maximum_value(x, stride, count, y);
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

static void sum_squares(const float *restrict x, int64_t count, double mean, double *restrict squares)
{
    double lanes[LOOPS_LANES] = {0};
    int64_t at = 0;
    for (; at + LOOPS_LANES <= count; at += LOOPS_LANES)
        for (int64_t lane = 0; lane < LOOPS_LANES; lane++) {
            const double d = x[at + lane] - mean;
            lanes[lane] += d * d;
        }
    for (int64_t lane = 0; at < count; at++, lane++) {
        const double d = x[at] - mean;
        lanes[lane] += d * d;
    }
    for (int64_t lane = 0; lane < LOOPS_LANES; lane++)
        squares[lane] += lanes[lane];
}

static void sum_products(const float *restrict x, const float *restrict dy, int64_t count, double mean, double *restrict sums,
                         double *restrict products)
{
    double plain[LOOPS_LANES] = {0}, weighted[LOOPS_LANES] = {0};
    int64_t at = 0;
    for (; at + LOOPS_LANES <= count; at += LOOPS_LANES)
        for (int64_t lane = 0; lane < LOOPS_LANES; lane++) {
            plain[lane] += dy[at + lane];
            weighted[lane] += dy[at + lane] * (x[at + lane] - mean);
        }
    for (int64_t lane = 0; at < count; at++, lane++) {
        plain[lane] += dy[at];
        weighted[lane] += dy[at] * (x[at] - mean);
    }
    for (int64_t lane = 0; lane < LOOPS_LANES; lane++) {
        sums[lane] += plain[lane];
        products[lane] += weighted[lane];
    }
}

static void normalise(const float *restrict x, int64_t count, float high, float low, float scale, float shift, int rectify,
                      float *restrict y)
{
    if (rectify)
        for (int64_t at = 0; at < count; at++)
            y[at] = rectified(((x[at] - high) - low) * scale + shift);
    else
        for (int64_t at = 0; at < count; at++)
            y[at] = ((x[at] - high) - low) * scale + shift;
}

static void normalise_bwd(const float *restrict x, const float *restrict dy, int64_t count, float mean, float mean_dy,
                          float slope, float scale, float *restrict dx)
{
    for (int64_t at = 0; at < count; at++)
        dx[at] = scale * ((dy[at] - mean_dy) - (x[at] - mean) * slope);
}

const struct loops LOOPS = {
    .name = LOOPS_NAME,
    .finish = finish,
    .add_from = add_from,
    .add_to = add_to,
    .take = take,
    .maximum = maximum,
    .sum = sum,
    .sum_squares = sum_squares,
    .sum_products = sum_products,
    .normalise = normalise,
    .normalise_bwd = normalise_bwd,
};
