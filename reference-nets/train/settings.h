/* settings: the command line of convoy-train, from one table of options. Knows names and numbers only. */
#ifndef CONVOY_TRAIN_SETTINGS_H
#define CONVOY_TRAIN_SETTINGS_H

#include "data/batches.h"
#include "nets/catalog.h"
#include "runtime/init.h"
#include "runtime/loss.h"
#include "runtime/optim.h"
#include "runtime/schedule.h"

enum train_exit {
    TRAIN_OK = 0,
    TRAIN_MISSED = 1,       /* the target accuracy was not reached, gradients or backends differ, or a loss is no number */
    TRAIN_USAGE = 4,        /* the command line, a file or the environment                                   */
    TRAIN_INTERRUPTED = 130 /* a signal: the state is saved                                                 */
};

enum { SETTINGS_LIST = 16, SETTINGS_CLASSES = 1024 };
struct settings_list {
    const char *item[SETTINGS_LIST];
    int32_t count;
};

struct settings {
    const char *network;
    struct catalog_options catalog;
    const char *activation; /* its name in catalog                                                        */
    /* data */
    const char *data;
    double val_fraction; /* of the training set, where there is no test set or it is to stay unseen      */
    int64_t overfit;     /* train and judge on the first N samples; 0: off                             */
    int64_t limit;       /* of training samples; 0: all                                                */
    struct augment_options augment;
    bool no_loader;
    /* training */
    int64_t epochs, batch, accumulate, seed, threads, save_every, patience;
    struct optim_options optim;
    struct schedule_options schedule;
    double warmup_epochs;
    struct init_options init;
    struct loss_options loss;
    float class_weight[SETTINGS_CLASSES]; /* what loss points to                                           */
    int32_t class_weights;                /* 0: none                                                       */
    double target_accuracy;               /* 0: none                                                                    */
    bool sync_bn;
    /* weights */
    struct settings_list load, freeze, rate_scale; /* rate_scale: "PREFIX=X"                            */
    const char *load_prefix, *load_exclude;
    bool load_lenient, resume, average, fold_bn;
    /* backends */
    const char *backend;           /* "auto", "im2col", "winograd:f4", or a select.csv                           */
    struct settings_list backends; /* compare                                                              */
    struct settings_list plugins;
    double select_budget_s;
    /* output */
    const char *out; /* folder of metrics, events and checkpoints; NULL: none is written           */
    const char *filters;
    double wall_time; /* of events; < 0: the clock                                                  */
    int64_t steps;    /* compare and time                                                           */
    bool quiet, help;
};

struct train_command {
    const char *name, *usage, *summary, *details;
    uint32_t bit;
    int (*run)(const struct settings *settings);
};
enum train_bit { FOR_RUN = 1, FOR_EVAL = 2, FOR_COMPARE = 4, FOR_SUMMARY = 8, FOR_CHECK = 16, FOR_LIST = 32, FOR_TIME = 64 };

/* Defaults, then argv after the command's name. On failure a sentence that names the option. Strings are borrowed. */
convoy_status settings_parse(const struct train_command *command, int argc, char **argv, struct settings *settings,
                             struct convoy_error *err);
void settings_help(const struct train_command *command);

/* Everything that must be the same for a resumed run to go on bit-exactly, as text. */
void settings_print(const struct settings *settings, char *text, size_t size);

#endif
