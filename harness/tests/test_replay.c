/* Sets of tensors that take turns, and plugins that do not do the timed work: an instance of our own, ReLU, that looks and
 * cheats. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "bench/bench.h"
#include "core/error.h"
#include "core/host.h"
#include "core/hostmem.h"
#include <convoy/plugin.h>
#include <stdlib.h>
#include <string.h>

enum conduct { HONEST, REPLAYS_BY_ADDRESS, SKIPS, FORGETS_HALF };
enum { COUNT = 5000, WORKSPACE = 100, SEEN = 4096, BATCH_NS = 200000 };

struct fake {
    struct convoy_instance base;
    enum conduct conduct;
    uint64_t seen_x[SEEN], seen_y[SEEN], seen_workspace[SEEN], buffer_bytes;
    size_t executes;
};
struct fake_plan {
    struct convoy_plan base;
    struct fake *fake;
    const float *last_x;
};

static void info(const struct convoy_plan *plan, struct convoy_plan_info *out)
{
    (void)plan;
    out->workspace_bytes = WORKSPACE;
    out->numerics = (struct convoy_numerics){.kind = CONVOY_NUM_EXACT};
    strcpy(out->algorithm, "fake");
}

static convoy_status execute(struct convoy_plan *base, const struct convoy_args *args, struct convoy_error *err)
{
    (void)err;
    struct fake_plan *plan = (struct fake_plan *)base;
    struct fake *fake = plan->fake;
    const float *x = convoy_slot_f32(args, CONVOY_X);
    float *y = convoy_slot_f32(args, CONVOY_Y);
    if (fake->executes < SEEN) {
        fake->seen_x[fake->executes] = args->slot[CONVOY_X].offset;
        fake->seen_y[fake->executes] = args->slot[CONVOY_Y].offset;
        fake->seen_workspace[fake->executes] = args->slot[CONVOY_WORKSPACE].offset;
        fake->buffer_bytes = args->slot[CONVOY_X].buffer->bytes;
    }
    fake->executes++;
    if (fake->conduct == SKIPS || (fake->conduct == REPLAYS_BY_ADDRESS && plan->last_x == x))
        return CONVOY_OK;
    plan->last_x = x;
    for (int64_t at = 0; at < (fake->conduct == FORGETS_HALF ? COUNT / 2 : COUNT); at++)
        y[at] = x[at] > 0 ? x[at] : 0;
    return CONVOY_OK;
}

static void destroy(struct convoy_plan *plan)
{
    free(plan);
}

static const struct convoy_plan_ops plan_ops = {
    .struct_size = sizeof plan_ops, .info = info, .execute = execute, .destroy = destroy};

static convoy_status supports(const struct convoy_instance *instance, const struct convoy_problem *problem,
                              struct convoy_error *err)
{
    (void)instance, (void)problem, (void)err;
    return CONVOY_OK;
}

static convoy_status make_plan(struct convoy_instance *instance, const struct convoy_problem *problem, struct convoy_plan **out,
                               struct convoy_error *err)
{
    (void)problem;
    struct fake_plan *plan = calloc(1, sizeof *plan);
    if (!plan)
        return convoy_fail(err, CONVOY_NO_MEMORY, CONVOY_WHY_MEMORY, "no memory for a fake plan");
    plan->base.ops = &plan_ops;
    plan->fake = (struct fake *)instance;
    *out = &plan->base;
    return CONVOY_OK;
}

static void close_instance(struct convoy_instance *instance)
{
    (void)instance;
}

static const struct convoy_instance_ops instance_ops = {
    .struct_size = sizeof instance_ops, .supports = supports, .plan = make_plan, .close = close_instance};

static struct host *host;

static int open_host(void **state)
{
    (void)state;
    host = host_open(1, NULL);
    return host ? 0 : -1;
}
static int close_host(void **state)
{
    (void)state;
    host_close(host);
    return 0;
}

static convoy_status run(struct fake *fake, uint64_t cold_bytes, struct convoy_error *err)
{
    union problem problem;
    struct bench_case *bench = NULL;
    struct bench_info bench_info;
    struct bench_sample sample;
    fake->base = (struct convoy_instance){&instance_ops, hostmem()};
    assert_int_equal(problem_parse("relu:n5000", &problem, NULL), CONVOY_OK);
    if (bench_open(&fake->base, host_table(host), &problem, 1, BATCH_NS, cold_bytes, 0, &bench, &bench_info, err) != CONVOY_OK)
        fail_msg("%s", err->text);
    assert_int_equal(bench_check(bench, err), CONVOY_OK); /* nothing timed yet */
    for (int batch = 0; batch < 3; batch++)
        assert_int_equal(bench_batch(bench, &sample, err), CONVOY_OK);
    const convoy_status status = bench_check(bench, err);
    bench_close(bench);
    return status;
}

