/* commands: what the program can do; each function is one command and returns the exit code. */
#ifndef CONVOY_CLI_COMMANDS_H
#define CONVOY_CLI_COMMANDS_H

#include "cli/lineup.h"
#include "core/record.h"

int cmd_list(const struct options *options);
int cmd_table(const struct options *options);
int cmd_verify(const struct options *options);
int cmd_bench(const struct options *options);
int cmd_compare(const struct options *options);
int cmd_conform(const struct options *options);
int cmd_history(const struct options *options);
int cmd_report(const struct options *options);
int cmd_select(const struct options *options);
int cmd_tune(const struct options *options);
int cmd_run(const struct options *options);
int cmd_regress(const struct options *options);
int cmd_new_kernel(const struct options *options);

/* Prints "convoy: sentence" to stderr and returns EXIT_USAGE. */
int command_failed(const struct convoy_error *err);

/* True once SIGINT or SIGTERM came: finish the case in hand, keep what is there, stop. */
bool command_interrupted(void);

/* Copies the columns that verifying fills: verdict, reason, algorithm, numerics, class, errors, bytes. */
void verify_take(struct record *record, const struct record *answer);

/* Verifies one case in the candidate's worker and fills the verdict columns of the record, whatever the worker does. A worker
 * that somebody else killed is given the case once more. */
void verify_case(const struct candidate *candidate, const struct options *options, struct record *record);

#endif
