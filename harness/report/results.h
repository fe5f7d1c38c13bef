/* results: records <-> result CSV files. A row is one appended write, flushed; a half row of a killed run is dropped when the file
 * is opened again. Reading maps columns by the header's names, so files of older and newer versions can be read. */
#ifndef CONVOY_REPORT_RESULTS_H
#define CONVOY_REPORT_RESULTS_H

#include "core/record.h"
#include <convoy/convoy.h>

struct results_file;

/* Creates the file with its header, or with resume appends to it after cutting a half row; without resume an existing
 * file that is not empty is an error. Missing parent folders are made. */
convoy_status results_open(const char *path, bool resume, struct results_file **file, struct convoy_error *err);
convoy_status results_append(struct results_file *file, const struct record *record, struct convoy_error *err);
convoy_status results_close(struct results_file *file, struct convoy_error *err); /* fsync; frees in any case */

/* All records of a file; the caller frees *records. */
convoy_status results_read(const char *path, struct record **records, size_t *count, struct convoy_error *err);

/* Whether two records are the same case: command, problem, backend, variant, network, layer, threads, cache, seed. */
bool results_same_case(const struct record *a, const struct record *b);

#endif
