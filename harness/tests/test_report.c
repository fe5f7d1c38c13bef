#include "core/error.h"
#include "report/digest.h"
#include "report/html.h"
#include "report/pack.h"
#include "report/rank.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

static struct record row(const char *backend, const char *layer, int64_t count, int64_t median_ns)
{
    struct record record;
    record_clear(&record);
    snprintf(record.command, sizeof record.command, "bench");
    snprintf(record.network, sizeof record.network, "net");
    snprintf(record.layer, sizeof record.layer, "%s", layer);
    snprintf(record.problem, sizeof record.problem, "conv_fwd:c8h%dk8kh3", 10 + layer[0] - 'a');
    snprintf(record.op, sizeof record.op, "conv_fwd");
    snprintf(record.pass, sizeof record.pass, "fwd");
    snprintf(record.backend, sizeof record.backend, "%s", backend);
    snprintf(record.cache, sizeof record.cache, "hot");
    snprintf(record.machine, sizeof record.machine, "m");
    snprintf(record.verdict, sizeof record.verdict, median_ns > 0 ? "PASS" : "UNSUPPORTED");
    record.threads = 1;
    record.count = count;
    if (median_ns > 0) {
        record.median_ns = median_ns;
        record.mad_ns = 1;
        record.workspace_bytes = median_ns;
        record.prepared_bytes = 3;
    }
    return record;
}

/* Three layers, two of a and one each of b and c; "part" lacks b, "none" has nothing. */
static const struct {
    const char *backend, *layer;
    int64_t count, ns;
} table[] = {{"all", "a", 2, 100}, {"part", "a", 2, 50}, {"none", "a", 2, 0},  {"all", "b", 1, 1000}, {"part", "b", 1, 0},
             {"none", "b", 1, 0},  {"all", "c", 1, 10},  {"part", "c", 1, 30}, {"none", "c", 1, 0}};
enum { ROWS = sizeof table / sizeof table[0] };

static void make_rows(struct record *records)
{
    for (size_t r = 0; r < ROWS; r++)
        records[r] = row(table[r].backend, table[r].layer, table[r].count, table[r].ns);
}

static void totals_count_layers_and_name_the_fallback(void **state)
{
    (void)state;
    struct record *records = calloc(ROWS, sizeof *records);
    struct groups groups;
    struct rank rank;
    assert_non_null(records);
    make_rows(records);
    assert_true(groups_make(records, ROWS, &groups));
    assert_int_equal(groups.count, 1);
    assert_true(rank_make(&groups.group[0], &rank));
    assert_int_equal(rank.timed, 3);
    assert_int_equal(rank.best_ns, 2 * 50 + 1000 + 10);
    assert_int_equal(rank.single, 0);
    assert_int_equal(rank.total[0].ns, 2 * 100 + 1000 + 10);
    assert_int_equal(rank.total[0].filled_ns, rank.total[0].ns);
    assert_int_equal(rank.total[0].workspace_bytes, 1000);
    assert_int_equal(rank.total[0].prepared_bytes, 2 * 3 + 3 + 3);
    assert_int_equal(rank.total[1].covered, 2);
    assert_int_equal(rank.total[1].ns, 2 * 50 + 30);
    assert_int_equal(rank.total[1].filled_ns, 2 * 50 + 30 + 1000);
    assert_int_equal(rank.total[2].covered, 0);
    rank_free(&rank);
    groups_free(&groups);
    free(records);
}

static void without_a_complete_candidate_the_fastest_stands_in(void **state)
{
    (void)state;
    struct record records[4] = {row("x", "a", 1, 100), row("y", "a", 1, 0), row("x", "b", 1, 0), row("y", "b", 1, 7)};
    struct groups groups;
    struct rank rank;
    assert_true(groups_make(records, 4, &groups));
    assert_true(rank_make(&groups.group[0], &rank));
    assert_int_equal(rank.single, RANK_NONE);
    assert_int_equal(rank.total[0].filled_ns, 107);
    assert_int_equal(rank.total[1].filled_ns, 107);
    rank_free(&rank);
    groups_free(&groups);
}

