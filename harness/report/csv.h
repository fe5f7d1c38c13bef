/* csv: rows in and out through libcsv (RFC 4180). The only file that includes <csv.h>. Knows no columns and no records. */
#ifndef CONVOY_REPORT_CSV_H
#define CONVOY_REPORT_CSV_H

#include <convoy/convoy.h>
#include <stdbool.h>

/* Called per row, header included; line is 1-based, of the row's first character. The fields live until it returns. false stops
 * the reading: with err filled the reading fails, else it ends well. err is never NULL. */
typedef bool csv_row_fn(void *context, int64_t line, size_t fields, char *const *field, struct convoy_error *err);

/* Reads a whole file. Lines that start with '#' and empty lines are skipped. Errors name "FILE:LINE" and, where it applies, the
 * column. A last row without its newline is passed on only if accept_partial; otherwise it is left out (a killed writer's half
 * row). */
convoy_status csv_read(const char *path, bool accept_partial, csv_row_fn *row, void *context, struct convoy_error *err);
/* The same over memory; `name` stands for the path in errors. */
convoy_status csv_read_memory(const char *name, const char *text, size_t bytes, bool accept_partial, csv_row_fn *row,
                              void *context, struct convoy_error *err);

/* Bytes up to the end of the last row that has its newline: what a killed writer left behind whole. */
convoy_status csv_complete_bytes(const char *path, int64_t *bytes, struct convoy_error *err);

/* Appends one row with one write() to a descriptor opened O_APPEND; fields are quoted where needed. Short or failed
 * writes are CONVOY_FAILED with errno's words ("No space left on device"). */
convoy_status csv_append(int fd, size_t fields, const char *const *field, struct convoy_error *err);

#endif
