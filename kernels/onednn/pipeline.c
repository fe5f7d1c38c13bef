#define _POSIX_C_SOURCE 200809L /* clock_gettime */
#include "pipeline.h"
#include <string.h>
#include <time.h>

enum { BUFFER_ALIGN = 64 };

dnnl_primitive_attr_t pipeline_attributes(void)
{
    dnnl_primitive_attr_t attributes;
    if (dnnl_primitive_attr_create(&attributes) != dnnl_success)
        return NULL;
    if (dnnl_primitive_attr_set_scratchpad_mode(attributes, dnnl_scratchpad_mode_user) == dnnl_success)
        return attributes;
    dnnl_primitive_attr_destroy(attributes);
    return NULL;
}

void pipeline_open(struct pipeline *pipeline, dnnl_engine_t engine, const union problem *problem)
{
    memset(pipeline, 0, sizeof *pipeline);
    pipeline->engine = engine;
    pipeline->problem = problem;
    pipeline->status = dnnl_success;
}

void pipeline_close(struct pipeline *pipeline)
{
    for (int at = 0; at < pipeline->steps; at++) {
        if (pipeline->step[at].primitive)
            dnnl_primitive_destroy(pipeline->step[at].primitive);
        if (pipeline->step[at].desc)
            dnnl_primitive_desc_destroy(pipeline->step[at].desc);
    }
    for (int at = 0; at < pipeline->operands; at++) {
        if (pipeline->operand[at].memory)
            dnnl_memory_destroy(pipeline->operand[at].memory);
    }
    if (pipeline->stream)
        dnnl_stream_destroy(pipeline->stream);
    memset(pipeline, 0, sizeof *pipeline);
}

int pipeline_check(struct pipeline *pipeline, dnnl_status_t status, const char *what)
{
    if (status != dnnl_success && pipeline->status == dnnl_success) {
        pipeline->status = status;
        pipeline->failed = what;
    }
    return pipeline->status == dnnl_success;
}

dnnl_memory_desc_t pipeline_desc(struct pipeline *pipeline, dnnl_primitive_desc_t desc, dnnl_query_t what)
{
    const dnnl_memory_desc_t *const found = pipeline->status == dnnl_success ? dnnl_primitive_desc_query_md(desc, what, 0) : NULL;
    pipeline_check(pipeline, found ? dnnl_success : dnnl_runtime_error, "no memory description of a primitive's argument");
    return found ? *found : (dnnl_memory_desc_t){.ndims = 0};
}

static dnnl_memory_desc_t flat(int64_t count, dnnl_data_type_t type)
{
    dnnl_memory_desc_t desc = {.ndims = 0};
    const dnnl_dims_t extent = {count};
    /* One plain dimension is never declined. */
    (void)dnnl_memory_desc_init_by_tag(&desc, 1, extent, type, dnnl_a);
    return desc;
}

dnnl_memory_desc_t pipeline_vector(int64_t count)
{
    return flat(count, dnnl_f32);
}

static int add_operand(struct pipeline *pipeline, uint32_t slot, uint64_t offset_bytes, const dnnl_memory_desc_t *desc)
{
    if (pipeline->operands == OPERANDS_MOST) {
        pipeline_check(pipeline, dnnl_runtime_error, "more operands than a pipeline has");
        return 0;
    }
    pipeline->operand[pipeline->operands] = (struct operand){.desc = *desc, .slot = slot, .offset_bytes = offset_bytes};
    return pipeline->operands++;
}

static uint64_t aligned_bytes(const dnnl_memory_desc_t *desc)
{
    return (uint64_t)convoy_round_up((int64_t)dnnl_memory_desc_get_size(desc), BUFFER_ALIGN);
}

int pipeline_slot(struct pipeline *pipeline, uint32_t slot, const dnnl_memory_desc_t *desc)
{
    return add_operand(pipeline, slot, 0, desc);
}

int pipeline_buffer(struct pipeline *pipeline, const dnnl_memory_desc_t *desc)
{
    const uint64_t offset_bytes = pipeline->buffer_bytes;
    pipeline->buffer_bytes += aligned_bytes(desc);
    return add_operand(pipeline, CONVOY_WORKSPACE, offset_bytes, desc);
}

