#include "verify/tolerance.h"
#include "core/accuracy.h"
#include "verify/tolerance_stats.h"
#include <convoy/plugin.h>
#include <convoy/shape.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

static const double u = TOLERANCE_U;
static const double least_normal = 0x1p-126, spacing_below = 0x1p-149;

/* Fast convolution is bilinear: y = A [ (G w) .* (B x) ]. By alpha = m + r - 1, the points of the tile per axis (the tables of
 * simulated errors give equal rows for equal alpha: F(4,4) as F5, F(4,5) as F6, F(2,5) as F4, F(4,2) between F2 and F4). c is 2.5
 * to 3 times the worst of about 1000 simulated outputs, which covers the tail of 10^7 samples (Gaussian x1.6) and the tile
 * corners; rho likewise for relative RMS at 64 channels per chain. Simulated with x, w uniform(-1,1), float FMA, transformed
 * weights rounded once, against an exact reference:
 *
 *   alpha  algorithm            c rms / max   c     rel. RMS C=64   rho
 *   3,4    F(2,2) F(2,3)        .17 / .62     2     2.5e-7          6e-7
 *   5      F(4,2) F(2,4)        .45 / 3.0     8     4.5e-7          1e-6
 *   6      F(4,3) F(2,5)        .50 / 3.7     10    7.7e-7          1.6e-6
 *   7      F(5,3) F(4,4)        1.1 / 8.5     24    1.7e-6          4e-6
 *   8      F(6,3) F(4,5)        2.3 / 21      56    3.1e-6          8e-6
 *   9      F(7,3)               5.6 / 49      130   8.1e-6          2e-5
 *   10     F(8,3)               from F(7,3) by the ratio of the simulated RMS, 2.35 to 2.8: 130 * 2.6, 2e-5 * 2.6
 *
 * Weight gradients accumulate over tiles and transform once at the end: simulated c max over 64 tiles 1.2 (F2), 2.2 (F4), 3.9
 * (F5), 7.1 (F6), 15 (F7); so 4, not below the direct sum's own, then 6, 9.8, 16 and 42; F8 from F7 as above. Textbook points (0,
 * +-1, +-2, ...): F(4,3) was simulated (1.2 / 16, 1.7e-6), the gradient at 3.5 times the good points'; F(5,3) and F(7,3) follow
 * from the ratio of their amplification factors to those of the good points, 16.6/9.7 and 102/49; F(6,3) has the same points.
 *
 * Those are for 64 channels or more. With few, a sum has a heavier tail: 10^7 samples of F2, F4, F5, F6 (F7) reach 2.5c (3.2c)
 * with one channel, 1.3c (2.2c) with two, c (1.5c) with four, and less than c from eight up; Fourier transforms 2c, 1.7c
 * and 1.4c. Hence c * (1 + 2.5 / C), and for gradients by the number of tiles (1 tile: 3.5c, 4: c, 16: 0.8c). A gradient's tiles
 * that hold few outputs, at the ends of rows or in small images, err as much as full ones, at a smaller s: with one output in
 * each, 64 tiles reach 1.2c (F2), 2.7c (F4), 3.5c (F6), a single one 7.5c (F4). Hence the factor 1 + 3 (1 - fill), fill being the
 * share of the tiles' outputs that exist. tests/test_tolerance.c repeats these experiments.
 *
 * `point` is the largest point: the output transform multiplies by its power m - 1, per axis. */
struct transform_row {
    double forward, gradient, rho, point;
};
static const double few_terms = 2.5, empty_tiles = 3;
enum { ALPHA_LEAST = 3, ALPHA_MOST = 10 };
static const struct transform_row good_points[ALPHA_MOST + 1] = {
    [3] = {2, 4, 6e-7, 1},       [4] = {2, 4, 6e-7, 1},   [5] = {8, 4, 1e-6, 1.25},    [6] = {10, 6, 1.6e-6, 1.5},
    [7] = {24, 9.8, 4e-6, 1.75}, [8] = {56, 16, 8e-6, 2}, [9] = {130, 42, 2e-5, 2.25}, [10] = {340, 110, 5.2e-5, 2.5},
};
static const struct transform_row textbook_points[ALPHA_MOST + 1] = {
    [3] = {2, 4, 6e-7, 1},     [4] = {2, 4, 6e-7, 1},   [5] = {8, 4, 1e-6, 2},      [6] = {40, 21, 4e-6, 2},
    [7] = {41, 17, 6.9e-6, 2}, [8] = {56, 16, 8e-6, 2}, [9] = {270, 87, 4.2e-5, 4},
};

