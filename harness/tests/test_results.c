#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/error.h"
#include "report/results.h"
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[] = "/tmp/convoy_test_results_XXXXXX";

static int make_folder(void **state)
{
    (void)state;
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
    (void)state;
    return rmdir(folder);
}

static const char *path_of(const char *name)
{
    static char path[256];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

/* A row with everything that is hard: quotes, commas, a line break, absent numbers, extreme ones. */
static struct record hard_record(int64_t seed)
{
    struct record record;
    record_clear(&record);
    strcpy(record.command, "bench");
    strcpy(record.network, "net, the \"first\"");
    strcpy(record.layer, "#1");
    strcpy(record.problem, "conv_fwd:c3h8k4kh3");
    strcpy(record.backend, "im2col");
    strcpy(record.reason, "two\nlines, and \"quotes\"");
    record.count = 2;
    record.threads = 1;
    record.median_ns = INT64_MAX;
    record.min_ns = -INT64_MAX;
    record.gflops = 123.456789;
    record.l2_rel = 1e-300;
    record.seed = seed;
    strcpy(record.repro, "convoy bench 'x'");
    return record;
}

static void write_rows(const char *path, bool resume, int64_t first_seed, int64_t rows)
{
    struct results_file *file = NULL;
    struct convoy_error err = error_none();
    assert_int_equal(results_open(path, resume, &file, &err), CONVOY_OK);
    for (int64_t row = 0; row < rows; row++) {
        const struct record record = hard_record(first_seed + row);
        assert_int_equal(results_append(file, &record, &err), CONVOY_OK);
    }
    assert_int_equal(results_close(file, &err), CONVOY_OK);
}

static void expect_seeds(const char *path, const int64_t *seed, size_t rows)
{
    struct record *records = NULL;
    size_t count = 0;
    struct convoy_error err = error_none();
    assert_int_equal(results_read(path, &records, &count, &err), CONVOY_OK);
    assert_int_equal(count, rows);
    for (size_t row = 0; row < rows; row++) {
        const struct record want = hard_record(seed[row]);
        assert_int_equal(records[row].seed, seed[row]);
        assert_string_equal(records[row].network, want.network);
        assert_string_equal(records[row].layer, want.layer);
        assert_string_equal(records[row].reason, want.reason);
        assert_int_equal(records[row].median_ns, want.median_ns);
        assert_int_equal(records[row].min_ns, want.min_ns);
        assert_int_equal(records[row].mad_ns, INT64_MIN);
        assert_true(isnan(records[row].pct_peak));
        assert_true(fabs(records[row].gflops / want.gflops - 1) < 1e-8);
        assert_true(fabs(records[row].l2_rel / want.l2_rel - 1) < 1e-8);
        assert_true(results_same_case(&records[row], &want));
    }
    free(records);
}

static char *read_whole(const char *path, size_t *bytes)
{
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    char *text = malloc(1 << 20);
    assert_non_null(text);
    *bytes = fread(text, 1, 1 << 20, file);
    fclose(file);
    return text;
}

static void write_bytes(const char *path, const char *text, size_t bytes)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, bytes, file), bytes);
    assert_int_equal(fclose(file), 0);
}

static void rows_read_back(void **state)
{
    (void)state;
    const char *path = path_of("deep");
    char file[PATH_MAX];
    snprintf(file, sizeof file, "%s/er/results.csv", path);
    write_rows(file, false, 10, 2);
    expect_seeds(file, (const int64_t[]){10, 11}, 2);
    write_rows(file, true, 12, 1);
    expect_seeds(file, (const int64_t[]){10, 11, 12}, 3);
    unlink(file);
    snprintf(file, sizeof file, "%s/er", path_of("deep"));
    rmdir(file);
    rmdir(path_of("deep"));
}

static void existing_file_needs_resume(void **state)
{
    (void)state;
    write_rows(path_of("r.csv"), false, 1, 1);
    struct results_file *file = NULL;
    struct convoy_error err = error_none();
    assert_int_equal(results_open(path_of("r.csv"), false, &file, &err), CONVOY_INVALID);
    assert_non_null(strstr(err.text, "--resume"));
    assert_null(file);
    expect_seeds(path_of("r.csv"), (const int64_t[]){1}, 1);
    unlink(path_of("r.csv"));
    write_bytes(path_of("r.csv"), "", 0);
    write_rows(path_of("r.csv"), false, 2, 1);
    expect_seeds(path_of("r.csv"), (const int64_t[]){2}, 1);
    unlink(path_of("r.csv"));
}

/* A run killed at any byte of its last row loses that row and nothing else; one killed in the header starts anew. */
static void resume_after_truncation_at_every_byte(void **state)
{
    (void)state;
    const char *path = path_of("t.csv");
    write_rows(path, false, 5, 1);
    size_t one_row, two_rows;
    free(read_whole(path, &one_row));
    write_rows(path, true, 6, 1);
    char *text = read_whole(path, &two_rows);
    assert_true(two_rows > one_row);
    const size_t header = (size_t)(strchr(text, '\n') - text) + 1;
    for (size_t cut = 0; cut <= two_rows; cut++) {
        unlink(path);
        write_bytes(path, text, cut);
        write_rows(path, true, 7, 1);
        if (cut < one_row)
            expect_seeds(path, (const int64_t[]){7}, 1);
        else if (cut < two_rows)
            expect_seeds(path, (const int64_t[]){5, 7}, 2);
        else
            expect_seeds(path, (const int64_t[]){5, 6, 7}, 3);
        if (cut == header)
            cut = one_row - 2; /* between lies the first row, which is cut like the second */
    }
    free(text);
    unlink(path);
}

