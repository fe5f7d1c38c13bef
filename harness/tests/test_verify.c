/* Verdicts: their names, the paths that no mutant takes, and no false alarm from backends that are right. */
#include "examinee.h"
#include "verify/twin.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static void test_names(void **state)
{
    (void)state;
    for (int v = 0; v < VERDICT_COUNT; v++)
        assert_int_equal(verdict_by_name(verdict_name((enum verdict)v)), v);
    assert_int_equal(verdict_by_name("PASSED"), VERDICT_COUNT);
    assert_string_equal(verdict_name(VERDICT_COUNT), "unknown");
    assert_false(verdict_is_failure(VERDICT_PASS, true));
    assert_false(verdict_is_failure(VERDICT_UNSUPPORTED, true));
    assert_false(verdict_is_failure(VERDICT_SKIPPED, true));
    assert_false(verdict_is_failure(VERDICT_MARGINAL, false));
    assert_true(verdict_is_failure(VERDICT_MARGINAL, true));
    assert_true(verdict_is_failure(VERDICT_NOT_RUN, false));
    assert_true(verdict_is_failure(VERDICT_MISTRUSTED, false));
}

static void test_first_failure_stays(void **state)
{
    struct finding finding = finding_none();
    (void)state;
    assert_true(finding_open(&finding));
    finding_set(&finding, VERDICT_MARGINAL, "first\nline");
    assert_true(finding_open(&finding));
    assert_string_equal(finding.reason, "first line");
    finding_set(&finding, VERDICT_MARGINAL, "second");
    assert_string_equal(finding.reason, "first line");
    finding_set(&finding, VERDICT_FAIL, "third");
    finding_set(&finding, VERDICT_CRASH, "fourth");
    assert_int_equal(finding.verdict, VERDICT_FAIL);
    assert_string_equal(finding.reason, "third");
    assert_false(finding_open(&finding));
}

static const char *const problems[] = {
    "conv_fwd:n2c3h8k4kh3p1",
    "conv_fwd:n1c1h1k1kh1",
    "conv_fwd:n2c6h9w7k9kh3g3p1s2b1",
    "conv_fwd:n1c4h12k4kh3d2p2r1b1",
    "conv_fwd:n2c5h7w11k3kh2kw4p2b1",
    "conv_fwd:n1c8h16k8kh5p4",
    "conv_fwd:n1c70h6k20kh1",
    "conv_fwd:n3c1h13k1kh3s3",
    "conv_fwd:n1c4h3k4kh3",
    "conv_bwd_data:n2c3h8k4kh3p1",
    "conv_bwd_data:n2c6h9w7k9kh3g3p1s2",
    "conv_bwd_data:n2c6h9w7k9kh2g3p1s3",
    "conv_bwd_data:n1c4h12k4kh3d2p2",
    "conv_bwd_weights:n2c3h8k4kh3p1b1",
    "conv_bwd_weights:n2c6h9w7k9kh3g3p1s2",
    "conv_bwd_weights:n1c4h12k4kh3d2p2",
    "conv_transpose:n1c4h5k3kh3s2p1",
    "conv_fwd:n1c16h9k16kh3g16p1",
    "maxpool_fwd:n2c3h8kh2s2",
    "maxpool_fwd:n2c3h9kh3s2p1",
    "maxpool_fwd:n1c2h20kh17s1",
    "maxpool_fwd:n2c3h9kh3s2p1noindex1",
    "maxpool_bwd:n2c3h9kh3s2p1",
    "maxpool_bwd:n1c2h20kh17s1",
    "avgpool_fwd:n2c3h8kh2s2",
    "avgpool_fwd:n2c3h9kh3s2p1ceil1",
    "avgpool_bwd:n2c3h9kh3s2p1ceil1",
    "avgpoolx_fwd:n2c3h9kh3s2p1",
    "avgpoolx_bwd:n2c3h9kh3s2p1",
    "l2pool_fwd:n2c3h9kh3s2p1",
    "l2pool_bwd:n2c3h9kh3s2p1",
    "avgpool_fwd:n2c3h7global1",
    "bn_train:n4c6h7",
    "bn_train:n1c3h1",
    "bn_train:n4c3h7r1",
    "bn_train:n2c2h30eps0.5",
    "bn_infer:n4c6h7",
    "bn_bwd:n4c6h7",
    "bn_bwd:n1c6h1",
    "relu:n1000",
    "leaky_bwd:n1000alpha0.1",
    "sigmoid:n1000",
    "tanh:n1000",
    "elu_bwd:n1000",
    "softplus:n1000",
    "softsign_bwd:n1000",
    "add:n1000",
    "scale:n1000alpha2beta3",
    "xent:n1000classes10",
    "xent_bwd:n1000classes10",
    "sgd:n1000",
};

