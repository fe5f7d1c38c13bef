/* Synthetic samples with known effects: the verdicts, their limits, and how often noise alone is called a change. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/rng.h"
#include "report/diff.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { ROUNDS = 16, LAYERS = 50 };

/* Times of one layer: runner's own level times exp(sd * normal). */
struct series {
    double ns[DIFF_RUNNERS][2 * ROUNDS];
};

static void make(struct series *series, struct diff_layer *layer, uint64_t seed, double sd, double new_factor, double process_sd)
{
    for (uint64_t runner = 0; runner < DIFF_RUNNERS; runner++) {
        const double level = 1e6 * (runner >= DIFF_NEW ? new_factor : 1) * exp(process_sd * rng_normal(seed, 100 + runner, 0));
        for (uint64_t round = 0; round < 2 * ROUNDS; round++)
            series->ns[runner][round] = level * exp(sd * rng_normal(seed, runner, round));
        layer->ns[runner] = series->ns[runner];
    }
    layer->count = 1;
    layer->rounds = ROUNDS;
}

static void exact_numbers(void **state)
{
    (void)state;
    double old[12], twin[12], new[12], new_twin[12];
    for (size_t round = 0; round < 12; round++) {
        old[round] = 100 + (double)round;
        twin[round] = 1.01 * old[round];
        new[round] = 1.10 * old[round];
        new_twin[round] = 1.10 * twin[round];
    }
    const struct diff_layer layer[] = {{3, 12, {old, twin, new, new_twin}}};
    struct diff_result result, network;
    assert_true(diff_judge(layer, 1, 0.03, &result, &network));
    assert_true(fabs(result.effect - log(1.10)) < 1e-12);
    assert_true(fabs(result.low - log(1.10)) < 1e-12 && fabs(result.high - log(1.10)) < 1e-12);
    assert_true(fabs(result.floor - log(1.01)) < 1e-12);
    assert_true(fabs(result.least - log(1.03)) < 1e-12); /* above twice the floor */
    assert_true(fabs(result.p - 2.0 / 4096) < 1e-12);
    assert_true(fabs(result.p_equivalent - 1) < 1e-12);
    assert_true(fabs(result.old_ns - 105.5 * sqrt(1.01)) < 1e-9);
    assert_int_equal(result.verdict, DIFF_REGRESSED);
    assert_int_equal(network.verdict, DIFF_REGRESSED);
    assert_true(fabs(network.effect - log(1.10)) < 1e-12);
    assert_true(fabs(network.old_ns - 3 * 105.5 * sqrt(1.01)) < 1e-9);

    const struct diff_layer back[] = {{1, 12, {new, new_twin, old, twin}}};
    assert_true(diff_judge(back, 1, 0.03, &result, &network));
    assert_int_equal(result.verdict, DIFF_IMPROVED);
    const struct diff_layer same[] = {{1, 12, {old, twin, old, twin}}};
    assert_true(diff_judge(same, 1, 0.03, &result, &network));
    assert_int_equal(result.verdict, DIFF_EQUIVALENT);
    assert_true(fabs(result.p - 1) < 1e-12);
    assert_true(fabs(result.p_equivalent - 1.0 / 4096) < 1e-12);
}

/* A build that differs from itself by 4 % cannot show a change of 6 %, but one of 50 %; and never equality. */
static void noise_floor_limits_what_can_be_said(void **state)
{
    (void)state;
    static const struct {
        double factor;
        enum diff_verdict verdict;
    } cases[] = {{1.00, DIFF_INCONCLUSIVE}, {1.06, DIFF_INCONCLUSIVE}, {1.5, DIFF_REGRESSED}, {0.5, DIFF_IMPROVED}};
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        double old[12], twin[12], new[12], new_twin[12];
        for (size_t round = 0; round < 12; round++) {
            old[round] = 100 + (double)(round % 5);
            twin[round] = 1.04 * old[round];
            new[round] = cases[c].factor *old[round];
            new_twin[round] = cases[c].factor * twin[round];
        }
        const struct diff_layer layer[] = {{1, 12, {old, twin, new, new_twin}}};
        struct diff_result result, network;
        assert_true(diff_judge(layer, 1, 0.03, &result, &network));
        assert_int_equal(result.verdict, cases[c].verdict);
        assert_int_equal(network.verdict, cases[c].verdict);
    }
}

static void too_few_rounds_are_inconclusive(void **state)
{
    (void)state;
    double one[] = {1, 1, 1, 1, 1}, two[] = {2, 2, 2, 2, 2};
    const struct diff_layer layer[] = {{1, 5, {one, one, two, two}}};
    struct diff_result result, network;
    assert_true(diff_judge(layer, 1, 0.03, &result, &network));
    assert_int_equal(result.verdict, DIFF_INCONCLUSIVE);
    const struct diff_layer none[] = {{1, 0, {one, one, two, two}}};
    assert_true(diff_judge(none, 1, 0.03, &result, &network));
    assert_int_equal(result.verdict, DIFF_INCONCLUSIVE);
    assert_int_equal(network.verdict, DIFF_INCONCLUSIVE);
}

