/* The column table against the struct, and the three text forms of a record: field, line, absent. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/problem.h"
#include "core/record.h"
#include "core/rng.h"

/* The order is that of the files; programs that read them rely on the names. */
static const char *const names =
    "command network layer count problem op pass backend variant algorithm numerics accuracy_class deterministic threads cache "
    "verdict reason "
    "error_in_bounds l2_rel max_rel backward_error plan_ns prepare_ns median_ns min_ns mad_ns rounds iterations low_ns high_ns "
    "p5_ns p95_ns disturbed noise_pct gflops pct_peak peak_gflops pct_roof roof_gbps roof phases without_moves_ns "
    "workspace_bytes "
    "prepared_bytes domain upload_ns download_ns launch_ns queued_ns baseline_ns ratio ratio_low ratio_high p_holm p_equivalent "
    "baseline_hash seed machine "
    "cpu plugin_version plugin_hash revision utc repro ";

static void test_columns(void **state)
{
    (void)state;
    char all[1024] = "";
    for (size_t column = 0; column < record_column_count; column++) {
        strcat(all, record_columns[column].name);
        strcat(all, " ");
        assert_int_equal(record_column_by_name(record_columns[column].name), column);
        assert_true(strlen(record_columns[column].meaning) > 10);
    }
    assert_string_equal(all, names);
    assert_int_equal(record_column_by_name("colour"), -1);
    assert_int_equal(record_column_by_name(""), -1);
}

/* Every byte of the struct belongs to one column, or is padding before an 8-byte number. */
static void test_columns_cover_the_struct(void **state)
{
    (void)state;
    char owner[sizeof(struct record)] = {0};
    size_t lonely = 0;
    for (size_t column = 0; column < record_column_count; column++) {
        const struct record_column *const at = &record_columns[column];
        if (at->type != RECORD_TEXT)
            assert_int_equal(at->size, 8);
        for (size_t byte = at->offset; byte < at->offset + at->size; byte++)
            assert_int_equal(owner[byte]++, 0);
    }
    for (size_t byte = 0; byte < sizeof owner; byte++) {
        lonely = owner[byte] ? 0 : lonely + 1;
        assert_true(lonely < 8);
    }
}

static void test_clear_is_absent(void **state)
{
    (void)state;
    struct record record;
    char text[64];
    memset(&record, 0x5a, sizeof record);
    record_clear(&record);
    assert_true(record.count == INT64_MIN && record.seed == INT64_MIN);
    assert_true(isnan(record.gflops));
    for (size_t column = 0; column < record_column_count; column++) {
        assert_int_equal(record_get(&record, column, text, sizeof text), 0);
        assert_string_equal(text, "");
    }
}

static size_t column_of(const char *name)
{
    const int column = record_column_by_name(name);
    assert_true(column >= 0);
    return (size_t)column;
}

static void assert_field(const char *name, const char *given, const char *expected)
{
    struct record record;
    char text[600];
    record_clear(&record);
    assert_true(record_set(&record, column_of(name), given));
    assert_int_equal(record_get(&record, column_of(name), text, sizeof text), strlen(expected));
    assert_string_equal(text, expected);
}

static void assert_rejected(const char *name, const char *given)
{
    struct record record;
    record_clear(&record);
    assert_false(record_set(&record, column_of(name), given));
}

static void test_fields(void **state)
{
    (void)state;
    assert_field("threads", "0", "0");
    assert_field("threads", "-7", "-7");
    assert_field("seed", "9223372036854775807", "9223372036854775807");
    assert_field("seed", "-9223372036854775807", "-9223372036854775807");
    assert_field("seed", "", "");
    assert_field("gflops", "12.5", "12.5");
    assert_field("gflops", "-0.25", "-0.25");
    assert_field("gflops", "3", "3");
    assert_field("l2_rel", "1.23456789e-07", "1.23456789e-07");
    assert_field("l2_rel", "0.333333333333333333", "0.333333333");
    assert_field("l2_rel", "inf", "inf");
    assert_field("l2_rel", "5e-324", "4.94065646e-324");
    assert_field("l2_rel", "", "");
    assert_field("reason", "tab\there, \"quoted\"\nnext line \\ ü", "tab\there, \"quoted\"\nnext line \\ ü");
    assert_field("cache", "hot", "hot");
    assert_field("cache", "1234567", "1234567");

    static const char *const no_int[] = {" 1", "1 ",  "1.5", "one",  "0x10", "9223372036854775808", "-9223372036854775808",
                                         "-",  "--1", "+1",  "1,000"};
    static const char *const no_real[] = {" 1", "1 ", "1e999", "nan", "-nan", "0x1p3", "1.5.5", "-", "x", "1,5", "+1"};
    for (size_t at = 0; at < sizeof no_int / sizeof *no_int; at++)
        assert_rejected("rounds", no_int[at]);
    for (size_t at = 0; at < sizeof no_real / sizeof *no_real; at++)
        assert_rejected("gflops", no_real[at]);
    assert_rejected("cache", "12345678");
}

static void test_setting_text_leaves_no_rest(void **state)
{
    (void)state;
    struct record a, b;
    record_clear(&a);
    record_clear(&b);
    assert_true(record_set(&a, column_of("network"), "a long network name"));
    assert_true(record_set(&a, column_of("network"), "vgg"));
    assert_true(record_set(&b, column_of("network"), "vgg"));
    assert_memory_equal(a.network, b.network, sizeof a.network);
}

