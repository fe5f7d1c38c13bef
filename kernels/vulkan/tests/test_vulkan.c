/* The backend on whatever device there is, beside what both backends are tested for: tracked barriers against a barrier after
 * every launch, copies through staging, a device that is lost. Skips where there is no device. */
#include "backend.h"

static void test_tracked_barriers_suffice(void **state)
{
    (void)state;
    compare_runs("CONVOY_GPU_BARRIERS", "1", true);
}

static void test_staging_gives_the_same(void **state)
{
    (void)state;
    compare_runs("CONVOY_GPU_STAGING", "1", true);
}

/* A device that does not answer in time is lost: every later call fails at once, nothing hangs, and the next device is well. */
static void test_a_lost_device_stays_lost(void **state)
{
    (void)state;
    setenv("CONVOY_GPU_TIMEOUT_S", "1e-9", 1);
    struct convoy_instance *const instance = open_variant("direct");
    unsetenv("CONVOY_GPU_TIMEOUT_S");
    struct convoy_memory *const memory = instance->memory;
    struct convoy_error err = {.struct_size = sizeof err};
    const struct convoy_tensor tensor = tensor_of(memory, NULL, 4 << 20);
    convoy_status status = CONVOY_OK;
    for (int round = 0; round < 50 && status == CONVOY_OK; round++) {
        assert_int_equal(memory->fill(memory, tensor, 4 << 20, 7, &err), CONVOY_OK);
        status = instance->ops->sync(instance, &err);
    }
    if (status == CONVOY_OK) {
        print_message("the device answers within a nanosecond\n");
        memory->free(memory, tensor.buffer);
        instance->ops->close(instance);
        skip();
    }
    assert_int_equal(status, CONVOY_FAILED);
    assert_non_null(strstr(err.text, "lost"));
    struct convoy_plan *plan = NULL;
    assert_int_equal(instance->ops->plan(instance, &layer.head, &plan, &err), CONVOY_FAILED);
    assert_int_equal(memory->fill(memory, tensor, 4, 7, &err), CONVOY_FAILED);
    memory->free(memory, tensor.buffer);
    instance->ops->close(instance);
    static float out[COUNT];
    run_chain("direct", out, NULL, NULL);
}

int main(void)
{
    if (!backend_load(BUILD_DIR "/plugins/convoy_vulkan.so"))
        return 1;
    const struct CMUnitTest tests[] = {
        BACKEND_TESTS,
        cmocka_unit_test(test_tracked_barriers_suffice),
        cmocka_unit_test(test_staging_gives_the_same),
        cmocka_unit_test(test_a_lost_device_stays_lost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
