#include "report/csv.h"

#include "core/error.h"
#include <csv.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The text is given to libcsv one physical line at a time. So the line number of every row and error is known, '#' lines can
 * be left out where a row may start, and a row's callback comes at the end of what was given. */
struct reader {
    const char *name;
    csv_row_fn *row;
    void *context;
    int64_t row_line; /* of the row's first character                       */
    char *bytes;      /* the row's fields, each with its NUL                */
    size_t used, capacity;
    size_t *start; /* offset of each field in bytes                      */
    char **field;
    size_t fields, field_capacity;
    bool in_row; /* a quoted field went over the end of the line       */
    bool stopped;
    convoy_status status;
    struct convoy_error err;
};

/* Only LF ends a row, and CR counts as a blank that is trimmed: CRLF files read well, and rows and physical lines end together.
 */
static int is_row_end(unsigned char c)
{
    return c == CSV_LF;
}
static int is_blank(unsigned char c)
{
    return c == CSV_SPACE || c == CSV_TAB || c == CSV_CR;
}

static convoy_status no_memory(struct convoy_error *err, const char *name)
{
    return convoy_fail(err, CONVOY_NO_MEMORY, CONVOY_WHY_MEMORY, "%s: out of memory", name);
}

static bool grow(void **memory, size_t *capacity, size_t needed, size_t element_bytes)
{
    if (needed <= *capacity)
        return true;
    size_t larger = *capacity ? *capacity : 64;
    while (larger < needed)
        larger *= 2;
    void *moved = realloc(*memory, larger * element_bytes);
    if (!moved)
        return false;
    *memory = moved;
    *capacity = larger;
    return true;
}

static void take_field(void *bytes, size_t length, void *context)
{
    struct reader *r = context;
    if (r->status != CONVOY_OK)
        return;
    if (!grow((void **)&r->bytes, &r->capacity, r->used + length + 1, 1) ||
        !grow((void **)&r->start, &r->field_capacity, r->fields + 1, sizeof *r->start)) {
        r->status = no_memory(&r->err, r->name);
        return;
    }
    if (length && memchr(bytes, '\0', length)) {
        r->status = convoy_fail(&r->err, CONVOY_INVALID, CONVOY_WHY_OTHER, "%s:%lld: column %zu: holds a NUL byte", r->name,
                                (long long)r->row_line, r->fields + 1);
        return;
    }
    if (length)
        memcpy(r->bytes + r->used, bytes, length);
    r->bytes[r->used + length] = '\0';
    r->start[r->fields++] = r->used;
    r->used += length + 1;
}

static void take_row(int end, void *context)
{
    (void)end;
    struct reader *r = context;
    if (r->status == CONVOY_OK && !r->stopped && r->row) {
        char **field = realloc(r->field, r->fields * sizeof *field);
        if (!field) {
            r->status = no_memory(&r->err, r->name);
            return;
        }
        r->field = field;
        for (size_t f = 0; f < r->fields; f++)
            field[f] = r->bytes + r->start[f];
        if (!r->row(r->context, r->row_line, r->fields, field, &r->err)) {
            r->stopped = true;
            r->status = r->err.status;
        }
    }
    r->fields = 0;
    r->used = 0;
    r->in_row = false;
}

static convoy_status parse_failed(struct reader *r, struct csv_parser *parser, int64_t line, size_t at)
{
    if (csv_error(parser) != CSV_EPARSE)
        return no_memory(&r->err, r->name);
    return convoy_fail(
        &r->err, CONVOY_INVALID, CONVOY_WHY_OTHER,
        "%s:%lld: column %zu: character %zu: a stray quote (quote the whole field and double the quotes inside it)", r->name,
        (long long)line, r->fields + 1, at + 1);
}

static bool only_blanks(const char *text, size_t bytes)
{
    for (size_t at = 0; at < bytes; at++)
        if (!is_blank((unsigned char)text[at]) && text[at] != '\n')
            return false;
    return true;
}

/* Reads text; *complete (may be NULL) gets the bytes up to the end of the last row that has its newline. */
static convoy_status read_text(struct reader *r, const char *text, size_t bytes, bool accept_partial, size_t *complete)
{
    static const char byte_order_mark[] = "\xEF\xBB\xBF";
    struct csv_parser parser;
    if (csv_init(&parser, CSV_STRICT | CSV_STRICT_FINI | CSV_APPEND_NULL) != 0)
        return convoy_fail(&r->err, CONVOY_FAILED, CONVOY_WHY_OTHER, "%s: libcsv does not start", r->name);
    csv_set_term_func(&parser, is_row_end);
    csv_set_space_func(&parser, is_blank);

    size_t at = bytes >= 3 && memcmp(text, byte_order_mark, 3) == 0 ? 3 : 0;
    size_t whole = 0;
    for (int64_t line = 1; at < bytes && r->status == CONVOY_OK && !r->stopped; line++) {
        const char *newline = memchr(text + at, '\n', bytes - at);
        const size_t length = newline ? (size_t)(newline - (text + at)) + 1 : bytes - at;
        if (!newline && !accept_partial)
            break;
        const bool starts = !r->in_row;
        if (starts && (text[at] == '#' || only_blanks(text + at, length))) {
            at += length;
            whole = at;
            continue;
        }
        if (starts) {
            r->row_line = line;
            r->in_row = true;
        }
        const size_t parsed = csv_parse(&parser, text + at, length, take_field, take_row, r);
        if (parsed != length && r->status == CONVOY_OK)
            r->status = parse_failed(r, &parser, line, parsed);
        at += length;
        if (!r->in_row)
            whole = at;
    }
    if (complete)
        *complete = whole;
    if (r->status == CONVOY_OK && !r->stopped && r->in_row && accept_partial && csv_fini(&parser, take_field, take_row, r) != 0)
        r->status = convoy_fail(&r->err, CONVOY_INVALID, CONVOY_WHY_OTHER, "%s:%lld: column %zu: the quote is never closed",
                                r->name, (long long)r->row_line, r->fields + 1);
    csv_free(&parser);
    return r->status;
}

