/* journal: the rows of this run: in memory for the summary, in a file that survives any crash, and, with --resume, the rows that
 * an earlier run left there. */
#ifndef CONVOY_CLI_JOURNAL_H
#define CONVOY_CLI_JOURNAL_H

#include "cli/lineup.h"
#include "cli/opt.h"
#include "core/record.h"
#include "report/results.h"
#include "report/samples.h"
#include "report/table.h"
#include "core/machine.h"

struct journal {
    const char *command;
    struct machine machine;
    struct results_file *file; /* NULL: no -o                                                     */
    struct samples_file *samples; /* beside it; NULL: none (verify measures nothing)                */
    char path[4096];
    struct record *record;
    uint64_t *key; /* hash of what makes a row a case                                   */
    size_t count, capacity;
    struct record *trusted; /* rows of --verified                                                */
    size_t trusted_count;
};

/* Reads what is there with --resume. -o FOLDER/ makes FOLDER/MACHINE/UTC-REVISION-COMMAND.csv. */
convoy_status journal_open(struct journal *journal, const char *command, const struct options *options, struct convoy_error *err);
convoy_status journal_close(struct journal *journal, struct convoy_error *err);

/* Starts a record for a case: everything that is known before it runs, the repro line included. */
void journal_start(const struct journal *journal, const struct options *options, const struct table_row *row,
                   const struct candidate *candidate, int64_t threads, struct record *record);

/* The row that an earlier run or this one has for exactly this case and this build of the plugin; NULL: none. */
const struct record *journal_find(const struct journal *journal, const struct record *record);

/* A row with the same verdict by definition: same problem, candidate, plugin file, threads and seed, whatever the network and
 * layer, of this run or of --verified; NULL: none. */
const struct record *journal_find_problem(const struct journal *journal, const struct record *record);

/* Appends to the file at once and keeps a copy. */
convoy_status journal_add(struct journal *journal, const struct record *record, struct convoy_error *err);

#endif