/* Direct sums and products of matrices in chunks: simulated c .08-.31 / 2.0. FFT tiles of 16 and 32: .13-.19 / .65. Gauss's three
 * products add a difference of two sums, twice the error. */
static const double direct_element = 4, direct_rho = 8e-7;
static const double fft_element = 2, fft_rho = 6e-7;
/* 1.3e-6 at 512 channels in one chain of 9 each and 4.3e-7 at 64: rho holds for chains up to 64 * 9 and grows with the root. */
static const double direct_chain = 576, tiled_chain = 64;

static bool is_conv(const union problem *problem)
{
    return problem_family(problem) == FAMILY_CONV;
}

static const struct transform_row *transform_constants(const struct convoy_conv *p, const struct convoy_numerics *numerics)
{
    static const struct transform_row *const tables[] = {
        [CONVOY_POINTS_TEXTBOOK] = textbook_points,
        [CONVOY_POINTS_GOOD] = good_points,
    };
    if (numerics->points < CONVOY_POINTS_TEXTBOOK || numerics->points > CONVOY_POINTS_GOOD || numerics->m == 0 ||
        numerics->r == 0)
        return NULL;
    /* One point has nothing to transform on that axis; the least tile stands for it. */
    const uint32_t alpha = (uint32_t)convoy_max(accuracy_tile_points(p, numerics), ALPHA_LEAST);
    if (alpha > ALPHA_MOST || tables[numerics->points][alpha].forward == 0)
        return NULL;
    return &tables[numerics->points][alpha];
}

static void conv_tolerance(const struct convoy_conv *p, const struct convoy_numerics *numerics, const struct transform_row *row,
                           struct tolerance *t)
{
    const bool gradient = p->head.op == CONVOY_CONV_BWD_WEIGHTS;
    const bool gauss = numerics->flags & CONVOY_GAUSS;
    const int64_t taps = (int64_t)p->kh * p->kw;
    t->tiled = numerics->kind == CONVOY_NUM_FFT || numerics->kind == CONVOY_NUM_WINOGRAD;
    t->terms = accuracy_whole_chain(p, numerics, false);
    const double whole = accuracy_whole_chain(p, numerics, t->tiled);
    t->growth = 1;
    t->multiple = 1;
    t->exact_integers = !t->tiled;
    if (t->tiled) {
        t->chain = accuracy_split_chain(whole, numerics->split);
        const double rho = row ? row->rho : fft_rho * (gauss ? 2 : 1);
        t->element = row ? (gradient ? row->gradient : row->forward) : fft_element * (gauss ? 2 : 1);
        t->element *= 1 + few_terms / t->chain;
        if (row && gradient) {
            const double places = (double)accuracy_tile_count(p, numerics) * numerics->m * numerics->m;
            t->element *= 1 + empty_tiles * (1 - (double)p->n * p->oh * p->ow / places);
        }
        t->underflow = t->element * t->terms * spacing_below;
        if (row) /* a product of half the spacing off, amplified by two rows of A */
            t->underflow = t->terms * spacing_below * pow(2 * pow(row->point, (double)numerics->m - 1) + 2, 2);
        t->relative_rms = rho * sqrt(fmax(1, t->chain / tiled_chain));
        if (numerics->kind == CONVOY_NUM_WINOGRAD && numerics->m == 2 && numerics->r == 3 && p->stride_h == 1 &&
            p->stride_w == 1) {
            /* Points 0, +-1: G halves per axis, so weights that are multiples of 4 stay integers in two dimensions. Per axis B
             * adds at most 2 inputs, G 3/2 weights and A 3 products: partial sums stay below (2*2)(9/4)(3*3) a b = 81 a b per
             * channel, which is 9 times the 9 a b of the direct sum. The gradient's per axis 2, 2 and 2, in quarters: 4*4*4*4 a b
             * for a tile of 4 outputs. */
            t->exact_integers = true;
            t->growth = gradient ? 64 : 9;
            t->multiple = gradient ? 1 : 4;
        }
    } else {
        /* `split` counts channels; a weight gradient without tiles has none to count, so its chain is taken whole. */
        t->chain = gradient ? whole : accuracy_split_chain(whole, (double)numerics->split * (double)taps);
        t->element = direct_element;
        t->underflow = t->element * t->terms * spacing_below;
        t->relative_rms = direct_rho * sqrt(fmax(1, t->chain / direct_chain));
    }
}

