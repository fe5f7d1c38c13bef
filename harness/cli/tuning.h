/* tuning: the worker's side of `convoy tune`: the configurations of one problem, by the extension convoy.tune/1, each timed and
 * compared with the default's result within what the arithmetic's class allows; the one that is kept is verified in full first.
 * What goes wrong with a configuration is a reason to pass it over, never a failure of the run. */
#ifndef CONVOY_CLI_TUNING_H
#define CONVOY_CLI_TUNING_H

#include "core/problem.h"
#include "verify/verify.h"
#include <convoy/tune.h>

struct tuning;

struct tuning_start {
    struct convoy_tune_target target;
    uint32_t candidates; /* the default among them                                                              */
    double ns;           /* the default's time                                                                  */
    bool plugin_clock;
};
/* NULL: the plugin has nothing to choose from. [any] */
const struct convoy_tuner *tuning_tuner(const struct convoy_plugin *plugin);

/* Finds the configurations and times the default. CONVOY_UNSUPPORTED: nothing to tune, and why; so too, unless `forced`, where a
 * CPU plays the device. The subject is borrowed until tuning_close. */
convoy_status tuning_open(const struct verify_subject *subject, const union problem *problem, uint64_t seed,
                          uint64_t mem_limit_bytes, bool forced, struct tuning **tuning, struct tuning_start *start,
                          struct convoy_error *err);

struct tuning_try {
    char text[CONVOY_TUNE_TEXT_BYTES];
    double ns;        /* above best_ns: it was not compared                                                  */
    int64_t spent_ns; /* on it, planning left out                                                            */
};
/* Candidate `index`, from 1. CONVOY_UNSUPPORTED: it is out (it fails, is wrong, or its class is weaker than the default's), err
 * says why and text which; other failures are the device's. */
convoy_status tuning_run(struct tuning *tuning, uint32_t index, double best_ns, struct tuning_try *result,
                         struct convoy_error *err);

/* Verifies candidate `index` against the referee and keeps it. CONVOY_UNSUPPORTED: it is wrong, and nothing is kept. `algorithm`,
 * of a record's size, gets what plans say from now on. */
convoy_status tuning_keep(struct tuning *tuning, uint32_t index, char *algorithm, size_t size, struct convoy_error *err);
void tuning_close(struct tuning *tuning); /* NULL: nothing to do */

#endif
