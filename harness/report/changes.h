/* changes: "compare" records as text for a terminal or Markdown: one verdict and one table of layers per network. Prints what the
 * records say; judges nothing. */
#ifndef CONVOY_REPORT_CHANGES_H
#define CONVOY_REPORT_CHANGES_H

#include "core/record.h"
#include "report/diff.h"
#include <stdio.h>

/* The layer of the record that stands for its network as a whole. */
#define CHANGES_NETWORK "(network)"

/* Fills the columns that comparing adds, verdict and reason included. */
void changes_fill(struct record *record, const struct diff_result *result, enum diff_verdict verdict);

/* heading: what a title begins with ("", "### "). */
void changes_print(FILE *out, const char *heading, const struct record *records, size_t count);

#endif