/* A step that copies one operand into the layout of another. */
static struct step *add_reorder(struct pipeline *pipeline, int from, int to)
{
    dnnl_primitive_desc_t desc = NULL;
    dnnl_primitive_attr_t attributes = pipeline_attributes();
    if (pipeline_check(pipeline, attributes ? dnnl_success : dnnl_out_of_memory, "attributes"))
        pipeline_check(pipeline,
                       dnnl_reorder_primitive_desc_create(&desc, &pipeline->operand[from].desc, pipeline->engine,
                                                          &pipeline->operand[to].desc, pipeline->engine, attributes),
                       "a reorder between the layout of a slot and the primitive's own");
    if (attributes)
        dnnl_primitive_attr_destroy(attributes);
    struct step *const step = pipeline_primitive(pipeline, desc, CONVOY_PHASE_REORDER);
    pipeline_use(pipeline, step, DNNL_ARG_FROM, from);
    pipeline_use(pipeline, step, DNNL_ARG_TO, to);
    return step;
}

int pipeline_input(struct pipeline *pipeline, uint32_t slot, const dnnl_memory_desc_t *desc, const dnnl_memory_desc_t *wanted)
{
    const int given = pipeline_slot(pipeline, slot, desc);
    if (dnnl_memory_desc_equal(desc, wanted))
        return given;
    const int buffer = pipeline_buffer(pipeline, wanted);
    add_reorder(pipeline, given, buffer);
    return buffer;
}

int pipeline_weights(struct pipeline *pipeline, const dnnl_memory_desc_t *desc, const dnnl_memory_desc_t *wanted)
{
    const int given = pipeline_slot(pipeline, CONVOY_W, desc);
    if (dnnl_memory_desc_equal(desc, wanted))
        return given;
    const int prepared = add_operand(pipeline, CONVOY_PREPARED, 0, wanted);
    struct step *const step = add_reorder(pipeline, given, prepared);
    if (step)
        step->prepares = 1;
    pipeline->prepared_bytes = dnnl_memory_desc_get_size(wanted);
    /* Giving a memory object an address writes zeros into the padding of its layout, and execute only reads PREPARED: so
     * execute has an object of its own, without a layout. A primitive takes the layout from its own description. */
    const dnnl_memory_desc_t bytes = flat((int64_t)pipeline->prepared_bytes, dnnl_u8);
    return add_operand(pipeline, CONVOY_PREPARED, 0, &bytes);
}

int pipeline_output(struct pipeline *pipeline, uint32_t slot, const dnnl_memory_desc_t *desc, const dnnl_memory_desc_t *made)
{
    return dnnl_memory_desc_equal(desc, made) ? pipeline_slot(pipeline, slot, desc) : pipeline_buffer(pipeline, made);
}

void pipeline_deliver(struct pipeline *pipeline, int operand, uint32_t slot, const dnnl_memory_desc_t *desc)
{
    if (pipeline->operand[operand].slot == CONVOY_WORKSPACE)
        add_reorder(pipeline, operand, pipeline_slot(pipeline, slot, desc));
}

static struct step *add_step(struct pipeline *pipeline, uint32_t phase)
{
    if (pipeline->steps == STEPS_MOST) {
        pipeline_check(pipeline, dnnl_runtime_error, "more steps than a pipeline has");
        return NULL;
    }
    struct step *const step = &pipeline->step[pipeline->steps++];
    step->phase = phase;
    return step;
}

struct step *pipeline_primitive(struct pipeline *pipeline, dnnl_primitive_desc_t desc, uint32_t phase)
{
    struct step *const step = desc ? add_step(pipeline, phase) : NULL;
    if (!step) {
        if (desc)
            dnnl_primitive_desc_destroy(desc);
        return NULL;
    }
    step->desc = desc;
    const dnnl_memory_desc_t *const scratch = dnnl_primitive_desc_query_md(desc, dnnl_query_scratchpad_md, 0);
    if (scratch && dnnl_memory_desc_get_size(scratch) > 0) {
        /* The steps share one piece of scratch memory; it lies behind the buffers, see place_scratch. */
        pipeline->scratch_bytes = (uint64_t)convoy_max((int64_t)pipeline->scratch_bytes, (int64_t)aligned_bytes(scratch));
        pipeline_use(pipeline, step, DNNL_ARG_SCRATCHPAD, add_operand(pipeline, CONVOY_WORKSPACE, 0, scratch));
    }
    return step;
}

struct step *pipeline_call(struct pipeline *pipeline, step_call *call, uint32_t phase)
{
    struct step *const step = add_step(pipeline, phase);
    if (step)
        step->call = call;
    return step;
}

