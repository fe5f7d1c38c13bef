/* metrics: what a run reports: metrics.csv (a row an epoch, appended and flushed), TensorBoard events, the progress line. Knows
 * numbers and files; must not know networks. */
#ifndef CONVOY_TRAIN_METRICS_H
#define CONVOY_TRAIN_METRICS_H

#include "runtime/backends.h"

struct metrics;

struct metrics_row {
    int64_t epoch, step;
    double rate, train_loss, train_accuracy, val_loss, val_accuracy, val_accuracy5, penalty, grad_norm;
    double seconds, images_per_s, waited_share; /* of the epoch; waiting for data                            */
    double spent_share[SPENT_COUNT];            /* of the time of its steps                                  */
    int64_t peak_bytes;                         /* resident memory of the process                            */
};

/* folder NULL: nothing is written. resume_epoch >= 0: the file's rows of that epoch and later are dropped; < 0: a new run, which
 * must not find a file. */
convoy_status metrics_open(const char *folder, int64_t resume_epoch, double wall_time, bool show_progress,
                           struct metrics **metrics, struct convoy_error *err);
void metrics_close(struct metrics *metrics);

convoy_status metrics_epoch(struct metrics *metrics, const struct metrics_row *row, struct convoy_error *err);
/* "GROUP/NAME" among the events. */
convoy_status metrics_scalar(struct metrics *metrics, int64_t step, const char *group, const char *name, float value,
                             struct convoy_error *err);
convoy_status metrics_filters(struct metrics *metrics, int64_t step, int32_t h, int32_t w, int32_t channels, const void *png,
                              size_t bytes, struct convoy_error *err);

struct metrics_step {
    int64_t epoch, epochs, batch, batches;
    double loss, accuracy, images_per_s, remaining_s;
    const int64_t *spent_ns; /* [SPENT_COUNT] */
};
/* At most ten times a second, to stderr where that is a terminal. */
void metrics_progress(struct metrics *metrics, const struct metrics_step *step);

#endif
