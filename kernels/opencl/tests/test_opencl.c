/* The backend through its plugin table on whatever device there is: memory that runs out and is reused, a damaged or missing program
 * cache, the kernels of both families, slices below a small limit, device times by phase. Skips where there is no device. */
#include <convoy/devices.h>
#include <convoy/plugin.h>
#include <convoy/profile.h>
#include <convoy/shape.h>
#include <dirent.h>
#include <dlfcn.h>
#include <setjmp.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static const struct convoy_plugin *plugin;
static char cache_folder[] = BUILD_DIR "/tests/opencl-XXXXXX";

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

/* ---- one convolution, of small integers, so that every order of its sums gives the same bits ---- */

enum { N = 5, C = 6, H = 11, K = 9, X_COUNT = N * C * H * H, W_COUNT = K * C * 9, Y_COUNT = N * K * H * H };

static float small_integer(uint32_t *state)
{
    *state = *state * 1664525u + 1013904223u;
    return (float)((int)(*state >> 24) % 7 - 3);
}

static void expect(const float *x, const float *w, float *y)
{
    for (int n = 0; n < N; n++)
        for (int k = 0; k < K; k++)
            for (int oh = 0; oh < H; oh++)
                for (int ow = 0; ow < H; ow++) {
                    float sum = 0;
                    for (int c = 0; c < C; c++)
                        for (int r = 0; r < 3; r++)
                            for (int s = 0; s < 3; s++) {
                                const int h = oh + r - 1, v = ow + s - 1;
                                if (h >= 0 && h < H && v >= 0 && v < H)
                                    sum += x[((n * C + c) * H + h) * H + v] * w[((k * C + c) * 3 + r) * 3 + s];
                            }
                    y[((n * K + k) * H + oh) * H + ow] = sum;
                }
}

/* Runs it in an instance of its own, so that nothing compiled before is left; *total_ns (may be NULL): device time by phase, summed. */
static void convolve(const char *variant, uint64_t *total_ns)
{
    static float x[X_COUNT], w[W_COUNT], y[Y_COUNT], wanted[Y_COUNT];
    struct convoy_conv problem = {
        .head = {.struct_size = sizeof problem, .op = CONVOY_CONV_FWD, .dtype = CONVOY_F32, .layout = CONVOY_NCHW},
        .n = N, .c = C, .h = H, .w = H, .k = K, .kh = 3, .kw = 3, .groups = 1,
        .stride_h = 1, .stride_w = 1, .dil_h = 1, .dil_w = 1, .pad_t = 1, .pad_b = 1, .pad_l = 1, .pad_r = 1, .oh = H, .ow = H,
    };
    struct convoy_error err = {.struct_size = sizeof err};
    struct convoy_plan_info info = {.struct_size = sizeof info};
    struct convoy_tensor slot[CONVOY_NSLOTS] = {{0}};
    const struct convoy_args args = {.struct_size = sizeof args, .nslots = CONVOY_NSLOTS, .slot = slot};
    const struct convoy_profiler *const profiler = plugin->extension(CONVOY_PROFILE_ID);
    struct convoy_instance *const instance = open_variant(variant);
    struct convoy_memory *const memory = instance->memory;
    struct convoy_plan *plan = NULL;
    uint32_t state = 7;
    for (int e = 0; e < X_COUNT; e++)
        x[e] = small_integer(&state);
    for (int e = 0; e < W_COUNT; e++)
        w[e] = small_integer(&state);
    expect(x, w, wanted);
    if (instance->ops->plan(instance, &problem.head, &plan, &err) != CONVOY_OK)
        fail_msg("%s", err.text);
    plan->ops->info(plan, &info);
    slot[CONVOY_X] = tensor_of(memory, x, X_COUNT);
    slot[CONVOY_W] = tensor_of(memory, w, W_COUNT);
    slot[CONVOY_Y] = tensor_of(memory, NULL, Y_COUNT);
    if (info.workspace_bytes)
        slot[CONVOY_WORKSPACE] = tensor_of(memory, NULL, (size_t)info.workspace_bytes / 4 + 1);
    if (info.prepared_bytes)
        slot[CONVOY_PREPARED] = tensor_of(memory, NULL, (size_t)info.prepared_bytes / 4 + 1);
    if (total_ns)
        profiler->enable(plan, 1);
    if (plan->ops->prepare)
        assert_int_equal(plan->ops->prepare(plan, &args, &err), CONVOY_OK);
    assert_int_equal(plan->ops->execute(plan, &args, &err), CONVOY_OK);
    assert_int_equal(instance->ops->sync(instance, &err), CONVOY_OK);
    if (total_ns) {
        struct convoy_profile profile = {.struct_size = sizeof profile};
        profiler->read(plan, &profile);
        *total_ns = 0;
        for (int phase = 0; phase < CONVOY_PHASE_COUNT; phase++)
            *total_ns += profile.phase_ns[phase];
        profiler->enable(plan, 0);
    }
    assert_int_equal(memory->download(memory, y, slot[CONVOY_Y], sizeof y, &err), CONVOY_OK);
    for (int e = 0; e < Y_COUNT; e++)
        assert_float_equal(y[e], wanted[e], 0);
    memory->free(memory, slot[CONVOY_Y].buffer);
    slot[CONVOY_Y].buffer = NULL; /* an empty slot is refused */
    assert_int_equal(plan->ops->execute(plan, &args, &err), CONVOY_INVALID);
    plan->ops->destroy(plan);
    for (int at = 0; at < CONVOY_NSLOTS; at++)
        memory->free(memory, slot[at].buffer);
    instance->ops->close(instance);
}

