#include "select/select.h"

#include "core/error.h"
#include "report/csv.h"
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum column {
    COLUMN_NETWORK,
    COLUMN_LAYER,
    COLUMN_COUNT,
    COLUMN_PROBLEM,
    COLUMN_THREADS,
    COLUMN_BACKEND,
    COLUMN_ALGORITHM,
    COLUMN_CLASS,
    COLUMN_MS,
    COLUMN_LOW_MS,
    COLUMN_HIGH_MS,
    COLUMN_PREPARE_MS,
    COLUMN_RUNNER_UP,
    COLUMN_RUNNER_UP_MS,
    COLUMN_LEAD,
    COLUMN_LEAD_LOW,
    COLUMN_LEAD_HIGH,
    COLUMN_TIE,
    COLUMN_PURPOSE,
    COLUMN_MACHINE,
    COLUMN_PLUGINS,
    COLUMNS
};

/* What a column holds; the last three are the signature and the same in every row. */
enum type { TYPE_TEXT, TYPE_COUNT, TYPE_PROBLEM, TYPE_THREADS, TYPE_REAL, TYPE_BOOL, TYPE_SIGNATURE, TYPE_PLUGINS };
static const struct {
    const char *name;
    enum type type;
    size_t offset, size;
} columns[COLUMNS] = {
#define ROW(member) offsetof(struct select_row, member), sizeof(((struct select_row *)0)->member)
#define SIGNATURE(member) offsetof(struct selection, member), sizeof(((struct selection *)0)->member)
    [COLUMN_NETWORK] = {"network", TYPE_TEXT, ROW(network)},
    [COLUMN_LAYER] = {"layer", TYPE_TEXT, ROW(layer)},
    [COLUMN_COUNT] = {"count", TYPE_COUNT, ROW(count)},
    [COLUMN_PROBLEM] = {"problem", TYPE_PROBLEM, ROW(problem)},
    [COLUMN_THREADS] = {"threads", TYPE_THREADS, ROW(threads)},
    [COLUMN_BACKEND] = {"backend", TYPE_TEXT, ROW(backend)},
    [COLUMN_ALGORITHM] = {"algorithm", TYPE_TEXT, ROW(algorithm)},
    [COLUMN_CLASS] = {"accuracy_class", TYPE_TEXT, ROW(accuracy_class)},
    [COLUMN_MS] = {"ms", TYPE_REAL, ROW(ms)},
    [COLUMN_LOW_MS] = {"low_ms", TYPE_REAL, ROW(low_ms)},
    [COLUMN_HIGH_MS] = {"high_ms", TYPE_REAL, ROW(high_ms)},
    [COLUMN_PREPARE_MS] = {"prepare_ms", TYPE_REAL, ROW(prepare_ms)},
    [COLUMN_RUNNER_UP] = {"runner_up", TYPE_TEXT, ROW(runner_up)},
    [COLUMN_RUNNER_UP_MS] = {"runner_up_ms", TYPE_REAL, ROW(runner_up_ms)},
    [COLUMN_LEAD] = {"lead", TYPE_REAL, ROW(lead)},
    [COLUMN_LEAD_LOW] = {"lead_low", TYPE_REAL, ROW(lead_low)},
    [COLUMN_LEAD_HIGH] = {"lead_high", TYPE_REAL, ROW(lead_high)},
    [COLUMN_TIE] = {"tie", TYPE_BOOL, ROW(tie)},
    [COLUMN_PURPOSE] = {"purpose", TYPE_SIGNATURE, SIGNATURE(purpose)},
    [COLUMN_MACHINE] = {"machine", TYPE_SIGNATURE, SIGNATURE(machine)},
    [COLUMN_PLUGINS] = {"plugins", TYPE_PLUGINS, 0, 0},
#undef ROW
#undef SIGNATURE
};

/* ---- reading ---- */

struct reader {
    const char *path;
    struct selection *selection;
    int place[COLUMNS]; /* where the header has the column */
    size_t fields, capacity;
    bool has_header;
};

