/* Bugs of what a kernel leaves in its outputs. */
#include "mutant.h"
#include <math.h>
#include <string.h>

static void keep_output(struct job *job)
{
    job->kept = job_copy(job, job_main_output(job));
}

static void accumulate(struct job *job)
{
    float *y = job_output(job);
    for (int64_t e = 0; e < job_outputs(job); e++)
        y[e] += job->kept[e];
}

/* The last outputs, which fill no block of 32, keep what was there. */
static void skip_remainder(struct job *job)
{
    float *y = job_output(job);
    for (int64_t e = job_outputs(job) / 32 * 32; e < job_outputs(job); e++)
        y[e] = job->kept[e];
}

static void bias_twice(struct job *job)
{
    const struct convoy_conv *p = &job->p->conv;
    const int64_t plane = (int64_t)p->oh * p->ow;
    for (int64_t e = 0; e < job_outputs(job); e++)
        job_output(job)[e] += job_data(job, CONVOY_BIAS)[e / plane % p->k];
}

static void dbias_of_one_image(struct job *job)
{
    const struct convoy_conv *p = &job->p->conv;
    const int64_t plane = (int64_t)p->oh * p->ow;
    for (int64_t k = 0; k < p->k; k++) {
        float sum = 0;
        for (int64_t o = 0; o < plane; o++)
            sum += job_data(job, CONVOY_DY)[k * plane + o];
        job_data(job, CONVOY_DBIAS)[k] = sum;
    }
}

static void flush_denormals(struct job *job)
{
    for (int64_t e = 0; e < job_outputs(job); e++)
        if (fabsf(job_output(job)[e]) < 0x1p-126f)
            job_output(job)[e] = 0;
}

static void one_in_a_million(struct job *job)
{
    for (int64_t e = 123456; e < job_outputs(job); e += 1000000)
        job_output(job)[e] += 1;
}

static void nan_to_zero(struct job *job)
{
    for (int64_t e = 0; e < job_outputs(job); e++)
        if (isnan(job_output(job)[e]))
            job_output(job)[e] = 0;
}

static void nan_at_end(struct job *job)
{
    job_output(job)[job_outputs(job) - 1] = NAN;
}

/* Another rounding of the first output; exact integers stay. */
static void last_ulps(struct job *job, unsigned steps)
{
    float *y = job_output(job);
    for (unsigned step = 0; step < steps && rintf(y[0]) != y[0]; step++)
        y[0] = nextafterf(y[0], INFINITY);
}

/* What a race does: now and then another rounding. */
static void race(struct job *job)
{
    last_ulps(job, job->plan->executions % 2);
}

static void depends_on_alignment(struct job *job)
{
    last_ulps(job, (uintptr_t)job_data(job, job_main_input(job)) % 64 ? 1 : 0);
}

static void depends_on_threads(struct job *job)
{
    last_ulps(job, job->plan->self->host->threads % 2);
}

static void replay(struct job *job)
{
    struct plan *plan = job->plan;
    const size_t bytes = (size_t)job_outputs(job) * sizeof(float);
    if (plan->memory)
        memcpy(job_output(job), plan->memory, bytes);
    else
        plan->memory = job_copy(job, job_main_output(job));
}

const struct bug result_bugs[] = {
    {.name = "accumulated", .before = keep_output, .after = accumulate},
    {.name = "remainder_skipped", .before = keep_output, .after = skip_remainder},
    {.name = "bias_twice", .after = bias_twice},
    {.name = "dbias_of_one_image", .after = dbias_of_one_image},
    {.name = "denormals_flushed", .after = flush_denormals},
    {.name = "one_in_a_million", .after = one_in_a_million},
    {.name = "nan_to_zero", .after = nan_to_zero},
    {.name = "nan_left", .after = nan_at_end},
    {.name = "race", .after = race, .info = declare_direct},
    {.name = "depends_on_alignment", .after = depends_on_alignment, .info = declare_direct},
    {.name = "depends_on_threads", .after = depends_on_threads, .info = declare_direct},
    {.name = "replay", .after = replay},
    {.name = NULL},
};
