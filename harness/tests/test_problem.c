/* Problems as values: completing, refusing, equality; the same layer in other passes and batches; operations. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <string.h>

#include "core/problem.h"

static void parse(const char *text, union problem *problem)
{
    struct convoy_error err = {.struct_size = sizeof err};
    if (problem_parse(text, problem, &err))
        fail_msg("%s: %s", text, err.text);
}

/* ---- completing what programs build ---- */

static void test_complete_rejects(void **state)
{
    (void)state;
    struct convoy_error err = {.struct_size = sizeof err};
    union problem good, problem;
    parse("conv_fwd:n2c4h9k6kh3g2s2p1", &good);
    problem = good;
    problem.conv.pad_l = -1;
    assert_int_equal(problem_complete(&problem, &err), CONVOY_INVALID);
    assert_string_equal(err.text, "conv_fwd: pad pl is -1, must be at least 0");
    problem = good;
    problem.conv.groups = 0;
    assert_int_equal(problem_complete(&problem, &err), CONVOY_INVALID);
    assert_string_equal(err.text, "conv_fwd: g is 0, must be at least 1");
    problem = good;
    problem.head.flags = CONVOY_NO_INDEX;
    assert_int_equal(problem_complete(&problem, &err), CONVOY_INVALID);
    assert_int_equal(err.why, CONVOY_WHY_FLAGS);
    problem = good;
    problem.head.op = CONVOY_OP_COUNT;
    assert_int_equal(problem_complete(&problem, &err), CONVOY_INVALID);
    assert_int_equal(err.why, CONVOY_WHY_OP);
    problem.head.op = 0;
    assert_int_equal(problem_complete(&problem, &err), CONVOY_INVALID);
    assert_string_equal(problem_op_name(&problem), "unknown");
    assert_int_equal(problem_family(&problem), FAMILY_COUNT);
    problem = good;
    problem.conv.oh = 1;
    problem.conv.ow = 1;
    assert_int_equal(problem_complete(&problem, NULL), CONVOY_OK);
    assert_true(problem_equal(&problem, &good));

    parse("maxpool_fwd:c1h5kh2s2", &problem);
    problem.pool.kind = 5;
    assert_int_equal(problem_complete(&problem, &err), CONVOY_INVALID);
    parse("add:n4", &problem);
    problem.eltwise.alpha = (float)NAN;
    assert_int_equal(problem_complete(&problem, &err), CONVOY_INVALID);
    problem.eltwise.kind = CONVOY_ELT_COUNT;
    assert_int_equal(problem_complete(&problem, &err), CONVOY_INVALID);
    parse("bn_train:c4h1", &problem);
    problem.bn.eps = (float)NAN;
    assert_int_equal(problem_complete(&problem, &err), CONVOY_INVALID);
}

static void test_complete_keeps_pool_sizes(void **state)
{
    (void)state;
    union problem problem;
    parse("maxpool_fwd:c1h5kh2s2", &problem);
    assert_int_equal(problem.pool.oh, 2);
    problem.pool.oh = problem.pool.ow = 3;
    assert_int_equal(problem_complete(&problem, NULL), CONVOY_OK);
    assert_int_equal(problem.pool.oh, 3); /* a ceil rule */
    problem.pool.oh = 4;
    assert_int_equal(problem_complete(&problem, NULL), CONVOY_OK);
    assert_int_equal(problem.pool.oh, 2); /* no rule: floor */
    assert_int_equal(problem.pool.ow, 2);
    problem.pool.ow = 3;
    assert_int_equal(problem_complete(&problem, NULL), CONVOY_OK);
    assert_int_equal(problem.pool.ow, 2); /* one rule for both axes */
}

static void test_unused_members_do_not_matter(void **state)
{
    (void)state;
    union problem a, b;
    parse("relu:n4", &a);
    b = a;
    b.eltwise.alpha = 7;
    b.eltwise.beta = (float)NAN;
    b.eltwise.classes = 9;
    b.head.reserved = 3;
    assert_false(problem_equal(&a, &b));
    assert_int_equal(problem_complete(&b, NULL), CONVOY_OK);
    assert_true(problem_equal(&a, &b));
    parse("relu_bwd:n4", &b);
    assert_false(problem_equal(&a, &b));
    parse("bn_infer:c4h1", &b);
    assert_false(problem_equal(&a, &b));
}

