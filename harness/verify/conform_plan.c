#include "verify/conform.h"
#include "verify/fill.h"
#include "verify/lanes.h"
#include "verify/leak.h"
#include "verify/rig.h"
#include "core/error.h"
#include "core/loader.h"
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { SEED = 1, EXECUTES = 8, CYCLES = 64, LEAK_SLACK_BYTES = 4096 };

/* Calls `visit` for each of the problems that the subject supports; SKIPPED if there is none. */
static void each_problem(const struct verify_subject *subject, struct finding *finding,
                         void (*visit)(const struct verify_subject *subject, const union problem *problem,
                                       struct finding *finding))
{
    int visited = 0;
    for (const char *const *text = conform_problems; *text && finding_open(finding); text++) {
        union problem problem;
        struct convoy_error err = error_none();
        if (problem_parse(*text, &problem, &err) != CONVOY_OK) {
            finding_set(finding, VERDICT_NOT_RUN, "%s: %s", *text, err.text);
            return;
        }
        if (subject->instance->ops->supports(subject->instance, &problem.head, NULL) != CONVOY_OK)
            continue;
        visited++;
        visit(subject, &problem, finding);
    }
    if (!visited)
        finding_set(finding, VERDICT_SKIPPED, "the plugin supports none of the problems that this is tried on");
}

static bool make_inputs(const struct verify_subject *subject, const union problem *problem, struct tensors *inputs,
                        struct finding *finding)
{
    const struct oracle oracle = {subject->referee, subject->host};
    if (!tensors_open(problem, inputs))
        return finding_set(finding, VERDICT_NOT_RUN, "no memory for the inputs");
    if (fill_with_pattern(inputs, &oracle, SEED, FILL_UNIFORM, finding))
        return true;
    tensors_close(inputs);
    return false;
}

static convoy_status make_plan(const struct verify_subject *subject, const union problem *problem, struct convoy_plan **plan,
                               struct finding *finding)
{
    struct convoy_error err = error_none();
    const convoy_status status = loader_plan(subject->instance, &problem->head, plan, NULL, &err);
    if (status != CONVOY_OK)
        finding_status(finding, "plan", status, &err);
    return status;
}

/* ---- info ---- */

static void info_twice(const struct verify_subject *subject, const union problem *problem, struct finding *finding)
{
    struct {
        struct convoy_plan_info info;
        unsigned char beyond[64];
    } first, second;
    struct convoy_plan *plan = NULL;
    if (make_plan(subject, problem, &plan, finding) != CONVOY_OK)
        return;
    memset(&first, 0, sizeof first);
    memset(first.beyond, 0xa5, sizeof first.beyond);
    second = first;
    first.info.struct_size = second.info.struct_size = sizeof first; /* a later host's larger struct */
    plan->ops->info(plan, &first.info);
    plan->ops->info(plan, &second.info);
    plan->ops->destroy(plan);
    for (size_t i = 0; i < sizeof first.beyond; i++) {
        if (first.beyond[i] != 0xa5)
            finding_set(finding, VERDICT_CONTRACT, "%s: info() writes beyond the members of ABI 1", problem_op_name(problem));
    }
    first.info.struct_size = second.info.struct_size = 0;
    if (memcmp(&first.info, &second.info, sizeof first.info))
        finding_set(finding, VERDICT_CONTRACT, "%s: info() says something else when it is asked again", problem_op_name(problem));
}
void conform_plan_is_stable(const struct verify_subject *subject, struct finding *finding)
{
    each_problem(subject, finding, info_twice);
}

/* ---- the problem's memory ---- */

/* The plan of a problem whose memory is overwritten afterwards must still give the bits of any other plan. */
static void plan_from_passing_memory(const struct verify_subject *subject, const union problem *problem, struct finding *finding)
{
    struct tensors inputs;
    struct rig rig;
    void *kept[CONVOY_NSLOTS];
    if (!make_inputs(subject, problem, &inputs, finding))
        return;
    if (rig_open(&rig, subject, problem, 0, finding)) {
        const bool ran = rig_run(&rig, &inputs, GUARD_RIGHT, finding) && lanes_keep(&rig, kept, finding);
        union problem *passing = malloc(sizeof *passing);
        struct convoy_plan *plan = NULL;
        if (ran && passing) {
            *passing = *problem;
            if (make_plan(subject, passing, &plan, finding) == CONVOY_OK) {
                memset(passing, 0xa5, sizeof *passing);
                struct convoy_plan *own = rig.plan;
                rig.plan = plan;
                if (rig_run(&rig, &inputs, GUARD_RIGHT, finding) && (rig.info.numerics.flags & CONVOY_DETERMINISTIC))
                    lanes_same_bits(&rig, kept, "a plan whose problem's memory was overwritten", finding);
                rig.plan = own;
                plan->ops->destroy(plan);
            }
        }
        free(passing);
        if (ran)
            lanes_drop(kept);
        rig_close(&rig, finding);
    }
    tensors_close(&inputs);
}
void conform_problem_is_copied(const struct verify_subject *subject, struct finding *finding)
{
    each_problem(subject, finding, plan_from_passing_memory);
}

/* ---- several plans ---- */

