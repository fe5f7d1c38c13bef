#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/error.h"
#include "report/table.h"
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char folder[] = "/tmp/convoy_test_table_XXXXXX";

static int make_folder(void **state)
{
    (void)state;
    return mkdtemp(folder) && setenv("CONVOY_TABLE_PATH", folder, 1) == 0 ? 0 : -1;
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

static void write_file(const char *name, const char *text)
{
    FILE *file = fopen(path_of(name), "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static void loads_columns_in_any_order(void **state)
{
    (void)state;
    write_file("any.csv", "# layers\nproblem,note,layer,count,network\n"
                          "\"conv_fwd:n2c3h8k4kh3p1\",first,conv1,3,net\n\nmaxpool_fwd:n2c4h8kh2s2,,pool1,1,net");
    struct table table = {0};
    struct convoy_error err = error_none();
    assert_int_equal(table_load(path_of("any.csv"), &table, &err), CONVOY_OK);
    assert_int_equal(table.count, 2);
    assert_string_equal(table.row[0].network, "net");
    assert_string_equal(table.row[0].layer, "conv1");
    assert_int_equal(table.row[0].count, 3);
    assert_int_equal(table.row[0].problem.conv.k, 4);
    assert_int_equal(table.row[0].problem.conv.oh, 8);
    assert_int_equal(table.row[1].problem.pool.oh, 4);

    assert_int_equal(table_load("any", &table, &err), CONVOY_OK); /* by name, and rows are appended */
    assert_int_equal(table.count, 4);
    assert_string_equal(table.row[2].layer, "conv1");
    table_free(&table);
    assert_null(table.row);
    assert_int_equal(table.count, 0);
    unlink(path_of("any.csv"));
}

static void expect_error(const char *text, const char *place, const char *message)
{
    write_file("bad.csv", text);
    struct table table = {0};
    struct convoy_error err = error_none();
    assert_int_equal(table_load(path_of("bad.csv"), &table, &err), CONVOY_INVALID);
    char whole[PATH_MAX];
    snprintf(whole, sizeof whole, "%s:%s", path_of("bad.csv"), place);
    if (strncmp(err.text, whole, strlen(whole)) != 0 || !strstr(err.text, message))
        fail_msg("'%s' should begin with '%s' and say '%s'", err.text, whole, message);
    table_free(&table);
    unlink(path_of("bad.csv"));
}

static void errors_name_file_line_and_column(void **state)
{
    (void)state;
#define HEADER "network,layer,count,problem\n"
    expect_error("", "1: ", "no header row");
    expect_error("# only a note\n", "1: ", "no header row");
    expect_error("network,layer,problem\n", "1: column count: ", "missing in the header");
    expect_error("network,layer,count,count,problem\n", "1: column count: ", "twice");
    expect_error(HEADER "net,a,1\n", "2: ", "3 fields, the header has 4");
    expect_error(HEADER "net,,1,relu:n4\n", "2: column layer: ", "empty");
    expect_error(HEADER "net,a,0,relu:n4\n", "2: column count: ", "'0'");
    expect_error(HEADER "net,a,-2,relu:n4\n", "2: column count: ", "'-2'");
    expect_error(HEADER "net,a,2x,relu:n4\n", "2: column count: ", "'2x'");
    expect_error(HEADER "net,a,99999999999999999999,relu:n4\n", "2: column count: ", "99999");
    expect_error(HEADER "net,a,1,relu:n4\nnet,\"b\nc\",1,conv_fwd:n1\n", "3: column problem: ", "");
    expect_error(HEADER "net,a,1,nothing:n4\n", "2: column problem: ", "nothing");
    expect_error(HEADER "net,a,1,re\"lu:n4\n", "2: column 4: character 11: ", "quote");
    expect_error(HEADER "net,0123456789012345678901234567890123456789012345678901234567890123,1,relu:n4\n",
                 "2: column layer: ", "longer than 63 characters");
#undef HEADER
}

/* The sentence after "column problem:" is the parser's own. */
static void problem_errors_carry_the_parsers_sentence(void **state)
{
    (void)state;
    union problem problem;
    struct convoy_error err = error_none();
    assert_int_equal(problem_parse("conv_fwd:n1c3h8k4kh0", &problem, &err), CONVOY_INVALID);
    assert_true(strlen(err.text) > 0);
    expect_error("network,layer,count,problem\nnet,a,1,conv_fwd:n1c3h8k4kh0\n", "2: column problem: ", err.text);
}

static void missing_file_is_the_worlds_fault(void **state)
{
    (void)state;
    struct table table = {0};
    struct convoy_error err = error_none();
    assert_int_equal(table_load(path_of("none.csv"), &table, &err), CONVOY_FAILED);
    assert_non_null(strstr(err.text, "No such file"));
}

static void unknown_names_list_the_known(void **state)
{
    (void)state;
    write_file("zebra.csv", "network,layer,count,problem\n");
    write_file("aardvark.csv", "network,layer,count,problem\n");
    write_file("notes.txt", "");
    struct table table = {0};
    struct convoy_error err = error_none();
    assert_int_equal(table_load("nosuch", &table, &err), CONVOY_INVALID);
    assert_non_null(strstr(err.text, "no table 'nosuch'"));
    assert_non_null(strstr(err.text, " aardvark"));

    char **names = table_names();
    assert_non_null(names);
    bool aardvark = false, zebra = false;
    for (char **name = names; *name; name++) {
        aardvark = aardvark || strcmp(*name, "aardvark") == 0;
        zebra = zebra || strcmp(*name, "zebra") == 0;
        assert_string_not_equal(*name, "notes");
        if (name > names)
            assert_true(strcmp(name[-1], name[0]) < 0);
    }
    assert_true(aardvark && zebra);
    table_names_free(names);
    unlink(path_of("zebra.csv"));
    unlink(path_of("aardvark.csv"));
    unlink(path_of("notes.txt"));
}

static void first_folder_of_the_path_wins(void **state)
{
    (void)state;
    char second[] = "/tmp/convoy_test_table_XXXXXX";
    assert_non_null(mkdtemp(second));
    char path[PATH_MAX], both[PATH_MAX];
    snprintf(path, sizeof path, "%s/twice.csv", second);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs("network,layer,count,problem\nsecond,a,1,relu:n4\n", file);
    fclose(file);
    write_file("twice.csv", "network,layer,count,problem\nfirst,a,1,relu:n4\n");
    snprintf(both, sizeof both, "/nonexistent::%s:%s", folder, second);
    setenv("CONVOY_TABLE_PATH", both, 1);
    struct table table = {0};
    assert_int_equal(table_load("twice", &table, NULL), CONVOY_OK);
    assert_string_equal(table.row[0].network, "first");
    unlink(path_of("twice.csv"));
    assert_int_equal(table_load("twice", &table, NULL), CONVOY_OK);
    assert_string_equal(table.row[1].network, "second");
    table_free(&table);
    unlink(path);
    rmdir(second);
    setenv("CONVOY_TABLE_PATH", folder, 1);
}

static void add_checks_what_it_takes(void **state)
{
    (void)state;
    union problem problem;
    assert_int_equal(problem_parse("relu:n4", &problem, NULL), CONVOY_OK);
    struct table table = {0};
    struct convoy_error err = error_none();
    for (int row = 0; row < 100; row++)
        assert_int_equal(table_add(&table, "net", "layer", row + 1, &problem, &err), CONVOY_OK);
    assert_int_equal(table.count, 100);
    assert_int_equal(table.row[99].count, 100);
    assert_int_equal(table_add(&table, "net", "layer", 0, &problem, &err), CONVOY_INVALID);
    assert_int_equal(table.count, 100);
    table_free(&table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(loads_columns_in_any_order),
        cmocka_unit_test(errors_name_file_line_and_column),
        cmocka_unit_test(problem_errors_carry_the_parsers_sentence),
        cmocka_unit_test(missing_file_is_the_worlds_fault),
        cmocka_unit_test(unknown_names_list_the_known),
        cmocka_unit_test(first_folder_of_the_path_wins),
        cmocka_unit_test(add_checks_what_it_takes),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
