/* Bugs of conduct: memory, floating-point modes, prepared weights, what a plan says about itself. */
#include "mutant.h"
#include <stdlib.h>
#include <string.h>
#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

/* ---- memory ---- */

static volatile float sink;

static void read_past_end(struct job *job)
{
    const uint32_t slot = job_main_input(job);
    sink = job_data(job, slot)[job_count(job, slot)];
}
static void read_before_start(struct job *job)
{
    sink = job_data(job, job_main_input(job))[-1];
}
static void write_past_end(struct job *job)
{
    job_output(job)[job_outputs(job)] = 1;
}
static void write_before_start(struct job *job)
{
    job_output(job)[-1] = 1;
}
static void scribble_on_input(struct job *job)
{
    job_data(job, job_main_input(job))[0] = 1;
}
/* Declares a workspace of one row less than it uses. */
static void declare_short_workspace(const struct plan *plan, struct convoy_plan_info *info)
{
    info->workspace_bytes = (uint64_t)plan->problem.conv.w * 3 * sizeof(float);
}
static void use_long_workspace(struct job *job)
{
    const int64_t row = job->p->conv.w;
    for (int64_t e = 0; e < 4 * row; e++)
        job_data(job, CONVOY_WORKSPACE)[e] = 0;
}
static void declare_workspace(const struct plan *plan, struct convoy_plan_info *info)
{
    (void)plan;
    info->workspace_bytes = 256;
}
/* Takes fresh memory for zeros. */
static void workspace_is_zero(struct job *job)
{
    job_output(job)[0] += job_data(job, CONVOY_WORKSPACE)[0];
}
static volatile int *volatile nowhere;

static void crash(struct job *job)
{
    (void)job;
    *nowhere = 1;
}
static void *volatile leaked;

static void leak(struct job *job)
{
    leaked = job_copy(job, job_main_input(job));
}
static void call_abort(struct job *job)
{
    (void)job;
    abort();
}
static void call_exit(struct job *job)
{
    (void)job;
    exit(0);
}

/* ---- floating-point modes ---- */

#if defined(__x86_64__)
static void leave_flush_to_zero(struct job *job)
{
    (void)job;
    _mm_setcsr(_mm_getcsr() | 0x8040);
}
static void leave_rounding(struct job *job)
{
    (void)job;
    _mm_setcsr(_mm_getcsr() | 0x2000);
}
#endif

/* ---- prepared weights and what a plan declares ---- */

static void declare_prepared(const struct plan *plan, struct convoy_plan_info *info)
{
    const struct convoy_conv *p = &plan->problem.conv;
    info->prepared_bytes = (uint64_t)p->k * (uint64_t)(p->c / p->groups) * (uint64_t)p->kh * (uint64_t)p->kw * sizeof(float);
}
static convoy_status copy_weights(struct convoy_plan *base, const struct convoy_args *args, struct convoy_error *err)
{
    (void)base;
    (void)err;
    memcpy(convoy_slot(args, CONVOY_PREPARED), convoy_slot(args, CONVOY_W), (size_t)args->slot[CONVOY_PREPARED].buffer->bytes);
    return CONVOY_OK;
}
/* Keeps its own copy of the first weights that it sees. */
static convoy_status copy_first_weights(struct convoy_plan *base, const struct convoy_args *args, struct convoy_error *err)
{
    struct plan *plan = (struct plan *)base;
    const size_t bytes = (size_t)args->slot[CONVOY_PREPARED].buffer->bytes;
    copy_weights(base, args, err);
    if (!plan->memory) {
        plan->memory = malloc(bytes);
        memcpy(plan->memory, convoy_slot(args, CONVOY_W), bytes);
    }
    memcpy(convoy_slot(args, CONVOY_PREPARED), plan->memory, bytes);
    return CONVOY_OK;
}
static void use_prepared(struct job *job)
{
    job->slot[CONVOY_W] = job->slot[CONVOY_PREPARED];
}
static void scribble_on_prepared(struct job *job)
{
    job_data(job, CONVOY_PREPARED)[0] = 0;
}
static void no_algorithm(const struct plan *plan, struct convoy_plan_info *info)
{
    (void)plan;
    info->algorithm[0] = '\0';
}
static void impossible_numerics(const struct plan *plan, struct convoy_plan_info *info)
{
    (void)plan;
    info->numerics.kind = plan->problem.head.op <= CONVOY_CONV_BWD_WEIGHTS ? CONVOY_NUM_STATS : CONVOY_NUM_WINOGRAD;
}
static void unknown_tile(const struct plan *plan, struct convoy_plan_info *info)
{
    (void)plan;
    info->numerics = (struct convoy_numerics){
        .kind = CONVOY_NUM_WINOGRAD, .m = 14, .r = 3, .points = CONVOY_POINTS_GOOD, .flags = info->numerics.flags};
}

const struct bug conduct_bugs[] = {
    {.name = "read_past_end", .after = read_past_end},
    {.name = "read_before_start", .after = read_before_start},
    {.name = "write_past_end", .after = write_past_end},
    {.name = "write_before_start", .after = write_before_start},
    {.name = "input_scribbled", .after = scribble_on_input},
    {.name = "workspace_short", .after = use_long_workspace, .info = declare_short_workspace},
    {.name = "workspace_is_zero", .after = workspace_is_zero, .info = declare_workspace},
    {.name = "leak", .after = leak},
    {.name = "crash", .after = crash},
    {.name = "abort", .after = call_abort},
    {.name = "exit", .after = call_exit},
#if defined(__x86_64__)
    {.name = "flush_to_zero_left", .after = leave_flush_to_zero},
    {.name = "rounding_left", .after = leave_rounding},
#endif
    {.name = "prepared_stale", .before = use_prepared, .info = declare_prepared, .prepare = copy_first_weights},
    {.name = "prepared_unused", .info = declare_prepared, .prepare = copy_weights},
    {.name = "prepared_scribbled",
     .before = use_prepared,
     .after = scribble_on_prepared,
     .info = declare_prepared,
     .prepare = copy_weights},
    {.name = "no_algorithm", .info = no_algorithm},
    {.name = "impossible_numerics", .info = impossible_numerics},
    {.name = "unknown_tile", .info = unknown_tile},
    {.name = "liar", .planned = CONVOY_UNSUPPORTED},
    {.name = "plan_without_memory", .planned = CONVOY_NO_MEMORY},
    {.name = "execute_fails", .executed = CONVOY_FAILED},
    {.name = "execute_declines", .executed = CONVOY_UNSUPPORTED},
    {.name = "refuses_silently", .supports = CONVOY_UNSUPPORTED, .silent = 1},
    {.name = "refuses_as_invalid", .supports = CONVOY_INVALID},
    {.name = NULL},
};
