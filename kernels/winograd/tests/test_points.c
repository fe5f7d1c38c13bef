/* The matrices of every form: the identity they are made for, in exact arithmetic, and that A and B are exact in float. */
#include "points.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

/* 1 where input d contributes to output y by tap j: points.h. */
static int meets(enum form form, int32_t y, int32_t j, int32_t d)
{
    switch (form) {
    case FORM_STRIDED:
        return d == 2 * y + j;
    case FORM_SPREAD_EVEN:
        return 2 * d == y + j;
    case FORM_SPREAD_ODD:
        return 2 * d + 1 == y + j;
    default:
        return d == y + j;
    }
}

static int applies(enum form form, const struct point_set *set)
{
    return form == FORM_DENSE || set->r == 2;
}

/* sum over i of At[y][i] G[i][j] Bt[i][d] is 1 where d contributes to y by tap j and 0 elsewhere, so y = At [(G g) o (Bt d)] for
 * all data. */
static void identity_holds(void **state)
{
    (void)state;
    for (int32_t s = 0; s < point_set_count * FORM_COUNT; s++) {
        const enum form form = (enum form)(s % FORM_COUNT);
        const struct point_set *set = &point_sets[s / FORM_COUNT];
        if (!applies(form, set))
            continue;
        struct matrices f;
        points_matrices(set, form, &f);
        for (int32_t y = 0; y < f.out; y++) {
            for (int32_t j = 0; j < f.r; j++) {
                for (int32_t d = 0; d < f.in; d++) {
                    struct rational sum = {0, 1};
                    for (int32_t i = 0; i < f.alpha; i++)
                        sum = rational_add(sum, rational_mul(f.at[y][i], rational_mul(f.g[i][j], f.bt[i][d])));
                    assert_int_equal(sum.num, meets(form, y, j, d));
                    assert_int_equal(sum.den, 1);
                }
            }
        }
    }
}

/* What one tile does not hold, its neighbours do: every input that an output needs is in the tile. */
static void tiles_are_complete(void **state)
{
    (void)state;
    for (int32_t s = 0; s < point_set_count * FORM_COUNT; s++) {
        const enum form form = (enum form)(s % FORM_COUNT);
        const struct point_set *set = &point_sets[s / FORM_COUNT];
        if (!applies(form, set))
            continue;
        struct matrices f;
        points_matrices(set, form, &f);
        for (int32_t y = 0; y < f.out; y++) {
            for (int32_t j = 0; j < f.r; j++) {
                assert_false(meets(form, y, j, f.in));
                assert_false(meets(form, y, j, -1));
            }
        }
    }
}

/* Equal rows of G share transformed weights. */
static void shared_rows_are_equal(void **state)
{
    (void)state;
    for (int32_t s = 0; s < point_set_count * FORM_COUNT; s++) {
        const enum form form = (enum form)(s % FORM_COUNT);
        if (!applies(form, &point_sets[s / FORM_COUNT]))
            continue;
        struct matrices f;
        points_matrices(&point_sets[s / FORM_COUNT], form, &f);
        assert_in_range(f.singles, 1, f.alpha);
        for (int32_t i = f.singles; i < f.alpha; i++) {
            for (int32_t j = 0; j < f.r; j++) {
                assert_int_equal(f.g[i][j].num, f.g[f.singles][j].num);
                assert_int_equal(f.g[i][j].den, f.g[f.singles][j].den);
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
    for (int32_t s = 0; s < point_set_count * FORM_COUNT; s++) {
        const enum form form = (enum form)(s % FORM_COUNT);
        if (!applies(form, &point_sets[s / FORM_COUNT]))
            continue;
        struct matrices f;
        points_matrices(&point_sets[s / FORM_COUNT], form, &f);
        for (int32_t i = 0; i < f.alpha; i++) {
            for (int32_t d = 0; d < f.in; d++)
                assert_exact(f.bt[i][d]);
            for (int32_t y = 0; y < f.out; y++)
                assert_exact(f.at[y][i]);
        }
    }
}

static void sets_are_found(void **state)
{
    (void)state;
    assert_null(points_find(FORM_DENSE, 3, 3));
    assert_null(points_find(FORM_DENSE, 4, 1));
    assert_null(points_find(FORM_STRIDED, 4, 5));
    assert_null(points_find(FORM_STRIDED, 3, 3));
    for (int32_t s = 0; s < point_set_count; s++) {
        assert_ptr_equal(points_find(FORM_DENSE, point_sets[s].m, point_sets[s].r), &point_sets[s]);
        if (point_sets[s].r == 2)
            assert_ptr_equal(points_find(FORM_SPREAD_ODD, point_sets[s].m, 3), &point_sets[s]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(identity_holds),      cmocka_unit_test(tiles_are_complete), cmocka_unit_test(shared_rows_are_equal),
        cmocka_unit_test(constants_are_exact), cmocka_unit_test(sets_are_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
