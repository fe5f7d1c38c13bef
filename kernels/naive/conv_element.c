/* Convolution, one output element at a time: the definition in convoy.h, read aloud. conv.c forms the same sums for tiles. */
#include "naive.h"
#include <math.h>

struct dot {
    double ab, abs_ab, aa, bb;
};

static void add(struct dot *dot, double a, double b)
{
    dot->ab += a * b;
    dot->abs_ab += fabs(a * b);
    dot->aa += a * a;
    dot->bb += b * b;
}

static struct convoy_verdict_terms terms(const struct dot *dot)
{
    return (struct convoy_verdict_terms){.value = dot->ab, .abs_sum = dot->abs_ab, .norm = sqrt(dot->aa) * sqrt(dot->bb)};
}

static struct convoy_verdict_terms forward(const struct job *job, int64_t element)
{
    const struct convoy_conv *p = &job->problem->conv;
    const float *x = job->slot[CONVOY_X], *weights = job->slot[CONVOY_W], *bias = job->slot[CONVOY_BIAS];
    const int64_t ow = element % p->ow, oh = element / p->ow % p->oh, k = element / p->ow / p->oh % p->k;
    const int64_t n = element / p->ow / p->oh / p->k;
    const int64_t group_c = p->c / p->groups, first_c = k / (p->k / p->groups) * group_c;
    struct dot dot = {0};
    for (int64_t c = 0; c < group_c; c++) {
        for (int64_t r = 0; r < p->kh; r++) {
            for (int64_t s = 0; s < p->kw; s++) {
                const int64_t h = oh * p->stride_h - p->pad_t + r * p->dil_h, w = ow * p->stride_w - p->pad_l + s * p->dil_w;
                if (h < 0 || h >= p->h || w < 0 || w >= p->w)
                    continue;
                add(&dot, (double)x[((n * p->c + first_c + c) * p->h + h) * p->w + w],
                    (double)weights[((k * group_c + c) * p->kh + r) * p->kw + s]);
            }
        }
    }
    struct convoy_verdict_terms sum = terms(&dot);
    if (p->head.flags & CONVOY_WITH_BIAS) {
        sum.value += (double)bias[k];
        sum.abs_sum += fabs((double)bias[k]);
    }
    if (p->head.flags & CONVOY_WITH_RELU)
        sum.value = eltwise_relu(sum.value);
    return sum;
}

/* dx[h,w] gathers dy[oh,ow] * w[r,s] over the pairs with oh*stride_h - pad_t + r*dil_h = h, and so for w. */
static struct convoy_verdict_terms data(const struct job *job, int64_t element)
{
    const struct convoy_conv *p = &job->problem->conv;
    const float *dy = job->slot[CONVOY_DY], *weights = job->slot[CONVOY_W];
    const int64_t w = element % p->w, h = element / p->w % p->h, c = element / p->w / p->h % p->c;
    const int64_t n = element / p->w / p->h / p->c;
    const int64_t group_c = p->c / p->groups, group_k = p->k / p->groups, first_k = c / group_c * group_k;
    struct dot dot = {0};
    for (int64_t k = first_k; k < first_k + group_k; k++) {
        for (int64_t r = 0; r < p->kh; r++) {
            for (int64_t s = 0; s < p->kw; s++) {
                const int64_t from_h = h + p->pad_t - r * p->dil_h, from_w = w + p->pad_l - s * p->dil_w;
                if (from_h < 0 || from_w < 0 || from_h % p->stride_h || from_w % p->stride_w)
                    continue;
                const int64_t oh = from_h / p->stride_h, ow = from_w / p->stride_w;
                if (oh >= p->oh || ow >= p->ow)
                    continue;
                add(&dot, (double)dy[((n * p->k + k) * p->oh + oh) * p->ow + ow],
                    (double)weights[((k * group_c + c % group_c) * p->kh + r) * p->kw + s]);
            }
        }
    }
    return terms(&dot);
}

/* A plain sum, no dot product: its norm is its D. */
static struct convoy_verdict_terms bias_gradient(const struct job *job, int64_t k)
{
    const struct convoy_conv *p = &job->problem->conv;
    const float *dy = job->slot[CONVOY_DY];
    struct convoy_verdict_terms sum = {0};
    for (int64_t n = 0; n < p->n; n++) {
        const float *plane = dy + (n * p->k + k) * p->oh * p->ow;
        for (int64_t o = 0; o < (int64_t)p->oh * p->ow; o++) {
            sum.value += (double)plane[o];
            sum.abs_sum += fabs((double)plane[o]);
        }
    }
    sum.norm = sum.abs_sum;
    return sum;
}

struct convoy_verdict_terms conv_element(const struct job *job, uint32_t slot, uint64_t element)
{
    if (slot == CONVOY_Y)
        return forward(job, (int64_t)element);
    if (slot == CONVOY_DX)
        return data(job, (int64_t)element);
    if (slot == CONVOY_DW)
        return conv_weight_element(job, element);
    return bias_gradient(job, (int64_t)element);
}
