/* commands: what convoy-train can do; each function is one command and returns the exit code. */
#ifndef CONVOY_TRAIN_COMMANDS_H
#define CONVOY_TRAIN_COMMANDS_H

#include "train/session.h"

int command_run(const struct settings *settings);
int command_eval(const struct settings *settings);
int command_summary(const struct settings *settings);
int command_compare(const struct settings *settings);
int command_check(const struct settings *settings);
int command_time(const struct settings *settings);
int command_list(const struct settings *settings);

/* "convoy-train: sentence" to stderr; the exit code that goes with the status. */
int train_failed(convoy_status status, const struct convoy_error *err);

/* settings->filters, if any, and the events of metrics (NULL: none). */
struct metrics;
convoy_status write_filters(struct session *session, struct metrics *metrics, int64_t step, struct convoy_error *err);

#endif
