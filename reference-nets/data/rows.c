/* CSV: one sample a row, its label first (or last, where the head's last column is named label), then or before it c*h*w whole
 * numbers: train.csv and test.csv. The UCI digits (optdigits.tra, optdigits.tes) are such rows with the label last. Values are
 * 0..255, or 0..16 where none is larger. */
#include "data/gzfile.h"
#include "data/memory_set.h"
#include "data/readers.h"

#include <convoy/plugin.h>
#include <csv.h>
#include <stdlib.h>
#include <string.h>

struct rows {
    const char *path;
    uint8_t *value; /* all pixels                                                                          */
    int32_t *label;
    size_t values, value_room, labels, label_room;
    int64_t columns; /* of the first row, the label among them                                              */
    int64_t column, row;
    int32_t last_value, largest;
    bool label_last, head, memory_fails;
    char wrong[160]; /* "" : nothing                                                                        */
};

static bool grow(void **array, size_t *room, size_t needed, size_t size)
{
    if (needed <= *room)
        return true;
    const size_t more = needed < 4096 ? 8192 : 2 * needed;
    void *grown = realloc(*array, more * size);
    if (!grown)
        return false;
    *array = grown;
    *room = more;
    return true;
}

static void put_label(struct rows *rows, int32_t label)
{
    if (grow((void **)&rows->label, &rows->label_room, rows->labels + 1, sizeof *rows->label))
        rows->label[rows->labels++] = label;
    else
        rows->memory_fails = true;
}

static void put_value(struct rows *rows, int32_t value)
{
    if (grow((void **)&rows->value, &rows->value_room, rows->values + 1, 1))
        rows->value[rows->values++] = (uint8_t)value;
    else
        rows->memory_fails = true;
    rows->largest = (int32_t)convoy_max(rows->largest, value);
}

static void on_field(void *field, size_t length, void *context)
{
    struct rows *rows = context;
    char text[16] = "", *end = text;
    if (rows->wrong[0])
        return;
    if (length < sizeof text)
        memcpy(text, field, length);
    const long value = strtol(text, &end, 10);
    const bool number = end != text && *end == '\0';
    if (rows->row == 0 && (rows->head || (rows->column == 0 && !number))) {
        rows->head = true;
        rows->label_last = length == 5 && !memcmp(field, "label", 5) && rows->column > 0;
    } else if (!number || value < 0 || value > 255) {
        snprintf(rows->wrong, sizeof rows->wrong, "row %lld column %lld: '%.15s' is no whole number from 0 to 255",
                 (long long)rows->row + 1, (long long)rows->column + 1, text);
    } else if (!rows->label_last && rows->column == 0) {
        put_label(rows, (int32_t)value);
    } else {
        if (!rows->label_last || rows->column > 0)
            put_value(rows, rows->label_last ? rows->last_value : (int32_t)value);
        rows->last_value = (int32_t)value;
    }
    rows->column++;
}

static void on_row(int end, void *context)
{
    (void)end;
    struct rows *rows = context;
    if (rows->wrong[0] || rows->column == 0)
        return;
    if (!rows->columns)
        rows->columns = rows->column;
    if (rows->column != rows->columns)
        snprintf(rows->wrong, sizeof rows->wrong, "row %lld has %lld columns, the first has %lld", (long long)rows->row + 1,
                 (long long)rows->column, (long long)rows->columns);
    if (rows->label_last && !(rows->row == 0 && rows->head))
        put_label(rows, rows->last_value);
    rows->row++;
    rows->column = 0;
}

static convoy_status parse(struct rows *rows, struct convoy_error *err)
{
    uint8_t *bytes;
    size_t count;
    const convoy_status status = gzfile_read(rows->path, &bytes, &count, err);
    if (status)
        return status;
    struct csv_parser parser;
    if (csv_init(&parser, 0)) {
        free(bytes);
        return convoy_fail(err, CONVOY_NO_MEMORY, CONVOY_WHY_MEMORY, "%s: no memory to read it", rows->path);
    }
    const bool whole =
        csv_parse(&parser, bytes, count, on_field, on_row, rows) == count && !csv_fini(&parser, on_field, on_row, rows);
    const char *words = csv_strerror(csv_error(&parser));
    csv_free(&parser);
    free(bytes);
    if (rows->wrong[0])
        return convoy_fail(err, CONVOY_FAILED, CONVOY_WHY_OTHER, "%.80s: %s", rows->path, rows->wrong);
    if (rows->memory_fails)
        return convoy_fail(err, CONVOY_NO_MEMORY, CONVOY_WHY_MEMORY, "%s: no memory for row %lld", rows->path,
                           (long long)rows->row);
    return whole ? CONVOY_OK : convoy_fail(err, CONVOY_FAILED, CONVOY_WHY_OTHER, "%s: %s", rows->path, words);
}

/* The extents asked for where they fit, else a square of one channel. */
static bool shape(int64_t pixels, int32_t *c, int32_t *h, int32_t *w)
{
    if ((int64_t)*c * *h * *w == pixels)
        return true;
    int32_t side = 1;
    while ((int64_t)side * side < pixels)
        side++;
    *c = 1;
    *h = *w = side;
    return (int64_t)side * side == pixels;
}

convoy_status rows_open(const char *folder, enum dataset_part part, int32_t c, int32_t h, int32_t w, struct dataset *set,
                        struct convoy_error *err)
{
    static const char *const names[][2] = {
        [DATASET_TRAIN] = {"train.csv", "optdigits.tra"}, [DATASET_TEST] = {"test.csv", "optdigits.tes"}};
    char path[4096];
    int found = 0;
    while (found < 2 && !gzfile_find(folder, names[part][found], path, sizeof path))
        found++;
    if (found == 2)
        return convoy_fail(err, CONVOY_UNSUPPORTED, CONVOY_WHY_OTHER, "%s: no %s", folder, names[part][0]);
    struct rows rows = {.path = path, .label_last = found == 1};
    convoy_status status = parse(&rows, err);
    if (!status && (rows.columns < 2 || !shape(rows.columns - 1, &c, &h, &w)))
        status = convoy_fail(err, CONVOY_FAILED, CONVOY_WHY_SIZE, "%s: %lld values a row are neither %d x %d x %d nor a square",
                             path, (long long)rows.columns - 1, c, h, w);
    if (status) {
        free(rows.value);
        free(rows.label);
        return status;
    }
    return memory_set(path, rows.value, rows.label, (int64_t)rows.labels, c, h, w, rows.largest <= 16 ? 16 : 255, 0, set, err);
}