/* ---- tests ---- */

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

/* Rooms are handed out again; nobody writes into another's. */
static void test_reuse(void **state)
{
    (void)state;
    struct convoy_instance *const instance = open_variant(NULL);
    struct convoy_memory *const memory = instance->memory;
    struct convoy_error err = {.struct_size = sizeof err};
    struct convoy_tensor tensor[32];
    static uint32_t back[1000 + 777 * 32];
    for (int round = 0; round < 3; round++) {
        for (uint32_t t = 0; t < 32; t++) {
            tensor[t] = tensor_of(memory, NULL, 1000 + 777 * t);
            assert_int_equal(memory->fill(memory, tensor[t], (1000 + 777 * t) * 4, t + 1, &err), CONVOY_OK);
        }
        for (uint32_t t = 0; t < 32; t++) {
            assert_int_equal(memory->download(memory, back, tensor[t], (1000 + 777 * t) * 4, &err), CONVOY_OK);
            for (uint32_t e = 0; e < 1000 + 777 * t; e++)
                assert_int_equal(back[e], t + 1);
            memory->free(memory, tensor[t].buffer);
        }
    }
    instance->ops->close(instance);
}

/* Calls `change` with the path of every program in the cache; their number. */
static int each_cached(void (*change)(const char *path))
{
    DIR *const folder = opendir(cache_folder);
    int count = 0;
    assert_non_null(folder);
    for (const struct dirent *entry = readdir(folder); entry; entry = readdir(folder)) {
        char path[1024];
        if (strncmp(entry->d_name, "opencl-", 7) != 0)
            continue;
        snprintf(path, sizeof path, "%s/%s", cache_folder, entry->d_name);
        count++;
        if (change)
            change(path);
    }
    closedir(folder);
    return count;
}

static void flip_a_byte(const char *path)
{
    FILE *const file = fopen(path, "r+b");
    assert_non_null(file);
    fseek(file, -100, SEEK_END);
    const int byte = fgetc(file);
    fseek(file, -1, SEEK_CUR);
    fputc(byte ^ 0x55, file);
    fclose(file);
}

static void cut(const char *path)
{
    assert_int_equal(truncate(path, 700), 0);
}

static void empty(const char *path)
{
    assert_int_equal(truncate(path, 0), 0);
}

static void put_noise(const char *path)
{
    FILE *const file = fopen(path, "wb");
    assert_non_null(file);
    for (int e = 0; e < 5000; e++)
        fputc(e * 37 & 255, file);
    fclose(file);
}

