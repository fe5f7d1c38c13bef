#include "report/sheet.h"

#include "report/csv.h"
#include <convoy/plugin.h>
#include <stdlib.h>
#include <string.h>

struct reading {
    struct sheet *sheet;
    const char *path;
};

static bool take_row(void *context, int64_t line, size_t fields, char *const *field, struct convoy_error *err)
{
    const struct reading *reading = context;
    struct sheet *sheet = reading->sheet;
    if (!sheet->columns)
        sheet->columns = fields;
    if (fields != sheet->columns) {
        convoy_fail(err, CONVOY_INVALID, CONVOY_WHY_OTHER, "%s:%lld: has %zu fields, the header has %zu", reading->path,
                    (long long)line, fields, sheet->columns);
        return false;
    }
    if (sheet->cells + fields > sheet->capacity) {
        const size_t capacity = 2 * sheet->capacity + fields;
        char **larger = realloc(sheet->cell, capacity * sizeof *larger);
        if (!larger)
            goto no_memory;
        sheet->cell = larger;
        sheet->capacity = capacity;
    }
    for (size_t at = 0; at < fields; at++) {
        sheet->cell[sheet->cells] = strdup(field[at]);
        if (!sheet->cell[sheet->cells])
            goto no_memory;
        sheet->cells++;
    }
    sheet->rows = sheet->cells / fields - 1;
    return true;

no_memory:
    convoy_fail(err, CONVOY_NO_MEMORY, CONVOY_WHY_MEMORY, "%s: out of memory", reading->path);
    return false;
}

convoy_status sheet_read(const char *path, struct sheet *sheet, struct convoy_error *err)
{
    *sheet = (struct sheet){0};
    struct reading reading = {sheet, path};
    convoy_status status = csv_read(path, false, take_row, &reading, err);
    if (status == CONVOY_OK && !sheet->columns)
        status = convoy_fail(err, CONVOY_INVALID, CONVOY_WHY_OTHER, "%s:1: no header row", path);
    if (status != CONVOY_OK)
        sheet_free(sheet);
    return status;
}

void sheet_free(struct sheet *sheet)
{
    for (size_t at = 0; at < sheet->cells; at++)
        free(sheet->cell[at]);
    free(sheet->cell);
    *sheet = (struct sheet){0};
}

int sheet_column(const struct sheet *sheet, const char *name)
{
    for (size_t at = 0; at < sheet->columns; at++) {
        if (!strcmp(sheet->cell[at], name))
            return (int)at;
    }
    return -1;
}

const char *sheet_cell(const struct sheet *sheet, size_t row, size_t column)
{
    return sheet->cell[(row + 1) * sheet->columns + column];
}
