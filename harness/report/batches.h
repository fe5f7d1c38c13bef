/* batches: the raw times behind result rows, read from the sample file beside a result file. The inverse of samples. */
#ifndef CONVOY_REPORT_BATCHES_H
#define CONVOY_REPORT_BATCHES_H

#include "core/record.h"
#include <convoy/convoy.h>

struct batches {
    char **text; /* of each record: the mean time of each kept batch in ns, separated by commas, in the file's own digits; NULL:
                    none */
    size_t count;
};

/* Of the bench records that were read from `results_path`. Discarded rounds and the control are left out; of a case that was
 * measured again the later batches count. No sample file is no error: then all are NULL. */
convoy_status batches_read(const char *results_path, const struct record *records, size_t count, struct batches *batches,
                           struct convoy_error *err);
void batches_free(struct batches *batches);

#endif