static void test_longest_problem_fits(void **state)
{
    (void)state;
    char text[PROBLEM_TEXT_BYTES];
    struct record record;
    memset(text, 'n', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    record_clear(&record);
    assert_true(record_set(&record, column_of("problem"), text));
    assert_string_equal(record.problem, text);
}

/* Random fields, half of them absent, texts full of the characters that need escapes. */
static void fill_random(struct record *record, uint64_t *at)
{
    static const char letters[] = "ab\t\n\\tn,\"'; \r\xc3\xbc";
    record_clear(record);
    for (size_t column = 0; column < record_column_count; column++) {
        char text[600] = "";
        if (rng_below(1, 0, (*at)++, 2))
            continue;
        if (record_columns[column].type == RECORD_INT) {
            snprintf(text, sizeof text, "%lld", (long long)(int64_t)rng_u64(1, 0, (*at)++));
        } else if (record_columns[column].type == RECORD_REAL) {
            snprintf(text, sizeof text, "%.9g", ldexp(rng_normal(1, 0, *at), (int)rng_below(1, 1, *at, 200) - 100));
            ++*at;
        } else {
            const size_t length = rng_below(1, 0, (*at)++, record_columns[column].size);
            for (size_t letter = 0; letter < length; letter++)
                text[letter] = letters[rng_below(1, 0, (*at)++, sizeof letters - 1)];
        }
        assert_true(record_set(record, column, text));
    }
}

static void test_lines_round_trip(void **state)
{
    (void)state;
    uint64_t at = 0;
    for (int trial = 0; trial < 300; trial++) {
        struct record record, back;
        char line[4096], again[4096];
        fill_random(&record, &at);
        const int length = record_encode(&record, line, sizeof line);
        assert_true(length >= 0 && (size_t)length < sizeof line);
        assert_int_equal(strlen(line), length);
        assert_null(strchr(line, '\n'));
        assert_true(record_decode(line, &back));
        record_encode(&back, again, sizeof again);
        assert_string_equal(again, line);
        for (size_t column = 0; column < record_column_count; column++) {
            char a[600], b[600];
            record_get(&record, column, a, sizeof a);
            record_get(&back, column, b, sizeof b);
            assert_string_equal(a, b);
        }
    }
}

static void test_encode_cuts(void **state)
{
    (void)state;
    struct record record;
    char whole[4096], cut[16];
    record_clear(&record);
    assert_true(record_set(&record, column_of("command"), "verify"));
    assert_true(record_set(&record, column_of("network"), "resnet50"));
    const int length = record_encode(&record, whole, sizeof whole);
    assert_int_equal(record_encode(&record, cut, sizeof cut), length);
    assert_int_equal(strlen(cut), sizeof cut - 1);
    assert_memory_equal(cut, whole, sizeof cut - 1);
    assert_int_equal(record_encode(&record, NULL, 0), length);
}

static void test_decode_rejects(void **state)
{
    (void)state;
    struct record record, untouched;
    char line[4096], broken[4200];
    record_clear(&record);
    assert_true(record_set(&record, column_of("command"), "verify"));
    assert_true(record_set(&record, column_of("repro"), "end"));
    record_encode(&record, line, sizeof line);

    assert_true(record_decode(line, &record));
    snprintf(broken, sizeof broken, "%s\n", line);
    assert_true(record_decode(broken, &record)); /* the newline that ends a line may stay */

    untouched = record;
    snprintf(broken, sizeof broken, "%s\t", line);
    assert_false(record_decode(broken, &record)); /* a field too many */
    snprintf(broken, sizeof broken, "%s\n\n", line);
    assert_false(record_decode(broken, &record));
    *strrchr(line, '\t') = '\0';
    assert_false(record_decode(line, &record)); /* a field too few: a killed writer's half line */
    assert_false(record_decode("", &record));
    snprintf(broken, sizeof broken, "ver\\xify%s\t", strchr(line, '\t'));
    assert_false(record_decode(broken, &record)); /* an escape that nothing writes */
    snprintf(broken, sizeof broken, "verify%s\tend\\", strchr(line, '\t'));
    assert_false(record_decode(broken, &record)); /* a line cut inside an escape */
    snprintf(broken, sizeof broken, "verifyverifyverify%s\t", strchr(line, '\t'));
    assert_false(record_decode(broken, &record)); /* longer than its column */
    memset(broken, 'x', 2000);
    snprintf(broken + 2000, sizeof broken - 2000, "%s\t", strchr(line, '\t'));
    assert_false(record_decode(broken, &record)); /* longer than any column */
    assert_memory_equal(&record, &untouched, sizeof record);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_columns),
        cmocka_unit_test(test_columns_cover_the_struct),
        cmocka_unit_test(test_clear_is_absent),
        cmocka_unit_test(test_fields),
        cmocka_unit_test(test_setting_text_leaves_no_rest),
        cmocka_unit_test(test_longest_problem_fits),
        cmocka_unit_test(test_lines_round_trip),
        cmocka_unit_test(test_encode_cuts),
        cmocka_unit_test(test_decode_rejects),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