static bool refuse(const struct reader *r, int64_t line, enum column c, const char *value, const char *want,
                   struct convoy_error *err)
{
    convoy_fail(err, CONVOY_INVALID, CONVOY_WHY_OTHER, "%.120s:%lld: column %s: '%.40s' is not %s", r->path, (long long)line,
                columns[c].name, value, want);
    return false;
}

static bool read_header(struct reader *r, int64_t line, size_t fields, char *const *field, struct convoy_error *err)
{
    for (int c = 0; c < COLUMNS; c++) {
        r->place[c] = -1;
        for (size_t f = 0; f < fields && r->place[c] < 0; f++) {
            if (!strcmp(field[f], columns[c].name))
                r->place[c] = (int)f;
        }
        if (r->place[c] < 0) {
            convoy_fail(err, CONVOY_INVALID, CONVOY_WHY_OTHER, "%.120s:%lld: no column %s: this is no file of `convoy select`",
                        r->path, (long long)line, columns[c].name);
            return false;
        }
    }
    r->fields = fields;
    r->has_header = true;
    return true;
}

static bool read_whole(const char *text, int64_t most, int64_t *out)
{
    char *end;
    if (*text < '0' || *text > '9')
        return false;
    errno = 0;
    const long long value = strtoll(text, &end, 10);
    if (errno || *end || value < 1 || value > most)
        return false;
    *out = value;
    return true;
}

/* An empty field is an absent number. */
static bool read_real(const char *text, double *out)
{
    char *end;
    *out = (double)NAN;
    if (!*text)
        return true;
    if (*text < '0' || *text > '9' || strpbrk(text, "xX"))
        return false;
    *out = strtod(text, &end);
    return !*end && isfinite(*out);
}

static bool read_signature(const struct reader *r, int64_t line, enum column c, const char *text, struct convoy_error *err)
{
    char *member = (char *)r->selection + columns[c].offset;
    if (!*text || strlen(text) >= columns[c].size)
        return refuse(r, line, c, text, "a signature", err);
    if (r->selection->count && strcmp(member, text))
        return refuse(r, line, c, text, "what the rows before it say", err);
    memcpy(member, text, strlen(text) + 1);
    return true;
}

static bool read_plugins(const struct reader *r, int64_t line, const char *text, struct convoy_error *err)
{
    struct selection *selection = r->selection;
    if (selection->count)
        return !strcmp(selection->plugins, text) || refuse(r, line, COLUMN_PLUGINS, text, "what the rows before it say", err);
    free(selection->plugins);
    selection->plugins = strdup(text);
    if (!selection->plugins)
        convoy_fail(err, CONVOY_NO_MEMORY, CONVOY_WHY_MEMORY, "no memory for the selection");
    return selection->plugins != NULL;
}

static bool read_field(struct reader *r, struct select_row *row, int64_t line, enum column c, const char *text,
                       struct convoy_error *err)
{
    char *member = (char *)row + columns[c].offset;
    int64_t whole;
    struct convoy_error cause = error_none();
    switch (columns[c].type) {
    case TYPE_TEXT:
        if (strlen(text) >= columns[c].size)
            return refuse(r, line, c, text, "short enough", err);
        memcpy(member, text, strlen(text) + 1);
        return true;
    case TYPE_COUNT:
        if (!read_whole(text, INT64_MAX, &row->count))
            return refuse(r, line, c, text, "a whole number from 1 up", err);
        return true;
    case TYPE_THREADS:
        if (!read_whole(text, 1024, &whole))
            return refuse(r, line, c, text, "a number of threads", err);
        row->threads = (uint32_t)whole;
        return true;
    case TYPE_PROBLEM:
        if (problem_parse(text, &row->problem, &cause) == CONVOY_OK)
            return true;
        convoy_fail(err, CONVOY_INVALID, cause.why, "%.80s:%lld: column problem: %.120s", r->path, (long long)line, cause.text);
        return false;
    case TYPE_REAL: {
        double real;
        if (!read_real(text, &real))
            return refuse(r, line, c, text, "a number", err);
        memcpy(member, &real, sizeof real);
        return true;
    }
    case TYPE_BOOL:
        if (strcmp(text, "yes") && strcmp(text, "no"))
            return refuse(r, line, c, text, "yes or no", err);
        row->tie = !strcmp(text, "yes");
        return true;
    case TYPE_SIGNATURE:
        return read_signature(r, line, c, text, err);
    case TYPE_PLUGINS:
        return read_plugins(r, line, text, err);
    }
    return false;
}

