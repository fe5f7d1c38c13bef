/* samples: the raw batches behind result rows, in a file beside them: FILE.csv has FILE.samples.csv. Nothing is left out of it,
 * discarded rounds and disturbed batches included. Knows no statistics. */
#ifndef CONVOY_REPORT_SAMPLES_H
#define CONVOY_REPORT_SAMPLES_H

#include "core/record.h"
#include <convoy/convoy.h>

struct sample {
    bool measured, disturbed;
    int64_t round, place; /* round below 0: discarded; place: the position within the round */
    double mean_ns, min_ns;
    int64_t wall_ns, cpu_ns, waited_ns, voluntary, involuntary, stolen_ns, mhz;
    double load;
};

struct samples_file;

/* The file beside `results_path`; with append what is there stays, without it is replaced. */
convoy_status samples_open(const char *results_path, bool append, struct samples_file **file, struct convoy_error *err);

/* One row per measured sample; role tells equal candidates of one case apart ("", "control", "old", …). */
convoy_status samples_append(struct samples_file *file, const struct record *record, const char *role,
                             const struct sample *sample, size_t count, struct convoy_error *err);
convoy_status samples_close(struct samples_file *file, struct convoy_error *err); /* frees in any case */

#endif
