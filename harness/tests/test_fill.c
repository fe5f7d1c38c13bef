#include "examinee.h"
#include "verify/fill.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static struct host *host;
static struct oracle oracle;

static int open_oracle(void **state)
{
    struct examinee_plugins plugins;
    struct convoy_error err = error_none();
    (void)state;
    host = host_open(1, &err);
    if (!host || !examinee_load(BUILD_DIR "/plugins/convoy_naive.so", &plugins, &err))
        return -1;
    oracle = (struct oracle){plugins.reference->extension(CONVOY_REFEREE_ID), host_table(host)};
    return 0;
}

static int close_oracle(void **state)
{
    (void)state;
    host_close(host);
    return 0;
}

static struct tensors open_tensors(const char *text)
{
    union problem problem;
    struct tensors tensors;
    struct convoy_error err = error_none();
    if (problem_parse(text, &problem, &err) != CONVOY_OK)
        fail_msg("%s: %s", text, err.text);
    assert_true(tensors_open(&problem, &tensors));
    return tensors;
}

static struct tolerance tolerance_for(const struct tensors *tensors, struct convoy_numerics numerics)
{
    struct tolerance tolerance;
    struct finding finding = finding_none();
    assert_true(tolerance_of(&tensors->problem, &numerics, &tolerance, &finding));
    return tolerance;
}

static void test_same_seed_same_data(void **state)
{
    struct tensors a = open_tensors("conv_fwd:n2c3h5k4kh3b1"), b = open_tensors("conv_fwd:n2c3h5k4kh3b1");
    struct finding finding = finding_none();
    (void)state;
    assert_true(fill_with_pattern(&a, &oracle, 7, FILL_UNIFORM, &finding) &&
                fill_with_pattern(&b, &oracle, 7, FILL_UNIFORM, &finding));
    assert_memory_equal(a.data[CONVOY_X], b.data[CONVOY_X], (size_t)a.info[CONVOY_X].bytes);
    assert_memory_equal(a.data[CONVOY_W], b.data[CONVOY_W], (size_t)a.info[CONVOY_W].bytes);
    assert_true(fill_with_pattern(&b, &oracle, 8, FILL_UNIFORM, &finding));
    assert_memory_not_equal(a.data[CONVOY_X], b.data[CONVOY_X], (size_t)a.info[CONVOY_X].bytes);
    for (int64_t e = 0; e < a.info[CONVOY_X].elements; e++)
        assert_true(fabsf(tensors_f32(&a, CONVOY_X)[e]) <= 1);
    tensors_close(&a);
    tensors_close(&b);
}

/* The largest sum of |terms| of the first output. */
static double largest_sum(const struct tensors *tensors)
{
    struct answer answer;
    struct finding finding = finding_none();
    const uint32_t slot = tensors->problem.head.op == CONVOY_CONV_FWD ? CONVOY_Y : CONVOY_DW;
    double most = 0;
    assert_true(oracle_answer(&oracle, tensors, slot, NULL, 0, &answer, &finding));
    for (uint64_t e = 0; e < answer.count; e++)
        most = fmax(most, answer.terms[e].abs_sum);
    oracle_free(&answer);
    return most;
}

static void test_exact_integers_fit(void **state)
{
    static const char *const texts[] = {"conv_fwd:n1c1h3k1kh1", "conv_fwd:n1c512h4k2kh3p1", "conv_bwd_weights:n4c1h200k1kh3"};
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct tensors tensors = open_tensors(texts[i]);
        struct finding finding = finding_none();
        const struct tolerance tolerance = tolerance_for(&tensors, (struct convoy_numerics){.kind = CONVOY_NUM_DIRECT});
        const struct fill_integers integers = fill_choose_integers(&tensors.problem, &tolerance);
        assert_true(tolerance.exact_integers);
        assert_true(fill_with_integers(&tensors, &oracle, 1, &integers, &finding));
        const double most = largest_sum(&tensors);
        assert_true(most > 0 && most < 0x1p24);
        tensors_close(&tensors);
    }
}

static void test_rounded_integers_fit(void **state)
{
    struct tensors tensors = open_tensors("conv_fwd:n1c512h10k4kh3p1");
    const struct tolerance tolerance = tolerance_for(
        &tensors, (struct convoy_numerics){.kind = CONVOY_NUM_WINOGRAD, .m = 7, .r = 3, .points = CONVOY_POINTS_GOOD});
    const struct fill_integers integers = fill_choose_integers(&tensors.problem, &tolerance);
    struct answer answer;
    struct finding finding = finding_none();
    (void)state;
    assert_false(tolerance.exact_integers);
    assert_true(fill_with_integers(&tensors, &oracle, 1, &integers, &finding));
    assert_true(oracle_answer(&oracle, &tensors, CONVOY_Y, NULL, 0, &answer, &finding));
    double *const bound = calloc((size_t)answer.count, sizeof *bound);
    assert_true(tolerance_bounds(&tolerance, &tensors, &answer, bound, NULL));
    uint64_t nonzero = 0;
    for (uint64_t e = 0; e < answer.count; e++) {
        assert_true(bound[e] < 0.25);
        nonzero += answer.terms[e].value != 0;
    }
    assert_true(nonzero > answer.count / 2);
    free(bound);
    oracle_free(&answer);
    tensors_close(&tensors);
}