static bool read_row(void *context, int64_t line, size_t fields, char *const *field, struct convoy_error *err)
{
    struct reader *r = context;
    struct selection *selection = r->selection;
    if (!r->has_header)
        return read_header(r, line, fields, field, err);
    if (fields != r->fields) {
        convoy_fail(err, CONVOY_INVALID, CONVOY_WHY_OTHER, "%.120s:%lld: %zu fields, the header has %zu", r->path,
                    (long long)line, fields, r->fields);
        return false;
    }
    if (selection->count == r->capacity) {
        const size_t capacity = r->capacity ? 2 * r->capacity : 64;
        struct select_row *rows = realloc(selection->row, capacity * sizeof *rows);
        if (!rows) {
            convoy_fail(err, CONVOY_NO_MEMORY, CONVOY_WHY_MEMORY, "no memory for the selection");
            return false;
        }
        selection->row = rows;
        r->capacity = capacity;
    }
    struct select_row *row = &selection->row[selection->count];
    *row = (struct select_row){0};
    for (int c = 0; c < COLUMNS; c++) {
        if (!read_field(r, row, line, (enum column)c, field[r->place[c]], err))
            return false;
    }
    if (!row->backend[0])
        return refuse(r, line, COLUMN_BACKEND, "", "a backend", err);
    selection->count++;
    return true;
}

convoy_status select_read(const char *path, struct selection *selection, struct convoy_error *err)
{
    struct reader r = {.path = path, .selection = selection};
    struct convoy_error cause = error_none();
    *selection = (struct selection){0};
    convoy_status status = csv_read(path, true, read_row, &r, &cause);
    if (status == CONVOY_OK && !selection->count)
        status = convoy_fail(&cause, CONVOY_INVALID, CONVOY_WHY_OTHER, "%.160s: holds no selection", path);
    if (status != CONVOY_OK) {
        select_free(selection);
        convoy_fail(err, status, cause.why, "%s", cause.text);
    }
    return status;
}

void select_free(struct selection *selection)
{
    free(selection->row);
    free(selection->plugins);
    *selection = (struct selection){0};
}

/* ---- writing ---- */

enum { NUMBER_BYTES = 32, PATH_BYTES = 4096 };

static convoy_status write_row(int fd, const struct selection *selection, const struct select_row *row, struct convoy_error *err)
{
    char problem[PROBLEM_TEXT_BYTES], number[COLUMNS][NUMBER_BYTES];
    const char *field[COLUMNS];
    problem_print(&row->problem, problem, sizeof problem);
    for (int c = 0; c < COLUMNS; c++) {
        const char *member = (const char *)row + columns[c].offset;
        double real;
        field[c] = number[c];
        switch (columns[c].type) {
        case TYPE_TEXT:
            field[c] = member;
            break;
        case TYPE_COUNT:
            snprintf(number[c], NUMBER_BYTES, "%lld", (long long)row->count);
            break;
        case TYPE_THREADS:
            snprintf(number[c], NUMBER_BYTES, "%u", row->threads);
            break;
        case TYPE_PROBLEM:
            field[c] = problem;
            break;
        case TYPE_REAL:
            memcpy(&real, member, sizeof real);
            if (isfinite(real))
                snprintf(number[c], NUMBER_BYTES, "%.6g", real);
            else
                number[c][0] = '\0';
            break;
        case TYPE_BOOL:
            field[c] = row->tie ? "yes" : "no";
            break;
        case TYPE_SIGNATURE:
            field[c] = (const char *)selection + columns[c].offset;
            break;
        case TYPE_PLUGINS:
            field[c] = selection->plugins ? selection->plugins : "";
            break;
        }
    }
    return csv_append(fd, COLUMNS, field, err);
}

