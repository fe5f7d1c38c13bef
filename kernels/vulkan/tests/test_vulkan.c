/* The backend through its plugin table on whatever device there is: memory that runs out, tracked barriers against a barrier
 * after every launch, copies through staging, device times by phase. Skips where there is no device. */
#include <convoy/devices.h>
#include <convoy/plugin.h>
#include <convoy/profile.h>
#include <convoy/shape.h>
#include <dlfcn.h>
#include <setjmp.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct convoy_plugin *plugin;

static void host_log(const struct convoy_host *host, uint32_t level, const char *text)
{
    (void)host, (void)level, (void)text;
}
static const struct convoy_host host = {.struct_size = sizeof host, .abi_minor = CONVOY_ABI_MINOR, .threads = 1, .log = host_log};

static struct convoy_instance *open_variant(const char *variant)
{
    struct convoy_instance *instance = NULL;
    struct convoy_error err = {.struct_size = sizeof err};
    const struct convoy_devices *const devices = plugin->extension(CONVOY_DEVICES_ID);
    struct convoy_device_info info = {.struct_size = sizeof info};
    if (devices->describe(0, &info, &err) != CONVOY_OK) {
        print_message("%s\n", err.text);
        skip();
    }
    if (plugin->open(&host, variant, &instance, &err) != CONVOY_OK)
        fail_msg("%s", err.text);
    return instance;
}

static struct convoy_tensor tensor_of(struct convoy_memory *memory, const float *data, size_t count)
{
    struct convoy_error err = {.struct_size = sizeof err};
    struct convoy_tensor tensor = {0};
    assert_int_equal(memory->alloc(memory, count * 4, &tensor.buffer, &err), CONVOY_OK);
    if (data)
        assert_int_equal(memory->upload(memory, tensor, data, count * 4, &err), CONVOY_OK);
    return tensor;
}

static void test_out_of_memory(void **state)
{
    (void)state;
    struct convoy_instance *const instance = open_variant(NULL);
    struct convoy_memory *const memory = instance->memory;
    struct convoy_error err = {.struct_size = sizeof err};
    struct convoy_buffer *buffer = NULL;
    assert_int_equal(memory->alloc(memory, (uint64_t)1 << 46, &buffer, &err), CONVOY_NO_MEMORY);
    assert_true(err.text[0] != '\0');
    assert_int_equal(memory->alloc(memory, UINT64_MAX - 3, &buffer, &err), CONVOY_NO_MEMORY);
    const float value[2] = {1, 2};
    float back[2] = {0};
    const struct convoy_tensor tensor = tensor_of(memory, value, 2); /* the domain goes on */
    assert_int_equal(memory->download(memory, back, tensor, sizeof back, &err), CONVOY_OK);
    assert_memory_equal(back, value, sizeof back);
    assert_int_equal(memory->download(memory, back, tensor, 12, &err), CONVOY_INVALID); /* beyond it */
    memory->free(memory, tensor.buffer);
    instance->ops->close(instance);
}

static void test_alloc_reuses_and_joins(void **state)
{
    (void)state;
    struct convoy_instance *const instance = open_variant(NULL);
    struct convoy_memory *const memory = instance->memory;
    struct convoy_error err = {.struct_size = sizeof err};
    struct convoy_tensor tensor[64];
    for (int round = 0; round < 3; round++) {
        for (uint32_t t = 0; t < 64; t++) {
            tensor[t] = tensor_of(memory, NULL, 1000 + 777 * t);
            assert_int_equal(memory->fill(memory, tensor[t], (1000 + 777 * t) * 4, t + 1, &err), CONVOY_OK);
        }
        for (uint32_t t = 0; t < 64; t++) { /* nobody wrote into another's range */
            uint32_t word[2];
            assert_int_equal(memory->download(memory, &word[0], tensor[t], 4, &err), CONVOY_OK);
            const struct convoy_tensor last = {tensor[t].buffer, (1000 + 777 * t - 1) * 4};
            assert_int_equal(memory->download(memory, &word[1], last, 4, &err), CONVOY_OK);
            assert_int_equal(word[0], t + 1);
            assert_int_equal(word[1], t + 1);
        }
        for (uint32_t t = 0; t < 64; t++)
            memory->free(memory, tensor[(t * 29 + (uint32_t)round) % 64].buffer);
    }
    instance->ops->close(instance);
}

/* ---- a chain of dependent launches ---- */

enum { EXTENT = 12, CHANNELS = 16, COUNT = CHANNELS * EXTENT * EXTENT, WEIGHTS = CHANNELS * CHANNELS * 9, CHAIN = 6 };

static const struct convoy_conv layer = {
    .head = {.struct_size = sizeof layer,
             .op = CONVOY_CONV_FWD,
             .dtype = CONVOY_F32,
             .layout = CONVOY_NCHW,
             .flags = CONVOY_WITH_RELU},
    .n = 1,
    .c = CHANNELS,
    .h = EXTENT,
    .w = EXTENT,
    .k = CHANNELS,
    .kh = 3,
    .kw = 3,
    .groups = 1,
    .stride_h = 1,
    .stride_w = 1,
    .dil_h = 1,
    .dil_w = 1,
    .pad_t = 1,
    .pad_b = 1,
    .pad_l = 1,
    .pad_r = 1,
    .oh = EXTENT,
    .ow = EXTENT,
};

