/* The planner without a device: what every program must keep to, for the shapes of the small tables and for devices with narrow
 * limits; the hazard tracker; the divisors and Winograd's matrices that the kernels use. */
#include "conv.h"
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

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
static const struct gpu_device least = {
    /* what Vulkan 1.2 guarantees */
    .vector = 4,
    .lanes = 8,
    .group_most = 128,
    .grid_most = 65535,
    .shared_bytes = 16384,
    .align_bytes = 256,
    .range_bytes = (uint64_t)1 << 27,
    .workspace_bytes = (uint64_t)1 << 28,
};
static const struct gpu_device cpu_like = {
    .cpu_family = true,
    .vector = 4,
    .lanes = 8,
    .group_most = 1024,
    .grid_most = 65535,
    .shared_bytes = 32768,
    .align_bytes = 256,
    .cores = 2,
    .range_bytes = (uint64_t)1 << 27,
    .workspace_bytes = (uint64_t)1 << 30,
};
static const struct gpu_device narrow = {
    /* slices everywhere */
    .cpu_family = true,    .vector = 16,       .lanes = 1,           .group_most = 256,          .grid_most = 1000,
    .shared_bytes = 16384, .align_bytes = 256, .range_bytes = 16384, .workspace_bytes = 1 << 20,
};
static const struct gpu_device *const devices[] = {&gpu_like, &least, &cpu_like, &narrow};
enum { DEVICE_COUNT = sizeof devices / sizeof *devices };

static struct convoy_conv conv(convoy_op op, int32_t n, int32_t c, int32_t h, int32_t k, int32_t kernel, int32_t stride,
                               int32_t pad, int32_t dilation, int32_t groups)
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
        .dil_h = dilation,
        .dil_w = dilation,
        .pad_t = pad,
        .pad_b = pad,
        .pad_l = pad,
        .pad_r = pad,
    };
    p.oh = p.ow = (int32_t)convoy_out_extent(h, pad, pad, kernel, stride, dilation);
    return p;
}

/* ---- what holds for every step ---- */

static void check_step(const struct gpu_device *device, const struct gpu_program *program, const struct gpu_step *step)
{
    const struct gpu_module *const module = &gpu_modules[step->module];
    bool writes = false;
    assert_true(step->group >= 1 && step->group <= device->group_most);
    assert_true(step->grid_x >= 1 && step->grid_x <= device->grid_most);
    assert_true(step->grid_y >= 1 && step->grid_y <= device->grid_most);
    assert_true(step->phase < CONVOY_PHASE_COUNT);
    for (uint32_t b = 0; b < GPU_BINDS_MOST; b++) {
        const struct gpu_bind *const bind = &step->bind[b];
        if (!bind->bytes)
            continue;
        assert_true(b < module->binds);
        assert_true(bind->bytes <= device->range_bytes);
        assert_int_equal(bind->bytes % 4, 0);
        writes = writes || (bind->access & GPU_WRITE);
        if (bind->slot == CONVOY_WORKSPACE || bind->slot == CONVOY_PREPARED) {
            assert_int_equal(bind->offset % device->align_bytes, 0);
            assert_true(bind->offset + bind->bytes <=
                        (bind->slot == CONVOY_WORKSPACE ? program->workspace_bytes : program->prepared_bytes));
        }
    }
    assert_true(writes);
}

static void check_program(const struct gpu_device *device, enum gpu_variant variant, const struct convoy_problem *problem)
{
    struct gpu_program program;
    struct convoy_error err = {.struct_size = sizeof err};
    const convoy_status status = gpu_program_make(device, variant, problem, &program, &err);
    assert_int_equal(gpu_program_make(device, variant, problem, NULL, &err), status);
    if (status != CONVOY_OK) {
        assert_int_equal(status, CONVOY_UNSUPPORTED);
        assert_true(err.why != CONVOY_WHY_NONE && err.text[0]);
        return;
    }
    assert_true(program.step_count > 0);
    assert_true(program.workspace_bytes <= device->workspace_bytes);
    assert_int_equal(program.prepare_count > 0, program.prepared_bytes > 0);
    assert_true(strlen(program.algorithm) > 0 && strlen(program.algorithm) <= 22);
    assert_int_equal(program.reads & program.writes &
                         ~(GPU_SLOT(W) | GPU_SLOT(X2) | GPU_SLOT(RUN_MEAN) | GPU_SLOT(RUN_VAR) | GPU_SLOT(INDEX)),
                     0);
    for (uint32_t s = 0; s < program.prepare_count; s++)
        check_step(device, &program, &program.prepare[s]);
    for (uint32_t s = 0; s < program.step_count; s++)
        check_step(device, &program, &program.step[s]);
    gpu_program_free(&program);
}

