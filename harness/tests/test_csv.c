#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/error.h"
#include "report/csv.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Rows as text: "LINE<field><field>;" each. */
struct seen {
    char text[1024];
    size_t used;
    size_t stop_after, rows;
    bool fail;
};

static bool note_row(void *context, int64_t line, size_t fields, char *const *field, struct convoy_error *err)
{
    struct seen *seen = context;
    seen->used += (size_t)snprintf(seen->text + seen->used, sizeof seen->text - seen->used, "%lld", (long long)line);
    for (size_t f = 0; f < fields; f++)
        seen->used += (size_t)snprintf(seen->text + seen->used, sizeof seen->text - seen->used, "<%s>", field[f]);
    seen->used += (size_t)snprintf(seen->text + seen->used, sizeof seen->text - seen->used, ";");
    seen->rows++;
    if (seen->fail)
        convoy_fail(err, CONVOY_INVALID, CONVOY_WHY_SIZE, "refused");
    return !seen->stop_after || seen->rows < seen->stop_after;
}

static void expect_rows(const char *text, bool accept_partial, const char *rows)
{
    struct seen seen = {0};
    struct convoy_error err = error_none();
    assert_int_equal(csv_read_memory("t.csv", text, strlen(text), accept_partial, note_row, &seen, &err), CONVOY_OK);
    assert_string_equal(seen.text, rows);
}

static void expect_error(const char *text, const char *message)
{
    struct seen seen = {0};
    struct convoy_error err = error_none();
    assert_int_equal(csv_read_memory("t.csv", text, strlen(text), true, note_row, &seen, &err), CONVOY_INVALID);
    assert_non_null(strstr(err.text, message));
}

static void rows_and_fields(void **state)
{
    (void)state;
    expect_rows("", false, "");
    expect_rows("a,b\n1,2\n", false, "1<a><b>;2<1><2>;");
    expect_rows("a,\n,\n", false, "1<a><>;2<><>;");
    expect_rows("a,b\r\n1,2\r\n", false, "1<a><b>;2<1><2>;");
    expect_rows("\"a\",\"b\"\r\n", false, "1<a><b>;");
    expect_rows(" a , b\n", false, "1<a><b>;");
    expect_rows("\xEF\xBB\xBF"
                "a\n",
                false, "1<a>;");
}

static void quotes(void **state)
{
    (void)state;
    expect_rows("\"a,b\",\"say \"\"hi\"\"\",\"\"\n", false, "1<a,b><say \"hi\"><>;");
    expect_rows("\" a \"\n", false, "1< a >;");
}

static void comments_and_empty_lines_are_skipped_but_counted(void **state)
{
    (void)state;
    expect_rows("# note, with \" quote\n\na\n  \n#b\n\r\nc\n", false, "3<a>;7<c>;");
    expect_rows("a,#b\n", false, "1<a><#b>;");
    expect_rows("\"#a\"\n", false, "1<#a>;");
}

static void embedded_newlines_keep_line_numbers(void **state)
{
    (void)state;
    expect_rows("a,\"x\ny\n\n#z\"\nb,c\n", false, "1<a><x\ny\n\n#z>;5<b><c>;");
}

static void last_row_without_newline(void **state)
{
    (void)state;
    expect_rows("a\nb,c", false, "1<a>;");
    expect_rows("a\nb,c", true, "1<a>;2<b><c>;");
    expect_rows("a\n\"b\nc", false, "1<a>;");
    expect_rows("a\n# end", true, "1<a>;");
    expect_rows("a\n  ", true, "1<a>;");
    expect_error("a\nb,\"c\nd", "t.csv:2: column 2: the quote is never closed");
}

static void errors_name_the_place(void **state)
{
    (void)state;
    expect_error("a,b\n\n1,x\"y\n", "t.csv:3: column 2: character 4: ");
    expect_error("a,b\n\"1\n2\",\"x\"y\n", "t.csv:3: column 2: character 7: ");
    struct seen seen = {0};
    struct convoy_error err = error_none();
    assert_int_equal(csv_read_memory("t.csv", "a\nb,c\0d\n", 8, true, note_row, &seen, &err), CONVOY_INVALID);
    assert_non_null(strstr(err.text, "t.csv:2: column 2: holds a NUL byte"));
    assert_int_equal(csv_read("/nonexistent/t.csv", true, note_row, &seen, &err), CONVOY_FAILED);
    assert_non_null(strstr(err.text, "/nonexistent/t.csv: cannot open: No such file"));
}

