#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "bench/launch.h"
#include "core/host.h"
#include "core/hostmem.h"
#include <convoy/plugin.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* A device with memory of its own, which is the host's under another address, and which counts. */
static struct {
    struct convoy_instance base;
    struct convoy_memory memory;
    int plans, executes, syncs, waiting, most_waiting;
    bool declines, fails, other_problem, in_place;
} device;

static void info(const struct convoy_plan *plan, struct convoy_plan_info *out)
{
    (void)plan;
    out->numerics.kind = CONVOY_NUM_STATS;
    strcpy(out->algorithm, "counts");
}

static convoy_status execute(struct convoy_plan *plan, const struct convoy_args *args, struct convoy_error *err)
{
    (void)plan;
    if (device.fails)
        return convoy_fail(err, CONVOY_FAILED, CONVOY_WHY_HARDWARE, "the device is gone");
    device.executes++;
    device.waiting++;
    device.most_waiting = device.waiting > device.most_waiting ? device.waiting : device.most_waiting;
    device.in_place = args->slot[CONVOY_X].buffer == args->slot[CONVOY_Y].buffer;
    return CONVOY_OK;
}

static void destroy(struct convoy_plan *plan)
{
    device.plans--;
    free(plan);
}

static convoy_status supports(const struct convoy_instance *instance, const struct convoy_problem *problem,
                              struct convoy_error *err)
{
    (void)instance;
    device.other_problem |= problem->op != CONVOY_ELTWISE || ((const struct convoy_eltwise *)problem)->count != 1;
    return device.declines ? convoy_fail(err, CONVOY_UNSUPPORTED, CONVOY_WHY_OP, "no") : CONVOY_OK;
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
    device.plans++;
    *out = plan;
    return CONVOY_OK;
}

static convoy_status sync_device(struct convoy_instance *instance, struct convoy_error *err)
{
    (void)instance, (void)err;
    device.syncs++;
    device.waiting = 0;
    return CONVOY_OK;
}

static convoy_status measure(const struct convoy_memory *memory, struct launch_cost *cost, struct convoy_error *err)
{
    static const struct convoy_instance_ops ops = {
        .struct_size = sizeof ops, .supports = supports, .plan = make_plan, .sync = sync_device};
    struct host *const host = host_open(1, NULL);
    assert_non_null(host);
    device.base.ops = &ops;
    device.memory = *memory;
    device.base.memory = memory == hostmem() ? hostmem() : &device.memory;
    const convoy_status status = launch_measure(&device.base, host_table(host), cost, err);
    host_close(host);
    return status;
}

static struct convoy_memory own_memory_of_host(void)
{
    struct convoy_memory memory = *hostmem();
    memory.name = "test:0";
    return memory;
}

static void the_host_has_no_launches(void **state)
{
    (void)state;
    struct launch_cost cost = {1, 1};
    memset(&device, 0, sizeof device);
    assert_int_equal(measure(hostmem(), &cost, NULL), CONVOY_OK);
    assert_int_equal(cost.waited_ns, 0);
    assert_int_equal(cost.queued_ns, 0);
    assert_int_equal(device.executes, 0);
}

/* Waits singly and in queues, on one element, in place. */
static void a_device_is_asked_both_ways(void **state)
{
    (void)state;
    const struct convoy_memory memory = own_memory_of_host();
    struct launch_cost cost = {0};
    memset(&device, 0, sizeof device);
    assert_int_equal(measure(&memory, &cost, NULL), CONVOY_OK);
    assert_true(device.executes > 3 * device.syncs);
    assert_true(device.most_waiting >= 100);
    assert_int_equal(device.waiting, 0);
    assert_int_equal(device.plans, 0);
    assert_true(device.in_place);
    assert_false(device.other_problem);
    assert_true(cost.waited_ns >= 0 && cost.waited_ns < INT64_MAX);
    assert_true(cost.queued_ns >= 0 && cost.queued_ns < INT64_MAX);
}

static void a_refusal_is_no_failure_but_a_loss_is(void **state)
{
    (void)state;
    const struct convoy_memory memory = own_memory_of_host();
    struct launch_cost cost = {1, 1};
    struct convoy_error err = {.struct_size = sizeof err};
    memset(&device, 0, sizeof device);
    device.declines = true;
    assert_int_equal(measure(&memory, &cost, &err), CONVOY_OK);
    assert_int_equal(cost.waited_ns, 0);
    device.declines = false;
    device.fails = true;
    assert_int_equal(measure(&memory, &cost, &err), CONVOY_FAILED);
    assert_string_equal(err.text, "the device is gone");
    assert_int_equal(device.plans, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_host_has_no_launches),
        cmocka_unit_test(a_device_is_asked_both_ways),
        cmocka_unit_test(a_refusal_is_no_failure_but_a_loss_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