static void half_row_is_not_read(void **state)
{
    (void)state;
    const char *path = path_of("half.csv");
    write_rows(path, false, 1, 2);
    size_t bytes;
    char *text = read_whole(path, &bytes);
    write_bytes(path, text, bytes - 1);
    expect_seeds(path, (const int64_t[]){1}, 1);
    free(text);
    unlink(path);
}

static void other_header_is_refused(void **state)
{
    (void)state;
    const char *path = path_of("h.csv");
    write_rows(path, false, 1, 1);
    size_t bytes;
    char *text = read_whole(path, &bytes);
    char *layer = strstr(text, "layer");
    assert_non_null(layer);
    memcpy(layer, "Layer", 5);
    write_bytes(path, text, bytes);
    struct results_file *file = NULL;
    struct convoy_error err = error_none();
    assert_int_equal(results_open(path, true, &file, &err), CONVOY_INVALID);
    assert_non_null(strstr(err.text, ":1: column 3 is 'Layer', this version writes layer"));
    size_t after;
    free(read_whole(path, &after));
    assert_int_equal(after, bytes);

    const char *last_comma = NULL;
    for (const char *at = text; *at != '\n'; at++)
        if (*at == ',')
            last_comma = at;
    memcpy(layer, "layer", 5);
    const size_t cut = (size_t)(last_comma - text);
    text[cut] = '\n';
    write_bytes(path, text, cut + 1);
    assert_int_equal(results_open(path, true, &file, &err), CONVOY_INVALID);
    assert_non_null(strstr(err.text, "is missing, this version writes repro"));
    free(text);
    unlink(path);
}

static void reading_maps_columns_by_name(void **state)
{
    (void)state;
    const char *path = path_of("m.csv");
    static const char text[] = "# older\nseed,future,backend\n7,x,naive\n,,im2col\n";
    write_bytes(path, text, sizeof text - 1);
    struct record *records = NULL;
    size_t count = 0;
    struct convoy_error err = error_none();
    assert_int_equal(results_read(path, &records, &count, &err), CONVOY_OK);
    assert_int_equal(count, 2);
    assert_int_equal(records[0].seed, 7);
    assert_string_equal(records[0].backend, "naive");
    assert_string_equal(records[0].network, "");
    assert_int_equal(records[1].seed, INT64_MIN);
    assert_int_equal(records[1].threads, INT64_MIN);
    free(records);
    unlink(path);
}

static void expect_read_error(const char *text, const char *message)
{
    const char *path = path_of("e.csv");
    write_bytes(path, text, strlen(text));
    struct record *records = NULL;
    size_t count = 0;
    struct convoy_error err = error_none();
    assert_int_equal(results_read(path, &records, &count, &err), CONVOY_INVALID);
    if (!strstr(err.text, message))
        fail_msg("'%s' should say '%s'", err.text, message);
    unlink(path);
}

static void bad_rows_are_named(void **state)
{
    (void)state;
    expect_read_error("", "e.csv:1: no header row");
    expect_read_error("a,b\n", "e.csv:1: no column of a result file");
    expect_read_error("seed,backend\n1,naive\n1\n", "e.csv:3: has 1 fields, the header has 2");
    expect_read_error("seed,backend\n1x,naive\n", "e.csv:2: column seed: '1x'");
    expect_read_error("cache,backend\nmuch too long,naive\n", "e.csv:2: column cache: ");
}

static void full_disk_is_named(void **state)
{
    (void)state;
    if (access("/dev/full", W_OK) != 0) {
        print_message("no /dev/full here\n");
        skip();
    }
    struct results_file *file = NULL;
    struct convoy_error err = error_none();
    assert_int_equal(results_open("/dev/full", false, &file, &err), CONVOY_FAILED);
    assert_string_equal(err.text, "/dev/full: cannot write the row: No space left on device");
    assert_null(file);
}

static void unwritable_places_are_named(void **state)
{
    (void)state;
    write_bytes(path_of("file"), "", 0);
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/results.csv", path_of("file"));
    struct results_file *file = NULL;
    struct convoy_error err = error_none();
    assert_int_equal(results_open(path, false, &file, &err), CONVOY_FAILED);
    assert_non_null(strstr(err.text, "Not a directory"));
    assert_int_equal(results_open(folder, false, &file, &err), CONVOY_FAILED);
    assert_non_null(strstr(err.text, "Is a directory"));
    unlink(path_of("file"));
}

static void cases_differ_by_each_key(void **state)
{
    (void)state;
    const struct record base = hard_record(1);
    struct record other = base;
    other.median_ns = 5;
    strcpy(other.verdict, "PASS");
    assert_true(results_same_case(&base, &other));
    static const char *const key[] = {"command", "problem", "backend", "variant", "network", "layer", "threads", "cache", "seed"};
    for (size_t at = 0; at < sizeof key / sizeof *key; at++) {
        other = base;
        assert_true(record_set(&other, (size_t)record_column_by_name(key[at]), "77"));
        assert_false(results_same_case(&base, &other));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_read_back),
        cmocka_unit_test(existing_file_needs_resume),
        cmocka_unit_test(resume_after_truncation_at_every_byte),
        cmocka_unit_test(half_row_is_not_read),
        cmocka_unit_test(other_header_is_refused),
        cmocka_unit_test(reading_maps_columns_by_name),
        cmocka_unit_test(bad_rows_are_named),
        cmocka_unit_test(full_disk_is_named),
        cmocka_unit_test(unwritable_places_are_named),
        cmocka_unit_test(cases_differ_by_each_key),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
