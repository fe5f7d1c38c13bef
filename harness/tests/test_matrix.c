#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "report/grid.h"
#include "report/matrix.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

static char *printed(void (*print)(FILE *, const struct record *, size_t), const struct record *records, size_t count)
{
    char *text = NULL;
    size_t bytes = 0;
    FILE *out = open_memstream(&text, &bytes);
    assert_non_null(out);
    print(out, records, count);
    assert_int_equal(fclose(out), 0);
    return text;
}

static void expect_text(void (*print)(FILE *, const struct record *, size_t), const struct record *records, size_t count,
                        const char *want)
{
    char *text = printed(print, records, count);
    assert_string_equal(text, want);
    free(text);
}

struct verified {
    const char *op, *pass, *backend, *variant, *verdict;
};

static void correctness(void **state)
{
    (void)state;
    static const struct verified list[] = {
        {"conv_fwd", "fwd", "naive", "", "PASS"},
        {"conv_fwd", "fwd", "naive", "", "PASS"},
        {"conv_fwd", "fwd", "winograd", "f4", "PASS"},
        {"conv_fwd", "fwd", "winograd", "f4", "UNSUPPORTED"},
        {"conv_bwd_data", "bwd-data", "naive", "", "FAIL"},
        {"conv_bwd_data", "bwd-data", "naive", "", "CRASH"},
        {"conv_bwd_data", "bwd-data", "naive", "", "CRASH"},
        {"conv_bwd_data", "bwd-data", "winograd", "f4", "SKIPPED"},
        {"bn_train", "fwd", "naive", "", ""},
    };
    enum { COUNT = sizeof list / sizeof *list };
    struct record records[COUNT + 1];
    for (size_t at = 0; at < COUNT; at++) {
        record_clear(&records[at]);
        strcpy(records[at].command, "verify");
        strcpy(records[at].op, list[at].op);
        strcpy(records[at].pass, list[at].pass);
        strcpy(records[at].backend, list[at].backend);
        strcpy(records[at].variant, list[at].variant);
        strcpy(records[at].verdict, list[at].verdict);
    }
    records[COUNT] = records[0];
    strcpy(records[COUNT].command, "bench"); /* not a verification */
    expect_text(matrix_correctness, records, COUNT + 1,
                "Verified problems: passed/total, the rest was declined; \"-\": all declined; else the most frequent failure.\n"
                "\n"
                "| operation     | pass     |     naive | winograd:f4 |\n"
                "|---------------|----------|----------:|------------:|\n"
                "| conv_fwd      | fwd      |       2/2 |         1/2 |\n"
                "| conv_bwd_data | bwd-data |   CRASH 2 |           - |\n"
                "| bn_train      | fwd      | NOT_RUN 1 |             |\n");
}

/* Strict is what is not marked; of a candidate with both, both are said. */
static void fast_candidates_are_marked(void **state)
{
    (void)state;
    static const struct {
        const char *backend, *accuracy_class;
    } list[] = {{"a", "strict"}, {"b", "fast"}, {"c", "fast"}, {"c", "strict"}, {"c", ""}, {"d", "exact"}};
    enum { COUNT = sizeof list / sizeof *list };
    struct record records[COUNT];
    for (size_t at = 0; at < COUNT; at++) {
        record_clear(&records[at]);
        strcpy(records[at].command, "verify");
        strcpy(records[at].op, "conv_fwd");
        strcpy(records[at].pass, "fwd");
        strcpy(records[at].verdict, "PASS");
        strcpy(records[at].backend, list[at].backend);
        strcpy(records[at].accuracy_class, list[at].accuracy_class);
    }
    expect_text(matrix_correctness, records, COUNT,
                "Verified problems: passed/total, the rest was declined; \"-\": all declined; else the most frequent failure.\n"
                "(fast): of the accuracy class fast, never to be compared with the others, which are strict or exact.\n"
                "\n"
                "| operation | pass |   a | b (fast) | c (strict/fast) |   d |\n"
                "|-----------|------|----:|---------:|----------------:|----:|\n"
                "| conv_fwd  | fwd  | 1/1 |      1/1 |             3/3 | 1/1 |\n");
}

struct timed {
    const char *layer, *problem, *backend, *verdict;
    int64_t count, median_ns, mad_ns;
};

