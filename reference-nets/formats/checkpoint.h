/* checkpoint: a model's weights as a safetensors file with PyTorch's names, and a second file with everything else that a run
 * needs to go on bit-exactly. Both are written to temporary names and renamed. Knows models and optimizers. */
#ifndef CONVOY_FORMATS_CHECKPOINT_H
#define CONVOY_FORMATS_CHECKPOINT_H

#include "runtime/model.h"
#include "runtime/optim.h"
#include "runtime/schedule.h"

/* Where a run stands. */
struct progress {
    int64_t epoch, batch, step; /* the next ones                                                           */
    uint64_t seed;
    double best;        /* loss of validation                                                      */
    int32_t bad_epochs; /* since it                                                                */
    double loss;        /* sums over the steps of the epoch so far, so that its row comes out the same */
    int64_t correct, counted;
    struct schedule_state schedule;
    int64_t version;     /* of the state's format                                                   */
    char settings[1024]; /* command line that must not change between the runs                      */
};

convoy_status checkpoint_save_weights(const char *path, struct model *model, struct convoy_error *err);
convoy_status checkpoint_save_state(const char *path, struct model *model, struct optim *optim, const struct progress *progress,
                                    struct convoy_error *err);

struct load_options {
    const char *prefix;  /* only parameters whose names start with it; NULL: all                             */
    const char *exclude; /* but those that start with this; NULL: none                                       */
    bool lenient;        /* missing and left-over names are not an error                                     */
};
/* Names and shapes must match: err lists the differences (the first few of each kind, and how many there are). */
convoy_status checkpoint_load_weights(const char *path, struct model *model, const struct load_options *options,
                                      struct convoy_error *err);
convoy_status checkpoint_load_state(const char *path, struct model *model, struct optim *optim, struct progress *progress,
                                    struct convoy_error *err);

#endif