static void expect_pass(const char *plugin, uint64_t seeds)
{
    struct examinee_plugins plugins;
    struct convoy_error err = error_none();
    int alarms = 0;
    if (access(plugin, R_OK) != 0) {
        print_message("%s was not built here\n", plugin);
        skip();
    }
    if (!examinee_load(plugin, &plugins, &err))
        fail_msg("%s", err.text);
    for (uint64_t seed = 1; seed <= seeds; seed++) {
        for (size_t i = 0; i < sizeof problems / sizeof problems[0]; i++) {
            const struct verify_options options = {.seed = seed};
            const struct finding found = examinee_run(&plugins, "", problems[i], &options);
            if (found.verdict == VERDICT_PASS || found.verdict == VERDICT_UNSUPPORTED)
                continue;
            print_message("%s, seed %d: %s: %s\n", problems[i], (int)seed, verdict_name(found.verdict), found.reason);
            alarms++;
        }
    }
    assert_int_equal(alarms, 0);
}

static void test_no_false_alarm_naive(void **state)
{
    (void)state;
    expect_pass(BUILD_DIR "/plugins/convoy_naive.so", 4);
}

static void test_no_false_alarm_im2col(void **state)
{
    (void)state;
    expect_pass(BUILD_DIR "/plugins/convoy_im2col.so", 4);
}

static struct finding run_mutant(const char *bug, const char *problem, const struct verify_options *options)
{
    struct examinee_plugins plugins;
    struct convoy_error err = error_none();
    setenv("CONVOY_MUTANT_BASE", BUILD_DIR "/plugins/convoy_naive.so", 1);
    if (!examinee_load(BUILD_DIR "/tests/plugins/convoy_mutant.so", &plugins, &err))
        fail_msg("%s", err.text);
    return examinee_run(&plugins, bug, problem, options);
}

/* Everything here counts as large: twins and samples must find what the whole comparison finds. */
static void test_large_problems(void **state)
{
    static const struct {
        const char *bug, *problem;
        enum verdict verdict;
        const char *says;
    } cases[] = {
        {"none", "conv_fwd:n4c40h30k40kh3p1", VERDICT_PASS, ""},
        {"none", "conv_bwd_weights:n4c40h30k40kh3p1s2", VERDICT_PASS, ""},
        {"none", "maxpool_fwd:n8c32h112kh3s2", VERDICT_PASS, ""},
        {"none", "bn_train:n4c64h56", VERDICT_PASS, ""},
        {"pad_off_by_one", "conv_fwd:n4c40h30k40kh3p1", VERDICT_FAIL, "in the twin conv_fwd:"},
        {"kernel_flipped", "conv_bwd_data:n4c40h30k40kh3p1", VERDICT_FAIL, "in the twin conv_bwd_data:"},
        {"last_channel_dropped", "conv_bwd_weights:n4c40h30k40kh3p1", VERDICT_FAIL, "in the twin"},
        {"padding_wins", "maxpool_fwd:n8c32h112kh3s2p1", VERDICT_FAIL, "y["},
        {"remainder_skipped", "conv_fwd:n1c3h301k3kh3p1", VERDICT_UNWRITTEN, "was not written"},
        {"none", "conv_bwd_data:n4c40h30k40kh3p1g4", VERDICT_PASS, ""},
        {"one_in_a_million", "conv_fwd:n2c16h110k16kh3b1", VERDICT_FAIL, "checksum"},
        {"one_in_a_million", "conv_bwd_data:n2c16h110k16kh3g2", VERDICT_FAIL, "checksum"},
        {"one_in_a_million", "conv_bwd_weights:n1c120h14k120kh3", VERDICT_FAIL, "checksum"},
        {"nan_left", "relu:n5000001", VERDICT_FAIL, "y[5000000]"},
    };
    static const struct verify_options options = {.seed = 5, .full_macs = 4000000};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct finding found = run_mutant(cases[i].bug, cases[i].problem, &options);
        if (found.verdict != cases[i].verdict || !strstr(found.reason, cases[i].says))
            fail_msg("%s %s: %s \"%s\"", cases[i].bug, cases[i].problem, verdict_name(found.verdict), found.reason);
    }
}

static void test_vacuous(void **state)
{
    static const struct verify_options options = {.seed = 5};
    (void)state;
    assert_int_equal(run_mutant("none", "scale:n100alpha0beta0", &options).verdict, VERDICT_MISTRUSTED);
    assert_int_equal(run_mutant("none", "xent:n5classes1", &options).verdict, VERDICT_PASS);      /* 0 by definition */
    assert_int_equal(run_mutant("none", "conv_fwd:c1h1k1kh1r1", &options).verdict, VERDICT_PASS); /* another draw helps */
}

