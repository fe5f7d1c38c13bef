#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "bench/bandwidth_loop.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { BYTES = 4 * BANDWIDTH_BLOCK_BYTES, FENCE = 64 };

/* Every loop writes exactly what its kind says, to the last byte and no further. */
static void check_loops(bandwidth_loop_fn *const loops[BANDWIDTH_KINDS])
{
    for (int kind = 0; kind < BANDWIDTH_KINDS; kind++) {
        char *from = aligned_alloc(64, BYTES), *to = aligned_alloc(64, BYTES + FENCE);
        assert_non_null(from);
        assert_non_null(to);
        for (int at = 0; at < BYTES; at++)
            from[at] = (char)(at % 61 + 1);
        memset(to, 77, BYTES + FENCE);
        loops[kind](to, from, BYTES);
        const int copies = kind == BANDWIDTH_COPY || kind == BANDWIDTH_COPY_STREAM;
        for (int at = 0; at < BYTES; at++) {
            assert_int_equal(from[at], at % 61 + 1);
            assert_int_equal(to[at], kind == BANDWIDTH_READ ? 77 : copies ? from[at] : 0);
        }
        for (int at = BYTES; at < BYTES + FENCE; at++)
            assert_int_equal(to[at], 77);
        free(from);
        free(to);
    }
}

static void loops_do_what_they_say(void **state)
{
    (void)state;
    check_loops(bandwidth_loops_portable);
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx2"))
        check_loops(bandwidth_loops_avx2);
    if (__builtin_cpu_supports("avx512f"))
        check_loops(bandwidth_loops_avx512);
#endif
}

/* No claim about speed: rates are positive and finite where there is a cache, and absent where there is none. */
static void rates_are_numbers(void **state)
{
    (void)state;
    const struct machine machine = {.l2_bytes = 1 << 20, .l3_bytes = 8 << 20};
    for (unsigned threads = 1; threads <= 2; threads++) {
        struct bandwidth bandwidth;
        struct pool *pool = pool_open(threads);
        assert_non_null(pool);
        assert_true(bandwidth_measure(pool, &machine, &bandwidth));
        pool_close(pool);
        assert_int_equal(bandwidth.capacity_bytes[BANDWIDTH_L2], threads << 20);
        for (int level = 0; level < BANDWIDTH_LEVELS; level++)
            for (int kind = 0; kind < BANDWIDTH_KINDS; kind++) {
                assert_true(isfinite(bandwidth.gbps[level][kind]));
                assert_true(bandwidth.gbps[level][kind] > 0 && bandwidth.gbps[level][kind] < 1e5 * threads);
            }
    }
}

static void unknown_caches_have_no_level(void **state)
{
    (void)state;
    const struct machine machine = {0};
    struct bandwidth bandwidth;
    struct pool *pool = pool_open(1);
    assert_non_null(pool);
    assert_true(bandwidth_measure(pool, &machine, &bandwidth));
    pool_close(pool);
    assert_true(bandwidth.gbps[BANDWIDTH_L2][BANDWIDTH_READ] == 0);
    assert_int_equal(bandwidth_level_of(&bandwidth, 1), BANDWIDTH_DRAM);
    assert_true(bandwidth.gbps[BANDWIDTH_DRAM][BANDWIDTH_COPY] > 0);
}

static void levels_begin_where_the_last_is_full(void **state)
{
    (void)state;
    const struct bandwidth bandwidth = {.capacity_bytes = {100, 1000, INT64_MAX}};
    assert_int_equal(bandwidth_level_of(&bandwidth, 100), BANDWIDTH_L2);
    assert_int_equal(bandwidth_level_of(&bandwidth, 101), BANDWIDTH_L3);
    assert_int_equal(bandwidth_level_of(&bandwidth, 1000), BANDWIDTH_L3);
    assert_int_equal(bandwidth_level_of(&bandwidth, INT64_MAX), BANDWIDTH_DRAM);
}

static void the_text_form_is_read_back(void **state)
{
    (void)state;
    struct bandwidth bandwidth = {.capacity_bytes = {100, 1000, INT64_MAX}}, back;
    char text[BANDWIDTH_TEXT_BYTES];
    for (int level = 0; level < BANDWIDTH_LEVELS; level++)
        for (int kind = 0; kind < BANDWIDTH_KINDS; kind++)
            bandwidth.gbps[level][kind] = 0.5 + 10 * level + kind;
    bandwidth_print(&bandwidth, text, sizeof text);
    assert_true(bandwidth_parse(text, &back));
    assert_memory_equal(&back, &bandwidth, sizeof back);
    assert_false(bandwidth_parse("", &back));
    text[strlen(text) / 2] = '\0';
    assert_false(bandwidth_parse(text, &back));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(loops_do_what_they_say),           cmocka_unit_test(rates_are_numbers),
        cmocka_unit_test(unknown_caches_have_no_level),     cmocka_unit_test(levels_begin_where_the_last_is_full),
        cmocka_unit_test(the_text_form_is_read_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