/* ---- derived problems ---- */

static const struct {
    const char *fwd, *bwd_data, *bwd_weights; /* NULL: there is none */
} passes[] = {
    {"conv_fwd:n2c4h9k6kh3p1", "conv_bwd_data:n2c4h9k6kh3p1", "conv_bwd_weights:n2c4h9k6kh3p1"},
    {"maxpool_fwd:c4h5kh2s2ceil1", "maxpool_bwd:c4h5kh2s2ceil1", NULL},
    {"avgpoolx_fwd:c4h5kh3s2p1", "avgpoolx_bwd:c4h5kh3s2p1", NULL},
    {"bn_train:n2c4h5eps0.001", "bn_bwd:n2c4h5eps0.001", NULL},
    {"leaky:n7alpha0.2", "leaky_bwd:n7alpha0.2", NULL},
    {"tanh:n7alpha2beta3", "tanh_bwd:n7alpha2beta3", NULL},
    {"xent:n70classes7", "xent_bwd:n70classes7", NULL},
};

static void test_other_passes(void **state)
{
    (void)state;
    for (size_t at = 0; at < sizeof passes / sizeof *passes; at++) {
        const char *const text[PASS_COUNT] = {passes[at].fwd, passes[at].bwd_data, passes[at].bwd_weights};
        for (int from = 0; from < PASS_COUNT; from++) {
            for (int to = 0; text[from] && to < PASS_COUNT; to++) {
                union problem problem, other, expected;
                parse(text[from], &problem);
                assert_int_equal(problem_pass(&problem), from);
                assert_int_equal(problem_other_pass(&problem, (enum problem_pass)to, &other), text[to] != NULL);
                if (text[to]) {
                    parse(text[to], &expected);
                    assert_true(problem_equal(&other, &expected));
                }
            }
        }
    }
}

static void assert_other(const char *text, enum problem_pass pass, const char *expected)
{
    union problem problem, other;
    char printed[PROBLEM_TEXT_BYTES];
    parse(text, &problem);
    assert_int_equal(problem_other_pass(&problem, pass, &other), expected != NULL);
    if (expected) {
        problem_print(&other, printed, sizeof printed);
        assert_string_equal(printed, expected);
    }
}

static void test_passes_and_flags(void **state)
{
    (void)state;
    assert_other("conv_fwd:c4h9k6kh3b1r1", PASS_FWD, "conv_fwd:c4h9k6kh3b1r1");
    assert_other("conv_fwd:c4h9k6kh3b1r1", PASS_BWD_DATA, "conv_bwd_data:c4h9k6kh3");
    assert_other("conv_fwd:c4h9k6kh3b1r1", PASS_BWD_WEIGHTS, "conv_bwd_weights:c4h9k6kh3b1");
    assert_other("conv_bwd_weights:c4h9k6kh3b1", PASS_FWD, "conv_fwd:c4h9k6kh3b1");
    assert_other("maxpool_fwd:c4h9kh3noindex1", PASS_BWD_DATA, "maxpool_bwd:c4h9kh3");
    assert_other("bn_train:c4h9r1", PASS_BWD_DATA, "bn_bwd:c4h9");
    assert_other("bn_infer:c4h9", PASS_FWD, "bn_infer:c4h9");
    assert_other("bn_infer:c4h9", PASS_BWD_DATA, NULL);
    assert_other("xent_bwd:n4classes2alpha0.5", PASS_FWD, "xent:n4classes2");
    assert_other("add:n4", PASS_FWD, "add:n4");
    assert_other("add:n4", PASS_BWD_DATA, NULL);
    assert_other("mul:n4", PASS_BWD_WEIGHTS, NULL);
    assert_other("sgd:n4", PASS_BWD_WEIGHTS, "sgd:n4");
    assert_other("sgd:n4", PASS_FWD, NULL);
}

