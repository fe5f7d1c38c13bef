#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "bench/probe.h"
#include "bench/probe_loop.h"
#include <math.h>

static void loops_count_their_operations(void **state)
{
    (void)state;
    assert_true(probe_loop_portable(10) == 10.0 * 12 * 4 * 2);
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        assert_true(probe_loop_avx2(10) == 10.0 * 14 * 8 * 2);
    if (__builtin_cpu_supports("avx512f"))
        assert_true(probe_loop_avx512(10) == 10.0 * 16 * 16 * 2);
#endif
}

/* No claim about speed: a roof is a positive, finite number below anything a core could do. */
static void roof_is_a_number(void **state)
{
    (void)state;
    for (unsigned threads = 1; threads <= 2; threads++) {
        struct pool *pool = pool_open(threads);
        assert_non_null(pool);
        const double gflops = probe_fma_gflops(pool);
        assert_true(isfinite(gflops));
        assert_true(gflops > 0 && gflops < 1e5 * threads);
        pool_close(pool);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(loops_count_their_operations), cmocka_unit_test(roof_is_a_number)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
