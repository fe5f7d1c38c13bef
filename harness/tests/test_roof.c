#include "bench/roof.h"
#include "core/problem.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static double least(const char *text, const char *numerics)
{
    union problem problem;
    assert_int_equal(problem_parse(text, &problem, NULL), CONVOY_OK);
    return roof_least_flops(&problem.conv, numerics);
}

/* 3x3 over 4x4 with a frame of one: 10 of 12 pairs along each axis meet the image. */
static void padding_is_not_counted(void **state)
{
    (void)state;
    assert_float_equal(least("conv_fwd:c2h4k3kh3p1", "direct"), 2.0 * 2 * 3 * 10 * 10, 1e-9);
    assert_float_equal(least("conv_fwd:n2c2h4k3kh3", "gemm"), 2.0 * 2 * 2 * 3 * 4 * 9, 1e-9);
    assert_float_equal(least("conv_fwd:c4h6k4kh1g2", "exact"), 2.0 * 4 * 2 * 36, 1e-9);
}

static void fast_algorithms_may_save_what_they_can(void **state)
{
    (void)state;
    assert_float_equal(least("conv_fwd:c2h6k3kh3", "winograd(4,3)"), 2.0 * 2 * 3 * 16 * 9 / 4, 1e-9);
    assert_float_equal(least("conv_fwd:c2h6k3kh3", "winograd(2,3)"), 2.0 * 2 * 3 * 16 * 9 / 2.25, 1e-9);
    assert_float_equal(least("conv_fwd:c2h9k3kh5", "fft"), 2.0 * 2 * 3 * 25, 1e-9);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(padding_is_not_counted),
                                       cmocka_unit_test(fast_algorithms_may_save_what_they_can)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