static void test_names(void **state)
{
    (void)state;
    union problem problem;
    parse("avgpoolx_bwd:c4h9kh3", &problem);
    assert_string_equal(problem_op_name(&problem), "avgpoolx_bwd");
    assert_string_equal(family_name(problem_family(&problem)), "pool");
    assert_string_equal(pass_name(problem_pass(&problem)), "bwd-data");
    parse("sgd:n4", &problem);
    assert_string_equal(family_name(problem_family(&problem)), "eltwise");
    assert_string_equal(pass_name(problem_pass(&problem)), "bwd-weights");
    parse("bn_bwd:c4h9", &problem);
    assert_string_equal(family_name(problem_family(&problem)), "bn");
    assert_string_equal(pass_name(problem_pass(&problem)), "bwd-data");
    parse("conv_fwd:c4h9k1kh3", &problem);
    assert_string_equal(family_name(problem_family(&problem)), "conv");
    assert_string_equal(pass_name(problem_pass(&problem)), "fwd");
    assert_string_equal(family_name(FAMILY_COUNT), "unknown");
    assert_string_equal(pass_name(PASS_COUNT), "unknown");
}

static void assert_batch(const char *text, int32_t n, const char *expected)
{
    union problem problem, other;
    char printed[PROBLEM_TEXT_BYTES];
    parse(text, &problem);
    assert_int_equal(problem_with_batch(&problem, n, &other, NULL), CONVOY_OK);
    problem_print(&other, printed, sizeof printed);
    assert_string_equal(printed, expected);
}

static void test_batches(void **state)
{
    (void)state;
    assert_batch("conv_fwd:n16c64h56k64kh3p1b1", 4, "conv_fwd:n4c64h56k64kh3p1b1");
    assert_batch("maxpool_fwd:c64h112kh3s2ceil1", 4, "maxpool_fwd:n4c64h112kh3s2ceil1");
    assert_batch("bn_train:n16c64h56", 1, "bn_train:c64h56");
    assert_batch("relu:n100", 4, "relu:n400");
    assert_batch("xent:n10classes10", 4, "xent:n40classes10");
    assert_batch("sgd:n100", 4, "sgd:n100");

    struct convoy_error err = {.struct_size = sizeof err};
    union problem problem, other;
    parse("relu:n1152921504606846976", &problem);
    assert_int_equal(problem_with_batch(&problem, 2, &other, &err), CONVOY_INVALID);
    assert_int_equal(problem_with_batch(&problem, INT32_MAX, &other, &err), CONVOY_INVALID);
    assert_int_equal(problem_with_batch(&problem, 0, &other, &err), CONVOY_INVALID);
    parse("conv_fwd:c64h4096k64kh3p1", &problem);
    assert_int_equal(problem_with_batch(&problem, INT32_MAX, &other, &err), CONVOY_INVALID);
    assert_int_equal(err.why, CONVOY_WHY_SIZE);
}

static int64_t flops(const char *text)
{
    union problem problem;
    parse(text, &problem);
    return problem_flops(&problem);
}

static void test_flops(void **state)
{
    (void)state;
    assert_int_equal(flops("conv_fwd:c32h64k64kh5b1"), 2 * INT64_C(184320000));
    assert_int_equal(flops("conv_bwd_data:c32h64k64kh5"), 2 * INT64_C(184320000));
    assert_int_equal(flops("conv_bwd_weights:c32h64k64kh5g32"), 2 * INT64_C(184320000) / 32);
    assert_int_equal(flops("maxpool_fwd:n2c3h9w7kh3kw2s2"), 2 * 3 * 4 * 3 * 6);
    assert_int_equal(flops("maxpool_bwd:n2c3h9w7kh3kw2s2"), 2 * 3 * 4 * 3 * 6);
    assert_int_equal(flops("bn_train:n2c3h4"), 6 * 96);
    assert_int_equal(flops("bn_infer:n2c3h4"), 2 * 96);
    assert_int_equal(flops("bn_bwd:n2c3h4"), 9 * 96);
    assert_int_equal(flops("relu:n100"), 100);
    assert_int_equal(flops("sgd:n100"), 800);
    assert_true(flops("sgd:n1152921504606846976") == INT64_MAX); /* eight times 2^60 */
    for (int32_t kind = 1; kind < CONVOY_ELT_COUNT; kind++) {
        const union problem problem = {.eltwise = {.head = {.op = CONVOY_ELTWISE}, .kind = kind, .count = 10}};
        assert_true(problem_flops(&problem) >= 10 && problem_flops(&problem) <= 100);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_complete_rejects),
        cmocka_unit_test(test_complete_keeps_pool_sizes),
        cmocka_unit_test(test_unused_members_do_not_matter),
        cmocka_unit_test(test_other_passes),
        cmocka_unit_test(test_passes_and_flags),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_batches),
        cmocka_unit_test(test_flops),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
