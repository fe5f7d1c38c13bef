/* Exact values: binomial tails are ratios of integers, which doubles hold. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/holm.h"
#include "core/signtest.h"
#include <math.h>

static void assert_near(double value, double wanted)
{
    if (!(fabs(value - wanted) <= 1e-12 * fabs(wanted)))
        fail_msg("%.17g is not %.17g", value, wanted);
}

static void tails_are_binomial(void **state)
{
    (void)state;
    assert_near(signtest_tail(0, 7), 1);
    assert_near(signtest_tail(0, 0), 1);
    assert_near(signtest_tail(10, 10), 1.0 / 1024);
    assert_near(signtest_tail(8, 10), 56.0 / 1024);  /* 45 + 10 + 1              */
    assert_near(signtest_tail(5, 10), 638.0 / 1024); /* 252 + 210 + 120 + 45 + 10 + 1 */
    assert_near(signtest_tail(12, 12), 1.0 / 4096);
    assert_near(signtest_tail(10, 12), 79.0 / 4096); /* 66 + 12 + 1              */
    assert_near(signtest_tail(40, 40), ldexp(1, -40));
    assert_near(signtest_tail(39, 40), ldexp(41, -40));
    assert_true(fabs(signtest_tail(1001, 2001) - 0.5) < 1e-11); /* by symmetry */
}

static void p_is_two_sided_and_drops_ties(void **state)
{
    (void)state;
    const double up[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
    assert_near(signtest_p(up, 12, 0), 2.0 / 4096);
    assert_near(signtest_p(up, 12, 6.5), 1);
    assert_near(signtest_p(up, 12, 2.5), 2 * 79.0 / 4096);
    assert_near(signtest_p(up, 12, 1), 2.0 / 2048); /* one tie: eleven above */
    const double equal[] = {3, 3, 3};
    assert_near(signtest_p(equal, 3, 3), 1);
    assert_near(signtest_p(equal, 0, 3), 1);
}

static void equivalence_needs_both_sides(void **state)
{
    (void)state;
    const double near[] = {-0.01, 0.01, 0, 0.005, -0.02, 0.02, 0.001, -0.001, 0.01, 0.01};
    assert_near(signtest_equivalence_p(near, 10, 0.03), 1.0 / 1024);
    assert_near(signtest_equivalence_p(near, 10, 0.015), 11.0 / 1024); /* 9 of 10 on the worse side */
    const double far[] = {0.05, 0.05, 0.05, 0.05, 0.05, 0.05, 0.05, 0.05, 0.05, 0.05};
    assert_near(signtest_equivalence_p(far, 10, 0.03), 1);
}

/* Ranks from the tables of the sign test's interval: the 95 % interval runs from the k-th smallest to the k-th largest value. */
static void interval_ranks_are_the_tabled_ones(void **state)
{
    (void)state;
    static const struct {
        size_t count, kth;
    } table[] = {{6, 1}, {8, 1}, {9, 2}, {11, 2}, {12, 3}, {15, 4}, {20, 6}, {25, 8}, {30, 10}, {40, 14}, {50, 18}};
    for (size_t at = 0; at < sizeof table / sizeof *table; at++) {
        size_t low;
        assert_true(signtest_rank(table[at].count, 0.95, &low));
        assert_int_equal(low + 1, table[at].kth);
    }
    size_t low;
    for (size_t count = 0; count < 6; count++)
        assert_false(signtest_rank(count, 0.95, &low));
    assert_true(signtest_rank(5, 0.9, &low)); /* 1 - 2/32 = 0.9375 */
    assert_int_equal(low, 0);
}

static void interval_of_a_sample(void **state)
{
    (void)state;
    double sample[] = {12, 1, 11, 2, 10, 3, 9, 4, 8, 5, 7, 6};
    const struct signtest_interval interval = signtest_interval(sample, 12, 0.95);
    assert_near(interval.median, 6.5);
    assert_near(interval.low, 3);
    assert_near(interval.high, 10);
    double few[] = {3, 1, 2};
    const struct signtest_interval wide = signtest_interval(few, 3, 0.95);
    assert_near(wide.median, 2);
    assert_true(isinf(wide.low) && wide.low < 0 && isinf(wide.high) && wide.high > 0);
}

static void holm_steps_down(void **state)
{
    (void)state;
    const double p[] = {0.01, 0.04, 0.03, 0.005};
    const double wanted[] = {0.03, 0.06, 0.06, 0.02};
    double adjusted[4];
    assert_true(holm_adjust(p, 4, adjusted));
    for (size_t at = 0; at < 4; at++)
        assert_near(adjusted[at], wanted[at]);

    double some[] = {0.02, (double)NAN, 0.5, 0.9}; /* three tests: 0.06, 1, 1 */
    assert_true(holm_adjust(some, 4, some));
    assert_near(some[0], 0.06);
    assert_true(isnan(some[1]));
    assert_near(some[2], 1);
    assert_near(some[3], 1);
    assert_true(holm_adjust(p, 0, adjusted));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tails_are_binomial),           cmocka_unit_test(p_is_two_sided_and_drops_ties),
        cmocka_unit_test(equivalence_needs_both_sides), cmocka_unit_test(interval_ranks_are_the_tabled_ones),
        cmocka_unit_test(interval_of_a_sample),         cmocka_unit_test(holm_steps_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
