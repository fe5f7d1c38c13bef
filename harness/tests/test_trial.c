#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "bench/trial.h"
#include "core/error.h"
#include "core/host.h"
#include "core/problem.h"
#include <convoy/plugin.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* y = factor * x, by a clock that a list gives; what it is asked is counted. */
static struct {
    struct convoy_instance base;
    float factor;
    uint64_t ns[16]; /* of the profiled executes in order; 0: the profiler tells nothing */
    int executes, profiled, plans, on;
    bool skips_after_first, is_sgd;
} fake;

static void info(const struct convoy_plan *plan, struct convoy_plan_info *out)
{
    (void)plan;
    out->numerics.kind = CONVOY_NUM_STATS;
    strcpy(out->algorithm, "scale");
}

static convoy_status execute(struct convoy_plan *plan, const struct convoy_args *args, struct convoy_error *err)
{
    const struct convoy_tensor *const y = &args->slot[CONVOY_Y];
    (void)plan, (void)err;
    fake.profiled += fake.on;
    if (fake.executes++ && fake.skips_after_first)
        return CONVOY_OK;
    for (uint64_t e = 0; !fake.is_sgd && e < y->buffer->bytes / sizeof(float); e++)
        convoy_slot_f32(args, CONVOY_Y)[e] = fake.factor * convoy_slot_f32(args, CONVOY_X)[e];
    return CONVOY_OK;
}

static void destroy(struct convoy_plan *plan)
{
    fake.plans--;
    free(plan);
}

static convoy_status make_plan(struct convoy_instance *instance, const struct convoy_problem *problem, struct convoy_plan **out,
                               struct convoy_error *err)
{
    static const struct convoy_plan_ops ops = {.struct_size = sizeof ops, .info = info, .execute = execute, .destroy = destroy};
    (void)instance, (void)problem;
    struct convoy_plan *const plan = malloc(sizeof *plan);
    if (!plan)
        return convoy_fail(err, CONVOY_NO_MEMORY, CONVOY_WHY_MEMORY, "no memory");
    plan->ops = &ops;
    fake.plans++;
    *out = plan;
    return CONVOY_OK;
}

static void enable(struct convoy_plan *plan, uint32_t on)
{
    (void)plan;
    fake.on = on != 0;
}

static void read_ns(const struct convoy_plan *plan, struct convoy_profile *out)
{
    (void)plan;
    out->phase_ns[CONVOY_PHASE_MULTIPLY] = fake.ns[fake.profiled - 1] / 2;
    out->phase_ns[CONVOY_PHASE_REORDER] = fake.ns[fake.profiled - 1] - fake.ns[fake.profiled - 1] / 2;
}

static const struct convoy_profiler profiler = {.struct_size = sizeof profiler, .enable = enable, .read = read_ns};
static struct host *host;
static struct trial *trial;

static convoy_status open_trial(const char *text, struct trial_result *result, struct convoy_error *err)
{
    static const struct convoy_instance_ops ops = {.struct_size = sizeof ops, .plan = make_plan};
    union problem problem;
    assert_int_equal(problem_parse(text, &problem, NULL), CONVOY_OK);
    host = host_open(1, NULL);
    assert_non_null(host);
    fake.base = (struct convoy_instance){&ops, host_table(host)->memory};
    trial = NULL;
    return trial_open(&fake.base, &profiler, &problem, 1, 0, &trial, result, err);
}

/* The default: 100 ns. */
static void open_default(void)
{
    struct trial_result result;
    memset(&fake, 0, sizeof fake);
    fake.factor = 1;
    for (size_t e = 0; e < sizeof fake.ns / sizeof *fake.ns; e++)
        fake.ns[e] = 100 + e;
    assert_int_equal(open_trial("scale:n1000", &result, NULL), CONVOY_OK);
    assert_true(result.plugin_clock);
    assert_true(result.ns == 100);
    assert_int_equal(fake.profiled, 5);
    assert_int_equal(fake.executes, 6);
    assert_false(fake.on);
    fake.executes = fake.profiled = 0;
}

static void close_trial(void)
{
    trial_close(trial);
    assert_int_equal(fake.plans, 0);
    host_close(host);
}

static void times(uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e)
{
    const uint64_t ns[] = {a, b, c, d, e};
    memcpy(fake.ns, ns, sizeof ns);
    fake.executes = fake.profiled = 0;
}

static void the_least_time_counts_and_equal_results_have_no_difference(void **state)
{
    (void)state;
    struct trial_result result;
    open_default();
    times(95, 60, 90, 70, 80);
    assert_int_equal(trial_run(trial, 100, &result, NULL), CONVOY_OK);
    assert_true(result.ns == 60);
    assert_true(result.compared);
    assert_true(result.difference == 0);
    assert_true(result.spent_ns > 0);
    close_trial();
}

static void slow_ones_are_given_up_early_and_not_compared(void **state)
{
    (void)state;
    struct trial_result result;
    open_default();
    times(201, 1, 1, 1, 1);
    assert_int_equal(trial_run(trial, 100, &result, NULL), CONVOY_OK);
    assert_true(result.ns == 201);
    assert_false(result.compared);
    assert_int_equal(fake.profiled, 1);
    times(190, 180, 130, 1, 1);
    assert_int_equal(trial_run(trial, 100, &result, NULL), CONVOY_OK);
    assert_true(result.ns == 130);
    assert_int_equal(fake.profiled, 3);
    close_trial();
}

static void other_results_are_measured(void **state)
{
    (void)state;
    struct trial_result result;
    open_default();
    fake.factor = 1.001f;
    times(50, 50, 50, 50, 50);
    assert_int_equal(trial_run(trial, 100, &result, NULL), CONVOY_OK);
    assert_true(fabs(result.difference - 0.001) < 1e-6);
    fake.factor = 1;
    fake.skips_after_first = true; /* right once, then nothing: its outputs are the poison */
    times(50, 50, 50, 50, 50);
    assert_int_equal(trial_run(trial, 100, &result, NULL), CONVOY_OK);
    assert_false(result.difference <= 1);
    close_trial();
}

static void without_a_profile_it_is_the_hosts_clock(void **state)
{
    (void)state;
    struct trial_result result;
    open_default();
    times(0, 0, 0, 0, 0);
    assert_int_equal(trial_run(trial, INFINITY, &result, NULL), CONVOY_OK);
    assert_false(result.plugin_clock);
    assert_true(result.ns >= 0 && isfinite(result.ns));
    close_trial();
}

static void updates_in_place_are_refused(void **state)
{
    (void)state;
    struct trial_result result;
    struct convoy_error err = error_none();
    memset(&fake, 0, sizeof fake);
    fake.is_sgd = true;
    assert_int_equal(open_trial("sgd:n10", &result, &err), CONVOY_UNSUPPORTED);
    assert_string_equal(err.text, "what updates tensors in place is not tuned");
    assert_null(trial);
    close_trial();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_least_time_counts_and_equal_results_have_no_difference),
        cmocka_unit_test(slow_ones_are_given_up_early_and_not_compared),
        cmocka_unit_test(other_results_are_measured),
        cmocka_unit_test(without_a_profile_it_is_the_hosts_clock),
        cmocka_unit_test(updates_in_place_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
