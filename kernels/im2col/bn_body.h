/* bn_body: batch normalisation (Ioffe & Szegedy, arXiv 1502.03167, algorithms 1 and 2, and section 3) over lanes.h. Included by
 * bn_portable.c, bn_avx2.c and bn_avx512.c, which define BN_LOOPS as the object to make.
 *
 * A channel is n runs of h*w floats, read in strips of at most STRIP floats. Within a strip sums are float, in LANES*CHAINS chains
 * of at most STRIP/(LANES*CHAINS) terms; strips are joined in double. The variance never subtracts large numbers: with d = x - shift,
 * sum (x-mu)^2 = sum d^2 - (sum d)^2/m (the corrected two-pass algorithm: Chan, Golub and LeVeque, "Algorithms for Computing the
 * Sample Variance", 1983), so that shift need only be near mu. The first strip's is the mean of the channel's first q >= 4*sqrt(m)
 * values, a later one's the mean of all strips before. Values that are a part q/m of a channel are away from its mean by no more than
 * sqrt(m/q) deviations, which makes the loss at most m/q <= sqrt(m)/4 times the few units of 2^-24 of a strip's sum: the order of the
 * rounding of one chain of m additions in the worst case, and nothing for data in no order. */
#include "bn.h"
#include "lanes.h"
#include <convoy/plugin.h>
#include <math.h>

enum { STRIP = 4096, CHAINS = 4, JOINED_FLOATS = 1024 };

/* Runs of floats that one strip covers: `runs` of `length` floats, each `pitch` after the one before. */
struct strip {
    int64_t at, length, runs, pitch;
};

/* A whole channel, where it is one strip. */
static inline struct strip whole_channel(const struct convoy_bn *p, int64_t c)
{
    const int64_t plane = (int64_t)p->h * p->w;
    return (struct strip){.at = c * plane, .length = plane, .runs = p->n, .pitch = p->c * plane};
}

/* The strip that begins at run n, float `from` of it: whole short runs, or a piece of one. Returns the run and sets *from where
 * the next one begins. */
static int64_t next_strip(const struct convoy_bn *p, int64_t c, int64_t n, int64_t *from, struct strip *strip)
{
    const int64_t plane = (int64_t)p->h * p->w;
    *strip = (struct strip){.at = (n * p->c + c) * plane + *from, .length = plane, .runs = 1, .pitch = p->c * plane};
    if (plane <= STRIP) {
        strip->runs = convoy_min(STRIP / plane, p->n - n);
        return n + strip->runs;
    }
    const int64_t pieces = convoy_ceil_div(plane, STRIP), piece = convoy_round_up(convoy_ceil_div(plane, pieces), 16);
    strip->length = convoy_min(piece, plane - *from);
    *from += strip->length;
    if (*from < plane)
        return n;
    *from = 0;
    return n + 1;
}

/* The values whose mean is the first shift: at least 4*sqrt(m) of them, or all. */
static struct strip pilot(const struct convoy_bn *p, int64_t c)
{
    const int64_t plane = (int64_t)p->h * p->w,
                  wanted = convoy_round_up((int64_t)ceil(4 * sqrt((double)p->n * (double)plane)), 16);
    struct strip strip = whole_channel(p, c);
    if (wanted <= plane) {
        strip.length = convoy_min(wanted, STRIP);
        strip.runs = 1;
    } else {
        strip.runs = convoy_min(p->n, convoy_max(1, convoy_min(convoy_ceil_div(wanted, plane), STRIP / plane)));
    }
    return strip;
}

static inline lanes join(const lanes chain[CHAINS])
{
    return lanes_add(lanes_add(chain[0], chain[1]), lanes_add(chain[2], chain[3]));
}

/* sum x */
static inline lanes sum_strip(const float *x, const struct strip *s)
{
    const int64_t whole = s->length & -(int64_t)LANES;
    const lanes_mask rest = lanes_mask_first(s->length - whole);
    lanes chain[CHAINS] = {lanes_set(0), lanes_set(0), lanes_set(0), lanes_set(0)};
    for (int64_t run = 0; run < s->runs; run++) {
        const float *row = x + s->at + run * s->pitch;
        int64_t at = 0;
        for (; at + CHAINS * LANES <= whole; at += CHAINS * LANES)
            for (int k = 0; k < CHAINS; k++)
                chain[k] = lanes_add(chain[k], lanes_load(row + at + k * LANES));
        for (; at < whole; at += LANES)
            chain[0] = lanes_add(chain[0], lanes_load(row + at));
        if (whole < s->length)
            chain[CHAINS - 1] = lanes_add(chain[CHAINS - 1], lanes_load_some(row + whole, rest));
    }
    return join(chain);
}

