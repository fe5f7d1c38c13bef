/* The extension "convoy.referee/1": output elements as doubles, each with its D and norm. A whole convolution goes through the
 * tiles of conv.c; anything else, and any sample, is evaluated element by element. */
#include "naive.h"
#include <stdlib.h>

enum { PARTS = 256, CHUNK_MAX = 1024 };

struct evaluation {
    const struct job *job;
    const uint64_t *index;
    uint64_t count, chunk;
    uint32_t slot;
    struct convoy_verdict_terms *terms;
};

static int is_conv(const union problem *problem)
{
    const uint32_t op = problem->head.op;
    return op == CONVOY_CONV_FWD || op == CONVOY_CONV_BWD_DATA || op == CONVOY_CONV_BWD_WEIGHTS;
}

static struct convoy_verdict_terms element_terms(const struct job *job, uint32_t slot, uint64_t element)
{
    const union problem *problem = job->problem;
    if (is_conv(problem))
        return conv_element(job, slot, element);
    switch (problem->head.op) {
    case CONVOY_POOL_FWD:
    case CONVOY_POOL_BWD:
        return pool_element(job, slot, element);
    case CONVOY_ELTWISE: {
        const struct xent_row *rows = job->statistics;
        const uint64_t row =
            problem->eltwise.kind == CONVOY_ELT_XENT_BWD ? element / (uint64_t)problem->eltwise.classes : element;
        return eltwise_element(job, rows ? rows + row : NULL, slot, element);
    }
    default: {
        const struct bn_statistics *channels = job->statistics;
        const uint64_t plane = (uint64_t)problem->bn.h * (uint64_t)problem->bn.w;
        const int whole = slot == CONVOY_Y || slot == CONVOY_DX;
        return bn_element(job, channels + (whole ? element / plane % (uint64_t)problem->bn.c : element), slot, element);
    }
    }
}

static void evaluate_chunk(void *context, size_t i, size_t worker)
{
    (void)worker;
    const struct evaluation *evaluation = context;
    const uint64_t first = i * evaluation->chunk;
    for (uint64_t e = first; e < first + evaluation->chunk && e < evaluation->count; e++)
        evaluation->terms[e] = element_terms(evaluation->job, evaluation->slot, evaluation->index ? evaluation->index[e] : e);
}

static void gather_channel(void *context, size_t i, size_t worker)
{
    (void)worker;
    const struct job *job = context;
    ((struct bn_statistics *)job->statistics)[i] = bn_channel(job, (int64_t)i);
}

static void gather_row(void *context, size_t i, size_t worker)
{
    (void)worker;
    const struct job *job = context;
    ((struct xent_row *)job->statistics)[i] = eltwise_row(job, (int64_t)i);
}

/* Allocates and fills job->statistics where the operation shares any. */
static convoy_status gather(struct job *job, struct convoy_error *err)
{
    const union problem *problem = job->problem;
    size_t count = 0, bytes = 0;
    void (*task)(void *, size_t, size_t) = NULL;
    if (problem->head.op == CONVOY_BN_TRAIN || problem->head.op == CONVOY_BN_INFER || problem->head.op == CONVOY_BN_BWD) {
        count = (size_t)problem->bn.c;
        bytes = sizeof(struct bn_statistics);
        task = gather_channel;
    } else if (problem->head.op == CONVOY_ELTWISE &&
               (problem->eltwise.kind == CONVOY_ELT_XENT || problem->eltwise.kind == CONVOY_ELT_XENT_BWD)) {
        count = (size_t)(problem->eltwise.count / problem->eltwise.classes);
        bytes = sizeof(struct xent_row);
        task = gather_row;
    } else {
        return CONVOY_OK;
    }
    job->statistics = calloc(count, bytes);
    if (!job->statistics)
        return convoy_fail(err, CONVOY_NO_MEMORY, CONVOY_WHY_MEMORY, "no memory for %zu statistics", count);
    job->host->parallel(job->host, task, job, count);
    return CONVOY_OK;
}

static convoy_status evaluate(const struct convoy_host *host, const struct convoy_problem *given, const struct convoy_args *args,
                              uint32_t slot, const uint64_t *index, uint64_t count, struct convoy_verdict_terms *terms,
                              struct convoy_error *err)
{
    union problem problem;
    struct job job = {.host = host, .problem = &problem};
    convoy_status status = supports_problem(given, &problem, err);
    if (status != CONVOY_OK)
        return status;
    if (slot >= CONVOY_NSLOTS || !(binding_writes(&problem) & (1u << slot)))
        return convoy_fail(err, CONVOY_INVALID, CONVOY_WHY_OTHER, "slot %u is no output of operation %u", slot, problem.head.op);
    const uint64_t elements = binding_elements(&problem, slot);
    if (!index && count > elements)
        return convoy_fail(err, CONVOY_INVALID, CONVOY_WHY_SIZE, "%llu elements asked for, slot %u has %llu",
                           (unsigned long long)count, slot, (unsigned long long)elements);
    for (uint64_t e = 0; index && e < count; e++)
        if (index[e] >= elements)
            return convoy_fail(err, CONVOY_INVALID, CONVOY_WHY_SIZE, "element %llu asked for, slot %u has %llu",
                               (unsigned long long)index[e], slot, (unsigned long long)elements);
    status = binding_resolve(&job, args, binding_reads(&problem), err);
    if (status != CONVOY_OK || count == 0)
        return status;

    if (is_conv(&problem) && !index && count == elements) {
        conv_terms(&job, slot, terms);
        return CONVOY_OK;
    }
    status = gather(&job, err);
    if (status != CONVOY_OK)
        return status;
    const int64_t chunk = convoy_min(CHUNK_MAX, convoy_ceil_div((int64_t)count, PARTS));
    struct evaluation evaluation = {
        .job = &job, .index = index, .count = count, .chunk = (uint64_t)chunk, .slot = slot, .terms = terms};
    host->parallel(host, evaluate_chunk, &evaluation, (size_t)convoy_ceil_div((int64_t)count, chunk));
    free(job.statistics);
    return CONVOY_OK;
}

const struct convoy_referee naive_referee = {.struct_size = sizeof naive_referee, .evaluate = evaluate};
