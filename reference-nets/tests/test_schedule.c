/* Learning rates step by step, against numbers worked by hand. Ten steps an epoch, rate 0.8. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "runtime/schedule.h"

#include <math.h>

static void near(double value, double expected)
{
    if (!(fabs(value - expected) <= 1e-9))
        fail_msg("%.12g instead of %.12g", value, expected);
}

static void rates_are_their_formulas(void **state)
{
    (void)state;
    static const struct {
        struct schedule_options options;
        int64_t step;
        double rate;
    } rows[] = {
        {{.kind = SCHEDULE_CONSTANT}, 999, 0.8},
        {{.kind = SCHEDULE_STEP, .gamma = 0.5, .every = 2}, 19, 0.8},
        {{.kind = SCHEDULE_STEP, .gamma = 0.5, .every = 2}, 20, 0.4},
        {{.kind = SCHEDULE_STEP, .gamma = 0.5, .every = 2}, 45, 0.2},
        {{.kind = SCHEDULE_MULTISTEP, .gamma = 0.1, .milestone = {1, 4}, .milestones = 2}, 9, 0.8},
        {{.kind = SCHEDULE_MULTISTEP, .gamma = 0.1, .milestone = {1, 4}, .milestones = 2}, 10, 0.08},
        {{.kind = SCHEDULE_MULTISTEP, .gamma = 0.1, .milestone = {1, 4}, .milestones = 2}, 40, 0.008},
        {{.kind = SCHEDULE_EXP, .gamma = 0.5}, 35, 0.1},
        {{.kind = SCHEDULE_POLY, .power = 2}, 50, 0.2},
        {{.kind = SCHEDULE_POLY, .power = 2}, 100, 0},
        {{.kind = SCHEDULE_INV, .gamma = 0.1, .power = 0.5}, 30, 0.4},
        {{.kind = SCHEDULE_COSINE}, 0, 0.8},
        {{.kind = SCHEDULE_COSINE}, 50, 0.4},
        {{.kind = SCHEDULE_COSINE, .least = 0.2}, 50, 0.5},
        {{.kind = SCHEDULE_COSINE}, 100, 0},
        /* Periods of 2, 4, 8 epochs: steps 0, 20, 60. */
        {{.kind = SCHEDULE_COSINE, .every = 2, .factor = 2}, 10, 0.4},
        {{.kind = SCHEDULE_COSINE, .every = 2, .factor = 2}, 20, 0.8},
        {{.kind = SCHEDULE_COSINE, .every = 2, .factor = 2}, 40, 0.4},
        {{.kind = SCHEDULE_COSINE, .every = 2, .factor = 2}, 60, 0.8},
        {{.kind = SCHEDULE_CONSTANT, .warmup_steps = 4}, 0, 0.2},
        {{.kind = SCHEDULE_CONSTANT, .warmup_steps = 4}, 2, 0.6},
        {{.kind = SCHEDULE_CONSTANT, .warmup_steps = 4}, 4, 0.8},
    };
    const struct schedule_state start = {INFINITY, 1, 0};
    for (size_t row = 0; row < sizeof rows / sizeof *rows; row++) {
        struct schedule_options options = rows[row].options;
        options.rate = 0.8;
        options.steps = 100;
        options.steps_per_epoch = 10;
        near(schedule_rate(&options, &start, rows[row].step), rows[row].rate);
    }
}

/* Patience 1: the second epoch in a row without a better loss drops the rate. */
static void a_plateau_drops_the_rate(void **state)
{
    (void)state;
    const struct schedule_options options = {.kind = SCHEDULE_PLATEAU, .rate = 0.8, .gamma = 0.5, .patience = 1, .steps_per_epoch = 10};
    struct schedule_state at = {INFINITY, 1, 0};
    static const double metric[] = {2, 1, 1.5, 1.2, 0.9, 0.95, 0.9};
    static const bool drops[] = {false, false, false, true, false, false, true};
    for (size_t epoch = 0; epoch < sizeof metric / sizeof *metric; epoch++)
        assert_int_equal(schedule_observe(&options, &at, metric[epoch]), drops[epoch]);
    near(schedule_rate(&options, &at, 70), 0.2);
    assert_true(at.best == 0.9);
}

static void restarts_end_in_minima(void **state)
{
    (void)state;
    const struct schedule_options options = {
        .kind = SCHEDULE_COSINE, .rate = 0.8, .every = 2, .factor = 2, .steps = 140, .steps_per_epoch = 10};
    for (int64_t step = 0; step < 140; step++)
        assert_int_equal(schedule_is_minimum(&options, step), step == 19 || step == 59 || step == 139);
}

static void names_are_found(void **state)
{
    (void)state;
    for (int kind = 0; kind < SCHEDULE_KIND_COUNT; kind++) {
        enum schedule_kind found = SCHEDULE_KIND_COUNT;
        assert_true(schedule_by_name(schedule_name((enum schedule_kind)kind), &found));
        assert_int_equal(found, kind);
    }
    enum schedule_kind found;
    assert_false(schedule_by_name("no such schedule", &found));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rates_are_their_formulas),
        cmocka_unit_test(a_plateau_drops_the_rate),
        cmocka_unit_test(restarts_end_in_minima),
        cmocka_unit_test(names_are_found),
    };
    return cmocka_run_group_tests_name("schedule", tests, NULL, NULL);
}
