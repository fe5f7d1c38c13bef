#include "report/grid.h"

#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum { CELL_BYTES = 512, LEAST_WIDTH = 3 }; /* a Markdown separator has at least three characters */

struct grid {
    size_t columns, cells, capacity;
    char **cell;
    bool *right;
    bool failed;
};

struct grid *grid_open(size_t columns)
{
    struct grid *grid = calloc(1, sizeof *grid);
    if (!grid)
        return NULL;
    grid->columns = columns;
    grid->right = calloc(columns ? columns : 1, sizeof *grid->right);
    if (!grid->right) {
        free(grid);
        return NULL;
    }
    return grid;
}

void grid_close(struct grid *grid)
{
    if (!grid)
        return;
    for (size_t cell = 0; cell < grid->cells; cell++)
        free(grid->cell[cell]);
    free(grid->cell);
    free(grid->right);
    free(grid);
}

void grid_align_right(struct grid *grid, size_t column)
{
    grid->right[column] = true;
}

void grid_cell(struct grid *grid, const char *format, ...)
{
    char plain[CELL_BYTES], escaped[2 * CELL_BYTES];
    va_list list;
    va_start(list, format);
    vsnprintf(plain, sizeof plain, format, list);
    va_end(list);
    size_t used = 0;
    for (const char *from = plain; *from; from++) {
        if (*from == '|')
            escaped[used++] = '\\';
        escaped[used++] = *from;
    }
    escaped[used] = '\0';

    if (grid->failed)
        return;
    if (grid->cells == grid->capacity) {
        const size_t capacity = grid->capacity ? 2 * grid->capacity : 64;
        char **larger = realloc(grid->cell, capacity * sizeof *larger);
        if (!larger) {
            grid->failed = true;
            return;
        }
        grid->cell = larger;
        grid->capacity = capacity;
    }
    char *copy = strdup(escaped);
    if (copy)
        grid->cell[grid->cells++] = copy;
    else
        grid->failed = true;
}

void grid_number(struct grid *grid, double value)
{
    if (isnan(value)) {
        grid_cell(grid, "%s", "");
        return;
    }
    char rounded[32];
    snprintf(rounded, sizeof rounded, "%.2e", value); /* its exponent is the one after rounding: 9.996 is 10.0 */
    const char *mark = strchr(rounded, 'e');
    const int exponent = mark ? atoi(mark + 1) : 0;
    const int decimals = exponent >= 2 ? 0 : exponent < -6 ? 8 : 2 - exponent;
    grid_cell(grid, "%.*f", value == 0 ? 0 : decimals, value);
}

/* Characters, not bytes: continuation bytes of UTF-8 take no room. */
static size_t text_width(const char *text)
{
    size_t width = 0;
    for (; *text; text++)
        width += ((unsigned char)*text & 0xC0) != 0x80;
    return width;
}

static size_t column_width(const struct grid *grid, size_t column)
{
    size_t width = LEAST_WIDTH;
    for (size_t cell = column; cell < grid->cells; cell += grid->columns) {
        const size_t here = text_width(grid->cell[cell]);
        width = here > width ? here : width;
    }
    return width;
}

static void repeat(FILE *out, char what, size_t times)
{
    while (times--)
        fputc(what, out);
}

static void print_cell(FILE *out, const char *text, size_t width, bool right)
{
    const size_t pad = width - text_width(text);
    fputs(" ", out);
    repeat(out, ' ', right ? pad : 0);
    fputs(text, out);
    repeat(out, ' ', right ? 0 : pad);
    fputs(" |", out);
}

/* The columns 0..fixed-1 and first..last-1. */
static void print_part(const struct grid *grid, FILE *out, size_t fixed, size_t first, size_t last)
{
    for (size_t row = 0; row < grid->cells / grid->columns; row++) {
        fputc('|', out);
        for (size_t column = 0; column < last; column++) {
            if (column >= fixed && column < first)
                continue;
            print_cell(out, grid->cell[row * grid->columns + column], column_width(grid, column), grid->right[column]);
        }
        fputc('\n', out);
        if (row)
            continue;
        fputc('|', out);
        for (size_t column = 0; column < last; column++) {
            if (column >= fixed && column < first)
                continue;
            repeat(out, '-', column_width(grid, column) + 1);
            fputs(grid->right[column] ? ":|" : "-|", out);
        }
        fputc('\n', out);
    }
}

bool grid_print(const struct grid *grid, FILE *out, size_t fixed, size_t width)
{
    if (grid->failed)
        return false;
    size_t fixed_width = 1;
    for (size_t column = 0; column < fixed; column++)
        fixed_width += column_width(grid, column) + 3;
    size_t first = fixed;
    do {
        size_t last = first, used = fixed_width;
        while (last < grid->columns && (last == first || used + column_width(grid, last) + 3 <= width))
            used += column_width(grid, last++) + 3;
        if (first > fixed)
            fputc('\n', out);
        print_part(grid, out, fixed, first, last);
        first = last;
    } while (first < grid->columns);
    return true;
}
