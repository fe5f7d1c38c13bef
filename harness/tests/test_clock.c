#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "bench/clock.h"

static void never_runs_backwards(void **state)
{
    (void)state;
    int64_t last = clock_ns();
    assert_true(last > 0);
    for (int reading = 0; reading < 100000; reading++) {
        const int64_t now = clock_ns();
        assert_true(now >= last);
        last = now;
    }
}

static void resolution_is_a_step(void **state)
{
    (void)state;
    const int64_t step_ns = clock_resolution_ns();
    assert_in_range(step_ns, 1, 1000000000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(never_runs_backwards), cmocka_unit_test(resolution_is_a_step)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