static inline __attribute__((always_inline)) void spread(const float *x, lanes center, lanes *plain, lanes *square)
{
    const lanes d = lanes_sub(lanes_load(x), center);
    *plain = lanes_add(*plain, d);
    *square = lanes_multiply_add(d, d, *square);
}

/* sum d and sum d^2, d = x - shift */
static inline void spread_strip(const float *x, const struct strip *s, float shift, lanes *sum, lanes *squares)
{
    const int64_t whole = s->length & -(int64_t)LANES;
    const lanes_mask rest = lanes_mask_first(s->length - whole);
    const lanes center = lanes_set(shift);
    lanes plain[CHAINS] = {lanes_set(0), lanes_set(0), lanes_set(0), lanes_set(0)};
    lanes square[CHAINS] = {lanes_set(0), lanes_set(0), lanes_set(0), lanes_set(0)};
    for (int64_t run = 0; run < s->runs; run++) {
        const float *row = x + s->at + run * s->pitch;
        int64_t at = 0;
        for (; at + CHAINS * LANES <= whole; at += CHAINS * LANES)
            for (int k = 0; k < CHAINS; k++)
                spread(row + at + k * LANES, center, &plain[k], &square[k]);
        for (; at < whole; at += LANES)
            spread(row + at, center, &plain[0], &square[0]);
        if (whole < s->length) {
            const lanes d = lanes_keep(lanes_sub(lanes_load_some(row + whole, rest), center), rest);
            plain[CHAINS - 1] = lanes_add(plain[CHAINS - 1], d);
            square[CHAINS - 1] = lanes_multiply_add(d, d, square[CHAINS - 1]);
        }
    }
    *sum = join(plain);
    *squares = join(square);
}

static inline __attribute__((always_inline)) void weigh(const float *x, const float *dy, lanes center, lanes *plain, lanes *weighted)
{
    const lanes g = lanes_load(dy);
    *plain = lanes_add(*plain, g);
    *weighted = lanes_multiply_add(g, lanes_sub(lanes_load(x), center), *weighted);
}

/* sum dy and sum dy*(x - mean) */
static inline void product_strip(const float *x, const float *dy, const struct strip *s, float mean, lanes *sum, lanes *product)
{
    const int64_t whole = s->length & -(int64_t)LANES;
    const lanes_mask rest = lanes_mask_first(s->length - whole);
    const lanes center = lanes_set(mean);
    lanes plain[CHAINS] = {lanes_set(0), lanes_set(0), lanes_set(0), lanes_set(0)};
    lanes weighted[CHAINS] = {lanes_set(0), lanes_set(0), lanes_set(0), lanes_set(0)};
    for (int64_t run = 0; run < s->runs; run++) {
        const float *row = x + s->at + run * s->pitch, *slope = dy + s->at + run * s->pitch;
        int64_t at = 0;
        for (; at + CHAINS * LANES <= whole; at += CHAINS * LANES)
            for (int k = 0; k < CHAINS; k++)
                weigh(row + at + k * LANES, slope + at + k * LANES, center, &plain[k], &weighted[k]);
        for (; at < whole; at += LANES)
            weigh(row + at, slope + at, center, &plain[0], &weighted[0]);
        if (whole < s->length) { /* g is 0 outside the mask */
            const lanes g = lanes_load_some(slope + whole, rest);
            plain[CHAINS - 1] = lanes_add(plain[CHAINS - 1], g);
            weighted[CHAINS - 1] =
                lanes_multiply_add(g, lanes_sub(lanes_load_some(row + whole, rest), center), weighted[CHAINS - 1]);
        }
    }
    *sum = join(plain);
    *product = join(weighted);
}

/* The same sums in double, for values whose squares or products leave the range of a float. */
static void measure_exactly(const struct bn_call *call, int64_t c, double *mean, double *var)
{
    const struct convoy_bn *p = call->p;
    const int64_t plane = (int64_t)p->h * p->w;
    const double terms = (double)p->n * (double)plane;
    double sum = 0, squares = 0;
    for (int64_t n = 0; n < p->n; n++)
        for (int64_t at = (n * p->c + c) * plane; at < (n * p->c + c + 1) * plane; at++)
            sum += call->x[at];
    *mean = sum / terms;
    for (int64_t n = 0; n < p->n; n++)
        for (int64_t at = (n * p->c + c) * plane; at < (n * p->c + c + 1) * plane; at++)
            squares += (call->x[at] - *mean) * (call->x[at] - *mean);
    *var = squares / terms;
}

