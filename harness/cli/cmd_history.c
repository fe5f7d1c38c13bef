#include "cli/commands.h"
#include "core/error.h"
#include "report/history.h"
#include "report/results.h"
#include <convoy/plugin.h>
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { MOST_DEPTH = 8 }; /* of folders below the one that was named */

static bool wanted(const struct options *options, const struct record *record)
{
    char name[sizeof record->backend + sizeof record->variant];
    snprintf(name, sizeof name, "%s:%s", record->backend, record->variant);
    for (size_t b = 0; b < options->backends.count; b++) {
        if (!strcmp(options->backends.item[b], record->backend) || !strcmp(options->backends.item[b], name))
            return true;
    }
    return !options->backends.count;
}

/* A file in a folder that is no result file is passed over with a line; one that was named is an error. */
static convoy_status add_file(struct history *history, const struct options *options, const char *path, bool named,
                              struct convoy_error *err)
{
    struct record *records = NULL;
    size_t count = 0, kept = 0;
    struct convoy_error cause = error_none();
    const convoy_status status = results_read(path, &records, &count, &cause);
    if (status != CONVOY_OK && !named) {
        fprintf(stderr, "convoy: passed over: %s\n", cause.text);
        return CONVOY_OK;
    }
    if (status != CONVOY_OK)
        return convoy_fail(err, status, cause.why, "%s", cause.text);
    for (size_t r = 0; r < count; r++) {
        if (wanted(options, &records[r]))
            records[kept++] = records[r];
    }
    const bool added = history_add(history, records, kept);
    free(records);
    return added ? CONVOY_OK : convoy_fail(err, CONVOY_NO_MEMORY, CONVOY_WHY_MEMORY, "out of memory for the history");
}

static bool has_suffix(const char *text, const char *suffix)
{
    const size_t length = strlen(text), tail = strlen(suffix);
    return length >= tail && !strcmp(text + length - tail, suffix);
}

static convoy_status add_path(struct history *history, const struct options *options, const char *path, int depth,
                              struct convoy_error *err);

static convoy_status add_folder(struct history *history, const struct options *options, const char *path, int depth,
                                struct convoy_error *err)
{
    struct dirent **item = NULL;
    const int items = scandir(path, &item, NULL, alphasort);
    if (items < 0)
        return convoy_fail(err, CONVOY_FAILED, CONVOY_WHY_OTHER, "%s: %s", path, strerror(errno));
    convoy_status status = CONVOY_OK;
    for (int i = 0; i < items; i++) {
        char below[PATH_MAX];
        const int length = snprintf(below, sizeof below, "%s/%s", path, item[i]->d_name);
        if (status == CONVOY_OK && item[i]->d_name[0] != '.' && length > 0 && (size_t)length < sizeof below)
            status = add_path(history, options, below, depth + 1, err);
        free(item[i]);
    }
    free(item);
    return status;
}

static convoy_status add_path(struct history *history, const struct options *options, const char *path, int depth,
                              struct convoy_error *err)
{
    struct stat about;
    if (stat(path, &about) != 0)
        return convoy_fail(err, CONVOY_INVALID, CONVOY_WHY_OTHER, "%s: %s", path, strerror(errno));
    if (S_ISDIR(about.st_mode))
        return depth < MOST_DEPTH ? add_folder(history, options, path, depth, err) : CONVOY_OK;
    if (depth > 0 && (!has_suffix(path, ".csv") || has_suffix(path, ".samples.csv")))
        return CONVOY_OK;
    return add_file(history, options, path, depth == 0, err);
}

int cmd_history(const struct options *options)
{
    static const char *const usual[] = {"results"};
    struct convoy_error err = error_none();
    const char *const *path = options->arguments.count ? options->arguments.item : usual;
    const size_t paths = options->arguments.count ? options->arguments.count : 1;
    struct history *history = history_open();
    convoy_status status = history ? CONVOY_OK : convoy_fail(&err, CONVOY_NO_MEMORY, CONVOY_WHY_MEMORY, "out of memory");
    for (size_t p = 0; p < paths && status == CONVOY_OK; p++)
        status = add_path(history, options, path[p], 0, &err);
    if (status == CONVOY_OK && !history_print(history, stdout))
        printf("no bench rows found\n");
    history_close(history);
    return status == CONVOY_OK ? EXIT_OK : command_failed(&err);
}
