/* verify: one (plugin, problem) -> one verdict, by the tiers of verification: exact integers, reference-free identities,
 * random data under the bound of the declared numerics class. Knows neither workers nor files. */
#ifndef CONVOY_VERIFY_VERIFY_H
#define CONVOY_VERIFY_VERIFY_H

#include "core/problem.h"
#include "core/record.h"
#include "verify/verdict.h"
#include <convoy/referee.h>

struct verify_subject {            /* borrowed; the instance must live in the host memory domain or bring its own       */
    const struct convoy_plugin *plugin;
    struct convoy_instance *instance;
    const struct convoy_host *host;
    const struct convoy_referee *referee;
    const char *variant;           /* of the instance ("" for the only one): to open others; NULL: threads are not varied    */
};

struct verify_options {
    uint64_t seed;
    uint64_t mem_limit_bytes;      /* workspace + prepared above it: SKIPPED; 0: no limit                               */
    int64_t full_macs;             /* problems with more multiply-adds are checked by twin and sampled oracle           */
    bool strict;
};

/* Runs every check that fits and fills verdict, reason, the error columns, algorithm, numerics, accuracy_class,
 * workspace_bytes and prepared_bytes of `record`; leaves the others alone. Returns the verdict. A fault inside the
 * plugin ends the process; the caller runs this in a worker. */
enum verdict verify_run(const struct verify_subject *subject, const union problem *problem, const struct verify_options *options,
                        struct record *record);

#endif
