/* The matrices of every F(m,r): the identity they are made for, in exact arithmetic, and that A and B are exact in float. */
#include "points.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

/* sum over i of At[y][i] G[i][j] Bt[i][d] is 1 where d = y + j and 0 elsewhere: then y[i] = sum of d[i+j] g[j] for all data. */
static void identity_holds(void **state)
{
    (void)state;
    for (int32_t s = 0; s < point_set_count; s++) {
        struct matrices f;
        points_matrices(&point_sets[s], &f);
        for (int32_t y = 0; y < f.m; y++) {
            for (int32_t j = 0; j < f.r; j++) {
                for (int32_t d = 0; d < f.alpha; d++) {
                    struct rational sum = {0, 1};
                    for (int32_t i = 0; i < f.alpha; i++)
                        sum = rational_add(sum, rational_mul(f.at[y][i], rational_mul(f.g[i][j], f.bt[i][d])));
                    assert_int_equal(sum.num, d == y + j);
                    assert_int_equal(sum.den, 1);
                }
            }
        }
    }
}

static void assert_exact(struct rational value)
{
    assert_int_equal(value.den & (value.den - 1), 0);
    const double d = rational_double(value);
    assert_true((double)(float)d == d);
}

static void constants_are_exact(void **state)
{
    (void)state;
    for (int32_t s = 0; s < point_set_count; s++) {
        struct matrices f;
        points_matrices(&point_sets[s], &f);
        for (int32_t i = 0; i < f.alpha; i++) {
            for (int32_t d = 0; d < f.alpha; d++)
                assert_exact(f.bt[i][d]);
            for (int32_t y = 0; y < f.m; y++)
                assert_exact(f.at[y][i]);
        }
    }
}

static void sets_are_found(void **state)
{
    (void)state;
    assert_null(points_find(3, 3));
    assert_null(points_find(4, 1));
    for (int32_t s = 0; s < point_set_count; s++)
        assert_ptr_equal(points_find(point_sets[s].m, point_sets[s].r), &point_sets[s]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(identity_holds),
        cmocka_unit_test(constants_are_exact),
        cmocka_unit_test(sets_are_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
