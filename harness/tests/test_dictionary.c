/* The column dictionary in results/README.md is the program's own table, word for word. */
#include "core/record.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static char *read_whole(const char *path)
{
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    assert_int_equal(fseek(file, 0, SEEK_END), 0);
    const long bytes = ftell(file);
    assert_true(bytes > 0);
    rewind(file);
    char *text = malloc((size_t)bytes + 1);
    assert_non_null(text);
    assert_int_equal(fread(text, 1, (size_t)bytes, file), (size_t)bytes);
    fclose(file);
    text[bytes] = '\0';
    return text;
}

/* A Markdown cell must escape '|'. */
static void escape(const char *from, char *to, size_t size)
{
    size_t used = 0;
    for (; *from && used + 3 < size; from++) {
        if (*from == '|')
            to[used++] = '\\';
        to[used++] = *from;
    }
    to[used] = '\0';
}

static void every_column_is_explained(void **state)
{
    (void)state;
    char *text = read_whole(SOURCE_DIR "/results/README.md");
    for (size_t c = 0; c < record_column_count; c++) {
        char meaning[512], line[640];
        escape(record_columns[c].meaning, meaning, sizeof meaning);
        snprintf(line, sizeof line, "\n| `%s` | %s |\n", record_columns[c].name, meaning);
        if (!strstr(text, line))
            print_error("results/README.md lacks the line: %s", line + 1);
        assert_non_null(strstr(text, line));
    }
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_column_is_explained)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
