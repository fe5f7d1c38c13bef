/* The verifier verified: every known bug must get its own verdict, and the backends without one must pass. */
#include "examinee.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka needs the four above. */
#include <cmocka.h>

#if defined(__SANITIZE_ADDRESS__)
#define ADDRESS_SANITIZER
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ADDRESS_SANITIZER
#endif
#endif

enum { PROBLEMS = 4 };

/* The bug must get `verdict` on each of the problems, and the reason hold `says`. */
struct expectation {
    const char *bug;
    enum verdict verdict;
    const char *says;
    const char *problem[PROBLEMS];
};

#define CONV "conv_fwd:n2c6h11w9k8kh3p1"
#define BWD_DATA "conv_bwd_data:n2c6h11w9k8kh3p1"
#define BWD_WEIGHTS "conv_bwd_weights:n2c6h11w9k8kh3p1"
#define MAXPOOL "maxpool_fwd:n2c3h9kh3s2p1"
#define BN "bn_train:n4c6h7"

static const struct expectation expectations[] = {
    {"none", VERDICT_PASS, "", {CONV, BWD_DATA, BWD_WEIGHTS, MAXPOOL}},
    {"none", VERDICT_PASS, "", {BN, "bn_bwd:n4c6h7", "relu:n1000", "sgd:n100"}},
    {"pad_off_by_one", VERDICT_FAIL, "", {CONV, BWD_DATA, BWD_WEIGHTS, "conv_fwd:n1c1h5k1kh3p1"}},
    {"dilation_as_stride",
     VERDICT_FAIL,
     "",
     {"conv_fwd:n1c4h12k4kh3d2p2", "conv_bwd_data:n1c4h12k4kh3d2p2", "conv_bwd_weights:n1c4h12k4kh3d2p2"}},
    {"dilation_ignored",
     VERDICT_FAIL,
     "",
     {"conv_fwd:n1c4h12k4kh3d2p2", "conv_bwd_data:n1c4h12k4kh3d2p2", "conv_bwd_weights:n1c4h12k4kh3d2p2"}},
    {"strides_swapped",
     VERDICT_FAIL,
     "",
     {"conv_fwd:n1c4h12k4kh3sh1sw2", "conv_bwd_data:n1c4h12k4kh3sh1sw2", "conv_bwd_weights:n1c4h12k4kh3sh1sw2"}},
    {"groups_ignored",
     VERDICT_FAIL,
     "",
     {"conv_fwd:n2c6h9k9kh3g3p1", "conv_bwd_weights:n2c6h9k9kh3g3p1", "conv_fwd:n1c8h7k8kh3g8"}},
    {"kernel_transposed", VERDICT_FAIL, "", {CONV, BWD_DATA}},
    {"kernel_flipped", VERDICT_FAIL, "", {CONV, BWD_DATA, "conv_fwd:n1c3h6k2kh2"}},
    {"last_channel_dropped", VERDICT_FAIL, "", {CONV, BWD_DATA, BWD_WEIGHTS, "conv_fwd:n1c1h4k1kh1"}},
    {"last_weight_dropped", VERDICT_FAIL, "", {CONV, BWD_DATA}},
    {"half_precision", VERDICT_FAIL, "times the bound", {CONV, BWD_DATA, BWD_WEIGHTS}},
    {"accumulated", VERDICT_FAIL, "", {CONV, BWD_DATA, BWD_WEIGHTS, "avgpool_fwd:n2c3h8kh2s2"}},
    {"remainder_skipped", VERDICT_UNWRITTEN, "", {CONV, BWD_DATA, "conv_bwd_weights:n2c3h5k3kh3", "maxpool_fwd:n1c3h9kh3s2"}},
    {"bias_twice", VERDICT_FAIL, "", {"conv_fwd:n2c3h8k4kh3p1b1", "conv_fwd:n1c3h8k4kh1b1"}},
    {"dbias_of_one_image", VERDICT_FAIL, "", {"conv_bwd_weights:n2c3h8k4kh3p1b1"}},
    {"relu_forgotten", VERDICT_FAIL, "", {"conv_fwd:n2c3h8k4kh3p1b1r1", "bn_train:n4c3h7r1", "bn_infer:n4c3h7r1"}},
    {"denormals_flushed", VERDICT_FAIL, "denormal data", {CONV, BWD_DATA, BWD_WEIGHTS, MAXPOOL}},
    {"one_in_a_million", VERDICT_FAIL, "", {"conv_fwd:n1c1h400k1kh1", "relu:n200000", "avgpool_fwd:n1c2h500kh1"}},
    {"nan_to_zero", VERDICT_FAIL, "", {CONV, BWD_DATA, BWD_WEIGHTS, MAXPOOL}},
    {"nan_left", VERDICT_FAIL, "", {CONV, BWD_WEIGHTS, BN, "tanh:n100"}},
    {"race", VERDICT_NONDETERMINISTIC, "", {CONV, BWD_DATA, BWD_WEIGHTS, "bn_bwd:n4c6h7"}},
    {"depends_on_alignment", VERDICT_NONDETERMINISTIC, "alignment", {CONV, BWD_DATA, "avgpool_fwd:n2c3h7kh3"}},
    {"depends_on_threads", VERDICT_NONDETERMINISTIC, "thread", {CONV, BWD_DATA, "avgpool_fwd:n2c3h7kh3"}},
    {"replay", VERDICT_FAIL, "", {CONV, BWD_DATA, BWD_WEIGHTS, "relu:n100"}},
    {"run_var_biased", VERDICT_FAIL, "", {BN, "bn_train:n16c3h28"}},
    {"save_istd_unbiased", VERDICT_FAIL, "", {BN, "bn_train:n16c3h28"}},
    {"eps_outside_root", VERDICT_FAIL, "", {BN, "bn_train:n4c6h7eps0.1"}},
    {"eps_ignored", VERDICT_FAIL, "", {"bn_infer:n4c6h7eps0.1", "bn_train:n4c6h7eps0.1", BN}},
    {"momentum_reversed", VERDICT_FAIL, "", {BN}},
    {"run_mean_frozen", VERDICT_FAIL, "", {BN, "bn_train:n1c1h8"}},
    {"variance_in_one_pass", VERDICT_MARGINAL, "unstable", {"bn_train:n1c3h8"}},
    {"statistics_constant", VERDICT_FAIL, "", {"bn_bwd:n4c6h7"}},
    {"late_tie", VERDICT_FAIL, "", {MAXPOOL, "maxpool_fwd:n1c2h20kh4s1", "maxpool_fwd:n2c3h8kh2s2"}},
    {"nan_loses", VERDICT_FAIL, "", {MAXPOOL, "maxpool_fwd:n2c3h8kh2s2"}},
    {"padding_wins", VERDICT_FAIL, "", {MAXPOOL}},
    {"pool_pad_off_by_one",
     VERDICT_FAIL,
     "",
     {MAXPOOL, "avgpool_fwd:n2c3h9kh3s2p1", "l2pool_fwd:n2c3h9kh3s2p1", "maxpool_bwd:n2c3h9kh3s2p1"}},
    {"average_kinds_swapped",
     VERDICT_FAIL,
     "",
     {"avgpool_fwd:n2c3h9kh3s2p1", "avgpoolx_fwd:n2c3h9kh3s2p1", "avgpool_bwd:n2c3h9kh3s2p1"}},
    {"gradient_overwrites", VERDICT_FAIL, "", {"maxpool_bwd:n2c3h9kh3s1p1"}},
    {"zero_norm_divides", VERDICT_FAIL, "", {"l2pool_bwd:n2c3h9kh3s2p1"}},
    {"labels_counted", VERDICT_FAIL, "", {"xent:n100classes10", "xent_bwd:n100classes10"}},
    {"nesterov_ignored", VERDICT_FAIL, "", {"sgd:n100"}},
    {"decay_ignored", VERDICT_FAIL, "", {"sgd:n100"}},
    {"zero_is_positive", VERDICT_FAIL, "", {"relu_bwd:n1000"}},
    {"alpha_ignored",
     VERDICT_FAIL,
     "",
     {"leaky:n100alpha0.1", "elu:n100alpha0.5", "tanh:n100alpha2", "xent_bwd:n100classes10alpha0.5"}},
    {"beta_ignored", VERDICT_FAIL, "", {"scale:n100beta3", "add:n100beta3", "tanh:n100beta3"}},
    {"read_past_end", VERDICT_OOB_READ, "", {CONV, BWD_DATA, BWD_WEIGHTS, BN}},
    {"read_before_start", VERDICT_OOB_READ, "", {CONV, BWD_DATA, "relu:n33", MAXPOOL}},
    {"write_past_end", VERDICT_OOB_WRITE, "", {CONV, BWD_DATA, BWD_WEIGHTS, "relu:n33"}},
    {"write_before_start", VERDICT_OOB_WRITE, "", {CONV, BWD_DATA, BWD_WEIGHTS, "relu:n33"}},
    {"input_scribbled", VERDICT_DIRTY_INPUT, "", {CONV, BWD_DATA, BWD_WEIGHTS, MAXPOOL}},
    {"workspace_short", VERDICT_OOB_WRITE, "workspace", {CONV, BWD_DATA, BWD_WEIGHTS}},
    {"workspace_is_zero", VERDICT_FAIL, "", {CONV, BWD_DATA, BWD_WEIGHTS}},
#if !defined(ADDRESS_SANITIZER) /* which keeps a heap of its own */
    {"leak", VERDICT_LEAK, "", {CONV, BWD_WEIGHTS, MAXPOOL, BN}},
#endif
    {"crash", VERDICT_CRASH, "", {CONV, MAXPOOL}},
    {"abort", VERDICT_CRASH, "", {CONV}},
    {"exit", VERDICT_CRASH, "", {CONV}},
#if defined(__x86_64__)
    {"flush_to_zero_left", VERDICT_FPENV, "", {CONV, BN}},
    {"rounding_left", VERDICT_FPENV, "", {CONV, "relu:n33"}},
#endif
    {"prepared_stale", VERDICT_FAIL, "uniform data", {CONV, BWD_DATA}},
    {"prepared_unused", VERDICT_CONTRACT, "", {CONV, BWD_DATA}},
    {"prepared_scribbled", VERDICT_DIRTY_INPUT, "", {CONV, BWD_DATA}},
    {"no_algorithm", VERDICT_CONTRACT, "", {CONV, MAXPOOL}},
    {"impossible_numerics", VERDICT_CONTRACT, "", {CONV, MAXPOOL}},
    {"unknown_tile", VERDICT_CONTRACT, "", {CONV}},
    {"liar", VERDICT_LIAR, "", {CONV, BN}},
    {"plan_without_memory", VERDICT_OOM, "", {CONV}},
    {"execute_fails", VERDICT_FAIL, "", {CONV}},
    {"execute_declines", VERDICT_CONTRACT, "", {CONV}},
    {"refuses_silently", VERDICT_CONTRACT, "", {CONV}},
    {"refuses_as_invalid", VERDICT_CONTRACT, "", {CONV}},
};

