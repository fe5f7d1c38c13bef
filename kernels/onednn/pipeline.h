/* pipeline: a short list of oneDNN primitives and the memory they work on: slots of the caller, or pieces of the workspace.
 * Built in two stages: descriptions first, which is all that supports() needs, then primitives, whose code is generated.
 * Building has one sticky status, so that a builder reads as a list of what it wants. Must not know operations. */
#ifndef CONVOY_ONEDNN_PIPELINE_H
#define CONVOY_ONEDNN_PIPELINE_H

#include "library.h"
#include <convoy/profile.h>

union problem {
    struct convoy_problem head;
    struct convoy_conv conv;
    struct convoy_pool pool;
    struct convoy_bn bn;
};

enum { OPERANDS_MOST = 24, STEPS_MOST = 8, USES_MOST = 12 };

/* One memory object. Its address is that of the slot plus the offset, and is set when it changes. */
struct operand {
    dnnl_memory_desc_t desc;
    uint32_t slot;
    uint64_t offset_bytes;
    dnnl_memory_t memory;
    void *bound;
};

/* Arithmetic of ours on the addresses of the step's operands, in the order of their use. */
typedef void step_call(const union problem *problem, void *const *address);

/* A primitive or a call. */
struct step {
    dnnl_primitive_desc_t desc;
    dnnl_primitive_t primitive;
    step_call *call;
    uint32_t phase;
    int prepares; /* runs in prepare, not in execute */
    int uses;
    int operand[USES_MOST];
    dnnl_exec_arg_t argument[USES_MOST];
};

struct pipeline {
    dnnl_engine_t engine;
    dnnl_stream_t stream;
    const union problem *problem;
    struct operand operand[OPERANDS_MOST];
    struct step step[STEPS_MOST];
    int operands, steps;
    uint64_t buffer_bytes, scratch_bytes, prepared_bytes;
    int profiling;
    uint64_t phase_ns[CONVOY_PHASE_COUNT];
    /* The first thing that failed, and what it was: a string that lives forever. */
    dnnl_status_t status;
    const char *failed;
};

/* Every primitive description of a pipeline is made with this: its scratch memory comes from the workspace. NULL: no memory. */
dnnl_primitive_attr_t pipeline_attributes(void);

void pipeline_open(struct pipeline *pipeline, dnnl_engine_t engine, const union problem *problem);
void pipeline_close(struct pipeline *pipeline);

/* Notes a failure, unless an earlier one is noted; returns whether all is well so far. */
int pipeline_check(struct pipeline *pipeline, dnnl_status_t status, const char *what);

/* The memory of a primitive description: dnnl_query_src_md and its like. */
dnnl_memory_desc_t pipeline_desc(struct pipeline *pipeline, dnnl_primitive_desc_t desc, dnnl_query_t what);
dnnl_memory_desc_t pipeline_vector(int64_t count);

/* Operands; all return their number. `desc` of a slot is the caller's layout, `wanted` the primitive's. */
int pipeline_slot(struct pipeline *pipeline, uint32_t slot, const dnnl_memory_desc_t *desc);
int pipeline_buffer(struct pipeline *pipeline, const dnnl_memory_desc_t *desc);
/* The slot itself where it has the wanted layout, else a buffer and a step that fills it. */
int pipeline_input(struct pipeline *pipeline, uint32_t slot, const dnnl_memory_desc_t *desc, const dnnl_memory_desc_t *wanted);
/* The same with PREPARED, filled by prepare. */
int pipeline_weights(struct pipeline *pipeline, const dnnl_memory_desc_t *desc, const dnnl_memory_desc_t *wanted);
/* The same for what a primitive writes; pipeline_deliver, after that primitive's step, adds the step that empties the buffer. */
int pipeline_output(struct pipeline *pipeline, uint32_t slot, const dnnl_memory_desc_t *desc, const dnnl_memory_desc_t *made);
void pipeline_deliver(struct pipeline *pipeline, int operand, uint32_t slot, const dnnl_memory_desc_t *desc);

/* Steps run in the order in which they are added. A primitive's description belongs to the pipeline from then on. */
struct step *pipeline_primitive(struct pipeline *pipeline, dnnl_primitive_desc_t desc, uint32_t phase);
struct step *pipeline_call(struct pipeline *pipeline, step_call *call, uint32_t phase);
/* Argument: DNNL_ARG_...; without meaning for a call. */
void pipeline_use(struct pipeline *pipeline, struct step *step, int argument, int operand);

/* The second stage: primitives, memory objects and the stream. */
void pipeline_create(struct pipeline *pipeline);
uint64_t pipeline_workspace_bytes(const struct pipeline *pipeline);

/* Runs the steps of prepare or of execute. */
convoy_status pipeline_run(struct pipeline *pipeline, const struct convoy_args *args, int prepares, struct convoy_error *err);

#endif
