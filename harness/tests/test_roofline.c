#include "bench/roofline.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

/* Rates that no two kinds or levels share, so that a mix-up shows. */
static const struct bandwidth rates = {
    .capacity_bytes = {1000, 100000, INT64_MAX},
    .gbps = {{100, 80, 20, 90, 40}, {50, 40, 30, 45, 60}, {10, 5, 20, 8, 16}},
};

static bool near(double value, double wanted)
{
    return fabs(value - wanted) <= 1e-9 * wanted;
}

static struct roofline of(const char *text, double peak_gflops, const struct bandwidth *bandwidth)
{
    union problem problem;
    assert_int_equal(problem_parse(text, &problem, NULL), CONVOY_OK);
    return roofline_of(&problem, peak_gflops, bandwidth);
}

/* relu reads and writes 4n bytes: all of it pairs up, at the rate of the better copy. */
static void a_copy_runs_at_the_rate_of_its_level(void **state)
{
    (void)state;
    const struct roofline l2 = of("relu:n125", 0, &rates), l3 = of("relu:n126", 0, &rates), dram = of("relu:n20000", 0, &rates);
    assert_string_equal(l2.limit, "L2"); /* 1000 bytes fit, 1008 do not */
    assert_true(near(l2.least_ns, 1000.0 / 90));
    assert_true(near(l2.gbps, 90));
    assert_string_equal(l3.limit, "L3");
    assert_true(near(l3.least_ns, 1008.0 / 60));
    assert_string_equal(dram.limit, "DRAM");
    assert_true(near(dram.least_ns, 160000.0 / 16));
}

/* What does not pair up is read, or written, alone: average pooling 2x2 reads 4 floats for each that it writes, its gradient the
 * other way round. */
static void the_rest_is_read_or_written(void **state)
{
    (void)state;
    assert_true(near(of("avgpool_fwd:c1h8kh2s2", 0, &rates).least_ns, 128.0 / 90 + 192.0 / 100));
    assert_true(near(of("avgpool_bwd:c1h8kh2s2", 0, &rates).least_ns, 128.0 / 90 + 192.0 / 80));
}

static void operations_limit_where_they_take_longer(void **state)
{
    (void)state;
    const char *text = "conv_fwd:c8h8k8kh3p1"; /* 73728 operations; 2048 + 2304 bytes read, 2048 written */
    const struct roofline fma = of(text, 10, &rates), bytes = of(text, 1e6, &rates);
    assert_string_equal(fma.limit, "FMA");
    assert_true(near(fma.least_ns, 7372.8));
    assert_string_equal(bytes.limit, "L3");
    assert_true(near(bytes.least_ns, 4096.0 / 60 + 2304.0 / 50));
    assert_true(near(bytes.gbps, fma.gbps));
}

static void levels_without_a_cache_are_passed_over(void **state)
{
    (void)state;
    struct bandwidth flat = {.capacity_bytes = {0, 0, INT64_MAX}};
    assert_true(near(of("relu:n16", 0, &flat).least_ns, 0));
    memcpy(flat.gbps[BANDWIDTH_DRAM], rates.gbps[BANDWIDTH_DRAM], sizeof flat.gbps[0]);
    assert_string_equal(of("relu:n16", 0, &flat).limit, "DRAM");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_copy_runs_at_the_rate_of_its_level),
        cmocka_unit_test(the_rest_is_read_or_written),
        cmocka_unit_test(operations_limit_where_they_take_longer),
        cmocka_unit_test(levels_without_a_cache_are_passed_over),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
