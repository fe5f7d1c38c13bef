#include "backend.h"
#include <convoy/shape.h>
#include <dlfcn.h>

const struct convoy_plugin *plugin;

static void host_log(const struct convoy_host *self, uint32_t level, const char *text)
{
    (void)self, (void)level, (void)text;
}
const struct convoy_host host = {.struct_size = sizeof host, .abi_minor = CONVOY_ABI_MINOR, .threads = 1, .log = host_log};

bool backend_load(const char *path)
{
    void *const object = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    plugin = object ? dlsym(object, "convoy_plugin_v1") : NULL;
    if (!plugin)
        print_error("%s\n", dlerror());
    return plugin != NULL;
}

struct convoy_instance *open_variant(const char *variant)
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

struct convoy_tensor tensor_of(struct convoy_memory *memory, const float *data, size_t count)
{
    struct convoy_error err = {.struct_size = sizeof err};
    struct convoy_tensor tensor = {0};
    assert_int_equal(memory->alloc(memory, count * 4, &tensor.buffer, &err), CONVOY_OK);
    if (data)
        assert_int_equal(memory->upload(memory, tensor, data, count * 4, &err), CONVOY_OK);
    return tensor;
}

/* ---- memory ---- */

void test_out_of_memory(void **state)
{
    (void)state;
    struct convoy_instance *const instance = open_variant(NULL);
    struct convoy_memory *const memory = instance->memory;
    struct convoy_error err = {.struct_size = sizeof err};
    struct convoy_buffer *buffer = NULL;
    assert_int_equal(memory->alloc(memory, (uint64_t)1 << 46, &buffer, &err), CONVOY_NO_MEMORY);
    assert_true(err.text[0] != '\0');
    assert_int_equal(memory->alloc(memory, UINT64_MAX - 3, &buffer, &err), CONVOY_NO_MEMORY);
    assert_int_equal(memory->alloc(memory, UINT64_MAX, &buffer, &err), CONVOY_NO_MEMORY);
    const float value[2] = {1, 2};
    float back[2] = {0};
    const struct convoy_tensor tensor = tensor_of(memory, value, 2); /* the domain goes on */
    assert_int_equal(memory->download(memory, back, tensor, sizeof back, &err), CONVOY_OK);
    assert_memory_equal(back, value, sizeof back);
    assert_int_equal(memory->download(memory, back, tensor, 12, &err), CONVOY_INVALID); /* beyond it */
    memory->free(memory, tensor.buffer);
    instance->ops->close(instance);
}

/* Room is handed out again, in any order of freeing; nobody writes into another's. */
void test_reuse(void **state)
{
    (void)state;
    enum { TENSORS = 32 };
    struct convoy_instance *const instance = open_variant(NULL);
    struct convoy_memory *const memory = instance->memory;
    struct convoy_error err = {.struct_size = sizeof err};
    struct convoy_tensor tensor[TENSORS];
    static uint32_t back[1000 + 777 * TENSORS];
    for (uint32_t round = 0; round < 3; round++) {
        for (uint32_t t = 0; t < TENSORS; t++) {
            tensor[t] = tensor_of(memory, NULL, 1000 + 777 * t);
            assert_int_equal(memory->fill(memory, tensor[t], (1000 + 777 * t) * 4, t + 1, &err), CONVOY_OK);
        }
        for (uint32_t t = 0; t < TENSORS; t++) {
            assert_int_equal(memory->download(memory, back, tensor[t], (1000 + 777 * t) * 4, &err), CONVOY_OK);
            for (uint32_t e = 0; e < 1000 + 777 * t; e++)
                assert_int_equal(back[e], t + 1);
        }
        for (uint32_t t = 0; t < TENSORS; t++)
            memory->free(memory, tensor[(t * 29 + round) % TENSORS].buffer);
    }
    instance->ops->close(instance);
}

/* ---- a chain of dependent launches ---- */

enum { CHAIN = 6 };