static void intervals_that_overlap_are_a_tie(void **state)
{
    (void)state;
    struct record records[2] = {row("x", "a", 1, 100), row("y", "a", 1, 104)};
    struct groups groups;
    struct rank_layer rank;
    assert_true(groups_make(records, 2, &groups));
    rank_layer(&groups.group[0], 0, &rank);
    assert_string_equal(rank.best->backend, "x");
    assert_string_equal(rank.second->backend, "y");
    assert_false(rank.tie);
    records[0].high_ns = 103;
    records[1].low_ns = 103;
    rank_layer(&groups.group[0], 0, &rank);
    assert_true(rank.tie);
    records[1].low_ns = 104;
    rank_layer(&groups.group[0], 0, &rank);
    assert_false(rank.tie);
    records[1] = row("y", "a", 1, 104);
    records[1].mad_ns = 5; /* no interval: the deviation */
    rank_layer(&groups.group[0], 0, &rank);
    assert_true(rank.tie);
    groups_free(&groups);
}

static void families_and_software_devices_are_told_apart(void **state)
{
    (void)state;
    static const char *const numerics[][2] = {{"gemm", "lowering"}, {"winograd(4,3)", "winograd"}, {"fft(16)", "fft"},
                                              {"direct", "direct"}, {"exact", "direct"},           {"stats", ""}};
    struct record record = row("x", "a", 1, 1);
    for (size_t at = 0; at < sizeof numerics / sizeof numerics[0]; at++) {
        snprintf(record.numerics, sizeof record.numerics, "%s", numerics[at][0]);
        assert_string_equal(rank_family(&record), numerics[at][1]);
    }
    assert_false(rank_is_software(&record));
    snprintf(record.algorithm, sizeof record.algorithm, "winograd, software device");
    assert_true(rank_is_software(&record));
}

static const char *packed(struct pack *pack, const char *const *texts)
{
    pack_free(pack);
    for (; *texts; texts++)
        pack_add(pack, *texts);
    assert_true(pack_end(pack));
    return pack->text;
}

static void runs_are_counted_where_that_is_shorter(void **state)
{
    (void)state;
    struct pack pack = {0};
    assert_string_equal(packed(&pack, (const char *const[]){"1", "", "2", NULL}), "1,,2");
    assert_string_equal(packed(&pack, (const char *const[]){"", "1", NULL}), ",1");
    assert_string_equal(packed(&pack, (const char *const[]){"12", "12", "12", "3", "3", NULL}), "12*3,3,3");
    assert_string_equal(packed(&pack, (const char *const[]){"", "", "", "", "5", NULL}), "*4,5");
    pack_add(&pack, "1,2");
    assert_false(pack_end(&pack));
    pack_free(&pack);
}

static char *read_whole(const char *path)
{
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    fseek(file, 0, SEEK_END);
    const long bytes = ftell(file);
    rewind(file);
    char *text = calloc(1, (size_t)bytes + 1);
    assert_non_null(text);
    assert_int_equal(fread(text, 1, (size_t)bytes, file), bytes);
    fclose(file);
    return text;
}

static size_t occurrences(const char *text, const char *of)
{
    size_t count = 0;
    for (; (text = strstr(text, of)); text += strlen(of))
        count++;
    return count;
}

static char *page_of(const struct record *records, size_t count, const struct report *like)
{
    char path[] = "/tmp/convoy_test_report_XXXXXX";
    struct convoy_error err = error_none();
    struct report report = *like;
    bool charts;
    const int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    report.records = records;
    report.count = count;
    report.harness = "test";
    assert_int_equal(html_write(path, &report, &charts, &err), CONVOY_OK);
    char *page = read_whole(path);
    unlink(path);
    return page;
}

