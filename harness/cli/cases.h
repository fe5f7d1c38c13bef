/* cases: the problems of a run: tables and problem strings, narrowed and multiplied by --op, --pass and --batch. */
#ifndef CONVOY_CLI_CASES_H
#define CONVOY_CLI_CASES_H

#include "cli/opt.h"
#include "report/table.h"

/* Rows of forward problems are taken in every pass of the mask that they have; rows that are written in another pass stay as they
 * are. Nothing selected is an error. The caller frees the table. */
convoy_status cases_build(const struct options *options, uint32_t default_passes, struct table *cases, struct convoy_error *err);

#endif