static void honest_work_passes(void **state)
{
    (void)state;
    struct convoy_error err = error_none();
    struct fake hot = {.conduct = HONEST}, cold = {.conduct = HONEST};
    if (run(&hot, 0, &err) != CONVOY_OK || run(&cold, 1 << 20, &err) != CONVOY_OK)
        fail_msg("%s", err.text);
}

static void undone_work_is_found(void **state)
{
    (void)state;
    for (enum conduct conduct = REPLAYS_BY_ADDRESS; conduct <= FORGETS_HALF; conduct++) {
        struct convoy_error err = error_none();
        struct fake fake = {.conduct = conduct};
        assert_int_equal(run(&fake, 0, &err), CONVOY_FAILED);
        assert_non_null(strstr(err.text, "did not do the work"));
    }
    struct convoy_error err = error_none();
    struct fake cold = {.conduct = SKIPS};
    assert_int_equal(run(&cold, 1 << 20, &err), CONVOY_FAILED);
}

static void hot_is_one_set(void **state)
{
    (void)state;
    struct fake fake = {.conduct = HONEST};
    struct convoy_error err = error_none();
    assert_int_equal(run(&fake, 0, &err), CONVOY_OK);
    assert_int_equal(fake.buffer_bytes, COUNT * sizeof(float));
    for (size_t at = 0; at < fake.executes && at < SEEN; at++)
        assert_true(fake.seen_x[at] == 0 && fake.seen_y[at] == 0 && fake.seen_workspace[at] == 0);
}

/* All sets take their turn before one comes again, neighbours do not follow each other, and a set keeps its three tensors
 * together. */
static void cold_takes_turns(void **state)
{
    (void)state;
    struct fake *fake = calloc(1, sizeof *fake);
    struct convoy_error err = error_none();
    assert_non_null(fake);
    const uint64_t x_stride = (COUNT * sizeof(float) + 63) / 64 * 64, workspace_stride = 128;
    const uint64_t set_bytes = 2 * x_stride + workspace_stride, wanted_bytes = 1 << 20;
    const size_t sets = (size_t)((wanted_bytes + set_bytes - 1) / set_bytes);
    assert_int_equal(run(fake, wanted_bytes, &err), CONVOY_OK);
    assert_true(fake->executes > sets);
    /* the last execute of all is the check's, on memory of its own */
    const size_t seen = fake->executes - 1 < SEEN ? fake->executes - 1 : SEEN;
    for (size_t at = 0; at < seen; at++) {
        const uint64_t set = fake->seen_x[at] / x_stride;
        assert_int_equal(fake->seen_x[at] % x_stride, 0);
        assert_in_range(set, 0, sets - 1);
        assert_int_equal(fake->seen_y[at], set * x_stride);
        assert_int_equal(fake->seen_workspace[at], set * workspace_stride);
        for (size_t before = at < sets ? 0 : at - sets + 1; before < at; before++)
            assert_true(fake->seen_x[before] != fake->seen_x[at]);
        if (at >= sets)
            assert_int_equal(fake->seen_x[at], fake->seen_x[at - sets]);
        if (at > 0)
            assert_true(fake->seen_x[at] != fake->seen_x[at - 1] + x_stride);
    }
    free(fake);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(honest_work_passes),
        cmocka_unit_test(undone_work_is_found),
        cmocka_unit_test(hot_is_one_set),
        cmocka_unit_test(cold_takes_turns),
    };
    return cmocka_run_group_tests(tests, open_host, close_host);
}