bool tolerance_of(const union problem *problem, const struct convoy_numerics *numerics, struct tolerance *t,
                  struct finding *finding)
{
    char name[48];
    tolerance_numerics_name(numerics, name, sizeof name);
    memset(t, 0, sizeof *t);
    t->numerics = *numerics;
    t->relative_rms = INFINITY;
    t->chain = t->terms = t->growth = 1;
    t->multiple = 1;
    t->exact_integers = true;
    const bool stats = numerics->kind == CONVOY_NUM_EXACT || numerics->kind == CONVOY_NUM_STATS;
    const bool products = numerics->kind >= CONVOY_NUM_EXACT && numerics->kind <= CONVOY_NUM_WINOGRAD;
    if (is_conv(problem) ? !products : !stats)
        return finding_set(finding, VERDICT_CONTRACT, "the plan declares numerics %s, which %s cannot have", name,
                           family_name(problem_family(problem)));
    if (!is_conv(problem))
        return true;
    const struct transform_row *row = NULL;
    if (numerics->kind == CONVOY_NUM_WINOGRAD) {
        row = transform_constants(&problem->conv, numerics);
        if (!row)
            return finding_set(finding, VERDICT_CONTRACT,
                               "the plan declares numerics %s with points %u, for which no bound is known", name,
                               (unsigned)numerics->points);
    }
    conv_tolerance(&problem->conv, numerics, row, t);
    if (numerics->flags & CONVOY_MAY_FLUSH_DENORMALS) /* the whole product */
        t->underflow = fmax(t->underflow, t->terms * least_normal);
    return true;
}

void tolerance_numerics_name(const struct convoy_numerics *n, char *buf, size_t size)
{
    static const char *const names[] = {
        [CONVOY_NUM_EXACT] = "exact", [CONVOY_NUM_DIRECT] = "direct",     [CONVOY_NUM_GEMM] = "gemm",
        [CONVOY_NUM_FFT] = "fft",     [CONVOY_NUM_WINOGRAD] = "winograd", [CONVOY_NUM_STATS] = "stats",
    };
    const char *const gauss = n->flags & CONVOY_GAUSS ? ",gauss" : "";
    if (n->kind >= sizeof names / sizeof names[0] || !names[n->kind])
        snprintf(buf, size, "unknown(%u)", (unsigned)n->kind);
    else if (n->kind == CONVOY_NUM_WINOGRAD)
        snprintf(buf, size, "%s(%u,%u)", names[n->kind], (unsigned)n->m, (unsigned)n->r);
    else if (n->kind == CONVOY_NUM_FFT && n->tile_h == n->tile_w)
        snprintf(buf, size, "%s(%u%s)", names[n->kind], (unsigned)n->tile_h, gauss);
    else if (n->kind == CONVOY_NUM_FFT)
        snprintf(buf, size, "%s(%ux%u%s)", names[n->kind], (unsigned)n->tile_h, (unsigned)n->tile_w, gauss);
    else
        snprintf(buf, size, "%s", names[n->kind]);
}

/* One rounding of a value that double arithmetic computed from D = sum of |terms|. */
static double exact_bound(const struct convoy_verdict_terms *term, double terms)
{
    return u * fabs(term->value) + terms * 0x1p-52 * term->abs_sum + spacing_below;
}

static double energy(const float *data, int64_t elements)
{
    double sum = 0;
    for (int64_t e = 0; e < elements; e++)
        sum += (double)data[e] * (double)data[e];
    return sum;
}

/* A transform works on tiles, so the error of an element follows the size of what is around it: s is the largest of its plane,
 * and where the image is smaller than a window, which then sees part of the kernel only, |image| * |kernel|. That product, scaled
 * by the window's share of the image, is the mean s of the plane elsewhere. Forward and backward-data only: all of an image meets
 * the middle tap of a weight gradient. */
struct image_energy { /* of one group of one image, the latest asked for */
    int64_t number;
    double value;
};

static double image_energy(struct image_energy *latest, const float *operand, int64_t number, int64_t elements)
{
    if (latest->number != number) {
        latest->number = number;
        latest->value = energy(operand + number * elements, elements);
    }
    return latest->value;
}

static double plane_scale(const struct tensors *inputs, uint32_t slot, uint64_t plane, struct image_energy *latest)
{
    const struct convoy_conv *const p = &inputs->problem.conv;
    const int64_t group_c = p->c / p->groups, group_k = p->k / p->groups, taps = (int64_t)p->kh * p->kw;
    const float *const w = tensors_f32(inputs, CONVOY_W);
    double image, kernel = 0, share;
    if (slot == CONVOY_Y) {
        const int64_t n = (int64_t)plane / p->k, k = (int64_t)plane % p->k;
        image = image_energy(latest, tensors_f32(inputs, CONVOY_X), n * p->groups + k / group_k, group_c * p->h * p->w);
        kernel = energy(w + k * group_c * taps, group_c * taps);
        share = (double)taps / ((double)p->h * p->w);
    } else if (slot == CONVOY_DX) {
        const int64_t n = (int64_t)plane / p->c, c = (int64_t)plane % p->c, g = c / group_c;
        image = image_energy(latest, tensors_f32(inputs, CONVOY_DY), n * p->groups + g, group_k * p->oh * p->ow);
        for (int64_t k = g * group_k; k < (g + 1) * group_k; k++)
            kernel += energy(w + (k * group_c + c % group_c) * taps, taps);
        share = (double)(convoy_ceil_div(p->kh, p->stride_h) * convoy_ceil_div(p->kw, p->stride_w)) / ((double)p->oh * p->ow);
    } else {
        return 0;
    }
    return sqrt(image * kernel * fmin(1, share));
}

