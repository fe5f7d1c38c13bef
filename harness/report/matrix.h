/* matrix: what a run found, as text for a terminal or Markdown: correctness matrix, winner per layer, network totals.
 * Prints what the records say; judges nothing and reads no files. */
#ifndef CONVOY_REPORT_MATRIX_H
#define CONVOY_REPORT_MATRIX_H

#include "core/record.h"
#include <stdio.h>

/* Verdicts of "verify" records: rows are op and pass, columns backend:variant; a cell says passed/total (the rest was
 * declined), or the most frequent failure with its count; "-": all were declined. */
void matrix_correctness(FILE *out, const struct record *records, size_t count);

/* "bench" records: per network, layer and pass the fastest candidate, its time, effective GFLOP/s, % of peak and the runner-up.
 */
void matrix_winners(FILE *out, const struct record *records, size_t count);

/* Per network, pass and threads: the sum of count*median of each candidate (those that cover every layer), of the best per layer,
 * and how many layers each candidate lacks. */
void matrix_totals(FILE *out, const struct record *records, size_t count);

#endif
