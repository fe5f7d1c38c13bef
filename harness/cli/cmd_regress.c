#include "cli/commands.h"
#include "core/error.h"
#include "report/csv.h"
#include "report/table.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static bool plain_name(const char *name)
{
    return name && *name && strlen(name) < sizeof((struct table_row *)0)->layer &&
           strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-") == strlen(name);
}

/* The file must be a table in the column order that the new row is written in, and must not hold the case. */
static bool check_header(void *context, int64_t line, size_t fields, char *const *field, struct convoy_error *err)
{
    static const char *const columns[] = {"network", "layer", "count", "problem", "note"};
    (void)line;
    for (size_t c = 0; c < sizeof columns / sizeof columns[0]; c++) {
        if (c >= fields || strcmp(field[c], columns[c])) {
            convoy_fail(err, CONVOY_INVALID, CONVOY_WHY_OTHER, "%s: its columns are not network,layer,count,problem,note",
                        (const char *)context);
            return false;
        }
    }
    return false; /* the header is all that is wanted */
}

static convoy_status check_new(const char *path, const char *name, const union problem *problem, struct convoy_error *err)
{
    struct table table = {0};
    convoy_status status = csv_read(path, true, check_header, (void *)(uintptr_t)path, err);
    if (status == CONVOY_OK)
        status = table_load(path, &table, err);
    for (size_t r = 0; r < table.count && status == CONVOY_OK; r++) {
        if (problem_equal(&table.row[r].problem, problem))
            status = convoy_fail(err, CONVOY_INVALID, CONVOY_WHY_OTHER, "%s holds this problem already, as %s", path,
                                 table.row[r].layer);
        else if (!strcmp(table.row[r].layer, name))
            status = convoy_fail(err, CONVOY_INVALID, CONVOY_WHY_OTHER, "%s has another case named %s", path, name);
    }
    table_free(&table);
    return status;
}

static convoy_status append(const char *path, const char *name, const union problem *problem, const char *why,
                            struct convoy_error *err)
{
    char text[PROBLEM_TEXT_BYTES];
    problem_print(problem, text, sizeof text);
    const char *const field[] = {"regress", name, "1", text, why};
    const int fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
    if (fd < 0)
        return convoy_fail(err, CONVOY_FAILED, CONVOY_WHY_OTHER, "%s: %s", path, strerror(errno));
    const convoy_status status = csv_append(fd, sizeof field / sizeof field[0], field, err);
    if (close(fd) != 0 && status == CONVOY_OK)
        return convoy_fail(err, CONVOY_FAILED, CONVOY_WHY_OTHER, "%s: %s", path, strerror(errno));
    if (status == CONVOY_OK)
        printf("%s: %s %s\n", path, name, text);
    return status;
}

int cmd_regress(const struct options *options)
{
    struct convoy_error err = error_none();
    union problem problem;
    char path[PATH_MAX];
    convoy_status status = CONVOY_OK;
    if (options->arguments.count != 1)
        status = convoy_fail(&err, CONVOY_INVALID, CONVOY_WHY_OTHER, "regress needs exactly one problem string, got %zu",
                             options->arguments.count);
    else if (!plain_name(options->name))
        status = convoy_fail(&err, CONVOY_INVALID, CONVOY_WHY_OTHER,
                             "--name: a short name of lower-case letters, digits and dashes is needed");
    else if (!options->why || !strchr(options->why, ' ') || strpbrk(options->why, "\r\n"))
        status = convoy_fail(&err, CONVOY_INVALID, CONVOY_WHY_OTHER, "--why: a sentence on one line is needed");
    else if (options->tables.count > 1)
        status = convoy_fail(&err, CONVOY_INVALID, CONVOY_WHY_OTHER, "--table: one table");
    if (status == CONVOY_OK)
        status = problem_parse(options->arguments.item[0], &problem, &err);
    if (status == CONVOY_OK)
        status = table_path(options->tables.count ? options->tables.item[0] : "regress", path, sizeof path, &err);
    if (status == CONVOY_OK)
        status = check_new(path, options->name, &problem, &err);
    if (status == CONVOY_OK)
        status = append(path, options->name, &problem, options->why, &err);
    return status == CONVOY_OK ? EXIT_OK : command_failed(&err);
}