/* A file that is written again is another file with another number. */
static off_t bytes_seen;
static ino_t numbers_seen;
static void add_up(const char *path)
{
    struct stat file;
    assert_int_equal(stat(path, &file), 0);
    bytes_seen += file.st_size;
    numbers_seen += file.st_ino;
}

static int add_up_all(void)
{
    bytes_seen = 0;
    numbers_seen = 0;
    return each_cached(add_up);
}

static void test_damaged_cache(void **state)
{
    (void)state;
    static void (*const damage[])(const char *) = {flip_a_byte, cut, empty, put_noise};
    convolve(NULL, NULL);
    const int programs = add_up_all();
    const off_t whole_bytes = bytes_seen;
    const ino_t whole_numbers = numbers_seen;
    assert_true(programs > 0);
    convolve(NULL, NULL);
    assert_int_equal(add_up_all(), programs);
    assert_true(numbers_seen == whole_numbers); /* all were taken as they are */
    for (size_t d = 0; d < sizeof damage / sizeof *damage; d++) {
        assert_int_equal(each_cached(damage[d]), programs);
        add_up_all();
        const ino_t damaged_numbers = numbers_seen;
        convolve(NULL, NULL);
        assert_int_equal(add_up_all(), programs); /* built again and written again */
        assert_true(bytes_seen > whole_bytes / 2);
        assert_true(numbers_seen != damaged_numbers);
    }
}

static void test_no_cache_folder(void **state)
{
    (void)state;
    setenv("CONVOY_CACHE_PATH", "/proc/no/folder/here", 1);
    convolve("direct", NULL);
    setenv("CONVOY_CACHE_PATH", cache_folder, 1);
}

static void test_variants_of_both_families(void **state)
{
    (void)state;
    static const char *const families[] = {"cpu", "gpu"}, *const variants[] = {"gemm", "im2col", "direct"};
    for (size_t f = 0; f < 2; f++) {
        setenv("CONVOY_GPU_FAMILY", families[f], 1);
        for (size_t v = 0; v < sizeof variants / sizeof *variants; v++)
            convolve(variants[v], NULL);
    }
    unsetenv("CONVOY_GPU_FAMILY");
}

/* Two images at a time: an image of y has 4356 bytes. */
static void test_slices(void **state)
{
    (void)state;
    setenv("CONVOY_GPU_RANGE", "10000", 1);
    convolve("gemm", NULL);
    convolve("direct", NULL);
    unsetenv("CONVOY_GPU_RANGE");
}

static void test_profile(void **state)
{
    (void)state;
    uint64_t total_ns = 0;
    convolve(NULL, &total_ns);
    assert_true(total_ns > 0);
    assert_true(total_ns < 60000000000u);
}

static void test_device_choice(void **state)
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

int main(void)
{
    /* PoCL wants a folder of its own before its first call, and shows no device without. */
    if (!mkdtemp(cache_folder))
        return 1;
    setenv("CONVOY_CACHE_PATH", cache_folder, 1);
    setenv("POCL_CACHE_DIR", cache_folder, 1);
    unsetenv("CONVOY_GPU_FAMILY");
    unsetenv("CONVOY_GPU_RANGE");
    unsetenv(CONVOY_DEVICE_VARIABLE);
    void *const library = dlopen(BUILD_DIR "/plugins/convoy_opencl.so", RTLD_NOW);
    plugin = library ? dlsym(library, "convoy_plugin_v1") : NULL;
    if (!plugin) {
        print_error("%s\n", dlerror());
        return 1;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_device_choice), cmocka_unit_test(test_out_of_memory),   cmocka_unit_test(test_reuse),
        cmocka_unit_test(test_damaged_cache), cmocka_unit_test(test_no_cache_folder), cmocka_unit_test(test_variants_of_both_families),
        cmocka_unit_test(test_slices),        cmocka_unit_test(test_profile),
    };
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    char command[sizeof cache_folder + 16];
    snprintf(command, sizeof command, "rm -rf '%s'", cache_folder);
    if (system(command) != 0)
        print_error("%s stays\n", cache_folder);
    return failed;
}
