/* cost: what each backend costs on each layer, from result rows: execution, preparing where it counts, and bringing activations
 * from one memory to another. Admits only rows whose plugin file passed verification. Borrows the records; knows neither files
 * nor paths. */
#ifndef CONVOY_SELECT_COST_H
#define CONVOY_SELECT_COST_H

#include "core/problem.h"
#include "core/record.h"
#include "select/select.h"

/* One backend on one layer: a node of the path. */
struct cost_option {
    const struct record *record;
    char backend[SELECT_BACKEND_BYTES]; /* "winograd:f4" */
    const char *domain;
    double ns, low_ns, high_ns;    /* of one execution; with preparing where that counts */
    double upload_ns, download_ns; /* 0 on the host */
    bool contender;                /* false: only compared with, never selected */
};

struct cost_layer {
    const struct record *first; /* names network, layer, count and problem */
    union problem problem;
    int64_t count;
    struct cost_option *option;
    size_t options;
};

/* The layers of a network at one batch size and number of threads, in the order in which they run: forward, then backward from
 * the last layer to the first. */
struct cost_chain {
    const char *network;
    int32_t batch; /* 0: the problems have none */
    int64_t threads;
    struct cost_layer *layer;
    size_t layers;
};

struct costs {
    struct cost_chain *chain;
    size_t chains;
};

struct cost_rules {
    bool training;     /* all passes, preparing counted; else forward alone, without preparing */
    bool any_accuracy; /* else "fast" arithmetic is no contender */
    const char *cache; /* "hot" or "cold": which rows count */
    /* Whether a backend may be selected; NULL: all may. */
    bool (*contends)(const void *context, const struct record *record);
    const void *context;
};

/* Bench rows with a time become options; of equal cases the last counts, of a plugin the last file. A backend whose file failed
 * on a problem in any of the rows has no option there. False: out of memory. */
bool costs_make(const struct record *records, size_t count, const struct cost_rules *rules, struct costs *costs);
void costs_free(struct costs *costs);

/* From the output of one layer to the input of the next: nothing within one memory. NULL: the host before and after the network.
 */
double cost_transfer_ns(const struct cost_option *from, const struct cost_option *to);

#endif
