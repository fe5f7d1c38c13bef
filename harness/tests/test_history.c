#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "report/history.h"
#include <stdlib.h>
#include <string.h>

static struct record row(const char *utc, const char *backend, const char *layer, const char *problem, int64_t count,
                         int64_t median_ns)
{
    struct record record;
    record_clear(&record);
    strcpy(record.command, "bench");
    strcpy(record.network, "net");
    strcpy(record.pass, "fwd");
    strcpy(record.cache, "hot");
    strcpy(record.machine, "m");
    strcpy(record.verdict, "PASS");
    strcpy(record.utc, utc);
    strcpy(record.revision, "r");
    strcpy(record.plugin_hash, "h");
    strcpy(record.backend, backend);
    strcpy(record.layer, layer);
    strcpy(record.problem, problem);
    record.threads = 1;
    record.count = count;
    record.median_ns = median_ns;
    record.peak_gflops = 100;
    return record;
}

static char *printed(struct history *history, size_t wanted)
{
    char *text = NULL;
    size_t bytes = 0;
    FILE *out = open_memstream(&text, &bytes);
    assert_non_null(out);
    assert_int_equal(history_print(history, out), wanted);
    fclose(out);
    return text;
}

#define ONE "conv_fwd:c8h10k8kh1" /* 2 * 8 * 8 * 100 = 12800 operations */
#define TWO "conv_fwd:c8h10k16kh1"

static void totals_are_put_in_order_of_time(void **state)
{
    (void)state;
    struct history *history = history_open();
    assert_non_null(history);
    const struct record later[] = {row("2026-02-01", "a", "one", ONE, 2, 1500000),
                                   row("2026-02-01", "a", "two", TWO, 1, 1000000)};
    const struct record earlier[] = {row("2026-01-01", "a", "one", ONE, 2, 1000000),
                                     row("2026-01-01", "a", "two", TWO, 1, 1000000)};
    assert_true(history_add(history, later, 2));
    assert_true(history_add(history, earlier, 2));
    char *text = printed(history, 2);
    const char *first = strstr(text, "2026-01-01"), *second = strstr(text, "2026-02-01");
    assert_true(first && second && first < second);
    assert_non_null(strstr(text, "m: net fwd, batch 1, 1 thread, hot cache, 2 layers"));
    assert_non_null(strstr(text, " 3.00 |"));
    assert_non_null(strstr(text, " 4.00 |"));
    assert_non_null(strstr(text, "+33.3 *")); /* 4 ms after 3 ms */
    assert_non_null(strstr(text, "h ="));
    free(text);
    history_close(history);
}

/* A run of other layers, an incomplete one, a failed one and one of verify are not put beside it. */
static void only_equal_layers_are_compared(void **state)
{
    (void)state;
    struct history *history = history_open();
    assert_non_null(history);
    const struct record one[] = {row("2026-01-01", "a", "one", ONE, 2, 1000000)};
    struct record other[] = {row("2026-01-02", "a", "one", ONE, 3, 1000000), row("2026-01-02", "b", "one", ONE, 3, 1000000),
                             row("2026-01-02", "c", "one", ONE, 3, 1000000)};
    strcpy(other[1].verdict, "FAIL");
    strcpy(other[2].command, "verify");
    assert_true(history_add(history, one, 1));
    assert_true(history_add(history, other, 3));
    char *text = printed(history, 2);
    const char *title = strstr(text, "m: net fwd");
    assert_true(title && strstr(title + 1, "m: net fwd")); /* two tables */
    assert_null(strstr(text, "| b "));
    assert_null(strstr(text, "| c "));
    free(text);
    history_close(history);
}

static void nothing_is_nothing(void **state)
{
    (void)state;
    struct history *history = history_open();
    assert_non_null(history);
    assert_true(history_add(history, NULL, 0));
    free(printed(history, 0));
    history_close(history);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(totals_are_put_in_order_of_time),
        cmocka_unit_test(only_equal_layers_are_compared),
        cmocka_unit_test(nothing_is_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