static void test_programs_keep_to_the_limits(void **state)
{
    (void)state;
    static const int32_t shapes[][9] = {
        /* n, c, h, k, kernel, stride, pad, dilation, groups */
        {2, 3, 8, 8, 3, 1, 1, 1, 1},  {1, 64, 28, 64, 3, 1, 1, 1, 1}, {4, 16, 14, 32, 1, 1, 0, 1, 1},
        {2, 8, 15, 8, 7, 2, 3, 1, 1}, {1, 8, 9, 8, 3, 2, 1, 2, 1},    {3, 8, 9, 16, 3, 1, 1, 1, 4},
        {2, 9, 11, 9, 3, 2, 1, 1, 9}, {1, 4, 7, 4, 1, 2, 0, 1, 1},    {1, 2, 12, 2, 2, 5, 0, 3, 1},
    };
    for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++) {
        const int32_t *const e = shapes[s];
        for (convoy_op op = CONVOY_CONV_FWD; op <= CONVOY_CONV_BWD_WEIGHTS; op++) {
            const struct convoy_conv p = conv(op, e[0], e[1], e[2], e[3], e[4], e[5], e[6], e[7], e[8]);
            for (int d = 0; d < DEVICE_COUNT; d++) {
                for (int v = 0; v < GPU_VARIANT_COUNT; v++)
                    check_program(devices[d], (enum gpu_variant)v, &p.head);
            }
        }
    }
}

static void test_weights_beyond_a_range_are_cut(void **state)
{
    (void)state;
    struct gpu_device device = cpu_like;
    device.range_bytes = 32768;
    for (convoy_op op = CONVOY_CONV_FWD; op <= CONVOY_CONV_BWD_WEIGHTS; op++) {
        const struct convoy_conv p = conv(op, 1, 64, 4, 64, 4, 1, 0, 1, 1); /* 256 KiB of weights */
        struct gpu_program program;
        struct convoy_error err = {.struct_size = sizeof err};
        device.cpu_family = false;
        assert_int_equal(gpu_program_make(&device, GPU_GEMM, &p.head, &program, &err), CONVOY_OK);
        assert_true(program.step_count >= 8);
        gpu_program_free(&program);
        check_program(&device, GPU_GEMM, &p.head);
        check_program(&device, GPU_DIRECT, &p.head);
    }
}

static void test_other_operations(void **state)
{
    (void)state;
    for (int d = 0; d < DEVICE_COUNT; d++) {
        for (int32_t kind = CONVOY_ELT_RELU; kind < CONVOY_ELT_COUNT; kind++) {
            const struct convoy_eltwise p = {
                .head = {.struct_size = sizeof p, .op = CONVOY_ELTWISE, .dtype = CONVOY_F32, .layout = CONVOY_NCHW},
                .count = 12000,
                .kind = kind,
                .classes = 10,
                .alpha = 1,
                .beta = 1,
            };
            check_program(devices[d], GPU_GEMM, &p.head);
        }
        for (convoy_op op = CONVOY_BN_TRAIN; op <= CONVOY_BN_BWD; op++) {
            const struct convoy_bn p = {
                .head = {.struct_size = sizeof p, .op = op, .dtype = CONVOY_F32, .layout = CONVOY_NCHW},
                .n = 7,
                .c = 5,
                .h = 9,
                .w = 11,
                .eps = 1e-5f,
                .momentum = 0.1f,
            };
            check_program(devices[d], GPU_GEMM, &p.head);
        }
        for (int32_t kind = CONVOY_POOL_MAX; kind <= CONVOY_POOL_L2; kind++) {
            for (convoy_op op = CONVOY_POOL_FWD; op <= CONVOY_POOL_BWD; op++) {
                const struct convoy_pool p = {
                    .head = {.struct_size = sizeof p, .op = op, .dtype = CONVOY_F32, .layout = CONVOY_NCHW},
                    .n = 3,
                    .c = 17,
                    .h = 9,
                    .w = 9,
                    .kind = kind,
                    .kh = 3,
                    .kw = 3,
                    .stride_h = 2,
                    .stride_w = 2,
                    .dil_h = 1,
                    .dil_w = 1,
                    .pad_t = 1,
                    .pad_b = 1,
                    .pad_l = 1,
                    .pad_r = 1,
                    .oh = 5,
                    .ow = 5,
                };
                check_program(devices[d], GPU_GEMM, &p.head);
            }
        }
    }
}