const struct convoy_conv layer = {
    .head = {.struct_size = sizeof layer,
             .op = CONVOY_CONV_FWD,
             .dtype = CONVOY_F32,
             .layout = CONVOY_NCHW,
             .flags = CONVOY_WITH_RELU},
    .n = IMAGES,
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

void run_chain(const char *variant, float out[COUNT], struct convoy_profile *profile, char algorithm[40])
{
    static float data[COUNT + WEIGHTS];
    struct convoy_instance *const instance = open_variant(variant);
    struct convoy_memory *const memory = instance->memory;
    struct convoy_error err = {.struct_size = sizeof err};
    struct convoy_plan *plan = NULL;
    struct convoy_plan_info info = {.struct_size = sizeof info};
    if (instance->ops->plan(instance, &layer.head, &plan, &err) != CONVOY_OK)
        fail_msg("%s", err.text);
    plan->ops->info(plan, &info);
    if (algorithm)
        memcpy(algorithm, info.algorithm, sizeof info.algorithm);
    const struct convoy_profiler *const profiler = plugin->extension(CONVOY_PROFILE_ID);
    if (profile)
        profiler->enable(plan, 1);
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
    memory->free(memory, slot[CONVOY_Y].buffer);
    slot[CONVOY_Y].buffer = NULL; /* an empty slot is refused */
    assert_int_equal(plan->ops->execute(plan, &args, &err), CONVOY_INVALID);
    plan->ops->destroy(plan);
    for (uint32_t s = 0; s < CONVOY_NSLOTS; s++)
        memory->free(memory, slot[s].buffer);
    instance->ops->close(instance);
}

static void expect_some(const float out[COUNT])
{
    size_t e = 0;
    while (e < COUNT && out[e] == 0)
        e++;
    assert_true(e < COUNT);
}

void compare_runs(const char *variable, const char *value, bool winograd_too)
{
    static float plain[COUNT], other[COUNT];
    for (const char *const *variant = plugin->variants; *variant; variant++) {
        if (!winograd_too && !strcmp(*variant, "winograd"))
            continue;
        run_chain(*variant, plain, NULL, NULL);
        setenv(variable, value, 1);
        run_chain(*variant, other, NULL, NULL);
        unsetenv(variable);
        assert_memory_equal(plain, other, sizeof plain);
        expect_some(plain);
    }
}

void test_profile(void **state)
{
    (void)state;
    static float out[COUNT];
    struct convoy_profile profile = {.struct_size = sizeof profile};
    run_chain("winograd", out, &profile, NULL);
    static const int phases[] = {CONVOY_PHASE_INPUT_TRANSFORM, CONVOY_PHASE_MULTIPLY, CONVOY_PHASE_OUTPUT_TRANSFORM};
    for (size_t p = 0; p < sizeof phases / sizeof *phases; p++)
        assert_true(profile.phase_ns[phases[p]] > 0 && profile.phase_ns[phases[p]] < 60000000000u);
}

/* One image at a time: it has 9216 bytes. Winograd's prepared weights have more. */
void test_slices(void **state)
{
    (void)state;
    compare_runs("CONVOY_GPU_RANGE", "10000", false);
}

/* Smaller chunks give the same bits, and what takes an algorithm's place gives its own. */
void test_little_workspace(void **state)
{
    (void)state;
    static float small[COUNT], direct[COUNT];
    char algorithm[40];
    compare_runs("CONVOY_GPU_WORKSPACE", "40000", false);
    setenv("CONVOY_GPU_FAMILY", "cpu", 1);
    setenv("CONVOY_GPU_WORKSPACE", "1000", 1);
    run_chain("winograd", small, NULL, algorithm);
    unsetenv("CONVOY_GPU_WORKSPACE");
    run_chain("direct", direct, NULL, NULL);
    unsetenv("CONVOY_GPU_FAMILY");
    assert_int_equal(strncmp(algorithm, "direct, no room", 15), 0);
    assert_memory_equal(small, direct, sizeof small);
}

/* One work-group at a time. */
void test_parts_of_launches(void **state)
{
    (void)state;
    compare_runs("CONVOY_GPU_LAUNCH_S", "1e-12", true);
}

void test_device_choice(void **state)
{
    (void)state;
    struct convoy_error err = {.struct_size = sizeof err};
    struct convoy_instance *instance = open_variant(NULL);
    instance->ops->close(instance);
    setenv(CONVOY_DEVICE_VARIABLE, "no device has this name", 1);
    assert_int_equal(plugin->open(&host, NULL, &instance, &err), CONVOY_FAILED);
    assert_non_null(strstr(err.text, "no device has this name"));
    setenv(CONVOY_DEVICE_VARIABLE, "31", 1);
    assert_int_equal(plugin->open(&host, NULL, &instance, &err), CONVOY_FAILED);
    setenv(CONVOY_DEVICE_VARIABLE, "0", 1);
    assert_int_equal(plugin->open(&host, NULL, &instance, &err), CONVOY_OK);
    instance->ops->close(instance);
    unsetenv(CONVOY_DEVICE_VARIABLE);
    assert_int_equal(plugin->open(&host, "no variant", &instance, &err), CONVOY_INVALID);
}