static void weigh_exactly(const struct bn_call *call, int64_t c, double *sum, double *product)
{
    const struct convoy_bn *p = call->p;
    const int64_t plane = (int64_t)p->h * p->w;
    const double mean = call->save_mean[c];
    *sum = *product = 0;
    for (int64_t n = 0; n < p->n; n++)
        for (int64_t at = (n * p->c + c) * plane; at < (n * p->c + c + 1) * plane; at++) {
            *sum += call->dy[at];
            *product += call->dy[at] * (call->x[at] - mean);
        }
}

/* Whether the terms of a float sum kept their digits: far from overflow, and far above the denormals. False for NaN. */
static inline int in_range(double sum)
{
    return fabs(sum) > 1e-28 && fabs(sum) < 1e28;
}

/* ---- the second pass ---- */

/* Of a group of channels: y = (x - center)*factor + shift;  dx = dy*factor + ((x - center)*slope + shift) */
struct affines {
    float center[BN_GROUP], factor[BN_GROUP], shift[BN_GROUP], slope[BN_GROUP];
};

/* Of one channel, in all lanes. */
struct affine {
    lanes center, factor, shift, slope;
};

static inline struct affine spread_affine(const struct affines *all, int64_t g)
{
    return (struct affine){lanes_set(all->center[g]), lanes_set(all->factor[g]), lanes_set(all->shift[g]),
                           lanes_set(all->slope[g])};
}

static inline lanes map_forward(const struct affine *a, lanes x, int rectify)
{
    const lanes y = lanes_multiply_add(lanes_sub(x, a->center), a->factor, a->shift);
    return rectify ? lanes_rectify(y) : y;
}

static inline lanes map_backward(const struct affine *a, lanes x, lanes dy)
{
    return lanes_multiply_add(dy, a->factor, lanes_multiply_add(lanes_sub(x, a->center), a->slope, a->shift));
}

/* Floats up to the next address that lanes_stream takes. */
static inline int64_t lead_in(const float *to, int64_t length, int stream)
{
    const int64_t off = (int64_t)((uintptr_t)to % (LANES * sizeof(float)) / sizeof(float));
    return stream && off ? convoy_min(LANES - off, length) : 0;
}

static inline __attribute__((always_inline)) void map_run(const struct affine *a, const float *x, const float *dy, int64_t length,
                                                          int rectify, int stream, float *to)
{
#define MAP(load)                                                                                                                \
    (dy ? map_backward(a, load(x + at), load(dy + at)) : map_forward(a, load(x + at), rectify))
#define LOAD_SOME(p) lanes_load_some(p, mask)
    int64_t at = 0;
    const int64_t lead = lead_in(to, length, stream);
    if (lead) {
        const lanes_mask mask = lanes_mask_first(lead);
        lanes_store_some(to, mask, MAP(LOAD_SOME));
        at = lead;
    }
    for (; at + LANES <= length; at += LANES) {
        if (stream)
            lanes_stream(to + at, MAP(lanes_load));
        else
            lanes_store(to + at, MAP(lanes_load));
    }
    if (at < length) {
        const lanes_mask mask = lanes_mask_first(length - at);
        lanes_store_some(to + at, mask, MAP(LOAD_SOME));
    }
#undef MAP
#undef LOAD_SOME
}

/* Images from the last to the first: what was read last is the likeliest to be in a cache still. Within an image channel by channel:
 * measured faster than run by run; suspected, not shown: a channel's runs may be a multiple of 4096 bytes apart, and a load whose
 * address agrees with that of a recent store in all but such a multiple waits for it. */
static inline __attribute__((always_inline)) void map_image(const struct bn_call *call, int64_t at, int64_t count,
                                                            const float *dy, int rectify, int stream, float *to,
                                                            const struct affines *affines)
{
    const int64_t plane = (int64_t)call->p->h * call->p->w;
    const float *x = call->x;
    for (int64_t g = 0; g < count; g++, at += plane) {
        const struct affine a = spread_affine(affines, g);
        map_run(&a, x + at, dy ? dy + at : NULL, plane, rectify, stream, to + at);
    }
}

