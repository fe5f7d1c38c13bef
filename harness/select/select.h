/* select: which backend wins each problem, with what certainty, as a file that says for what it is valid. Reads and writes select.csv;
 * choosing is path.h's business. Knows problems, records and the registry; must not run a kernel. */
#ifndef CONVOY_SELECT_SELECT_H
#define CONVOY_SELECT_SELECT_H

#include "core/machine.h"
#include "core/problem.h"
#include "core/registry.h"

enum { SELECT_BACKEND_BYTES = 64 };

struct select_row {
    char network[48], layer[64];
    int64_t count;                        /* how often the network poses the problem                         */
    union problem problem;                /* batch included                                                  */
    uint32_t threads;
    char backend[SELECT_BACKEND_BYTES];   /* the winner, "winograd:f4"                                       */
    char algorithm[40];
    double ms, low_ms, high_ms;           /* of one execution, with its interval                             */
    double prepare_ms;                    /* counted in the choice for training                              */
    char runner_up[SELECT_BACKEND_BYTES]; /* "" : there was none                                             */
    double runner_up_ms;
    double lead, lead_low, lead_high;     /* runner-up's time over the winner's; an interval around 1 is a tie */
    bool tie;                             /* decided by determinism, workspace, name                         */
};

struct selection {
    struct select_row *row;
    size_t count;
    char machine[64], purpose[16];        /* "training" or "inference"                                       */
    char *plugins;                        /* "im2col=0123456789abcdef winograd=..." : hashes of all candidates */
};

convoy_status select_read(const char *path, struct selection *selection, struct convoy_error *err);
convoy_status select_write(const char *path, const struct selection *selection, struct convoy_error *err);
void select_free(struct selection *selection);

/* CONVOY_FAILED where the file was made on another machine or with other plugin files; err says which. */
convoy_status select_check(const struct selection *selection, const struct registry *registry, const struct machine *machine,
                           struct convoy_error *err);

/* The row of a problem (folded ReLUs and NO_INDEX do not count as a difference) at a number of threads; NULL: none. [any] */
const struct select_row *select_find(const struct selection *selection, const union problem *problem, uint32_t threads);

#endif
