/* history: what result files of many days say about the same networks: one line per file and candidate, in the order of time. A
 * trend to look at, never a verdict: machines have good and bad days, which the fraction of the measured peak and the unchanged
 * plugins show. */
#ifndef CONVOY_REPORT_HISTORY_H
#define CONVOY_REPORT_HISTORY_H

#include "core/record.h"
#include <stdbool.h>
#include <stdio.h>

struct history;

struct history *history_open(void); /* NULL: out of memory */
void history_close(struct history *history);

/* The bench rows of one file: a point for each network (pass, batch, threads, cache) and candidate that has a time for each layer
 * of it. Copies what it keeps. False: out of memory. */
bool history_add(struct history *history, const struct record *records, size_t count);

/* One table per machine and network; only points with the same layers are put together. Returns the number of points. */
size_t history_print(struct history *history, FILE *out);

#endif