/* The channels of an image as one run, where they are shorter than many vectors and no whole number of them: a vector on the border
 * of two channels takes what it needs of both. Channels are no shorter than a vector. */
static inline __attribute__((always_inline)) void map_joined(const struct bn_call *call, int64_t start, int64_t count,
                                                             const float *dy, int rectify, float *to,
                                                             const struct affines *affines)
{
    const int64_t plane = (int64_t)call->p->h * call->p->w, last = start + count * plane;
    const float *x = call->x;
    struct affine a = spread_affine(affines, 0);
#define MAP(a, load) (dy ? map_backward(a, load(x + at), load(dy + at)) : map_forward(a, load(x + at), rectify))
#define LOAD_SOME(p) lanes_load_some(p, mask)
    for (int64_t g = 0, at = start, end = start + plane; g < count; g++, end += plane) {
        for (; at + LANES <= end; at += LANES)
            lanes_store(to + at, MAP(&a, lanes_load));
        if (at < end && at + LANES <= last) {
            const lanes_mask mask = lanes_mask_first(end - at);
            const struct affine next = spread_affine(affines, g + 1), border = {
                                                                          .center = lanes_choose(mask, a.center, next.center),
                                                                          .factor = lanes_choose(mask, a.factor, next.factor),
                                                                          .shift = lanes_choose(mask, a.shift, next.shift),
                                                                          .slope = lanes_choose(mask, a.slope, next.slope),
                                                                      };
            lanes_store(to + at, MAP(&border, lanes_load));
            at += LANES;
            a = next;
        } else if (at < end) {
            const lanes_mask mask = lanes_mask_first(end - at);
            lanes_store_some(to + at, mask, MAP(&a, LOAD_SOME));
        } else if (g + 1 < count) {
            a = spread_affine(affines, g + 1);
        }
    }
#undef MAP
#undef LOAD_SOME
}

static void map_channels(const struct bn_call *call, int64_t first, int64_t count, const struct affines *affines)
{
    const struct convoy_bn *p = call->p;
    const int64_t plane = (int64_t)p->h * p->w;
    const int rectify = (p->head.flags & CONVOY_WITH_RELU) != 0;
    const int joined = !call->stream && plane % LANES && plane >= LANES && plane <= JOINED_FLOATS;
    for (int64_t n = p->n - 1; n >= 0; n--) {
        const int64_t at = (n * p->c + first) * plane;
        if (joined && call->dy)
            map_joined(call, at, count, call->dy, 0, call->dx, affines);
        else if (joined)
            map_joined(call, at, count, NULL, rectify, call->y, affines);
        else if (call->dy && call->stream)
            map_image(call, at, count, call->dy, 0, 1, call->dx, affines);
        else if (call->dy)
            map_image(call, at, count, call->dy, 0, 0, call->dx, affines);
        else if (call->stream)
            map_image(call, at, count, NULL, rectify, 1, call->y, affines);
        else
            map_image(call, at, count, NULL, rectify, 0, call->y, affines);
    }
    if (call->stream)
        lanes_fence();
}

/* y = (x - mean)*factor + beta. The mean as two floats: x - high is exact where x is near it, and what its rounding lost goes
 * into the shift. */
static void normalise(const double *mean, const double *factor, const float *beta, struct affines *affines)
{
    for (int g = 0; g < BN_GROUP; g++) {
        const float high = (float)mean[g];
        affines->center[g] = high;
        affines->factor[g] = (float)factor[g];
        affines->shift[g] = (float)(beta[g] - (mean[g] - high) * factor[g]);
    }
}

/* One value of every channel of a group; those that it lacks are 1. */
static inline void take_group(const float *from, int64_t count, float to[BN_GROUP])
{
    for (int64_t g = 0; g < BN_GROUP; g++)
        to[g] = 1.0f;
    for (int64_t g = 0; g < count; g += LANES) {
        const lanes_mask mask = lanes_mask_first(convoy_min(LANES, count - g));
        lanes_store_some(to + g, mask, lanes_load_some(from + g, mask));
    }
}

static inline void give_group(const float from[BN_GROUP], int64_t count, float *to)
{
    for (int64_t g = 0; g < count; g += LANES) {
        const lanes_mask mask = lanes_mask_first(convoy_min(LANES, count - g));
        lanes_store_some(to + g, mask, lanes_load(from + g));
    }
}