/* Written beside its place and renamed: a reader sees the old file or the new one, whole. */
convoy_status select_write(const char *path, const struct selection *selection, struct convoy_error *err)
{
    char temporary[PATH_BYTES];
    struct convoy_error cause = error_none();
    const char *header[COLUMNS];
    for (int c = 0; c < COLUMNS; c++)
        header[c] = columns[c].name;
    const int length = snprintf(temporary, sizeof temporary, "%s.%ld", path, (long)getpid());
    if (length < 0 || (size_t)length >= sizeof temporary)
        return convoy_fail(err, CONVOY_INVALID, CONVOY_WHY_OTHER, "the path of the selection is too long");
    const int fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0666);
    if (fd < 0)
        return convoy_fail(err, CONVOY_FAILED, CONVOY_WHY_OTHER, "%.160s: cannot write: %s", path, strerror(errno));
    convoy_status status = csv_append(fd, COLUMNS, header, &cause);
    for (size_t r = 0; r < selection->count && status == CONVOY_OK; r++)
        status = write_row(fd, selection, &selection->row[r], &cause);
    if (close(fd) && status == CONVOY_OK)
        status = convoy_fail(&cause, CONVOY_FAILED, CONVOY_WHY_OTHER, "cannot close: %s", strerror(errno));
    if (status == CONVOY_OK && rename(temporary, path))
        status = convoy_fail(&cause, CONVOY_FAILED, CONVOY_WHY_OTHER, "cannot rename: %s", strerror(errno));
    if (status != CONVOY_OK) {
        unlink(temporary);
        convoy_fail(err, status, cause.why, "%.120s: %.100s", path, cause.text);
    }
    return status;
}

/* ---- use ---- */

convoy_status select_check(const struct selection *selection, const struct registry *registry, const struct machine *machine,
                           struct convoy_error *err)
{
    if (strcmp(selection->machine, machine->id))
        return convoy_fail(err, CONVOY_FAILED, CONVOY_WHY_OTHER, "selected on the machine %s, this is %s: select again",
                           selection->machine, machine->id);
    for (const char *word = selection->plugins; word && *word;) {
        const size_t length = strcspn(word, " "), name = strcspn(word, "= ");
        char plugin[SELECT_BACKEND_BYTES];
        if (name == 0 || name >= sizeof plugin || name >= length)
            return convoy_fail(err, CONVOY_FAILED, CONVOY_WHY_OTHER, "the selection's list of plugins makes no sense at '%.40s'",
                               word);
        snprintf(plugin, sizeof plugin, "%.*s", (int)name, word);
        const struct registry_entry *entry = registry_find(registry, plugin);
        if (!entry)
            return convoy_fail(err, CONVOY_FAILED, CONVOY_WHY_OTHER,
                               "selected with the plugin %s, which is not here: select again", plugin);
        if (strlen(entry->hash) != length - name - 1 || memcmp(entry->hash, word + name + 1, length - name - 1))
            return convoy_fail(err, CONVOY_FAILED, CONVOY_WHY_OTHER, "selected with another build of the plugin %s: select again",
                               plugin);
        word += length + (word[length] == ' ');
    }
    return CONVOY_OK;
}

static void plain(const union problem *problem, union problem *out)
{
    *out = *problem;
    out->head.flags &= ~(uint32_t)(CONVOY_WITH_RELU | CONVOY_NO_INDEX);
}

const struct select_row *select_find(const struct selection *selection, const union problem *problem, uint32_t threads)
{
    union problem wanted, found;
    plain(problem, &wanted);
    for (size_t r = 0; r < selection->count; r++) {
        plain(&selection->row[r].problem, &found);
        if (selection->row[r].threads == threads && problem_equal(&wanted, &found))
            return &selection->row[r];
    }
    return NULL;
}
