/* run: what verify and bench have in common: the cases, the backends and the journal, opened together and closed with the exit
 * code that fits. */
#ifndef CONVOY_CLI_RUN_H
#define CONVOY_CLI_RUN_H

#include "cli/cases.h"
#include "cli/journal.h"

struct run {
    struct table cases;
    struct lineup lineup;
    struct journal journal;
    size_t failures;
};

/* Whatever the status, run_close must follow. The referee must be there. */
convoy_status run_open(struct run *run, const char *command, const struct options *options, uint32_t default_passes,
                       struct convoy_error *err);

/* Names the file of the rows, says what failed, frees everything and returns the exit code. */
int run_close(struct run *run, convoy_status status, const struct convoy_error *err);

#endif