/* ---- the passes ---- */

struct moments {
    double mean[BN_GROUP], var[BN_GROUP]; /* biased */
};

/* Rounding may leave less than nothing of a variance; NaN stays. */
static inline double nonnegative(double value)
{
    return value < 0.0 ? 0.0 : value;
}

/* Channels of one strip each: sums side by side, one channel to a lane. */
static void measure_short(const struct bn_call *call, int64_t first, int64_t count, double terms, struct moments *m)
{
    const int64_t plane = (int64_t)call->p->h * call->p->w;
    lanes sum[BN_GROUP], squares[BN_GROUP];
    float sums[BN_GROUP], square_sums[BN_GROUP];
    for (int64_t g = count; g < BN_GROUP; g++)
        sum[g] = squares[g] = lanes_set(0);
    struct strip start = pilot(call->p, first);
    for (int64_t g = 0; g < count; g++, start.at += plane)
        sum[g] = sum_strip(call->x, &start);
    lanes_totals(sum, sums);
    const double share = 1.0 / (double)(start.length * start.runs), part = 1.0 / terms;
    for (int64_t g = 0; g < BN_GROUP; g++)
        m->mean[g] = sums[g] * share;
    const float *const x = call->x;
    struct strip strip = whole_channel(call->p, first);
    for (int64_t g = 0; g < count; g++, strip.at += plane)
        spread_strip(x, &strip, (float)m->mean[g], &sum[g], &squares[g]);
    lanes_totals(sum, sums);
    lanes_totals(squares, square_sums);
    for (int64_t g = 0; g < BN_GROUP; g++) {
        const double rest = sums[g] * part;
        m->mean[g] = (float)m->mean[g] + rest;
        m->var[g] = nonnegative(square_sums[g] * part - rest * rest);
    }
}

static void measure_long(const struct bn_call *call, int64_t c, double *mean, double *var)
{
    const struct strip start = pilot(call->p, c);
    double seen = 0, squares = 0;
    int64_t n = 0, from = 0;
    *mean = lanes_total(sum_strip(call->x, &start)) / (double)(start.length * start.runs);
    while (n < call->p->n) {
        struct strip strip;
        n = next_strip(call->p, c, n, &from, &strip);
        const double terms = (double)(strip.length * strip.runs);
        const float shift = (float)*mean;
        lanes sum, square;
        spread_strip(call->x, &strip, shift, &sum, &square);
        const double off = lanes_total(sum) / terms, delta = shift + off - *mean;
        squares += nonnegative(lanes_total(square) - off * off * terms) + delta * delta * seen * terms / (seen + terms);
        *mean += delta * terms / (seen + terms);
        seen += terms;
    }
    *var = squares / seen;
}

static void train(const struct bn_call *call, int64_t first, int64_t count)
{
    const struct convoy_bn *p = call->p;
    const double terms = (double)p->n * p->h * p->w, momentum = p->momentum, bessel = terms > 1.0 ? terms / (terms - 1.0) : 1.0;
    struct moments m;
    float gamma[BN_GROUP], beta[BN_GROUP], run_mean[BN_GROUP], run_var[BN_GROUP], save_mean[BN_GROUP], save_istd[BN_GROUP];
    double factor[BN_GROUP];
    struct affines affines;
    if (terms <= STRIP) {
        measure_short(call, first, count, terms, &m);
    } else {
        for (int64_t g = 0; g < count; g++)
            measure_long(call, first + g, &m.mean[g], &m.var[g]);
        for (int64_t g = count; g < BN_GROUP; g++)
            m.mean[g] = m.var[g] = 0.0;
    }
    for (int64_t g = 0; g < count; g++)
        if (!in_range(m.var[g]))
            measure_exactly(call, first + g, &m.mean[g], &m.var[g]);
    take_group(call->gamma + first, count, gamma);
    take_group(call->beta + first, count, beta);
    take_group(call->run_mean + first, count, run_mean);
    take_group(call->run_var + first, count, run_var);
    for (int g = 0; g < BN_GROUP; g++) {
        const double istd = 1.0 / sqrt(m.var[g] + p->eps);
        factor[g] = gamma[g] * istd;
        save_mean[g] = (float)m.mean[g];
        save_istd[g] = (float)istd;
        run_mean[g] = (float)((1.0 - momentum) * run_mean[g] + momentum * m.mean[g]);
        run_var[g] = (float)((1.0 - momentum) * run_var[g] + momentum * (m.var[g] * bessel));
    }
    give_group(save_mean, count, call->save_mean + first);
    give_group(save_istd, count, call->save_istd + first);
    give_group(run_mean, count, call->run_mean + first);
    give_group(run_var, count, call->run_var + first);
    normalise(m.mean, factor, beta, &affines);
    map_channels(call, first, count, &affines);
}