static void test_memory_limit(void **state)
{
    static const struct verify_options options = {.seed = 5, .mem_limit_bytes = 100};
    (void)state;
    const struct finding found = run_mutant("workspace_is_zero", "conv_fwd:n1c3h8k3kh3", &options);
    assert_int_equal(found.verdict, VERDICT_SKIPPED);
    assert_non_null(strstr(found.reason, "256"));
    assert_int_equal(run_mutant("none", "conv_fwd:n1c3h8k3kh3", &options).verdict, VERDICT_PASS);
}

static void test_record(void **state)
{
    struct examinee_plugins plugins;
    struct convoy_error err = error_none();
    struct convoy_instance *instance = NULL;
    union problem problem;
    struct record record;
    (void)state;
    assert_true(examinee_load(BUILD_DIR "/plugins/convoy_naive.so", &plugins, &err));
    struct host *const host = host_open(1, &err);
    assert_non_null(host);
    assert_int_equal(loader_instance(plugins.subject, host_table(host), "", &instance, &err), CONVOY_OK);
    assert_int_equal(problem_parse("conv_fwd:n2c3h8k4kh3p1", &problem, &err), CONVOY_OK);
    const struct verify_subject subject = {plugins.subject, instance, host_table(host),
                                           plugins.reference->extension(CONVOY_REFEREE_ID), ""};
    const struct verify_options options = {.seed = 1};
    record_clear(&record);
    record.median_ns = 77;
    assert_int_equal(verify_run(&subject, &problem, &options, &record), VERDICT_PASS);
    assert_string_equal(record.verdict, "PASS");
    assert_string_equal(record.reason, "");
    assert_string_equal(record.numerics, "exact");
    assert_string_equal(record.accuracy_class, "exact");
    assert_true(record.algorithm[0] != '\0');
    assert_int_equal(record.workspace_bytes, 0);
    assert_int_equal(record.prepared_bytes, 0);
    assert_true(record.error_in_bounds > 0 && record.error_in_bounds <= 1);
    assert_true(record.l2_rel > 0 && record.l2_rel < 1e-7 && record.max_rel > 0 && record.backward_error > 0);
    assert_int_equal(record.median_ns, 77); /* not ours */
    problem.head.layout = 99;
    record_clear(&record);
    assert_int_equal(verify_run(&subject, &problem, &options, &record), VERDICT_UNSUPPORTED);
    assert_non_null(strstr(record.reason, "layout"));
    assert_true(isnan(record.error_in_bounds));
    instance->ops->close(instance);
    host_close(host);
}

static void test_twin(void **state)
{
    union problem large, twin;
    struct convoy_error err = error_none();
    const struct convoy_numerics f4 = {.kind = CONVOY_NUM_WINOGRAD, .m = 4, .r = 3, .split = 64};
    (void)state;
    assert_int_equal(problem_parse("conv_fwd:n16c515h55w58k259kh3p1s1", &large, &err), CONVOY_OK);
    assert_true(twin_of(&large, &f4, &twin));
    const struct convoy_conv *const p = &twin.conv;
    assert_true(p->n == 2 && p->kh == 3 && p->pad_t == 1 && p->stride_h == 1);
    assert_int_equal(p->oh % 4, 55 % 4);
    assert_int_equal(p->ow % 4, 58 % 4);
    assert_true(p->oh >= 8 && p->oh < 16);
    assert_int_equal(p->c % 16, 515 % 16);
    assert_true(p->c > 64); /* more than one partial sum */
    assert_int_equal(p->k % 16, 259 % 16);
    assert_int_equal(problem_parse("conv_bwd_data:n16c128h57k128kh3s2p1g128", &large, &err), CONVOY_OK);
    assert_true(twin_of(&large, &(struct convoy_numerics){.kind = CONVOY_NUM_DIRECT}, &twin));
    assert_true(p->c == p->groups && p->stride_h == 2 && (p->h + 2 - 3) % 2 == (57 + 2 - 3) % 2);
    assert_int_equal(problem_parse("relu:n1000000", &large, &err), CONVOY_OK);
    assert_false(twin_of(&large, &f4, &twin));
    assert_int_equal(problem_parse("conv_fwd:c1h2k1kh1", &large, &err), CONVOY_OK);
    assert_false(twin_of(&large, &f4, &twin));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_first_failure_stays),
        cmocka_unit_test(test_twin),
        cmocka_unit_test(test_record),
        cmocka_unit_test(test_vacuous),
        cmocka_unit_test(test_memory_limit),
        cmocka_unit_test(test_large_problems),
        cmocka_unit_test(test_no_false_alarm_naive),
        cmocka_unit_test(test_no_false_alarm_im2col),
    };
    return cmocka_run_group_tests_name("verify", tests, NULL, NULL);
}