static void test_winograd_f2_weights(void **state)
{
    struct tensors tensors = open_tensors("conv_fwd:n1c64h6k2kh3p1");
    const struct tolerance tolerance = tolerance_for(
        &tensors, (struct convoy_numerics){.kind = CONVOY_NUM_WINOGRAD, .m = 2, .r = 3, .points = CONVOY_POINTS_GOOD});
    const struct fill_integers integers = fill_choose_integers(&tensors.problem, &tolerance);
    struct finding finding = finding_none();
    (void)state;
    assert_int_equal(integers.multiple, 4);
    assert_true(fill_with_integers(&tensors, &oracle, 1, &integers, &finding));
    for (int64_t e = 0; e < tensors.info[CONVOY_W].elements; e++)
        assert_true(fmodf(tensors_f32(&tensors, CONVOY_W)[e], 4) == 0);
    tensors_close(&tensors);
}

static void test_saved_state_is_consistent(void **state)
{
    struct finding finding = finding_none();
    (void)state;
    struct tensors pool = open_tensors("maxpool_bwd:n2c3h9kh3s2p1");
    assert_true(fill_with_pattern(&pool, &oracle, 1, FILL_UNIFORM, &finding));
    bool differ = false;
    for (int64_t e = 0; e < pool.info[CONVOY_INDEX].elements; e++) {
        const uint8_t index = ((const uint8_t *)pool.data[CONVOY_INDEX])[e];
        assert_true(index < 9);
        differ = differ || index != 0;
    }
    assert_true(differ);
    assert_true(((const uint8_t *)pool.data[CONVOY_INDEX])[0] >= 4); /* rows and columns of padding come first */
    tensors_close(&pool);

    struct tensors bn = open_tensors("bn_bwd:n2c3h4");
    assert_true(fill_with_pattern(&bn, &oracle, 1, FILL_UNIFORM, &finding));
    double sum = 0;
    for (int64_t i = 0; i < 32; i++)
        sum += (double)tensors_f32(&bn, CONVOY_X)[i / 16 * 48 + i % 16];
    assert_true(fabs(sum / 32 - (double)tensors_f32(&bn, CONVOY_SAVE_MEAN)[0]) < 1e-6);
    assert_true(tensors_f32(&bn, CONVOY_SAVE_ISTD)[0] > 1);
    tensors_close(&bn);

    struct tensors sigmoid = open_tensors("sigmoid_bwd:n50");
    assert_true(fill_with_pattern(&sigmoid, &oracle, 1, FILL_UNIFORM, &finding));
    for (int64_t e = 0; e < 50; e++)
        assert_true(tensors_f32(&sigmoid, CONVOY_Y)[e] >= 0 && tensors_f32(&sigmoid, CONVOY_Y)[e] <= 1);
    tensors_close(&sigmoid);
}

static void test_parameters(void **state)
{
    struct finding finding = finding_none();
    (void)state;
    struct tensors infer = open_tensors("bn_infer:n1c50h2");
    struct tensors xent = open_tensors("xent:n100classes10");
    assert_true(fill_with_pattern(&infer, &oracle, 1, FILL_LARGE_MEAN, &finding));
    for (int64_t c = 0; c < 50; c++)
        assert_true(tensors_f32(&infer, CONVOY_RUN_VAR)[c] > 0 && tensors_f32(&infer, CONVOY_GAMMA)[c] > 0);
    for (int64_t e = 0; e < infer.info[CONVOY_X].elements; e++)
        assert_true(fabsf(tensors_f32(&infer, CONVOY_X)[e] - 10) <= 1);
    assert_true(fill_with_pattern(&xent, &oracle, 1, FILL_UNIFORM, &finding));
    const int32_t *const label = xent.data[CONVOY_INDEX];
    for (int64_t row = 0; row < 10; row++)
        assert_true(row % 5 == 4 ? label[row] == -1 : label[row] >= 0 && label[row] < 10);
    tensors_close(&xent);
    tensors_close(&infer);
}

static void test_thinning_ends(void **state)
{
    struct fill_integers integers = {.image = 16, .weight = 16, .multiple = 4, .density = 1};
    (void)state;
    for (int turn = 0; turn < 4; turn++)
        integers = fill_thin_integers(integers);
    assert_int_equal(integers.image, 1);
    assert_int_equal(integers.weight, 1);
    assert_true(integers.density == 1);
    assert_true(fill_thin_integers(integers).density < 1);
    const struct fill_integers joined = fill_join_integers(integers, (struct fill_integers){3, 5, 1, 0.5});
    assert_true(joined.image == 1 && joined.weight == 1 && joined.multiple == 4 && joined.density == 0.5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_same_seed_same_data),
        cmocka_unit_test(test_exact_integers_fit),
        cmocka_unit_test(test_rounded_integers_fit),
        cmocka_unit_test(test_winograd_f2_weights),
        cmocka_unit_test(test_saved_state_is_consistent),
        cmocka_unit_test(test_parameters),
        cmocka_unit_test(test_thinning_ends),
    };
    return cmocka_run_group_tests_name("fill", tests, open_oracle, close_oracle);
}