static void destroy_the_neighbour(const struct verify_subject *subject, const union problem *problem, struct finding *finding)
{
    struct tensors inputs;
    struct rig rig;
    void *kept[CONVOY_NSLOTS];
    struct convoy_plan *before = NULL, *after = NULL;
    if (!make_inputs(subject, problem, &inputs, finding))
        return;
    if (make_plan(subject, problem, &before, finding) == CONVOY_OK && rig_open(&rig, subject, problem, 0, finding)) {
        if (make_plan(subject, problem, &after, finding) == CONVOY_OK && rig_run(&rig, &inputs, GUARD_RIGHT, finding) &&
            lanes_keep(&rig, kept, finding)) {
            before->ops->destroy(before);
            after->ops->destroy(after);
            before = after = NULL;
            if (rig_run(&rig, &inputs, GUARD_RIGHT, finding) && (rig.info.numerics.flags & CONVOY_DETERMINISTIC))
                lanes_same_bits(&rig, kept, "a run after two other plans of the problem were destroyed", finding);
            lanes_drop(kept);
        }
        rig_close(&rig, finding);
    }
    if (before)
        before->ops->destroy(before);
    if (after)
        after->ops->destroy(after);
    tensors_close(&inputs);
}
void conform_plans_are_independent(const struct verify_subject *subject, struct finding *finding)
{
    each_problem(subject, finding, destroy_the_neighbour);
}

struct runner {
    struct rig rig;
    struct finding finding;
};
static void *run_often(void *context)
{
    struct runner *runner = context;
    for (int turn = 0; turn < EXECUTES && finding_open(&runner->finding); turn++)
        rig_execute(&runner->rig, &runner->finding);
    return NULL;
}

/* Two plans of one instance, each with its own memory, executing from two threads, must give the bits that each gives alone. */
static void two_at_once(const struct verify_subject *subject, const union problem *problem, struct finding *finding)
{
    struct tensors inputs;
    struct runner runner[2] = {{.finding = finding_none()}, {.finding = finding_none()}};
    void *kept[CONVOY_NSLOTS];
    pthread_t thread;
    if (!make_inputs(subject, problem, &inputs, finding))
        return;
    int opened = 0;
    while (opened < 2 && rig_open(&runner[opened].rig, subject, problem, 0, finding))
        opened++;
    bool ready = opened == 2;
    for (int i = 0; i < 2 && ready; i++)
        ready = rig_run(&runner[i].rig, &inputs, GUARD_RIGHT, finding);
    if (ready && lanes_keep(&runner[0].rig, kept, finding)) {
        if (pthread_create(&thread, NULL, run_often, &runner[0]) == 0) {
            run_often(&runner[1]);
            pthread_join(thread, NULL);
            for (int i = 0; i < 2; i++) {
                if (!finding_open(&runner[i].finding))
                    finding_set(finding, runner[i].finding.verdict, "two plans at once: %s", runner[i].finding.reason);
                else if (runner[i].rig.info.numerics.flags & CONVOY_DETERMINISTIC)
                    lanes_same_bits(&runner[i].rig, kept, "a run beside another plan's", finding);
            }
        }
        lanes_drop(kept);
    }
    for (int i = 0; i < opened; i++)
        rig_close(&runner[i].rig, finding);
    tensors_close(&inputs);
}
void conform_plans_run_at_once(const struct verify_subject *subject, struct finding *finding)
{
    each_problem(subject, finding, two_at_once);
}

/* ---- memory ---- */

static void plan_and_destroy(const struct verify_subject *subject, const union problem *problem, struct finding *finding)
{
    size_t before = 0;
    for (int cycle = 0; cycle < CYCLES + 2 && finding_open(finding); cycle++) {
        struct convoy_plan *plan = NULL;
        if (cycle == 2) /* the first two may fill caches that stay */
            before = leak_heap_bytes();
        if (make_plan(subject, problem, &plan, finding) == CONVOY_OK)
            plan->ops->destroy(plan);
    }
    const size_t after = leak_heap_bytes();
    if (finding_open(finding) && after > before + LEAK_SLACK_BYTES)
        finding_set(finding, VERDICT_LEAK, "%s: %d cycles of plan and destroy leave %zu bytes on the heap",
                    problem_op_name(problem), CYCLES, after - before);
}

static void open_and_close(const struct verify_subject *subject, struct finding *finding)
{
    size_t before = 0;
    for (int cycle = 0; cycle < CYCLES + 2 && finding_open(finding); cycle++) {
        struct convoy_instance *instance = NULL;
        struct convoy_error err = error_none();
        if (cycle == 2)
            before = leak_heap_bytes();
        const convoy_status status = loader_instance(subject->plugin, subject->host, subject->variant, &instance, &err);
        if (status == CONVOY_OK)
            instance->ops->close(instance);
        else
            finding_status(finding, "open", status, &err);
    }
    const size_t after = leak_heap_bytes();
    if (finding_open(finding) && after > before + LEAK_SLACK_BYTES)
        finding_set(finding, VERDICT_LEAK, "%d cycles of open and close leave %zu bytes on the heap", CYCLES, after - before);
}

void conform_memory_is_returned(const struct verify_subject *subject, struct finding *finding)
{
    open_and_close(subject, finding);
    each_problem(subject, finding, plan_and_destroy);
}

static void execute_again(const struct verify_subject *subject, const union problem *problem, struct finding *finding)
{
    struct tensors inputs;
    struct rig rig;
    if (!make_inputs(subject, problem, &inputs, finding))
        return;
    if (rig_open(&rig, subject, problem, 0, finding)) {
        if (rig_run(&rig, &inputs, GUARD_RIGHT, finding))
            leak_check(&rig, finding);
        rig_close(&rig, finding);
    }
    tensors_close(&inputs);
}
void conform_execute_keeps_heap(const struct verify_subject *subject, struct finding *finding)
{
    each_problem(subject, finding, execute_again);
}