static void test_refusals(void **state)
{
    (void)state;
    struct convoy_error err = {.struct_size = sizeof err};
    struct convoy_conv p = conv(CONVOY_CONV_FWD, 1, 4, 8, 4, 5, 1, 0, 1, 1);
    assert_int_equal(gpu_program_make(&gpu_like, GPU_WINOGRAD, &p.head, NULL, &err), CONVOY_UNSUPPORTED);
    assert_int_equal(err.why, CONVOY_WHY_KERNEL);
    p.head.dtype = 77;
    assert_int_equal(gpu_program_make(&gpu_like, GPU_GEMM, &p.head, NULL, &err), CONVOY_UNSUPPORTED);
    assert_int_equal(err.why, CONVOY_WHY_DTYPE);
    p.head.dtype = CONVOY_F32;
    p.groups = 3;
    assert_int_equal(gpu_program_make(&gpu_like, GPU_GEMM, &p.head, NULL, &err), CONVOY_INVALID);
    p = conv(CONVOY_CONV_FWD, 1, 64, 128, 4, 3, 1, 1, 1, 1); /* an image of 4 MiB */
    assert_int_equal(gpu_program_make(&narrow, GPU_GEMM, &p.head, NULL, &err), CONVOY_UNSUPPORTED);
    assert_int_equal(err.why, CONVOY_WHY_SIZE);
    assert_int_equal(gpu_variant_find("gemm"), GPU_GEMM);
    assert_int_equal(gpu_variant_find(NULL), GPU_GEMM);
    assert_int_equal(gpu_variant_find("nothing of the kind"), GPU_VARIANT_COUNT);
}

/* ---- little memory ---- */

struct pinched { /* a memory domain with room for `room_bytes`, which only counts */
    struct convoy_memory domain;
    struct convoy_buffer buffer;
    uint64_t room_bytes;
};

static convoy_status pinched_alloc(struct convoy_memory *domain, uint64_t bytes, struct convoy_buffer **out,
                                   struct convoy_error *err)
{
    struct pinched *const pinched = (struct pinched *)domain;
    if (bytes > pinched->room_bytes)
        return convoy_fail(err, CONVOY_NO_MEMORY, CONVOY_WHY_MEMORY, "no room");
    *out = &pinched->buffer;
    return CONVOY_OK;
}

static void pinched_free(struct convoy_memory *domain, struct convoy_buffer *buffer)
{
    (void)domain, (void)buffer;
}

