#include "report/samples.h"

#include "core/pluginname.h"
#include "report/csv.h"
#include <convoy/plugin.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct samples_file {
    int fd;
    char path[PATH_MAX];
};

static const char *const columns[] = {
    "network",   "layer",       "problem",   "backend", "variant", "plugin_hash", "threads", "cache",
    "role",      "round",       "place",     "mean_ns", "min_ns",  "wall_ns",     "cpu_ns",  "waited_ns",
    "voluntary", "involuntary", "stolen_ns", "load",    "mhz",     "disturbed",
};
enum { COLUMNS = sizeof columns / sizeof columns[0], NUMBERS = 13 };

static convoy_status name_file(const char *results_path, char *path, size_t size, struct convoy_error *err)
{
    const size_t length = strlen(results_path);
    const size_t stem = length > 4 && !strcmp(results_path + length - 4, ".csv") ? length - 4 : length;
    const int written = snprintf(path, size, "%.*s.samples.csv", (int)stem, results_path);
    return written > 0 && (size_t)written < size
               ? CONVOY_OK
               : convoy_fail(err, CONVOY_INVALID, CONVOY_WHY_OTHER, "the path of the sample file is too long");
}

convoy_status samples_open(const char *results_path, bool append, struct samples_file **out, struct convoy_error *err)
{
    int64_t whole_bytes = 0;
    struct samples_file *file = calloc(1, sizeof *file);
    if (!file)
        return convoy_fail(err, CONVOY_NO_MEMORY, CONVOY_WHY_MEMORY, "out of memory");
    convoy_status status = name_file(results_path, file->path, sizeof file->path, err);
    if (status != CONVOY_OK) {
        free(file);
        return status;
    }
    file->fd = open(file->path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | (append ? 0 : O_TRUNC), 0666);
    if (file->fd < 0) {
        status = convoy_fail(err, CONVOY_FAILED, CONVOY_WHY_OTHER, "%s: cannot open for writing: %s",
                             plugin_path_tail(file->path), strerror(errno));
        free(file);
        return status;
    }
    struct stat info;
    if (append && !fstat(file->fd, &info) && S_ISREG(info.st_mode)) {
        status = csv_complete_bytes(file->path, &whole_bytes, err); /* a killed writer's half row is cut */
        if (status == CONVOY_OK && ftruncate(file->fd, (off_t)whole_bytes) != 0)
            status = convoy_fail(err, CONVOY_FAILED, CONVOY_WHY_OTHER, "sample file: %s", strerror(errno));
    }
    if (status == CONVOY_OK && whole_bytes == 0)
        status = csv_append(file->fd, COLUMNS, columns, err);
    if (status != CONVOY_OK) {
        close(file->fd);
        free(file);
        return status;
    }
    *out = file;
    return CONVOY_OK;
}

convoy_status samples_append(struct samples_file *file, const struct record *record, const char *role,
                             const struct sample *sample, size_t count, struct convoy_error *err)
{
    convoy_status status = CONVOY_OK;
    char threads[24], number[NUMBERS][32];
    snprintf(threads, sizeof threads, "%" PRId64, record->threads);
    for (size_t s = 0; s < count && status == CONVOY_OK; s++) {
        const struct sample *from = &sample[s];
        if (!from->measured)
            continue;
        const int64_t whole[] = {from->wall_ns,   from->cpu_ns,      from->waited_ns,
                                 from->voluntary, from->involuntary, from->stolen_ns};
        size_t n = 0;
        snprintf(number[n++], sizeof number[0], "%" PRId64, from->round);
        snprintf(number[n++], sizeof number[0], "%" PRId64, from->place);
        snprintf(number[n++], sizeof number[0], "%.9g", from->mean_ns);
        snprintf(number[n++], sizeof number[0], "%.9g", from->min_ns);
        for (size_t w = 0; w < sizeof whole / sizeof whole[0]; w++)
            snprintf(number[n++], sizeof number[0], "%" PRId64, whole[w]);
        snprintf(number[n++], sizeof number[0], "%.3g", from->load);
        snprintf(number[n++], sizeof number[0], "%" PRId64, from->mhz);
        snprintf(number[n++], sizeof number[0], "%d", from->disturbed);
        const char *field[COLUMNS] = {record->network, record->layer,   record->problem,
                                      record->backend, record->variant, record->plugin_hash,
                                      threads,         record->cache,   role};
        for (size_t at = 0; at < NUMBERS; at++)
            field[COLUMNS - NUMBERS + at] = number[at];
        status = csv_append(file->fd, COLUMNS, field, err);
    }
    return status;
}

convoy_status samples_close(struct samples_file *file, struct convoy_error *err)
{
    if (!file)
        return CONVOY_OK;
    const int closed = close(file->fd);
    free(file);
    return closed ? convoy_fail(err, CONVOY_FAILED, CONVOY_WHY_OTHER, "sample file: cannot close: %s", strerror(errno))
                  : CONVOY_OK;
}
