/* Configurations keep to the device's limits and to what the kernels assume of tiles; the file of choices survives what is not its own
 * and what is no line; instances plan what was kept. */
#include "tuning.h"
#include <convoy/plugin.h>
#include <convoy/shape.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static const struct gpu_device gpu_like = {
    .specialise = true,
    .vector = 4,
    .lanes = 32,
    .group_most = 1024,
    .grid_most = 65535,
    .shared_bytes = 49152,
    .align_bytes = 256,
    .cores = 80,
    .range_bytes = (uint64_t)1 << 32,
    .workspace_bytes = (uint64_t)1 << 33,
};
static const struct gpu_device least = {/* what Vulkan 1.2 guarantees */
                                        .vector = 4,
                                        .lanes = 8,
                                        .group_most = 128,
                                        .grid_most = 65535,
                                        .shared_bytes = 16384,
                                        .align_bytes = 256,
                                        .range_bytes = (uint64_t)1 << 27,
                                        .workspace_bytes = (uint64_t)1 << 28};
static const struct gpu_device cpu_like = {.cpu_family = true,
                                           .vector = 16,
                                           .lanes = 1,
                                           .group_most = 4096,
                                           .grid_most = INT32_MAX,
                                           .shared_bytes = 1 << 20,
                                           .align_bytes = 256,
                                           .cores = 2,
                                           .range_bytes = (uint64_t)1 << 31,
                                           .workspace_bytes = (uint64_t)1 << 31};
static const struct gpu_device *const devices[] = {&gpu_like, &least, &cpu_like};

static struct convoy_conv conv(convoy_op op, int32_t n, int32_t c, int32_t h, int32_t k, int32_t kernel, int32_t stride,
                               int32_t groups)
{
    struct convoy_conv p = {
        .head = {.struct_size = sizeof p, .op = op, .dtype = CONVOY_F32, .layout = CONVOY_NCHW},
        .n = n,
        .c = c,
        .h = h,
        .w = h,
        .k = k,
        .kh = kernel,
        .kw = kernel,
        .groups = groups,
        .stride_h = stride,
        .stride_w = stride,
        .dil_h = 1,
        .dil_w = 1,
        .pad_t = kernel / 2,
        .pad_b = kernel / 2,
        .pad_l = kernel / 2,
        .pad_r = kernel / 2,
    };
    p.oh = p.ow = (int32_t)convoy_out_extent(h, kernel / 2, kernel / 2, kernel, stride, 1);
    return p;
}

/* ---- configurations ---- */

static void check_step(const struct gpu_device *device, const struct gpu_program *program, const struct gpu_step *step)
{
    assert_true(step->group >= 1 && step->group <= device->group_most);
    assert_true(step->grid_x <= device->grid_most && step->grid_y <= device->grid_most);
    for (uint32_t b = 0; b < GPU_BINDS_MOST; b++)
        assert_true(step->bind[b].bytes <= device->range_bytes);
    assert_true(program->workspace_bytes <= device->workspace_bytes);
    if (step->module != GPU_TILES_CORRELATE && step->module != GPU_TILES_GRADIENT && step->module != GPU_TILES_PANELS)
        return;
    /* text/tiles.kernel: its loads cover the tiles in whole rounds of the work-group */
    const int32_t group = (int32_t)step->group, *const tile = step->constant;
    const int32_t bm = tile[0], bn = tile[1], bk = tile[2], tm = tile[3], tn = tile[4];
    assert_int_equal(group * tm * tn, bm * bn);
    assert_int_equal(group % bn, 0);
    assert_int_equal(group % bk, 0);
    assert_int_equal(bm * bk % group, 0);
    assert_int_equal(bn * bk % group, 0);
    assert_true((uint32_t)(bk * (bm + bn + 8)) * 4 <= device->shared_bytes);
}

