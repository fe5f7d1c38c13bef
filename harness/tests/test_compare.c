#include "verify/compare.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

enum { COUNT = 4 };

static struct comparison compare(const float *got, const struct convoy_verdict_terms *terms, double bound_everywhere,
                                 bool poisoned)
{
    const struct answer answer = {.slot = CONVOY_Y, .count = COUNT, .terms = (struct convoy_verdict_terms *)(uintptr_t)terms};
    double bound[COUNT], unstable[COUNT];
    struct comparison result;
    for (size_t e = 0; e < COUNT; e++) {
        bound[e] = bound_everywhere;
        unstable[e] = 10 * bound_everywhere;
    }
    compare_output(got, SLOT_F32, COUNT, poisoned, &answer, bound, unstable, &result);
    return result;
}

static const struct convoy_verdict_terms want[COUNT] = {{1, 1, 1}, {-2, 2, 2}, {0, 4, 4}, {3, 3, 3}};

static void test_equal(void **state)
{
    (void)state;
    const float got[COUNT] = {1, -2, 0, 3};
    const struct comparison result = compare(got, want, 0, true);
    assert_true(result.error_in_bounds == 0 && result.l2_rel == 0 && result.max_rel == 0 && result.backward_error == 0);
    assert_int_equal(result.wrong, 0);
    assert_int_equal(result.with_terms, COUNT);
    assert_int_equal(result.nonzero, COUNT - 1);
    assert_false(result.unwritten);
}

static void test_units_of_the_bound(void **state)
{
    (void)state;
    const float got[COUNT] = {1, -2.5f, 0.25f, 3};
    const struct comparison result = compare(got, want, 0.25, true);
    assert_true(result.error_in_bounds == 2);
    assert_int_equal(result.worst, 1);
    assert_true(result.got == -2.5 && result.want == -2 && result.bound == 0.25);
    assert_int_equal(result.wrong, 1);
    assert_true(result.unstable);
    assert_true(fabs(result.l2_rel - sqrt((0.25 + 0.0625) / 14)) < 1e-12);
    assert_true(fabs(result.max_rel - 0.5 / 3) < 1e-12);
    assert_true(fabs(result.backward_error - 0.25 / 0x1p-24) < 1e-6); /* element 1: 0.5 of D = 2 */
    assert_true(fabs(result.rms_range - sqrt(0.3125 / 4) / 3) < 1e-12);
}

static void test_nan_is_wrong(void **state)
{
    (void)state;
    const float cases[3] = {NAN, INFINITY, -INFINITY};
    for (size_t i = 0; i < 3; i++) {
        const float got[COUNT] = {1, -2, cases[i], 3};
        const struct comparison result = compare(got, want, 1e30, true);
        assert_true(isinf(result.error_in_bounds));
        assert_int_equal(result.worst, 2);
        assert_int_equal(result.wrong, 1);
        assert_false(result.unstable);
    }
}

static void test_nan_is_wanted(void **state)
{
    (void)state;
    const struct convoy_verdict_terms nan_wanted[COUNT] = {{1, 1, 1}, {NAN, NAN, NAN}, {INFINITY, INFINITY, INFINITY}, {3, 3, 3}};
    const float right[COUNT] = {1, NAN, INFINITY, 3}, number[COUNT] = {1, 0, INFINITY, 3}, sign[COUNT] = {1, NAN, -INFINITY, 3};
    assert_true(compare(right, nan_wanted, 0, true).error_in_bounds == 0);
    assert_int_equal(compare(number, nan_wanted, 1e30, true).worst, 1);
    assert_int_equal(compare(sign, nan_wanted, 1e30, true).worst, 2);
}

static void test_poison(void **state)
{
    (void)state;
    const uint32_t word = COMPARE_POISON;
    float got[COUNT] = {1, -2, 0, 3};
    memcpy(&got[2], &word, sizeof word);
    assert_true(isnan(got[2]));
    const struct comparison poisoned = compare(got, want, 1, true), in_place = compare(got, want, 1, false);
    assert_true(poisoned.unwritten);
    assert_int_equal(poisoned.unwritten_at, 2);
    assert_false(in_place.unwritten);
    /* Arithmetic makes it quiet: other bits, so it counts as written, and as wrong. */
    volatile float quiet = got[2];
    quiet = quiet + 1.0f;
    got[2] = quiet;
    assert_false(compare(got, want, 1, true).unwritten);
    assert_int_equal(compare(got, want, 1, true).wrong, 1);
}

static void test_sample_and_bytes(void **state)
{
    (void)state;
    const uint64_t index[2] = {1, 3};
    const struct convoy_verdict_terms terms[2] = {{7, 7, 7}, {0xa5, 0xa5, 0xa5}};
    const struct answer answer = {
        .slot = CONVOY_INDEX, .count = 2, .index = index, .terms = (struct convoy_verdict_terms *)(uintptr_t)terms};
    const double bound[2] = {0, 0};
    uint8_t got[5] = {1, 7, 1, 0xa5, 1};
    struct comparison result;
    compare_output(got, SLOT_U8, 5, true, &answer, bound, bound, &result);
    assert_true(result.error_in_bounds == 0);
    assert_false(result.unwritten); /* the poison's byte where it is right */
    got[1] = 0xa5;
    compare_output(got, SLOT_U8, 5, true, &answer, bound, bound, &result);
    assert_true(result.unwritten);
    assert_int_equal(result.unwritten_at, 1);
    assert_int_equal(result.worst, 1);
}

static void test_element_name(void **state)
{
    (void)state;
    const struct slot_info image = {.rank = 4, .extent = {2, 3, 4, 5}, .elements = 120},
                           vector = {.rank = 1, .extent = {9}, .elements = 9};
    char name[64];
    compare_element_name(&image, CONVOY_Y, 119, name, sizeof name);
    assert_string_equal(name, "y[1,2,3,4]");
    compare_element_name(&image, CONVOY_DX, 60 + 20 + 5 + 1, name, sizeof name);
    assert_string_equal(name, "dx[1,1,1,1]");
    compare_element_name(&vector, CONVOY_DGAMMA, 8, name, sizeof name);
    assert_string_equal(name, "dgamma[8]");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_equal),        cmocka_unit_test(test_units_of_the_bound),
        cmocka_unit_test(test_nan_is_wrong), cmocka_unit_test(test_nan_is_wanted),
        cmocka_unit_test(test_poison),       cmocka_unit_test(test_sample_and_bytes),
        cmocka_unit_test(test_element_name),
    };
    return cmocka_run_group_tests_name("compare", tests, NULL, NULL);
}
