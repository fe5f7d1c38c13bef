/* schedule: the learning rate of a step. A pure function of the step and the epoch, but for PLATEAU, which watches a metric.
 * Knows numbers only. */
#ifndef CONVOY_NETS_SCHEDULE_H
#define CONVOY_NETS_SCHEDULE_H

#include <convoy/convoy.h>
#include <stdbool.h>

enum schedule_kind {
    SCHEDULE_CONSTANT,
    SCHEDULE_STEP,      /* rate * gamma^(epoch / every)                                                      */
    SCHEDULE_MULTISTEP, /* rate * gamma^(milestones passed)                                                  */
    SCHEDULE_EXP,       /* rate * gamma^epoch                                                                */
    SCHEDULE_POLY,      /* rate * (1 - t)^power, t = step / steps                                            */
    SCHEDULE_INV,       /* rate * (1 + gamma*step)^-power (Caffe)                                            */
    SCHEDULE_COSINE,  /* least + (rate-least)/2 (1 + cos(pi t)), with restarts every `every` epochs if > 0, times `factor` (SGDR)
                       */
    SCHEDULE_PLATEAU, /* rate * gamma each time the metric has not improved for `patience` epochs          */
    SCHEDULE_KIND_COUNT
};

enum { SCHEDULE_MILESTONES = 16 };

struct schedule_options {
    enum schedule_kind kind;
    double rate, least, gamma, power, factor;
    int32_t every, patience, milestone[SCHEDULE_MILESTONES], milestones;
    int64_t steps, steps_per_epoch; /* of the whole run                                                      */
    int64_t warmup_steps;           /* the rate grows linearly from 0 to its value over these first steps    */
};

struct schedule_state {
    double best, scale;
    int32_t bad_epochs;
}; /* PLATEAU: start with {INFINITY, 1, 0}   */

double schedule_rate(const struct schedule_options *options, const struct schedule_state *state, int64_t step);
/* After each epoch: metric is a loss, lower is better. Returns true where the rate has dropped. */
bool schedule_observe(const struct schedule_options *options, struct schedule_state *state, double metric);
/* COSINE with restarts: whether the epoch that ends with this step is a minimum of the rate (a snapshot is due). */
bool schedule_is_minimum(const struct schedule_options *options, int64_t step);

const char *schedule_name(enum schedule_kind kind);
bool schedule_by_name(const char *name, enum schedule_kind *kind);

#endif