static void check_candidates(const struct gpu_device *device, enum gpu_variant variant, const struct convoy_problem *problem)
{
    struct gpu_candidate list[GPU_CANDIDATES_MOST];
    struct convoy_error err = {.struct_size = sizeof err};
    const uint32_t count = gpu_candidates(device, variant, problem, list, &err);
    assert_int_equal(count > 0, gpu_program_make(device, variant, problem, NULL, NULL) == CONVOY_OK);
    assert_true(count > 0 || err.text[0]);
    for (uint32_t c = 0; c < count; c++) {
        struct gpu_device chosen = *device;
        struct gpu_program program;
        chosen.choice = &list[c].choice;
        assert_true(list[c].text[0] && !strpbrk(list[c].text, " \t\n"));
        for (uint32_t earlier = 0; earlier < c; earlier++)
            assert_string_not_equal(list[earlier].text, list[c].text);
        assert_int_equal(gpu_program_make(&chosen, variant, problem, &program, NULL), CONVOY_OK);
        for (uint32_t s = 0; s < program.prepare_count; s++)
            check_step(device, &program, &program.prepare[s]);
        for (uint32_t s = 0; s < program.step_count; s++)
            check_step(device, &program, &program.step[s]);
        gpu_program_free(&program);
    }
    assert_true(!count || !strcmp(list[0].text, "default"));
}

static void test_configurations_keep_to_the_limits(void **state)
{
    (void)state;
    static const int32_t shapes[][7] = {/* n, c, h, k, kernel, stride, groups */
                                        {64, 64, 56, 256, 1, 1, 1},
                                        {2, 3, 32, 64, 7, 2, 1},
                                        {1, 64, 14, 64, 3, 1, 1},
                                        {4, 32, 14, 32, 3, 1, 32},
                                        {3, 8, 9, 16, 3, 2, 4}};
    for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++) {
        const int32_t *const e = shapes[s];
        for (convoy_op op = CONVOY_CONV_FWD; op <= CONVOY_CONV_BWD_WEIGHTS; op++) {
            const struct convoy_conv p = conv(op, e[0], e[1], e[2], e[3], e[4], e[5], e[6]);
            for (size_t d = 0; d < sizeof devices / sizeof *devices; d++) {
                for (int v = 0; v < GPU_VARIANT_COUNT; v++)
                    check_candidates(devices[d], (enum gpu_variant)v, &p.head);
            }
        }
    }
}

static void test_there_is_something_to_choose_from(void **state)
{
    (void)state;
    struct gpu_candidate list[GPU_CANDIDATES_MOST];
    for (convoy_op op = CONVOY_CONV_FWD; op <= CONVOY_CONV_BWD_WEIGHTS; op++) {
        const struct convoy_conv p = conv(op, 64, 128, 28, 128, 3, 1, 1);
        for (size_t d = 0; d < sizeof devices / sizeof *devices; d++)
            assert_true(gpu_candidates(devices[d], GPU_GEMM, &p.head, list, NULL) >= 6);
        assert_true(gpu_candidates(&gpu_like, GPU_GEMM, &p.head, list, NULL) >= 15);
    }
}

/* ---- the file ---- */

static char folder[64], path[96], heard[512];
static int warnings;

static void hear(const struct convoy_host *host, uint32_t level, const char *text)
{
    (void)host;
    assert_int_equal(level, CONVOY_LOG_WARNING);
    snprintf(heard, sizeof heard, "%s", text);
    warnings++;
}
static const struct convoy_host host = {.struct_size = sizeof host, .log = hear};
static const struct gpu_tuning_owner owner = {"test", "1.0", "a\tdevice", "driver 1"};

static int make_folder(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/convoy-tuning-XXXXXX");
    if (!mkdtemp(folder) || setenv("CONVOY_CACHE_PATH", folder, 1) != 0)
        return -1;
    snprintf(path, sizeof path, "%s/tuning-test.txt", folder);
    warnings = 0;
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    unlink(path);
    return rmdir(folder);
}