static void callback_stops_or_fails_the_reading(void **state)
{
    (void)state;
    struct convoy_error err = error_none();
    struct seen seen = {.stop_after = 2};
    assert_int_equal(csv_read_memory("t.csv", "a\nb\nc\n\"", 7, true, note_row, &seen, &err), CONVOY_OK);
    assert_string_equal(seen.text, "1<a>;2<b>;");
    struct seen failing = {.stop_after = 1, .fail = true};
    assert_int_equal(csv_read_memory("t.csv", "a\nb\n", 4, true, note_row, &failing, &err), CONVOY_INVALID);
    assert_string_equal(err.text, "refused");
    assert_int_equal(err.why, CONVOY_WHY_SIZE);
    struct seen silent = {.stop_after = 1, .fail = true};
    assert_int_equal(csv_read_memory("t.csv", "a\nb\n", 4, true, note_row, &silent, NULL), CONVOY_INVALID);
}

static void what_is_written_reads_back(void **state)
{
    (void)state;
    static const char *const field[] = {"plain",       "",     "a,b",     "say \"hi\"", "two\nlines", " blanks\t",
                                        "#no comment", "cr\r", "\xC3\xA9"};
    enum { FIELDS = sizeof field / sizeof *field };
    char path[] = "/tmp/convoy_test_csv_XXXXXX";
    const int fd = mkstemp(path);
    assert_true(fd >= 0);
    struct convoy_error err = error_none();
    assert_int_equal(csv_append(fd, FIELDS, field, &err), CONVOY_OK);
    assert_int_equal(csv_append(fd, 1, &field[1], &err), CONVOY_OK);
    assert_int_equal(csv_append(fd, 1, &field[6], &err), CONVOY_OK);
    close(fd);
    struct seen seen = {0};
    assert_int_equal(csv_read(path, false, note_row, &seen, &err), CONVOY_OK);
    assert_string_equal(seen.text,
                        "1<plain><><a,b><say \"hi\"><two\nlines>< blanks\t><#no comment><cr\r><\xC3\xA9>;3<>;4<#no comment>;");
    unlink(path);
}

static void complete_bytes_ends_after_the_last_whole_row(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t bytes;
    } sample[] = {{"", 0},         {"a,b", 0},           {"a\n", 2},     {"a\nb", 2},
                  {"a\n\"b\n", 2}, {"a\n\"b\nc\"\n", 8}, {"# \"x\n", 5}, {"# \"x\na\nb", 7}};
    for (size_t at = 0; at < sizeof sample / sizeof *sample; at++) {
        char path[] = "/tmp/convoy_test_csv_XXXXXX";
        const int fd = mkstemp(path);
        assert_true(fd >= 0);
        const size_t length = strlen(sample[at].text);
        assert_int_equal(write(fd, sample[at].text, length), (ssize_t)length);
        close(fd);
        int64_t bytes = -1;
        assert_int_equal(csv_complete_bytes(path, &bytes, NULL), CONVOY_OK);
        assert_int_equal(bytes, sample[at].bytes);
        unlink(path);
    }
}

static void full_disk_is_named(void **state)
{
    (void)state;
    const int fd = open("/dev/full", O_WRONLY | O_APPEND);
    if (fd < 0) {
        print_message("no /dev/full here\n");
        skip();
    }
    static const char *const field[] = {"a", "b"};
    struct convoy_error err = error_none();
    assert_int_equal(csv_append(fd, 2, field, &err), CONVOY_FAILED);
    assert_non_null(strstr(err.text, "No space left on device"));
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_and_fields),
        cmocka_unit_test(quotes),
        cmocka_unit_test(comments_and_empty_lines_are_skipped_but_counted),
        cmocka_unit_test(embedded_newlines_keep_line_numbers),
        cmocka_unit_test(last_row_without_newline),
        cmocka_unit_test(errors_name_the_place),
        cmocka_unit_test(callback_stops_or_fails_the_reading),
        cmocka_unit_test(what_is_written_reads_back),
        cmocka_unit_test(complete_bytes_ends_after_the_last_whole_row),
        cmocka_unit_test(full_disk_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