static void names_cannot_leave_the_data(void **state)
{
    (void)state;
    const struct report_source source = {"<!--<script>.csv", 0, 1};
    const struct report report = {.source = &source, .sources = 1};
    struct record records[1] = {row("x", "a", 1, 123456)};
    setenv("CONVOY_CHART_JS", "/nonexistent", 1);
    char *plain = page_of(records, 1, &(struct report){.source = &(struct report_source){"f.csv", 0, 1}, .sources = 1});
    snprintf(records[0].network, sizeof records[0].network, "</script><script>alert(1)//");
    snprintf(records[0].layer, sizeof records[0].layer, "\"<img src=x>\\\n\xff");
    char *hostile = page_of(records, 1, &report);
    assert_int_equal(occurrences(hostile, "<script"), occurrences(plain, "<script"));
    assert_int_equal(occurrences(hostile, "</script"), occurrences(plain, "</script"));
    assert_int_equal(occurrences(hostile, "<!--"), occurrences(plain, "<!--"));
    assert_null(strstr(hostile, "<img"));
    assert_non_null(strstr(hostile, "\\u003c/script>\\u003cscript>alert(1)//"));
    assert_non_null(strstr(hostile, "123456"));
    free(plain);
    free(hostile);
}

static void a_page_stands_alone(void **state)
{
    (void)state;
    const struct report_source source = {"f.csv", 0, 1};
    struct record records[1] = {row("x", "a", 1, 5)};
    setenv("CONVOY_CHART_JS", "/nonexistent", 1);
    char *page = page_of(records, 1, &(struct report){.source = &source, .sources = 1});
    assert_null(strstr(page, "<!--convoy:"));
    assert_null(strstr(page, " src=\""));
    assert_null(strstr(page, "http"));
    assert_null(strstr(page, "@import"));
    assert_null(strstr(page, "fetch("));
    free(page);
}

/* Of the batches, those of the fastest candidates come first, and no more than there is room for. */
static void batches_are_kept_by_rank(void **state)
{
    (void)state;
    const struct report_source source = {"f.csv", 0, 2};
    struct record records[2] = {row("slow", "a", 1, 900), row("fast", "a", 1, 100)};
    static const char *const batches[2] = {"901,902,903,904,905", "101,102,103,104,105"};
    setenv("CONVOY_CHART_JS", "/nonexistent", 1);
    struct report report = {.source = &source, .sources = 1, .batches = batches, .batches_bytes = 40};
    char *page = page_of(records, 2, &report);
    assert_non_null(strstr(page, batches[1]));
    assert_null(strstr(page, batches[0]));
    assert_non_null(strstr(page, "\"most\":1,\"all\":false"));
    free(page);
    report.batches_bytes = 1000;
    page = page_of(records, 2, &report);
    assert_non_null(strstr(page, batches[0]));
    assert_non_null(strstr(page, "\"most\":2,\"all\":true"));
    free(page);
}

static void the_digest_says_what_is_charged(void **state)
{
    (void)state;
    struct record *records = calloc(ROWS, sizeof *records);
    char *text = NULL;
    size_t bytes = 0;
    assert_non_null(records);
    make_rows(records);
    const struct report report = {.records = records, .count = ROWS};
    FILE *out = open_memstream(&text, &bytes);
    assert_non_null(out);
    assert_true(digest_print(out, "## ", &report));
    fclose(out);
    assert_non_null(strstr(text, "## What does a whole network cost?"));
    assert_non_null(strstr(text, "Best single backend: all, 0.00121 ms, 1.09 times that."));
    assert_non_null(strstr(text, "| part      |    2/3 | 0.000130 |  0.00113 |"));
    free(text);
    free(records);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(totals_count_layers_and_name_the_fallback),
        cmocka_unit_test(without_a_complete_candidate_the_fastest_stands_in),
        cmocka_unit_test(intervals_that_overlap_are_a_tie),
        cmocka_unit_test(families_and_software_devices_are_told_apart),
        cmocka_unit_test(runs_are_counted_where_that_is_shorter),
        cmocka_unit_test(names_cannot_leave_the_data),
        cmocka_unit_test(a_page_stands_alone),
        cmocka_unit_test(batches_are_kept_by_rank),
        cmocka_unit_test(the_digest_says_what_is_charged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