static void conv_bounds(const struct tolerance *t, const struct tensors *inputs, const struct answer *answer, double *bound)
{
    const struct slot_info *const info = &inputs->info[answer->slot];
    const uint64_t plane = info->rank == 4 ? (uint64_t)(info->extent[2] * info->extent[3]) : 1;
    const bool sum = answer->slot == CONVOY_DBIAS; /* no product: s is the sum of |dy|, computed without transforms */
    const double element = sum ? direct_element : t->element;
    const double root =
        sqrt(sum ? (double)((int64_t)inputs->problem.conv.n * inputs->problem.conv.oh * inputs->problem.conv.ow) : t->chain);
    struct image_energy latest = {.number = -1};
    for (uint64_t first = 0, last; first < answer->count; first = last) {
        const uint64_t number = (answer->index ? answer->index[first] : first) / plane;
        double largest = t->tiled ? plane_scale(inputs, answer->slot, number, &latest) : 0;
        for (last = first; last < answer->count && (answer->index ? answer->index[last] : last) / plane == number; last++)
            largest = fmax(largest, answer->terms[last].norm);
        for (uint64_t e = first; e < last; e++) {
            const struct convoy_verdict_terms *const term = &answer->terms[e];
            const double scale = t->tiled && !sum ? largest : term->norm;
            bound[e] = element * u * (scale + root * fabs(term->value)) + t->underflow;
        }
    }
}

bool tolerance_bounds(const struct tolerance *t, const struct tensors *inputs, const struct answer *answer, double *bound,
                      double *unstable)
{
    const bool index = answer->slot == CONVOY_INDEX;
    if (index) {
        memset(bound, 0, (size_t)answer->count * sizeof *bound);
    } else if (t->numerics.kind == CONVOY_NUM_EXACT) {
        for (uint64_t e = 0; e < answer->count; e++)
            bound[e] = exact_bound(&answer->terms[e], t->terms);
    } else {
        switch (problem_family(&inputs->problem)) {
        case FAMILY_CONV:
            conv_bounds(t, inputs, answer, bound);
            break;
        case FAMILY_POOL:
            pool_bounds(inputs, answer, bound);
            break;
        case FAMILY_BN:
            return bn_bounds(inputs, answer, bound, unstable);
        default:
            eltwise_bounds(inputs, answer, bound);
            break;
        }
    }
    if (unstable)
        memcpy(unstable, bound, (size_t)answer->count * sizeof *bound);
    return true;
}

/* Just below one half. */
static const double nearest_integer = 0.5 - 0x1p-20;

void tolerance_integer_bounds(const struct tolerance *t, const struct tensors *inputs, const struct answer *answer, double *bound)
{
    if (problem_family(&inputs->problem) == FAMILY_POOL) {
        pool_integer_bounds(inputs, answer, bound);
        return;
    }
    for (uint64_t e = 0; e < answer->count; e++)
        bound[e] = t->exact_integers || answer->slot == CONVOY_DBIAS ? 0 : nearest_integer;
}

/* Batch norm backward: 2e-6 for dx and 5e-6 for the reductions at moderate mean and deviation, times sqrt(L / 4096) for long
 * sums. A channel needs some elements before dx is more than the rounding of a difference. */
static const double bn_dx_rms = 2e-6, bn_sum_rms = 5e-6;
enum { BN_DX_LEAST = 16 };

double tolerance_relative_rms(const struct tolerance *t, const union problem *problem, uint32_t slot)
{
    if (problem_family(problem) == FAMILY_CONV)
        return slot == CONVOY_DBIAS ? INFINITY : t->relative_rms;
    if (problem->head.op != CONVOY_BN_BWD)
        return INFINITY;
    const double length = (double)problem->bn.n * problem->bn.h * problem->bn.w;
    const double factor = fmax(1, sqrt(length / 4096));
    if (slot == CONVOY_DX)
        return length >= BN_DX_LEAST ? bn_dx_rms * factor : INFINITY;
    return bn_sum_rms * factor;
}
