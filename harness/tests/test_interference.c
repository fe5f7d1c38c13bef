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
        uint32_t busy_threads;
        bool disturbed;
    } cases[] = {
        {{.wall_ns = 1000, .cpu_ns = 1000}, 1, false},
        {{.wall_ns = 1000, .cpu_ns = 950}, 1, false},
        {{.wall_ns = 1000, .cpu_ns = 949}, 1, true},
        {{.wall_ns = 1000, .cpu_ns = 10}, 0, false}, /* waits for a device or for other threads */
        {{.wall_ns = 1000, .cpu_ns = 1000, .stolen_ns = 10}, 1, false},
        {{.wall_ns = 1000, .cpu_ns = 1000, .stolen_ns = 11}, 1, true},
        {{.wall_ns = 1000, .cpu_ns = 10, .stolen_ns = 11}, 0, true},
        {{.wall_ns = 1000, .cpu_ns = 2000, .involuntary = 9}, 2, false},
        {{.wall_ns = 1000, .cpu_ns = 1500, .waited_ns = 50}, 2, false},
        {{.wall_ns = 1000, .cpu_ns = 1500, .waited_ns = 51}, 2, true},
        {{.wall_ns = 1000, .cpu_ns = 10, .waited_ns = 51}, 0, false},
    };
    for (size_t c = 0; c < sizeof cases / sizeof cases[0]; c++)
        assert_int_equal(interference_disturbs(&cases[c].found, cases[c].busy_threads), cases[c].disturbed);
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
    assert_true(found.waited_ns >= 0 && found.involuntary >= 0 && found.stolen_ns >= 0 && found.load >= 0 && found.mhz >= 0);
    assert_true(interference_disturbs(&found, 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(limits_are_those_of_the_rule),
        cmocka_unit_test(waiting_is_seen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
