/* Bugs of what a kernel takes for its problem and its inputs. */
#include "mutant.h"
#include <stdlib.h>
#include <string.h>

/* ---- another problem with the same tensors ---- */

static void pad_off_by_one(union problem *p)
{
    p->conv.pad_t++;
}
static void pool_pad_off_by_one(union problem *p)
{
    p->pool.pad_l++;
}
static void dilation_as_stride(union problem *p)
{
    p->conv.stride_h = p->conv.dil_h;
    p->conv.stride_w = p->conv.dil_w;
    p->conv.dil_h = p->conv.dil_w = 1;
}
static void dilation_ignored(union problem *p)
{
    p->conv.dil_h = p->conv.dil_w = 1;
}
static void strides_swapped(union problem *p)
{
    const int32_t stride = p->conv.stride_h;
    p->conv.stride_h = p->conv.stride_w;
    p->conv.stride_w = stride;
}
static void average_kinds_swapped(union problem *p)
{
    p->pool.kind = p->pool.kind == CONVOY_POOL_AVG_PAD ? CONVOY_POOL_AVG_VALID : CONVOY_POOL_AVG_PAD;
}
static void eps_ignored(union problem *p)
{
    p->bn.eps = 0;
}
static void momentum_reversed(union problem *p)
{
    p->bn.momentum = 1 - p->bn.momentum;
}
static void alpha_ignored(union problem *p)
{
    p->eltwise.alpha = 1;
}
static void beta_ignored(union problem *p)
{
    p->eltwise.beta = p->eltwise.kind == CONVOY_ELT_SCALE ? 0 : 1;
}
static void relu_forgotten(union problem *p)
{
    p->head.flags &= ~(uint32_t)CONVOY_WITH_RELU;
}

/* ---- spoiled inputs ---- */

/* All groups read the channels of the first. */
static void groups_ignored(struct job *job)
{
    const struct convoy_conv *p = &job->p->conv;
    const int64_t group = (int64_t)p->c / p->groups * p->h * p->w;
    float *x = job_redirect(job, CONVOY_X);
    for (int64_t n = 0; n < p->n; n++)
        for (int64_t g = 1; g < p->groups; g++)
            memcpy(x + (n * p->groups + g) * group, x + n * p->groups * group, (size_t)group * sizeof *x);
}

static void transpose_kernel(struct job *job)
{
    const struct convoy_conv *p = &job->p->conv;
    float *w = job_redirect(job, CONVOY_W);
    const float *old = job_data(job, CONVOY_W);
    float *fresh = job_copy(job, CONVOY_W);
    for (int64_t plane = 0; plane < (int64_t)p->k * (p->c / p->groups); plane++)
        for (int64_t r = 0; r < p->kh; r++)
            for (int64_t s = 0; s < p->kw; s++)
                fresh[(plane * p->kh + r) * p->kw + s] = old[(plane * p->kw + s) * p->kh + r];
    memcpy(w, fresh, (size_t)job_count(job, CONVOY_W) * sizeof *w);
    free(fresh);
}

static void flip_kernel(struct job *job)
{
    const struct convoy_conv *p = &job->p->conv;
    const int64_t taps = (int64_t)p->kh * p->kw;
    float *w = job_redirect(job, CONVOY_W);
    for (int64_t plane = 0; plane < (int64_t)p->k * (p->c / p->groups); plane++) {
        for (int64_t tap = 0; tap < taps / 2; tap++) {
            const float value = w[plane * taps + tap];
            w[plane * taps + tap] = w[plane * taps + taps - 1 - tap];
            w[plane * taps + taps - 1 - tap] = value;
        }
    }
}

/* The last channel of the last image of the first operand reads as zero. */
static void drop_last_channel(struct job *job)
{
    const struct convoy_conv *p = &job->p->conv;
    const uint32_t slot = job_main_input(job);
    const int64_t plane = slot == CONVOY_X ? (int64_t)p->h * p->w : (int64_t)p->oh * p->ow;
    float *x = job_redirect(job, slot);
    memset(x + job_count(job, slot) - plane, 0, (size_t)plane * sizeof *x);
}

static void drop_last_weight_row(struct job *job)
{
    float *w = job_redirect(job, CONVOY_W);
    w[job_count(job, CONVOY_W) - 1] = 0;
}

/* Half precision on the way in: 11 bits of each value. */
static void round_inputs(struct job *job)
{
    const uint32_t slot = job_main_input(job);
    float *x = job_redirect(job, slot);
    for (int64_t e = 0; e < job_count(job, slot); e++) {
        uint32_t bits;
        memcpy(&bits, &x[e], sizeof bits);
        bits = (bits + 0x1000u) & ~0x1fffu;
        memcpy(&x[e], &bits, sizeof bits);
    }
}

static void labels_counted(struct job *job)
{
    int32_t *label = (int32_t *)(void *)job_redirect(job, CONVOY_INDEX);
    for (int64_t row = 0; row < job_count(job, CONVOY_INDEX); row++)
        label[row] = label[row] < 0 ? 0 : label[row];
}

static void nesterov_ignored(struct job *job)
{
    job_redirect(job, CONVOY_SCALARS)[3] = 0;
}

static void decay_ignored(struct job *job)
{
    job_redirect(job, CONVOY_SCALARS)[2] = 0;
}

/* relu'(0) = 1 */
static void zero_is_positive(struct job *job)
{
    float *y = job_redirect(job, CONVOY_Y);
    for (int64_t e = 0; e < job_count(job, CONVOY_Y); e++)
        y[e] = y[e] == 0 ? 1 : y[e];
}

const struct bug operand_bugs[] = {
    {.name = "pad_off_by_one", .alter = pad_off_by_one},
    {.name = "pool_pad_off_by_one", .alter = pool_pad_off_by_one},
    {.name = "dilation_as_stride", .alter = dilation_as_stride},
    {.name = "dilation_ignored", .alter = dilation_ignored},
    {.name = "strides_swapped", .alter = strides_swapped},
    {.name = "average_kinds_swapped", .alter = average_kinds_swapped},
    {.name = "eps_ignored", .alter = eps_ignored},
    {.name = "momentum_reversed", .alter = momentum_reversed},
    {.name = "alpha_ignored", .alter = alpha_ignored},
    {.name = "beta_ignored", .alter = beta_ignored},
    {.name = "relu_forgotten", .alter = relu_forgotten},
    {.name = "groups_ignored", .before = groups_ignored},
    {.name = "kernel_transposed", .before = transpose_kernel},
    {.name = "kernel_flipped", .before = flip_kernel},
    {.name = "last_channel_dropped", .before = drop_last_channel},
    {.name = "last_weight_dropped", .before = drop_last_weight_row},
    {.name = "half_precision", .before = round_inputs, .info = declare_direct},
    {.name = "labels_counted", .before = labels_counted},
    {.name = "nesterov_ignored", .before = nesterov_ignored},
    {.name = "decay_ignored", .before = decay_ignored},
    {.name = "zero_is_positive", .before = zero_is_positive},
    {.name = NULL},
};
