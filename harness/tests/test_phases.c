#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "bench/phases.h"
#include <convoy/plugin.h>
#include <string.h>

/* A device whose executes take the times of a list, and which knows fewer phases than the harness where told so. */
struct fake {
    struct convoy_plan base;
    int64_t executes, syncs, fails_at;
    uint32_t enabled, known_bytes;
    int read_before_sync, executed_disabled;
};
static struct fake fake;
static const uint64_t multiply_ns[] = {9000, 500, 300, 100, 400, 200}; /* the first execute is not counted */

static convoy_status execute(struct convoy_plan *plan, const struct convoy_args *args, struct convoy_error *err)
{
    (void)plan, (void)args;
    fake.executed_disabled |= !fake.enabled;
    if (++fake.executes == fake.fails_at)
        return convoy_fail(err, CONVOY_FAILED, CONVOY_WHY_HARDWARE, "the fake device is gone");
    return CONVOY_OK;
}

static convoy_status sync_device(struct convoy_instance *instance, struct convoy_error *err)
{
    (void)instance, (void)err;
    fake.syncs++;
    return CONVOY_OK;
}

static void enable(struct convoy_plan *plan, uint32_t on)
{
    (void)plan;
    fake.enabled = on;
}

static void read_phases(const struct convoy_plan *plan, struct convoy_profile *out)
{
    (void)plan;
    fake.read_before_sync |= fake.syncs != fake.executes;
    struct convoy_profile mine = {.struct_size = out->struct_size};
    mine.phase_ns[CONVOY_PHASE_MULTIPLY] = multiply_ns[fake.executes - 1];
    mine.phase_ns[CONVOY_PHASE_REORDER] = 7;
    mine.phase_ns[CONVOY_PHASE_UPLOAD] = 20;
    mine.phase_ns[CONVOY_PHASE_DOWNLOAD] = 30;
    memcpy(out, &mine, fake.known_bytes < out->struct_size ? fake.known_bytes : out->struct_size);
}

static convoy_status measure(struct phases *phases, struct convoy_error *err)
{
    static const struct convoy_plan_ops plan_ops = {.struct_size = sizeof plan_ops, .execute = execute};
    static const struct convoy_instance_ops instance_ops = {.struct_size = sizeof instance_ops, .sync = sync_device};
    static const struct convoy_profiler profiler = {.struct_size = sizeof profiler, .enable = enable, .read = read_phases};
    struct convoy_instance instance = {.ops = &instance_ops};
    const struct convoy_args args = {.struct_size = sizeof args};
    fake.base.ops = &plan_ops;
    return phases_measure(&profiler, &instance, &fake.base, &args, phases, err);
}

static void takes_the_execute_with_the_median_total(void **state)
{
    (void)state;
    char text[128];
    struct phases phases;
    fake = (struct fake){.known_bytes = sizeof(struct convoy_profile)};
    assert_int_equal(measure(&phases, NULL), CONVOY_OK);
    assert_int_equal(phases.ns[CONVOY_PHASE_MULTIPLY], 300);
    assert_int_equal(phases_without_moves_ns(&phases), 300);
    const int length = phases_print(&phases, text, sizeof text);
    assert_string_equal(text, "multiply=300 reorder=7 upload=20 download=30");
    assert_int_equal(length, strlen(text));
    assert_false(fake.enabled);
    assert_false(fake.executed_disabled);
    assert_false(fake.read_before_sync);
}

static void a_plugin_with_fewer_phases_is_read(void **state)
{
    (void)state;
    struct phases phases;
    fake = (struct fake){.known_bytes = offsetof(struct convoy_profile, phase_ns) + sizeof(uint64_t) * CONVOY_PHASE_UPLOAD};
    assert_int_equal(measure(&phases, NULL), CONVOY_OK);
    assert_int_equal(phases.ns[CONVOY_PHASE_REORDER], 7);
    assert_int_equal(phases.ns[CONVOY_PHASE_UPLOAD], 0);
}

static void a_failure_is_passed_on_and_profiling_ends(void **state)
{
    (void)state;
    struct phases phases;
    struct convoy_error err = {.struct_size = sizeof err};
    fake = (struct fake){.known_bytes = sizeof(struct convoy_profile), .fails_at = 3};
    assert_int_equal(measure(&phases, &err), CONVOY_FAILED);
    assert_string_equal(err.text, "the fake device is gone");
    assert_int_equal(fake.executes, 3);
    assert_false(fake.enabled);
}

static void prints_nothing_for_nothing_and_no_more_than_fits(void **state)
{
    (void)state;
    char text[8] = "old";
    struct phases phases = {{0}};
    assert_int_equal(phases_print(&phases, text, sizeof text), 0);
    assert_string_equal(text, "");
    phases.ns[CONVOY_PHASE_MULTIPLY] = 123456;
    assert_int_equal(phases_print(&phases, text, sizeof text), strlen("multiply=123456"));
    assert_string_equal(text, "multipl");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_the_execute_with_the_median_total),
        cmocka_unit_test(a_plugin_with_fewer_phases_is_read),
        cmocka_unit_test(a_failure_is_passed_on_and_profiling_ends),
        cmocka_unit_test(prints_nothing_for_nothing_and_no_more_than_fits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