static void test_less_memory_means_smaller_chunks_then_other_algorithms(void **state)
{
    (void)state;
    static const struct {
        bool cpu_family;
        enum gpu_variant variant;
        const char *algorithm[3]; /* with enough, with a sixteenth, with next to nothing */
    } cases[] = {
        {true, GPU_WINOGRAD, {"F(4x4,3x3)", "F(4x4,3x3)", "direct, no room"}},
        {false, GPU_WINOGRAD, {"F(4x4,3x3)", "F(4x4,3x3)", "implicit gemm, no room"}},
        {true, GPU_GEMM, {"lowered gemm", "lowered gemm", "direct, no room"}},
        {false, GPU_IM2COL, {"lowered gemm", "lowered gemm", "direct, no room"}},
        {false, GPU_DIRECT, {"direct", "direct", "direct"}},
    };
    struct convoy_error err = {.struct_size = sizeof err};
    const struct convoy_conv p = conv(CONVOY_CONV_FWD, 64, 16, 56, 16, 3, 1, 1, 1, 1);
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        struct gpu_device device = cases[c].cpu_family ? cpu_like : gpu_like;
        struct gpu_program program;
        uint64_t whole = 0;
        for (int limit = 0; limit < 3; limit++) {
            if (limit)
                device.workspace_bytes = limit == 1 ? whole / 16 : 2048;
            assert_int_equal(gpu_program_make(&device, cases[c].variant, &p.head, &program, &err), CONVOY_OK);
            assert_string_equal(program.algorithm, cases[c].algorithm[limit]);
            whole = program.workspace_bytes + program.prepared_bytes;
            assert_true(whole <= device.workspace_bytes);
            const bool winograd = !strncmp(program.algorithm, "F(", 2); /* the declaration is of what runs */
            assert_int_equal(program.numerics.kind == CONVOY_NUM_WINOGRAD, winograd);
            gpu_program_free(&program);
            check_program(&device, cases[c].variant, &p.head);
        }
    }
}

static void test_refused_memory_is_planned_around(void **state)
{
    (void)state;
    struct convoy_error err = {.struct_size = sizeof err};
    struct pinched pinched = {.domain = {.alloc = pinched_alloc, .free = pinched_free}, .room_bytes = (uint64_t)4 << 20};
    const struct convoy_conv p = conv(CONVOY_CONV_FWD, 64, 16, 56, 16, 3, 1, 1, 1, 1);
    struct gpu_program program;
    assert_int_equal(gpu_program_fit(&cpu_like, GPU_WINOGRAD, &p.head, &pinched.domain, &program, &err), CONVOY_OK);
    assert_string_equal(program.algorithm, "F(4x4,3x3)");
    assert_true(program.workspace_bytes > 0 && program.workspace_bytes <= pinched.room_bytes);
    gpu_program_free(&program);
    pinched.room_bytes = 0;
    assert_int_equal(gpu_program_fit(&cpu_like, GPU_WINOGRAD, &p.head, &pinched.domain, &program, &err), CONVOY_OK);
    assert_string_equal(program.algorithm, "direct, no room");
    gpu_program_free(&program);
    const struct convoy_bn bn = {
        .head = {.struct_size = sizeof bn, .op = CONVOY_BN_BWD, .dtype = CONVOY_F32, .layout = CONVOY_NCHW},
        .n = 7,
        .c = 5,
        .h = 9,
        .w = 11,
        .eps = 1e-5f};
    assert_int_equal(gpu_program_fit(&cpu_like, GPU_GEMM, &bn.head, &pinched.domain, &program, &err), CONVOY_NO_MEMORY);
}

/* Every dx belongs to one phase, and a phase's taps are those that reach it. */
static void test_phases_cover_the_gradient(void **state)
{
    (void)state;
    for (int32_t stride = 1; stride <= 4; stride++) {
        for (int32_t dilation = 1; dilation <= 3; dilation++) {
            const struct convoy_conv p = conv(CONVOY_CONV_BWD_DATA, 1, 1, 13, 1, 3, stride, 2, dilation, 1);
            int taps[13] = {0};
            for (int32_t ph = 0; ph < stride; ph++) {
                struct pass pass;
                if (!pass_phase(&p, ph, 0, &pass))
                    continue;
                for (int32_t t = 0; t < pass.shape.oh; t++) {
                    const int32_t h = ph + t * stride;
                    assert_true(h < p.h);
                    taps[h] += 100; /* once */
                    for (int32_t r = 0; r < pass.shape.taps_h; r++) {
                        const int32_t oh = t + pass.shape.off_h + r * pass.shape.step_h;
                        const int32_t kernel = (pass.shape.w_first + r * pass.shape.w_r) / p.kw;
                        assert_int_equal(oh * stride - p.pad_t + kernel * dilation, h);
                        taps[h] += oh >= 0 && oh < p.oh;
                    }
                }
            }
            for (int32_t h = 0; h < p.h; h++) {
                int expected = 100;
                for (int32_t oh = 0; oh < p.oh; oh++) {
                    for (int32_t r = 0; r < p.kh; r++)
                        expected += oh * stride - p.pad_t + r * dilation == h;
                }
                /* Column 0 has no tap in some strided layers, and then the phase is all zeros. */
                if (taps[h] != 100)
                    assert_int_equal(taps[h], expected);
            }
        }
    }
}