void pipeline_use(struct pipeline *pipeline, struct step *step, int argument, int operand)
{
    if (!step)
        return;
    if (!pipeline_check(pipeline, step->uses < USES_MOST ? dnnl_success : dnnl_runtime_error, "more arguments than a step has"))
        return;
    step->operand[step->uses] = operand;
    step->argument[step->uses].arg = argument;
    step->uses++;
}

static void place_scratch(struct pipeline *pipeline, const struct step *step)
{
    for (int use = 0; use < step->uses; use++) {
        if (step->desc && step->argument[use].arg == DNNL_ARG_SCRATCHPAD)
            pipeline->operand[step->operand[use]].offset_bytes = pipeline->buffer_bytes;
    }
}

void pipeline_create(struct pipeline *pipeline)
{
    for (int at = 0; at < pipeline->operands; at++) {
        struct operand *const operand = &pipeline->operand[at];
        pipeline_check(pipeline, dnnl_memory_create(&operand->memory, &operand->desc, pipeline->engine, DNNL_MEMORY_NONE),
                       "a memory object");
    }
    for (int at = 0; at < pipeline->steps && pipeline->status == dnnl_success; at++) {
        struct step *const step = &pipeline->step[at];
        place_scratch(pipeline, step);
        if (step->desc)
            pipeline_check(pipeline, dnnl_primitive_create(&step->primitive, step->desc), "a primitive's code");
        for (int use = 0; use < step->uses; use++)
            step->argument[use].memory = pipeline->operand[step->operand[use]].memory;
    }
    if (pipeline->status == dnnl_success)
        pipeline_check(pipeline, dnnl_stream_create(&pipeline->stream, pipeline->engine, dnnl_stream_default_flags), "a stream");
}

uint64_t pipeline_workspace_bytes(const struct pipeline *pipeline)
{
    return pipeline->buffer_bytes + pipeline->scratch_bytes;
}

static uint64_t clock_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* An address is given only when it changes, because oneDNN then writes the padding of blocked layouts. */
static convoy_status bind_operand(struct operand *operand, const struct convoy_args *args, struct convoy_error *err)
{
    char *const base = convoy_slot(args, operand->slot);
    if (!base)
        return convoy_fail(err, CONVOY_INVALID, CONVOY_WHY_OTHER, "slot %u is needed and empty", operand->slot);
    void *const address = base + operand->offset_bytes;
    if (address == operand->bound)
        return CONVOY_OK;
    const dnnl_status_t status = dnnl_memory_set_data_handle(operand->memory, address);
    if (status != dnnl_success)
        return library_fail(status, CONVOY_WHY_OTHER, "the address of a memory object", err);
    operand->bound = address;
    return CONVOY_OK;
}

static convoy_status run_step(const struct pipeline *pipeline, const struct step *step, struct convoy_error *err)
{
    if (step->call) {
        void *address[USES_MOST];
        for (int use = 0; use < step->uses; use++)
            address[use] = pipeline->operand[step->operand[use]].bound;
        step->call(pipeline->problem, address);
        return CONVOY_OK;
    }
    dnnl_status_t status = dnnl_primitive_execute(step->primitive, pipeline->stream, step->uses, step->argument);
    if (status == dnnl_success)
        status = dnnl_stream_wait(pipeline->stream);
    if (status == dnnl_out_of_memory)
        return library_fail(status, CONVOY_WHY_MEMORY, "a primitive", err);
    if (status != dnnl_success)
        return convoy_fail(err, CONVOY_FAILED, CONVOY_WHY_OTHER, "oneDNN says %s when it runs a primitive",
                           library_status_name(status));
    return CONVOY_OK;
}

convoy_status pipeline_run(struct pipeline *pipeline, const struct convoy_args *args, int prepares, struct convoy_error *err)
{
    convoy_status result = CONVOY_OK;
    const int timed = pipeline->profiling && !prepares;
    if (timed)
        memset(pipeline->phase_ns, 0, sizeof pipeline->phase_ns);
    for (int at = 0; at < pipeline->steps && result == CONVOY_OK; at++) {
        const struct step *const step = &pipeline->step[at];
        if (step->prepares != prepares)
            continue;
        for (int use = 0; use < step->uses && result == CONVOY_OK; use++)
            result = bind_operand(&pipeline->operand[step->operand[use]], args, err);
        const uint64_t start = timed ? clock_ns() : 0;
        if (result == CONVOY_OK)
            result = run_step(pipeline, step, err);
        if (timed)
            pipeline->phase_ns[step->phase] += clock_ns() - start;
    }
    return result;
}
