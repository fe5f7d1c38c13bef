#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "bench/stats.h"
#include <math.h>
#include <string.h>

static void single_value(void **state)
{
    (void)state;
    const int64_t one[] = {42};
    assert_int_equal(stats_min(one, 1), 42);
    assert_int_equal(stats_median(one, 1), 42);
    assert_int_equal(stats_mad(one, 1), 0);
}

static void known_samples(void **state)
{
    (void)state;
    const int64_t odd[] = {9, 1, 5, 1000000, 3}; /* sorted 1 3 5 9 1000000; distances from 5: 0 2 4 4 999995 */
    assert_int_equal(stats_min(odd, 5), 1);
    assert_int_equal(stats_median(odd, 5), 5);
    assert_int_equal(stats_mad(odd, 5), 4);
    const int64_t even[] = {4, 1, 3, 10}; /* middle two 3 and 4; median 3; distances 1 2 0 7: middle two 1 and 2 */
    assert_int_equal(stats_median(even, 4), 3);
    assert_int_equal(stats_mad(even, 4), 1);
    const int64_t wide[] = {10, 20};
    assert_int_equal(stats_median(wide, 2), 15);
    const int64_t equal[] = {7, 7, 7, 7};
    assert_int_equal(stats_median(equal, 4), 7);
    assert_int_equal(stats_mad(equal, 4), 0);
}

static void sample_is_left_alone(void **state)
{
    (void)state;
    int64_t sample[] = {3, 1, 2};
    const int64_t before[] = {3, 1, 2};
    stats_median(sample, 3);
    stats_mad(sample, 3);
    assert_memory_equal(sample, before, sizeof before);
}

static void large_values_and_samples(void **state)
{
    (void)state;
    const int64_t huge[] = {INT64_MAX - 2, INT64_MAX};
    assert_int_equal(stats_median(huge, 2), INT64_MAX - 1);
    static int64_t many[1001];
    for (int64_t at = 0; at < 1001; at++)
        many[at] = (at * 10) % 1001; /* 0..1000 in another order */
    assert_int_equal(stats_median(many, 1001), 500);
    assert_int_equal(stats_mad(many, 1001), 250);
}

static void geometric_mean(void **state)
{
    (void)state;
    const double sample[] = {1, 10, 100};
    assert_true(fabs(stats_geomean(sample, 3) - 10) < 1e-12);
    const double ratio[] = {0.5, 2};
    assert_true(fabs(stats_geomean(ratio, 2) - 1) < 1e-15);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(single_value),         cmocka_unit_test(known_samples),
        cmocka_unit_test(sample_is_left_alone), cmocka_unit_test(large_values_and_samples),
        cmocka_unit_test(geometric_mean),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
