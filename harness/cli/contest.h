/* contest: finds the fastest right backend of each problem within a given time. Every candidate gets one short look, in the order
 * of what is expected of it; only the few best are verified and then raced. Choosing among what was measured is select/path.h's
 * business. */
#ifndef CONVOY_CLI_CONTEST_H
#define CONVOY_CLI_CONTEST_H

#include "cli/journal.h"
#include "cli/lineup.h"

/* Adds a bench row to the journal for every candidate that came into the final of a problem: with a time if it passed
 * verification, with the verdict if not. Problems that occur more than once are measured once. options->total_s (0: none) bounds
 * the whole; `without` is the number of problems that nobody computes or that the time did not suffice for. */
convoy_status contest_run(struct journal *journal, const struct options *options, const struct lineup *lineup,
                          const struct table *cases, size_t *without, struct convoy_error *err);

#endif