static convoy_status finish(struct reader *r, struct convoy_error *err)
{
    free(r->bytes);
    free(r->start);
    free(r->field);
    if (r->status != CONVOY_OK)
        return convoy_fail(err, r->status, r->err.why, "%s", r->err.text);
    return CONVOY_OK;
}

convoy_status csv_read_memory(const char *name, const char *text, size_t bytes, bool accept_partial, csv_row_fn *row,
                              void *context, struct convoy_error *err)
{
    struct reader r = {.name = name, .row = row, .context = context, .err = error_none()};
    read_text(&r, text, bytes, accept_partial, NULL);
    return finish(&r, err);
}

/* Reads to the end rather than by the file's size, so that pipes work. */
static convoy_status load_file(const char *path, char **text, size_t *bytes, struct convoy_error *err)
{
    convoy_status status = CONVOY_OK;
    char *memory = NULL;
    size_t used = 0, capacity = 0;
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return convoy_fail(err, CONVOY_FAILED, CONVOY_WHY_OTHER, "%s: cannot open: %s", path, strerror(errno));
    for (;;) {
        if (!grow((void **)&memory, &capacity, used + 65536, 1)) {
            status = no_memory(err, path);
            goto out;
        }
        const ssize_t got = read(fd, memory + used, capacity - used);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0) {
            status = convoy_fail(err, CONVOY_FAILED, CONVOY_WHY_OTHER, "%s: cannot read: %s", path, strerror(errno));
            goto out;
        }
        if (got == 0)
            break;
        used += (size_t)got;
    }
    *text = memory;
    *bytes = used;
    memory = NULL;
out:
    free(memory);
    close(fd);
    return status;
}

convoy_status csv_read(const char *path, bool accept_partial, csv_row_fn *row, void *context, struct convoy_error *err)
{
    char *text;
    size_t bytes;
    convoy_status status = load_file(path, &text, &bytes, err);
    if (status != CONVOY_OK)
        return status;
    status = csv_read_memory(path, text, bytes, accept_partial, row, context, err);
    free(text);
    return status;
}

convoy_status csv_complete_bytes(const char *path, int64_t *bytes, struct convoy_error *err)
{
    char *text;
    size_t have, whole;
    convoy_status status = load_file(path, &text, &have, err);
    if (status != CONVOY_OK)
        return status;
    struct reader r = {.name = path, .err = error_none()};
    read_text(&r, text, have, false, &whole);
    free(text);
    status = finish(&r, err);
    if (status == CONVOY_OK)
        *bytes = (int64_t)whole;
    return status;
}

/* Blanks at the ends would be trimmed and a leading '#' would be a comment when read again. */
static bool needs_quotes(const char *text)
{
    const size_t length = strlen(text);
    return length && (strpbrk(text, ",\"\r\n") || is_blank((unsigned char)text[0]) || is_blank((unsigned char)text[length - 1]) ||
                      text[0] == '#');
}

convoy_status csv_append(int fd, size_t fields, const char *const *field, struct convoy_error *err)
{
    size_t capacity = 1;
    for (size_t f = 0; f < fields; f++)
        capacity += 2 * strlen(field[f]) + 3;
    char *row = malloc(capacity);
    if (!row)
        return no_memory(err, "row");

    size_t used = 0;
    for (size_t f = 0; f < fields; f++) {
        const size_t length = strlen(field[f]);
        if (f)
            row[used++] = ',';
        if (needs_quotes(field[f]) || (fields == 1 && !length)) { /* a lone empty field would be an empty line */
            used += csv_write(row + used, capacity - used, field[f], length);
        } else if (length) {
            memcpy(row + used, field[f], length);
            used += length;
        }
    }
    row[used++] = '\n';

    ssize_t written;
    do
        written = write(fd, row, used);
    while (written < 0 && errno == EINTR);
    const int reason = errno;
    free(row);
    if (written < 0)
        return convoy_fail(err, CONVOY_FAILED, CONVOY_WHY_OTHER, "cannot write the row: %s", strerror(reason));
    if ((size_t)written != used)
        return convoy_fail(err, CONVOY_FAILED, CONVOY_WHY_OTHER, "only %zd of the row's %zu bytes were written: %s", written,
                           used, strerror(ENOSPC));
    return CONVOY_OK;
}
