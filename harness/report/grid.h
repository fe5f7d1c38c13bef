/* grid: rows of text cells, printed as an aligned Markdown table. Knows no records. */
#ifndef CONVOY_REPORT_GRID_H
#define CONVOY_REPORT_GRID_H

#include <stdbool.h>
#include <stdio.h>

struct grid;

/* NULL: out of memory. The first `columns` cells are the header. */
struct grid *grid_open(size_t columns);
void grid_close(struct grid *grid);

void grid_align_right(struct grid *grid, size_t column);

/* The next cell, row by row; "" for none. A '|' in the text is escaped. */
void grid_cell(struct grid *grid, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* A number with three significant digits, plain ("0.0123", "1.23", "1234"); empty if it is NaN. */
void grid_number(struct grid *grid, double value);

/* Columns that would end beyond `width` characters go into further tables, each with the first `fixed` columns again.
 * False if memory ran out while cells were added: nothing is printed. */
bool grid_print(const struct grid *grid, FILE *out, size_t fixed, size_t width);

#endif
