#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "bench/order.h"
#include <string.h>

/* Every square of `count` rounds has each candidate once in each place and once in each round. */
static void rounds_are_latin_squares(void **state)
{
    (void)state;
    for (size_t count = 1; count <= 9; count++) {
        for (int64_t square = 0; square < 5; square++) {
            size_t seen[9][9] = {{0}};
            for (size_t row = 0; row < count; row++) {
                size_t order[9], in_round[9] = {0};
                order_round(count, square * (int64_t)count + (int64_t)row, 7, order);
                for (size_t place = 0; place < count; place++) {
                    assert_in_range(order[place], 0, count - 1);
                    seen[place][order[place]]++;
                    in_round[order[place]]++;
                }
                for (size_t name = 0; name < count; name++)
                    assert_int_equal(in_round[name], 1);
            }
            for (size_t place = 0; place < count; place++)
                for (size_t name = 0; name < count; name++)
                    assert_int_equal(seen[place][name], 1);
        }
    }
}

static void even_squares_balance_who_follows_whom(void **state)
{
    (void)state;
    for (size_t count = 2; count <= 8; count += 2) {
        size_t follows[8][8] = {{0}};
        for (size_t row = 0; row < count; row++) {
            size_t order[8];
            order_round(count, (int64_t)row, 3, order);
            for (size_t place = 1; place < count; place++)
                follows[order[place - 1]][order[place]]++;
        }
        for (size_t before = 0; before < count; before++)
            for (size_t after = 0; after < count; after++)
                assert_int_equal(follows[before][after], before == after ? 0 : 1);
    }
}

static void two_run_abba(void **state)
{
    (void)state;
    size_t starts[2] = {0};
    for (int64_t round = 0; round < 40; round += 2) {
        size_t first[2], second[2];
        order_round(2, round, 1, first);
        order_round(2, round + 1, 1, second);
        assert_true(first[0] == second[1] && first[1] == second[0]);
        starts[first[0]]++;
    }
    assert_true(starts[0] > 0 && starts[1] > 0); /* squares are permuted anew */
}

static void orders_are_a_function_of_the_seed(void **state)
{
    (void)state;
    size_t a[6], b[6], c[6];
    int differs = 0;
    for (int64_t round = 0; round < 12; round++) {
        order_round(6, round, 1, a);
        order_round(6, round, 1, b);
        order_round(6, round, 2, c);
        assert_memory_equal(a, b, sizeof a);
        differs += memcmp(a, c, sizeof a) != 0;
    }
    assert_true(differs > 0);
    order_round(0, 0, 1, a);
}

/* More than a square holds: still each once. */
static void many_are_permuted(void **state)
{
    (void)state;
    size_t order[200], seen[200] = {0};
    order_round(200, 5, 1, order);
    for (size_t place = 0; place < 200; place++)
        seen[order[place]]++;
    for (size_t name = 0; name < 200; name++)
        assert_int_equal(seen[name], 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rounds_are_latin_squares),
        cmocka_unit_test(even_squares_balance_who_follows_whom),
        cmocka_unit_test(two_run_abba),
        cmocka_unit_test(orders_are_a_function_of_the_seed),
        cmocka_unit_test(many_are_permuted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