/* ---- arithmetic of the kernels ---- */

static void test_divisors(void **state)
{
    (void)state;
    static const uint32_t values[] = {0, 1, 2, 6, 7, 8, 27, 28, 783, 784, 65535, 65536, 12345678, INT32_MAX - 1, INT32_MAX};
    for (int64_t d = 1; d < 3000000000; d = d < 300 ? d + 1 : d * 3 / 2 + 1) {
        if (d > INT32_MAX)
            break;
        const struct divisor divisor = divisor_of(d);
        for (size_t v = 0; v < sizeof values / sizeof *values; v++) {
            const uint32_t n = values[v], high = (uint32_t)((uint64_t)n * divisor.mul >> 32);
            assert_int_equal((high + n) >> divisor.shift, n / (uint32_t)d);
        }
    }
}

#define TABLE(name, count) static const float name##_4[count]
#define M 4
#include "text/winograd_matrices.kernel"
#undef M
#undef ALPHA
#undef TABLE
#define TABLE(name, count) static const float name##_2[count]
#define M 2
#include "text/winograd_matrices.kernel"

/* A^T [(G w) .* (B^T x)] is the correlation, for every pair of unit vectors. */
static void check_matrices(int m, const float *at, const float *g, const float *bt)
{
    const int alpha = m + 2;
    for (int w = 0; w < 3; w++) {
        for (int x = 0; x < alpha; x++) {
            for (int y = 0; y < m; y++) {
                double sum = 0;
                for (int i = 0; i < alpha; i++)
                    sum += (double)at[y * alpha + i] * (double)g[i * 3 + w] * (double)bt[i * alpha + x];
                assert_true(sum - (x == y + w) < 1e-6 && sum - (x == y + w) > -1e-6);
            }
        }
    }
}

static void test_winograd_matrices(void **state)
{
    (void)state;
    check_matrices(2, matrix_at_2, matrix_g_2, matrix_bt_2);
    check_matrices(4, matrix_at_4, matrix_g_4, matrix_bt_4);
}

/* ---- long launches ---- */

static void test_parts_cover_a_launch_once(void **state)
{
    (void)state;
    static const double limits[] = {1e9, 1000, 299, 100, 37, 7, 1, 1e-3};
    struct gpu_step step = {.module = GPU_WIDE, .grid_x = 37, .grid_y = 8, .flops = 296};
    struct gpu_pace pace;
    gpu_pace_open(&pace, 1, 0.5);
    for (size_t l = 0; l < sizeof limits / sizeof *limits; l++) {
        pace.launch_ns = limits[l];
        struct gpu_part part = {0};
        uint32_t next = 0;
        double share = 0;
        while (gpu_part_next(&pace, &step, &part)) {
            assert_int_equal(part.first, next);
            assert_true(part.grid_x >= 1 && part.grid_x <= step.grid_x && part.grid_y >= 1 && part.grid_y <= step.grid_y);
            assert_true(part.grid_x * part.grid_y == 1 || part.grid_x * part.grid_y <= limits[l]);
            next += part.grid_x * part.grid_y;
            share += gpu_part_share(&step, &part);
        }
        assert_int_equal(next, 296);
        assert_float_equal(share, 1, 1e-9);
    }
    pace.launch_ns = 296; /* all at once */
    struct gpu_part part = {0};
    assert_true(gpu_part_next(&pace, &step, &part) && !gpu_part_next(&pace, &step, &part));
}