static void infer(const struct bn_call *call, int64_t first, int64_t count)
{
    float gamma[BN_GROUP], beta[BN_GROUP], run_mean[BN_GROUP], run_var[BN_GROUP];
    double mean[BN_GROUP], factor[BN_GROUP];
    struct affines affines;
    take_group(call->gamma + first, count, gamma);
    take_group(call->beta + first, count, beta);
    take_group(call->run_mean + first, count, run_mean);
    take_group(call->run_var + first, count, run_var);
    for (int g = 0; g < BN_GROUP; g++) {
        mean[g] = run_mean[g];
        factor[g] = gamma[g] / sqrt((double)run_var[g] + call->p->eps);
    }
    normalise(mean, factor, beta, &affines);
    map_channels(call, first, count, &affines);
}

/* sum dy and sum dy*(x - mean) */
static void weigh_group(const struct bn_call *call, int64_t first, int64_t count, double terms, double sums[BN_GROUP],
                        double products[BN_GROUP])
{
    lanes sum[BN_GROUP], product[BN_GROUP];
    for (int64_t g = count; g < BN_GROUP; g++)
        sum[g] = product[g] = lanes_set(0);
    if (terms <= STRIP) {
        float total[2][BN_GROUP];
        const float *const x = call->x, *const dy = call->dy, *const mean = call->save_mean + first;
        struct strip strip = whole_channel(call->p, first);
        for (int64_t g = 0; g < count; g++, strip.at += strip.length)
            product_strip(x, dy, &strip, mean[g], &sum[g], &product[g]);
        lanes_totals(sum, total[0]);
        lanes_totals(product, total[1]);
        for (int g = 0; g < BN_GROUP; g++) {
            sums[g] = total[0][g];
            products[g] = total[1][g];
        }
        return;
    }
    for (int64_t g = 0; g < BN_GROUP; g++)
        sums[g] = products[g] = 0.0;
    for (int64_t g = 0; g < count; g++) {
        int64_t n = 0, from = 0;
        while (n < call->p->n) {
            struct strip strip;
            n = next_strip(call->p, first + g, n, &from, &strip);
            product_strip(call->x, call->dy, &strip, call->save_mean[first + g], &sum[g], &product[g]);
            sums[g] += lanes_total(sum[g]);
            products[g] += lanes_total(product[g]);
        }
    }
}

/* With xhat = (x - mu)*istd, m = n*h*w:
 *     dbeta = sum dy      dgamma = sum dy*xhat      dx = gamma*istd * (dy - dbeta/m - xhat*dgamma/m) */
static void backward(const struct bn_call *call, int64_t first, int64_t count)
{
    const double terms = (double)call->p->n * call->p->h * call->p->w, share = 1.0 / terms;
    double sums[BN_GROUP], products[BN_GROUP];
    float gamma[BN_GROUP], save_istd[BN_GROUP], dgamma[BN_GROUP], dbeta[BN_GROUP];
    struct affines affines;
    weigh_group(call, first, count, terms, sums, products);
    for (int64_t g = 0; g < count; g++)
        if (!in_range(products[g]) && (products[g] != 0.0 || sums[g] != 0.0))
            weigh_exactly(call, first + g, &sums[g], &products[g]);
    take_group(call->gamma + first, count, gamma);
    take_group(call->save_istd + first, count, save_istd);
    take_group(call->save_mean + first, count, affines.center);
    for (int g = 0; g < BN_GROUP; g++) {
        const double istd = save_istd[g], factor = gamma[g] * istd;
        dbeta[g] = (float)sums[g];
        dgamma[g] = (float)(products[g] * istd);
        affines.factor[g] = (float)factor;
        affines.shift[g] = (float)(-factor * sums[g] * share);
        affines.slope[g] = (float)(-factor * products[g] * istd * istd * share);
    }
    give_group(dbeta, count, call->dbeta + first);
    give_group(dgamma, count, call->dgamma + first);
    map_channels(call, first, count, &affines);
}

const struct bn_loops BN_LOOPS = {.train = train, .infer = infer, .backward = backward};
