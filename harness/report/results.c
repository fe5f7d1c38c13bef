#include "report/results.h"

#include "core/error.h"
#include "report/csv.h"
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { NUMBER_BYTES = 32 }; /* enough for every int64_t and every real of 9 digits */

struct results_file {
    int fd;
    bool broken; /* a write failed: what follows would be glued to half a row */
    char *path;
    char *text; /* room for one row's fields                                 */
    const char **field;
};

static size_t field_bytes(size_t column)
{
    return record_columns[column].type == RECORD_TEXT ? record_columns[column].size : NUMBER_BYTES;
}

static convoy_status make_parents(const char *path, struct convoy_error *err)
{
    char folder[PATH_MAX];
    if (snprintf(folder, sizeof folder, "%s", path) >= (int)sizeof folder)
        return convoy_fail(err, CONVOY_INVALID, CONVOY_WHY_OTHER, "the path of the result file is longer than %d bytes",
                           PATH_MAX - 1);
    for (char *slash = strchr(folder + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (mkdir(folder, 0777) != 0 && errno != EEXIST)
            return convoy_fail(err, CONVOY_FAILED, CONVOY_WHY_OTHER, "%s: cannot make the folder: %s", folder, strerror(errno));
        *slash = '/';
    }
    return CONVOY_OK;
}

struct header_check {
    const char *path;
    bool seen;
};

/* A row to append must mean the same as the rows before it: the header must be ours, name by name. */
static bool check_header(void *context, int64_t line, size_t fields, char *const *field, struct convoy_error *err)
{
    struct header_check *check = context;
    check->seen = true;
    for (size_t column = 0; column < fields || column < record_column_count; column++) {
        const char *found = column < fields ? field[column] : NULL;
        const char *ours = column < record_column_count ? record_columns[column].name : NULL;
        if (found && ours && strcmp(found, ours) == 0)
            continue;
        convoy_fail(err, CONVOY_INVALID, CONVOY_WHY_OTHER,
                    "%s:%lld: column %zu is %s%.40s%s, this version writes %s: start a new file", check->path, (long long)line,
                    column + 1, found ? "'" : "", found ? found : "missing", found ? "'" : "", ours ? ours : "none");
        return false;
    }
    return false; /* the header is all that matters here */
}

/* Checks an existing file and cuts its half row; *has_header tells whether a header is left. */
static convoy_status resume_file(const char *path, int fd, bool *has_header, struct convoy_error *err)
{
    struct header_check check = {.path = path};
    int64_t whole_bytes;
    convoy_status status = csv_read(path, false, check_header, &check, err);
    if (status != CONVOY_OK)
        return status;
    status = csv_complete_bytes(path, &whole_bytes, err);
    if (status != CONVOY_OK)
        return status;
    if (ftruncate(fd, (off_t)whole_bytes) != 0)
        return convoy_fail(err, CONVOY_FAILED, CONVOY_WHY_OTHER, "%s: cannot cut the half row at its end: %s", path,
                           strerror(errno));
    *has_header = check.seen;
    return CONVOY_OK;
}

static convoy_status append_row(struct results_file *file, struct convoy_error *err)
{
    struct convoy_error inner = error_none();
    const convoy_status status = csv_append(file->fd, record_column_count, file->field, &inner);
    if (status == CONVOY_OK)
        return CONVOY_OK;
    file->broken = true;
    return convoy_fail(err, status, inner.why, "%s: %s", file->path, inner.text);
}

static void free_file(struct results_file *file)
{
    if (!file)
        return;
    if (file->fd >= 0)
        close(file->fd);
    free(file->path);
    free(file->text);
    free(file->field);
    free(file);
}

convoy_status results_open(const char *path, bool resume, struct results_file **out, struct convoy_error *err)
{
    bool has_header = false;
    size_t row_bytes = 0;
    for (size_t column = 0; column < record_column_count; column++)
        row_bytes += field_bytes(column);

    convoy_status status = make_parents(path, err);
    if (status != CONVOY_OK)
        return status;
    struct results_file *file = calloc(1, sizeof *file);
    if (!file)
        goto no_memory;
    file->fd = -1;
    file->path = strdup(path);
    file->text = malloc(row_bytes);
    file->field = calloc(record_column_count, sizeof *file->field);
    if (!file->path || !file->text || !file->field)
        goto no_memory;

    file->fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    struct stat info;
    if (file->fd < 0 || fstat(file->fd, &info) != 0) {
        status = convoy_fail(err, CONVOY_FAILED, CONVOY_WHY_OTHER, "%s: cannot open for writing: %s", path, strerror(errno));
        goto out;
    }
    if (S_ISREG(info.st_mode) && info.st_size > 0) {
        if (!resume) {
            status =
                convoy_fail(err, CONVOY_INVALID, CONVOY_WHY_OTHER, "%s: exists and is not empty; --resume appends to it", path);
            goto out;
        }
        status = resume_file(path, file->fd, &has_header, err);
        if (status != CONVOY_OK)
            goto out;
    }
    if (!has_header) {
        for (size_t column = 0; column < record_column_count; column++)
            file->field[column] = record_columns[column].name;
        status = append_row(file, err);
        if (status != CONVOY_OK)
            goto out;
    }
    *out = file;
    return CONVOY_OK;

no_memory:
    status = convoy_fail(err, CONVOY_NO_MEMORY, CONVOY_WHY_MEMORY, "%s: out of memory", path);
out:
    free_file(file);
    return status;
}

convoy_status results_append(struct results_file *file, const struct record *record, struct convoy_error *err)
{
    if (file->broken)
        return convoy_fail(err, CONVOY_FAILED, CONVOY_WHY_OTHER, "%s: an earlier row could not be written", file->path);
    char *text = file->text;
    for (size_t column = 0; column < record_column_count; column++) {
        const int length = record_get(record, column, text, field_bytes(column));
        assert(length >= 0 && (size_t)length < field_bytes(column));
        (void)length;
        file->field[column] = text;
        text += field_bytes(column);
    }
    return append_row(file, err);
}

convoy_status results_close(struct results_file *file, struct convoy_error *err)
{
    if (!file)
        return CONVOY_OK;
    convoy_status status = CONVOY_OK;
    if (fsync(file->fd) != 0 && errno != EINVAL && errno != EROFS) /* pipes and devices have nothing to flush */
        status = convoy_fail(err, CONVOY_FAILED, CONVOY_WHY_OTHER, "%s: cannot flush: %s", file->path, strerror(errno));
    const int closed = close(file->fd);
    file->fd = -1;
    if (closed != 0 && status == CONVOY_OK)
        status = convoy_fail(err, CONVOY_FAILED, CONVOY_WHY_OTHER, "%s: cannot close: %s", file->path, strerror(errno));
    free_file(file);
    return status;
}

struct reading {
    const char *path;
    int *column; /* of each field; -1: unknown to this version */
    size_t fields;
    struct record *record;
    size_t count, capacity;
};

static bool reading_failed(const struct reading *r, struct convoy_error *err)
{
    convoy_fail(err, CONVOY_NO_MEMORY, CONVOY_WHY_MEMORY, "%s: out of memory after %zu rows", r->path, r->count);
    return false;
}

static bool read_header(struct reading *r, int64_t line, size_t fields, char *const *field, struct convoy_error *err)
{
    r->column = calloc(fields, sizeof *r->column);
    if (!r->column)
        return reading_failed(r, err);
    r->fields = fields;
    bool any = false;
    for (size_t f = 0; f < fields; f++) {
        r->column[f] = record_column_by_name(field[f]);
        any = any || r->column[f] >= 0;
    }
    if (!any) {
        convoy_fail(err, CONVOY_INVALID, CONVOY_WHY_OTHER, "%s:%lld: no column of a result file in the header", r->path,
                    (long long)line);
        return false;
    }
    return true;
}

static bool read_row(void *context, int64_t line, size_t fields, char *const *field, struct convoy_error *err)
{
    struct reading *r = context;
    if (!r->column)
        return read_header(r, line, fields, field, err);
    if (fields != r->fields) {
        convoy_fail(err, CONVOY_INVALID, CONVOY_WHY_OTHER, "%s:%lld: has %zu fields, the header has %zu", r->path,
                    (long long)line, fields, r->fields);
        return false;
    }
    if (r->count == r->capacity) {
        const size_t capacity = r->capacity ? 2 * r->capacity : 64;
        struct record *larger = realloc(r->record, capacity * sizeof *larger);
        if (!larger)
            return reading_failed(r, err);
        r->record = larger;
        r->capacity = capacity;
    }
    struct record *record = &r->record[r->count];
    record_clear(record);
    for (size_t f = 0; f < fields; f++)
        if (r->column[f] >= 0 && !record_set(record, (size_t)r->column[f], field[f])) {
            convoy_fail(err, CONVOY_INVALID, CONVOY_WHY_OTHER, "%s:%lld: column %s: '%.40s' is no number or is too long", r->path,
                        (long long)line, record_columns[r->column[f]].name, field[f]);
            return false;
        }
    r->count++;
    return true;
}

convoy_status results_read(const char *path, struct record **records, size_t *count, struct convoy_error *err)
{
    struct reading r = {.path = path};
    convoy_status status = csv_read(path, false, read_row, &r, err);
    if (status == CONVOY_OK && !r.column)
        status = convoy_fail(err, CONVOY_INVALID, CONVOY_WHY_OTHER, "%s:1: no header row", path);
    free(r.column);
    if (status != CONVOY_OK) {
        free(r.record);
        return status;
    }
    *records = r.record;
    *count = r.count;
    return CONVOY_OK;
}

bool results_same_case(const struct record *a, const struct record *b)
{
    return strcmp(a->command, b->command) == 0 && strcmp(a->problem, b->problem) == 0 && strcmp(a->backend, b->backend) == 0 &&
           strcmp(a->variant, b->variant) == 0 && strcmp(a->network, b->network) == 0 && strcmp(a->layer, b->layer) == 0 &&
           a->threads == b->threads && strcmp(a->cache, b->cache) == 0 && a->seed == b->seed;
}
