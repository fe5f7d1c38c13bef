#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "bench/interference.h"
#include <time.h>

static void limits_are_those_of_the_rule(void **state)
{
    (void)state;
    static const struct {
        struct interference found;
        bool one_busy_thread, disturbed;
    } cases[] = {
        {{.wall_ns = 1000, .cpu_ns = 1000}, true, false},
        {{.wall_ns = 1000, .cpu_ns = 950}, true, false},
        {{.wall_ns = 1000, .cpu_ns = 949}, true, true},
        {{.wall_ns = 1000, .cpu_ns = 10}, false, false}, /* waits for a device or for other threads */
        {{.wall_ns = 1000, .cpu_ns = 1000, .stolen_ns = 10}, true, false},
        {{.wall_ns = 1000, .cpu_ns = 1000, .stolen_ns = 11}, true, true},
        {{.wall_ns = 1000, .cpu_ns = 10, .stolen_ns = 11}, false, true},
        {{.wall_ns = 1000, .cpu_ns = 2000, .involuntary = 9}, false, false},
    };
    for (size_t c = 0; c < sizeof cases / sizeof cases[0]; c++)
        assert_int_equal(interference_disturbs(&cases[c].found, cases[c].one_busy_thread), cases[c].disturbed);
}

/* A pause is wall time and a voluntary switch, and hardly any work. */
static void waiting_is_seen(void **state)
{
    (void)state;
    struct interference_mark mark;
    struct interference found;
    const struct timespec pause = {0, 20000000};
    interference_start(&mark);
    nanosleep(&pause, NULL);
    interference_stop(&mark, &found);
    assert_true(found.wall_ns >= 20000000);
    assert_true(found.cpu_ns >= 0 && found.cpu_ns < found.wall_ns);
    assert_true(found.voluntary >= 1);
    assert_true(found.involuntary >= 0 && found.stolen_ns >= 0 && found.load >= 0 && found.mhz >= 0);
    assert_true(interference_disturbs(&found, true));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(limits_are_those_of_the_rule),
        cmocka_unit_test(waiting_is_seen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