static void fill_values(float *data, size_t count, uint32_t seed)
{
    for (size_t e = 0; e < count; e++) {
        seed = seed * 1664525u + 1013904223u;
        data[e] = (float)(seed >> 8) * 0x1p-24f - 0.5f;
    }
}

/* CHAIN layers back and forth between two tensors and a third pass over the result, nothing awaited between; downloads the last.
 */
static void run_chain(const char *variant, float *out, struct convoy_profile *profile)
{
    struct convoy_instance *const instance = open_variant(variant);
    struct convoy_memory *const memory = instance->memory;
    struct convoy_error err = {.struct_size = sizeof err};
    struct convoy_plan *plan = NULL;
    struct convoy_plan_info info = {.struct_size = sizeof info};
    if (instance->ops->plan(instance, &layer.head, &plan, &err) != CONVOY_OK)
        fail_msg("%s", err.text);
    plan->ops->info(plan, &info);
    const struct convoy_profiler *const profiler = plugin->extension(CONVOY_PROFILE_ID);
    if (profile)
        profiler->enable(plan, 1);
    float *const data = malloc((COUNT + WEIGHTS) * sizeof *data);
    assert_non_null(data);
    fill_values(data, COUNT + WEIGHTS, 1);
    struct convoy_tensor slot[CONVOY_NSLOTS] = {
        [CONVOY_X] = tensor_of(memory, data, COUNT),
        [CONVOY_Y] = tensor_of(memory, NULL, COUNT),
        [CONVOY_W] = tensor_of(memory, data + COUNT, WEIGHTS),
        [CONVOY_WORKSPACE] = tensor_of(memory, NULL, (size_t)info.workspace_bytes / 4 + 1),
        [CONVOY_PREPARED] = tensor_of(memory, NULL, (size_t)info.prepared_bytes / 4 + 1),
    };
    const struct convoy_args args = {.struct_size = sizeof args, .nslots = CONVOY_NSLOTS, .slot = slot};
    if (plan->ops->prepare)
        assert_int_equal(plan->ops->prepare(plan, &args, &err), CONVOY_OK);
    for (int step = 0; step < CHAIN; step++) {
        assert_int_equal(plan->ops->execute(plan, &args, &err), CONVOY_OK);
        const struct convoy_tensor result = slot[CONVOY_Y];
        slot[CONVOY_Y] = slot[CONVOY_X];
        slot[CONVOY_X] = result;
    }
    assert_int_equal(instance->ops->sync(instance, &err), CONVOY_OK);
    if (profile)
        profiler->read(plan, profile);
    assert_int_equal(memory->download(memory, out, slot[CONVOY_X], COUNT * sizeof *out, &err), CONVOY_OK);
    plan->ops->destroy(plan);
    for (uint32_t s = 0; s < CONVOY_NSLOTS; s++) {
        if (slot[s].buffer)
            memory->free(memory, slot[s].buffer);
    }
    instance->ops->close(instance);
    free(data);
}

/* Every device is opened anew after the last instance is closed, so it sees the variables that are set then. */
static void compare_runs(const char *variable, const char *value)
{
    static const char *const variants[] = {"gemm", "winograd", "direct", "im2col"};
    static float tracked[COUNT], other[COUNT];
    for (size_t v = 0; v < sizeof variants / sizeof *variants; v++) {
        run_chain(variants[v], tracked, NULL);
        setenv(variable, value, 1);
        run_chain(variants[v], other, NULL);
        unsetenv(variable);
        assert_memory_equal(tracked, other, sizeof tracked);
        bool some = false;
        for (size_t e = 0; e < COUNT; e++)
            some = some || tracked[e] != 0;
        assert_true(some);
    }
}

static void test_tracked_barriers_suffice(void **state)
{
    (void)state;
    compare_runs("CONVOY_GPU_BARRIERS", "1");
}

static void test_staging_gives_the_same(void **state)
{
    (void)state;
    compare_runs("CONVOY_GPU_STAGING", "1");
}

static void test_phases_have_times(void **state)
{
    (void)state;
    static float out[COUNT];
    struct convoy_profile profile = {.struct_size = sizeof profile};
    run_chain("winograd", out, &profile);
    assert_true(profile.phase_ns[CONVOY_PHASE_INPUT_TRANSFORM] > 0);
    assert_true(profile.phase_ns[CONVOY_PHASE_MULTIPLY] > 0);
    assert_true(profile.phase_ns[CONVOY_PHASE_OUTPUT_TRANSFORM] > 0);
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
    run_chain("direct", out, NULL);
}

int main(void)
{
    void *const object = dlopen(BUILD_DIR "/plugins/convoy_vulkan.so", RTLD_NOW | RTLD_LOCAL);
    plugin = object ? dlsym(object, "convoy_plugin_v1") : NULL;
    if (!plugin) {
        print_error("%s\n", dlerror());
        return 1;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_out_of_memory),
        cmocka_unit_test(test_alloc_reuses_and_joins),
        cmocka_unit_test(test_tracked_barriers_suffice),
        cmocka_unit_test(test_staging_gives_the_same),
        cmocka_unit_test(test_phases_have_times),
        cmocka_unit_test(test_a_lost_device_stays_lost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
