/* verdicts: what a comparison ends with: rows to the terminal, to Markdown, to JUnit XML, and the exit code. */
#ifndef CONVOY_CLI_VERDICTS_H
#define CONVOY_CLI_VERDICTS_H

#include "cli/opt.h"
#include "core/record.h"

/* Rows in any order; those of CHANGES_NETWORK are the networks. note: a sentence on how good the evidence is, printed with them. failures:
 * new builds that are wrong; losses: cases that the new build declines and the old one does not. */
int verdicts_report(const struct options *options, const char *title, const char *note, const struct record *records, size_t count,
                    size_t failures, size_t losses, struct convoy_error *err);

#endif