static void test_pace_follows_what_is_measured(void **state)
{
    (void)state;
    const struct gpu_step step = {.module = GPU_WIDE, .grid_x = 1, .grid_y = 1, .flops = 1e6};
    const struct gpu_step copy = {.module = GPU_MAP, .grid_x = 1, .grid_y = 1, .bind = {{.bytes = 500}, {.bytes = 500}}};
    struct gpu_pace pace;
    gpu_pace_open(&pace, 10, 1);
    assert_float_equal(gpu_pace_ns(&pace, &step), 1e5, 0);
    assert_float_equal(gpu_pace_ns(&pace, &copy), 100, 0); /* what has no operations takes the time of its bytes */
    struct gpu_batch batch = {0};
    gpu_batch_add(&batch, &pace, &step, 1);
    gpu_pace_learn(&pace, &batch, 1e4); /* ten times as fast: twice at most */
    assert_float_equal(gpu_pace_ns(&pace, &step), 5e4, 0);
    assert_float_equal(gpu_pace_ns(&pace, &copy), 100, 0);
    gpu_pace_learn(&pace, &batch, 1e6); /* ten times as slow */
    assert_float_equal(gpu_pace_ns(&pace, &step), 5e5, 1);
    gpu_pace_learn(&pace, &batch, 1e9); /* not below the least */
    assert_float_equal(gpu_pace_ns(&pace, &step), 1e6, 1);
}

/* ---- hazards ---- */

static void test_hazards(void **state)
{
    (void)state;
    const char a = 0, b = 0;
    struct gpu_hazards *const hazards = gpu_hazards_open();
    assert_non_null(hazards);
    assert_false(gpu_hazards_note(hazards, &a, 0, 100, GPU_WRITE));
    assert_false(gpu_hazards_note(hazards, &a, 0, 100, GPU_READ)); /* one launch does not conflict with itself */
    gpu_hazards_launched(hazards);
    assert_false(gpu_hazards_note(hazards, &a, 100, 50, GPU_READ)); /* behind it */
    assert_false(gpu_hazards_note(hazards, &b, 0, 100, GPU_WRITE)); /* another buffer */
    gpu_hazards_launched(hazards);
    assert_true(gpu_hazards_note(hazards, &a, 99, 1, GPU_READ)); /* read after write */
    gpu_hazards_barrier(hazards);
    gpu_hazards_launched(hazards);
    assert_false(gpu_hazards_note(hazards, &a, 99, 1, GPU_READ)); /* two readers */
    gpu_hazards_launched(hazards);
    assert_true(gpu_hazards_note(hazards, &a, 0, 100, GPU_WRITE)); /* write after read */
    gpu_hazards_barrier(hazards);
    gpu_hazards_launched(hazards);
    assert_true(
        gpu_hazards_note(hazards, &a, 50, 1, GPU_WRITE)); /* write after write: the barrier kept the launch being recorded */
    gpu_hazards_barrier(hazards);
    gpu_hazards_launched(hazards);
    for (uint64_t range = 0; range < 1000; range++)
        assert_false(gpu_hazards_note(hazards, &b, range * 8, 4, GPU_WRITE));
    gpu_hazards_launched(hazards);
    assert_true(gpu_hazards_note(hazards, &b, 999 * 8, 4, GPU_READ));
    gpu_hazards_close(hazards);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_programs_keep_to_the_limits),
        cmocka_unit_test(test_weights_beyond_a_range_are_cut),
        cmocka_unit_test(test_other_operations),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_less_memory_means_smaller_chunks_then_other_algorithms),
        cmocka_unit_test(test_refused_memory_is_planned_around),
        cmocka_unit_test(test_phases_cover_the_gradient),
        cmocka_unit_test(test_divisors),
        cmocka_unit_test(test_winograd_matrices),
        cmocka_unit_test(test_parts_cover_a_launch_once),
        cmocka_unit_test(test_pace_follows_what_is_measured),
        cmocka_unit_test(test_hazards),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
