/* Bugs of batch norm and pooling. */
#include "mutant.h"
#include <math.h>
#include <string.h>

static void save_saved_state(struct job *job)
{
    job->kept = job->slot[CONVOY_RUN_VAR].buffer ? job_copy(job, CONVOY_RUN_VAR) : NULL;
}

static void run_var_biased(struct job *job)
{
    const struct convoy_bn *p = &job->p->bn;
    const float m = (float)((int64_t)p->n * p->h * p->w);
    float *var = job_data(job, CONVOY_RUN_VAR);
    for (int64_t c = 0; c < p->c; c++) {
        const float old = (1 - p->momentum) * job->kept[c];
        var[c] = old + (var[c] - old) * (m - 1) / m;
    }
}

static void save_istd_unbiased(struct job *job)
{
    const struct convoy_bn *p = &job->p->bn;
    const float m = (float)((int64_t)p->n * p->h * p->w);
    float *istd = job_data(job, CONVOY_SAVE_ISTD);
    for (int64_t c = 0; c < p->c; c++) {
        const float var = 1 / (istd[c] * istd[c]) - p->eps;
        istd[c] = 1 / sqrtf(var * m / (m - 1) + p->eps);
    }
}

static void eps_outside_root(struct job *job)
{
    const struct convoy_bn *p = &job->p->bn;
    float *istd = job_data(job, CONVOY_SAVE_ISTD);
    for (int64_t c = 0; c < p->c; c++)
        istd[c] = 1 / (sqrtf(fmaxf(0, 1 / (istd[c] * istd[c]) - p->eps)) + p->eps);
}

static void keep_run_mean(struct job *job)
{
    job->kept = job_copy(job, CONVOY_RUN_MEAN);
}

static void run_mean_frozen(struct job *job)
{
    memcpy(job_data(job, CONVOY_RUN_MEAN), job->kept, (size_t)job_count(job, CONVOY_RUN_MEAN) * sizeof(float));
}

static float channel_element(const struct convoy_bn *p, const float *x, int64_t c, int64_t i)
{
    const int64_t plane = (int64_t)p->h * p->w;
    return x[(i / plane * p->c + c) * plane + i % plane];
}

/* E[x^2] - E[x]^2 in float. */
static void variance_in_one_pass(struct job *job)
{
    const struct convoy_bn *p = &job->p->bn;
    const int64_t plane = (int64_t)p->h * p->w, m = p->n * plane;
    const float *x = job_data(job, CONVOY_X);
    for (int64_t c = 0; c < p->c; c++) {
        float sum = 0, squares = 0;
        for (int64_t i = 0; i < m; i++) {
            const float value = channel_element(p, x, c, i);
            sum += value;
            squares += value * value;
        }
        const float mean = sum / (float)m, var = fmaxf(0, squares / (float)m - mean * mean), istd = 1 / sqrtf(var + p->eps);
        job_data(job, CONVOY_SAVE_ISTD)[c] = istd;
        for (int64_t n = 0; n < p->n; n++)
            for (int64_t e = (n * p->c + c) * plane; e < (n * p->c + c + 1) * plane; e++)
                job_output(job)[e] = (x[e] - mean) * istd * job_data(job, CONVOY_GAMMA)[c] + job_data(job, CONVOY_BETA)[c];
    }
}

/* dx = gamma*istd*dy, as if the statistics were constants. */
static void statistics_constant(struct job *job)
{
    const struct convoy_bn *p = &job->p->bn;
    const int64_t plane = (int64_t)p->h * p->w;
    for (int64_t e = 0; e < job_outputs(job); e++) {
        const int64_t c = e / plane % p->c;
        job_output(job)[e] = job_data(job, CONVOY_GAMMA)[c] * job_data(job, CONVOY_SAVE_ISTD)[c] * job_data(job, CONVOY_DY)[e];
    }
}

/* Visits the windows of a pool: the last of equal maxima wins, or a NaN never does. */
static void maximum_again(struct job *job, int late, int skip_nan)
{
    const struct convoy_pool *p = &job->p->pool;
    uint8_t *index = (uint8_t *)(void *)job_data(job, CONVOY_INDEX);
    for (int64_t o = 0; o < job_outputs(job); o++) {
        const int64_t ow = o % p->ow, oh = o / p->ow % p->oh, plane = o / p->ow / p->oh;
        float most = -INFINITY;
        for (int64_t tap = 0; tap < (int64_t)p->kh * p->kw; tap++) {
            const int64_t h = oh * p->stride_h - p->pad_t + tap / p->kw * p->dil_h;
            const int64_t w = ow * p->stride_w - p->pad_l + tap % p->kw * p->dil_w;
            if (h < 0 || h >= p->h || w < 0 || w >= p->w)
                continue;
            const float value = job_data(job, CONVOY_X)[(plane * p->h + h) * p->w + w];
            if (value > most || (late && value == most)) {
                most = value;
                index[o] = (uint8_t)tap;
            }
        }
        if (skip_nan)
            job_output(job)[o] = most;
    }
}

static void late_tie(struct job *job)
{
    maximum_again(job, 1, 0);
}
static void nan_loses(struct job *job)
{
    maximum_again(job, 0, 1);
}

/* Padding counts as 0 in a maximum. */
static void padding_wins(struct job *job)
{
    const struct convoy_pool *p = &job->p->pool;
    for (int64_t o = 0; o < job_outputs(job); o++) {
        const int64_t ow = o % p->ow, oh = o / p->ow % p->oh;
        if ((oh * p->stride_h < p->pad_t || ow * p->stride_w < p->pad_l) && job_output(job)[o] < 0)
            job_output(job)[o] = 0;
    }
}

/* Where windows overlap the last one overwrites. */
static void gradient_overwrites(struct job *job)
{
    const struct convoy_pool *p = &job->p->pool;
    const uint8_t *index = (const uint8_t *)(const void *)job_data(job, CONVOY_INDEX);
    float *dx = job_output(job);
    for (int64_t o = 0; o < job_count(job, CONVOY_DY); o++) {
        const int64_t ow = o % p->ow, oh = o / p->ow % p->oh, plane = o / p->ow / p->oh;
        const int64_t h = oh * p->stride_h - p->pad_t + index[o] / p->kw * p->dil_h;
        const int64_t w = ow * p->stride_w - p->pad_l + index[o] % p->kw * p->dil_w;
        dx[(plane * p->h + h) * p->w + w] = job_data(job, CONVOY_DY)[o];
    }
}

/* 0/0 where a window's norm is 0. */
static void zero_norm_divides(struct job *job)
{
    const float *y = job_data(job, CONVOY_Y);
    for (int64_t o = 0; o < job_count(job, CONVOY_Y); o++)
        if (y[o] == 0)
            job_output(job)[0] = NAN;
}

const struct bug statistic_bugs[] = {
    {.name = "run_var_biased", .before = save_saved_state, .after = run_var_biased},
    {.name = "save_istd_unbiased", .after = save_istd_unbiased},
    {.name = "eps_outside_root", .after = eps_outside_root},
    {.name = "run_mean_frozen", .before = keep_run_mean, .after = run_mean_frozen},
    {.name = "variance_in_one_pass", .after = variance_in_one_pass, .info = declare_direct},
    {.name = "statistics_constant", .after = statistics_constant},
    {.name = "late_tie", .after = late_tie},
    {.name = "nan_loses", .after = nan_loses},
    {.name = "padding_wins", .after = padding_wins},
    {.name = "gradient_overwrites", .after = gradient_overwrites},
    {.name = "zero_norm_divides", .after = zero_norm_divides},
    {.name = NULL},
};
