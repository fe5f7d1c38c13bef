/* sheet: any CSV file as rows of text, for files whose columns belong to others (select.csv, a training's compare.csv). */
#ifndef CONVOY_REPORT_SHEET_H
#define CONVOY_REPORT_SHEET_H

#include <convoy/convoy.h>

struct sheet {
    size_t columns, rows; /* the header is no row                    */
    char **cell;          /* header first, then row by row           */
    size_t cells, capacity;
};

convoy_status sheet_read(const char *path, struct sheet *sheet, struct convoy_error *err);
void sheet_free(struct sheet *sheet);

/* The column of that name in the header; -1: none. */
int sheet_column(const struct sheet *sheet, const char *name);
/* row 0 is the first below the header. */
const char *sheet_cell(const struct sheet *sheet, size_t row, size_t column);

#endif