static void fill_timed(struct record *record, const struct timed *timed)
{
    record_clear(record);
    strcpy(record->command, "bench");
    strcpy(record->network, "net");
    strcpy(record->pass, "fwd");
    strcpy(record->cache, "hot");
    strcpy(record->layer, timed->layer);
    strcpy(record->problem, timed->problem);
    strcpy(record->backend, timed->backend);
    strcpy(record->verdict, timed->verdict);
    record->threads = 1;
    record->count = timed->count;
    record->median_ns = timed->median_ns;
    record->mad_ns = timed->mad_ns;
    record->gflops = 12.34;
    record->pct_peak = 5.678;
    record->pct_roof = 91.25;
    strcpy(record->roof, "L3");
}

/* The problem does 2*8*8*4*4 * 2*1*1 = 4096 operations at batch 2 (c = 4, k = 4, 8x8, 1x1). */
#define SMALL "conv_fwd:n2c4h8k4kh1"
static const struct timed timed_list[] = {
    {"a", SMALL, "slow", "PASS", 3, 2000000, 1000},
    {"a", SMALL, "fast", "PASS", 3, 9000000, 1000}, /* measured again below: the last one counts */
    {"b", SMALL, "slow", "", 1, 1500000, 1000},
    {"b", SMALL, "fast", "FAIL", 1, 10000, 1000}, /* a wrong result has no time                */
    {"a", SMALL, "fast", "PASS", 3, 1000000, 60000},
    {"b", SMALL, "other", "MARGINAL", 1, 1200000, 1000},
    {"a", "conv_fwd:c4h8k4kh1", "fast", "PASS", 3, 500000, 0}, /* another batch                           */
};
enum { TIMED = sizeof timed_list / sizeof *timed_list };

static void winners(void **state)
{
    (void)state;
    struct record records[TIMED];
    for (size_t at = 0; at < TIMED; at++)
        fill_timed(&records[at], &timed_list[at]);
    records[TIMED - 1].pct_peak = records[TIMED - 1].pct_roof = NAN;
    expect_text(matrix_winners, records, TIMED,
                "Fastest candidate per layer, by median time; \"~\": spread above 5 % of the median.\n"
                "Effective GFLOP/s: the direct algorithm's operations (2 per multiply-add) over the time, for every algorithm.\n"
                "\n"
                "net fwd, batch 2, 1 thread, hot cache\n"
                "\n"
                "| layer | problem              | fastest |   ms | GFLOP/s | % peak |  % roof | runner-up | % slower |\n"
                "|-------|----------------------|---------|-----:|--------:|-------:|--------:|-----------|---------:|\n"
                "| a     | conv_fwd:n2c4h8k4kh1 | fast ~  | 1.00 |    12.3 |    5.7 | 91.2 L3 | slow      |    100.0 |\n"
                "| b     | conv_fwd:n2c4h8k4kh1 | other   | 1.20 |    12.3 |    5.7 | 91.2 L3 | slow      |     25.0 |\n"
                "\n"
                "net fwd, batch 1, 1 thread, hot cache\n"
                "\n"
                "| layer | problem            | fastest |    ms | GFLOP/s | % peak | % roof | runner-up | % slower |\n"
                "|-------|--------------------|---------|------:|--------:|-------:|-------:|-----------|---------:|\n"
                "| a     | conv_fwd:c4h8k4kh1 | fast    | 0.500 |    12.3 |        |        |           |          |\n"
                "\n");
}

/* best: 3*1.0 + 1.2 = 4.2 ms; slow: 3*2.0 + 1.5 = 7.5 ms; operations at batch 2: (3 + 1) * 4096 in 4.2 ms = 0.0039 GFLOP/s. */
static void totals(void **state)
{
    (void)state;
    struct record records[TIMED];
    for (size_t at = 0; at < TIMED; at++)
        fill_timed(&records[at], &timed_list[at]);
    expect_text(matrix_totals, records, TIMED,
                "Network totals: sum over the layers of count x median time, for candidates that have every layer.\n"
                "Effective GFLOP/s: the direct algorithm's operations (2 per multiply-add) over the time, for every algorithm.\n"
                "\n"
                "net fwd, batch 2, 1 thread, hot cache\n"
                "\n"
                "| candidate      | layers | lacks | total ms | of best | GFLOP/s |\n"
                "|----------------|-------:|------:|---------:|--------:|--------:|\n"
                "| best per layer |      2 |       |     4.20 |    1.00 | 0.00390 |\n"
                "| slow           |      2 |       |     7.50 |    1.79 | 0.00218 |\n"
                "| fast           |      1 |     1 |          |         |         |\n"
                "| other          |      1 |     1 |          |         |         |\n"
                "\n"
                "net fwd, batch 1, 1 thread, hot cache\n"
                "\n"
                "| candidate      | layers | lacks | total ms | of best | GFLOP/s |\n"
                "|----------------|-------:|------:|---------:|--------:|--------:|\n"
                "| best per layer |      1 |       |     1.50 |    1.00 | 0.00410 |\n"
                "| fast           |      1 |       |     1.50 |    1.00 | 0.00410 |\n"
                "\n");
}