/* Fifty layers, a hundred runs, 2 % noise between rounds and 1 % between processes: nothing may be called after confirmation. */
static void noise_is_not_called_a_change(void **state)
{
    (void)state;
    static struct series series[LAYERS];
    size_t single = 0, confirmed = 0;
    for (uint64_t run = 0; run < 100; run++) {
        struct diff_layer layer[LAYERS];
        struct diff_result result[2][LAYERS], network[2];
        for (uint64_t turn = 0; turn < 2; turn++) {
            for (uint64_t at = 0; at < LAYERS; at++)
                make(&series[at], &layer[at], 1 + at + LAYERS * (2 * run + turn), 0.02, 1, 0.01);
            assert_true(diff_judge(layer, LAYERS, 0.03, result[turn], &network[turn]));
        }
        for (size_t at = 0; at < LAYERS; at++) {
            const enum diff_verdict first = result[0][at].verdict, second = result[1][at].verdict;
            single += first == DIFF_REGRESSED || first == DIFF_IMPROVED;
            const enum diff_verdict both = diff_confirm(first, second, DIFF_INCONCLUSIVE);
            confirmed += both == DIFF_REGRESSED || both == DIFF_IMPROVED;
        }
        assert_int_equal(network[0].verdict, DIFF_EQUIVALENT);
    }
    assert_true(single <= 25); /* of 5000: three deviations of the processes make 0.27 %; a second run makes it none */
    assert_int_equal(confirmed, 0);
}

/* The same noise, every layer 5 % slower: the network is called regressed each time; 50 % each layer as well. */
static void changes_are_not_missed(void **state)
{
    (void)state;
    static struct series series[LAYERS];
    for (uint64_t run = 0; run < 100; run++) {
        struct diff_layer layer[LAYERS];
        struct diff_result result[LAYERS], network;
        for (uint64_t at = 0; at < LAYERS; at++)
            make(&series[at], &layer[at], 1 + at + LAYERS * run, 0.02, 1.05, 0.01);
        assert_true(diff_judge(layer, LAYERS, 0.03, result, &network));
        assert_int_equal(network.verdict, DIFF_REGRESSED);
        for (uint64_t at = 0; at < LAYERS; at++)
            make(&series[at], &layer[at], 1 + at + LAYERS * run, 0.02, 1.5, 0.01);
        assert_true(diff_judge(layer, LAYERS, 0.03, result, &network));
        assert_int_equal(network.verdict, DIFF_REGRESSED);
        for (size_t at = 0; at < LAYERS; at++)
            assert_int_equal(result[at].verdict, DIFF_REGRESSED);
    }
}

static void confirmation(void **state)
{
    (void)state;
    assert_int_equal(diff_confirm(DIFF_REGRESSED, DIFF_REGRESSED, DIFF_REGRESSED), DIFF_REGRESSED);
    assert_int_equal(diff_confirm(DIFF_REGRESSED, DIFF_EQUIVALENT, DIFF_REGRESSED), DIFF_INCONCLUSIVE);
    assert_int_equal(diff_confirm(DIFF_REGRESSED, DIFF_IMPROVED, DIFF_EQUIVALENT), DIFF_INCONCLUSIVE);
    assert_int_equal(diff_confirm(DIFF_IMPROVED, DIFF_IMPROVED, DIFF_INCONCLUSIVE), DIFF_IMPROVED);
    assert_int_equal(diff_confirm(DIFF_INCONCLUSIVE, DIFF_INCONCLUSIVE, DIFF_REGRESSED), DIFF_REGRESSED);
    assert_int_equal(diff_confirm(DIFF_INCONCLUSIVE, DIFF_REGRESSED, DIFF_EQUIVALENT), DIFF_EQUIVALENT);
    assert_int_equal(diff_confirm(DIFF_EQUIVALENT, DIFF_REGRESSED, DIFF_REGRESSED), DIFF_EQUIVALENT);
    assert_string_equal(diff_verdict_name(DIFF_REGRESSED), "REGRESSED");
}

static void medians_of_two_files(void **state)
{
    (void)state;
    const struct diff_median layer[] = {
        {2, 100, 0.5, 130, 0.5, 9, 9}, {1, 100, 20, 105, 20, 9, 9}, {1, 100, 0.1, 100.5, 0.1, 9, 9}};
    struct diff_result result[3], network;
    assert_true(diff_judge_medians(layer, 3, 0.10, result, &network));
    assert_int_equal(result[0].verdict, DIFF_REGRESSED);
    assert_int_equal(result[1].verdict, DIFF_INCONCLUSIVE);
    assert_int_equal(result[2].verdict, DIFF_EQUIVALENT);
    assert_true(fabs(network.effect - log(465.5 / 400)) < 1e-12);
    /* errors of 1.2533 * 1.4826 * 0.005 / 3 and that of 0.5/130 */
    const double error = hypot(1.2533141373155 * 1.4826 * 0.5 / 300, 1.2533141373155 * 1.4826 * 0.5 / 390);
    assert_true(fabs(result[0].high - result[0].effect - 1.959963984540054 * error) < 1e-12);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exact_numbers),
        cmocka_unit_test(noise_floor_limits_what_can_be_said),
        cmocka_unit_test(too_few_rounds_are_inconclusive),
        cmocka_unit_test(noise_is_not_called_a_change),
        cmocka_unit_test(changes_are_not_missed),
        cmocka_unit_test(confirmation),
        cmocka_unit_test(medians_of_two_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