static void expect_kept(const struct gpu_tuning_owner *who, enum gpu_variant variant, const struct convoy_conv *p,
                        const char *text)
{
    char found[CONVOY_TUNE_TEXT_BYTES] = "";
    struct gpu_tuning *const tuning = gpu_tuning_open(who, &host);
    assert_non_null(tuning);
    assert_int_equal(gpu_tuning_find(tuning, variant, &p->head, found, sizeof found), text != NULL);
    assert_string_equal(found, text ? text : "");
    gpu_tuning_close(tuning);
}

static void keep_one(enum gpu_variant variant, const struct convoy_conv *p, const char *text)
{
    struct gpu_tuning *const tuning = gpu_tuning_open(&owner, &host);
    assert_non_null(tuning);
    assert_int_equal(gpu_tuning_keep(tuning, variant, &p->head, text, NULL), CONVOY_OK);
    gpu_tuning_close(tuning);
}

static void append(const char *text)
{
    FILE *const file = fopen(path, "a");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static void test_choices_come_back(void **state)
{
    (void)state;
    const struct convoy_conv a = conv(CONVOY_CONV_FWD, 1, 8, 8, 8, 3, 1, 1), b = conv(CONVOY_CONV_FWD, 2, 8, 8, 8, 3, 1, 1);
    struct convoy_conv with_bias = a;
    with_bias.head.flags = CONVOY_WITH_BIAS;
    expect_kept(&owner, GPU_GEMM, &a, NULL);
    keep_one(GPU_GEMM, &a, "64x64x16/4x4");
    keep_one(GPU_DIRECT, &a, "g64");
    keep_one(GPU_GEMM, &a, "32x32x16/4x4"); /* in place of the first */
    expect_kept(&owner, GPU_GEMM, &a, "32x32x16/4x4");
    expect_kept(&owner, GPU_DIRECT, &a, "g64");
    expect_kept(&owner, GPU_GEMM, &b, NULL);
    expect_kept(&owner, GPU_GEMM, &with_bias, NULL);
    expect_kept(&(struct gpu_tuning_owner){"test", "1.0", "a\tdevice", "driver 2"}, GPU_GEMM, &a, NULL);
    expect_kept(&(struct gpu_tuning_owner){"test", "1.1", "a\tdevice", "driver 1"}, GPU_GEMM, &a, NULL);
    expect_kept(&(struct gpu_tuning_owner){"test", "1.0", "another", "driver 1"}, GPU_GEMM, &a, NULL);
    assert_int_equal(warnings, 0);
}

static void test_damaged_lines_are_named_and_stay(void **state)
{
    (void)state;
    static const struct {
        const char *line, *fault;
    } damage[] = {
        {"too\tfew\n", "it has fewer than 6 fields"},
        {"a\tb\tc\td\te\tf\tg\n", "it has more than 6 fields"},
        {"a\tb\tc\td\te\t\n", "its configuration is empty or too long"},
        {"a\tb\tc\td\te\t64x64 \n", "its configuration has characters that none has"},
        {"a device\tdriver 1\ttest 1.0\tgemm\top", "it does not end"},
    };
    const struct convoy_conv a = conv(CONVOY_CONV_FWD, 1, 8, 8, 8, 3, 1, 1), b = conv(CONVOY_CONV_FWD, 2, 8, 8, 8, 3, 1, 1);
    for (size_t d = 0; d < sizeof damage / sizeof *damage; d++) {
        char expected[256];
        unlink(path);
        keep_one(GPU_GEMM, &a, "64x64x16/4x4"); /* lines 1 and 2 */
        append(damage[d].line);
        warnings = 0;
        expect_kept(&owner, GPU_GEMM, &a, "64x64x16/4x4");
        assert_int_equal(warnings, 1);
        snprintf(expected, sizeof expected, "%s:3: %s; the line is ignored", path, damage[d].fault);
        assert_string_equal(heard, expected);
        keep_one(GPU_GEMM, &b, "g8"); /* after it, on a line of its own */
        expect_kept(&owner, GPU_GEMM, &b, "g8");
        expect_kept(&owner, GPU_GEMM, &a, "64x64x16/4x4");
    }
}

static void test_without_a_folder_nothing_is_kept(void **state)
{
    (void)state;
    struct convoy_error err = {.struct_size = sizeof err};
    const struct convoy_conv a = conv(CONVOY_CONV_FWD, 1, 8, 8, 8, 3, 1, 1);
    setenv("CONVOY_CACHE_PATH", "/nonexistent/folder", 1);
    struct gpu_tuning *const tuning = gpu_tuning_open(&owner, &host);
    assert_non_null(tuning);
    assert_int_equal(gpu_tuning_keep(tuning, GPU_GEMM, &a.head, "g64", &err), CONVOY_FAILED);
    assert_non_null(strstr(err.text, "CONVOY_CACHE_PATH"));
    gpu_tuning_close(tuning);
}

/* ---- instances ---- */

static void test_plans_take_what_is_forced_else_kept(void **state)
{
    (void)state;
    const struct convoy_conv p = conv(CONVOY_CONV_FWD, 4, 64, 28, 64, 3, 1, 1);
    struct gpu_instance instance = {.host = &host, .device = &gpu_like, .variant = GPU_GEMM};
    struct gpu_program program;
    struct convoy_error err = {.struct_size = sizeof err};
    char label[GPU_LABEL_BYTES];
    instance.tuning = gpu_tuning_open(&owner, &host);
    assert_non_null(instance.tuning);
    assert_int_equal(gpu_tuner.keep(&instance.base, &p.head, "no such", &err), CONVOY_INVALID);
    assert_int_equal(gpu_tuner.keep(&instance.base, &p.head, "128x64x16/8x4", &err), CONVOY_OK);
    assert_int_equal(gpu_instance_program(&instance, &p.head, &program, &err), CONVOY_OK);
    assert_true(program.tuned);
    assert_int_equal(program.step[0].constant[1], 64);
    gpu_program_label(&program, false, label);
    assert_string_equal(label, "implicit gemm 128x64x16/8x4 tuned");
    gpu_program_label(&program, true, label);
    assert_string_equal(label, "implicit 128x64x16/8x4 tuned, software");
    gpu_program_free(&program);

    assert_int_equal(gpu_tuner.force(&instance.base, "64x128x16/4x8", &err), CONVOY_OK);
    assert_int_equal(gpu_instance_program(&instance, &p.head, &program, &err), CONVOY_OK);
    assert_false(program.tuned);
    assert_int_equal(program.step[0].constant[1], 128);
    gpu_program_free(&program);
    assert_int_equal(gpu_tuner.force(&instance.base, "no such", &err), CONVOY_OK);
    assert_int_equal(gpu_instance_program(&instance, &p.head, &program, &err), CONVOY_UNSUPPORTED);
    assert_int_equal(gpu_tuner.force(&instance.base, NULL, &err), CONVOY_OK);

    /* kept by a build that had other configurations */
    assert_int_equal(gpu_tuning_keep(instance.tuning, GPU_GEMM, &p.head, "9x9x9/9x9", &err), CONVOY_OK);
    assert_int_equal(gpu_instance_program(&instance, &p.head, &program, &err), CONVOY_OK);
    assert_false(program.tuned);
    assert_non_null(strstr(heard, "\"9x9x9/9x9\""));
    gpu_program_label(&program, true, label);
    assert_string_equal(label, "implicit gemm, software device");
    gpu_program_free(&program);
    gpu_tuning_close(instance.tuning);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_configurations_keep_to_the_limits),
        cmocka_unit_test(test_there_is_something_to_choose_from),
        cmocka_unit_test_setup_teardown(test_choices_come_back, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(test_damaged_lines_are_named_and_stay, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(test_without_a_folder_nothing_is_kept, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(test_plans_take_what_is_forced_else_kept, make_folder, remove_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