static void threads_cache_and_machine_are_kept_apart(void **state)
{
    (void)state;
    struct record records[4];
    for (size_t at = 0; at < 4; at++)
        fill_timed(&records[at], &timed_list[0]);
    records[1].threads = 2;
    strcpy(records[2].cache, "cold");
    strcpy(records[3].machine, "box-1");
    char *text = printed(matrix_totals, records, 4);
    assert_non_null(strstr(text, "1 thread, hot cache\n"));
    assert_non_null(strstr(text, "2 threads, hot cache\n"));
    assert_non_null(strstr(text, "1 thread, cold cache\n"));
    assert_non_null(strstr(text, "1 thread, hot cache, box-1\n"));
    free(text);
}

static void nothing_to_show(void **state)
{
    (void)state;
    expect_text(matrix_correctness, NULL, 0, "No verification records.\n");
    expect_text(matrix_winners, NULL, 0, "No timing records.\n");
    expect_text(matrix_totals, NULL, 0, "No timing records.\n");
    struct record failed;
    fill_timed(&failed, &timed_list[3]);
    char *text = printed(matrix_winners, &failed, 1);
    assert_non_null(strstr(text, "| b     | conv_fwd:n2c4h8k4kh1 | none    |"));
    free(text);
    text = printed(matrix_totals, &failed, 1);
    assert_non_null(strstr(text, "| best per layer |      0 |     1 |"));
    free(text);
}

static void wide_grids_are_split_and_text_is_escaped(void **state)
{
    (void)state;
    char *text = NULL;
    size_t bytes = 0;
    FILE *out = open_memstream(&text, &bytes);
    assert_non_null(out);
    struct grid *grid = grid_open(3);
    assert_non_null(grid);
    grid_align_right(grid, 1);
    static const char *const cell[] = {"a|b", "c1", "c2", "\xC3\xA9", "1", ""};
    for (size_t at = 0; at < sizeof cell / sizeof *cell; at++)
        grid_cell(grid, "%s", cell[at]);
    assert_true(grid_print(grid, out, 1, 16));
    assert_int_equal(fclose(out), 0);
    assert_string_equal(text, "| a\\|b |  c1 |\n"
                              "|------|----:|\n"
                              "| \xC3\xA9    |   1 |\n"
                              "\n"
                              "| a\\|b | c2  |\n"
                              "|------|-----|\n"
                              "| \xC3\xA9    |     |\n");
    free(text);
    grid_close(grid);
}

static void numbers_have_three_digits(void **state)
{
    (void)state;
    static const struct {
        double value;
        const char *text;
    } sample[] = {{0, "| 0   |"},       {0.00001234, "| 0.0000123 |"}, {0.01234, "| 0.0123 |"},
                  {0.9996, "| 1.00 |"}, {9.994, "| 9.99 |"},           {9.996, "| 10.0 |"},
                  {123.4, "| 123 |"},   {12345.6, "| 12346 |"},        {1234567, "| 1234567 |"},
                  {NAN, "|     |"}};
    for (size_t at = 0; at < sizeof sample / sizeof *sample; at++) {
        char *text = NULL;
        size_t bytes = 0;
        FILE *out = open_memstream(&text, &bytes);
        assert_non_null(out);
        struct grid *grid = grid_open(1);
        assert_non_null(grid);
        grid_number(grid, sample[at].value);
        assert_true(grid_print(grid, out, 1, 80));
        assert_int_equal(fclose(out), 0);
        *strchr(text, '\n') = '\0';
        assert_string_equal(text, sample[at].text);
        grid_close(grid);
        free(text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(correctness),
        cmocka_unit_test(fast_candidates_are_marked),
        cmocka_unit_test(winners),
        cmocka_unit_test(totals),
        cmocka_unit_test(threads_cache_and_machine_are_kept_apart),
        cmocka_unit_test(nothing_to_show),
        cmocka_unit_test(wide_grids_are_split_and_text_is_escaped),
        cmocka_unit_test(numbers_have_three_digits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