static const struct verify_options plain_options = {.seed = 7, .full_macs = 10000000};

static void test_mutants(void **state)
{
    struct examinee_plugins plugins;
    struct convoy_error err = error_none();
    int survivors = 0;
    (void)state;
    setenv("CONVOY_MUTANT_BASE", BUILD_DIR "/plugins/convoy_naive.so", 1);
    if (!examinee_load(BUILD_DIR "/tests/plugins/convoy_mutant.so", &plugins, &err))
        fail_msg("%s", err.text);
    for (size_t m = 0; m < sizeof expectations / sizeof expectations[0]; m++) {
        const struct expectation *const expected = &expectations[m];
        for (size_t i = 0; i < PROBLEMS && expected->problem[i]; i++) {
            const struct finding found = examinee_run(&plugins, expected->bug, expected->problem[i], &plain_options);
            const bool said = strstr(found.reason, expected->says) != NULL;
            const bool caught = found.verdict == expected->verdict && said;
            survivors += !caught;
            print_message("%s %-22s %-40s %-16s %s\n", caught ? "  " : "!!", expected->bug, expected->problem[i],
                          verdict_name(found.verdict), found.reason);
        }
    }
    assert_int_equal(survivors, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_mutants)};
    return cmocka_run_group_tests_name("mutants", tests, NULL, NULL);
}
