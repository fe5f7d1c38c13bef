/* batches: shuffled, augmented, normalised batches of a data set, made ahead by a thread of their own. What batch b of epoch e
 * holds is a pure function of (seed, e, b), so that a resumed run sees the same. */
#ifndef CONVOY_DATA_BATCHES_H
#define CONVOY_DATA_BATCHES_H

#include "data/dataset.h"

/* Applied in this order; zero means off. Random parts are drawn per sample. */
struct augment_options {
    int32_t pad_crop;                   /* pads by this many pixels and crops a random window of the network's size       */
    bool resized_crop;                  /* random area in [0.08, 1] and aspect in [3/4, 4/3], scaled to size              */
    bool flip;                          /* left to right, half of the samples                                             */
    float rotate_degrees;               /* up to +- this                                                                  */
    float scale, shift;                 /* up to +- this share of the size                                                */
    float brightness, contrast, colour; /* up to +- this share; colour: per channel, multiplicative          */
    float tint;                         /* up to +- this is added to each channel, of the range 0 to 1                    */
    int32_t cutout;                     /* side of a square set to the mean                                               */
    float mixup_alpha;                  /* lambda ~ Beta(alpha, alpha); targets become soft                               */
};

struct batches_options {
    int32_t batch, c, h, w;  /* of the network: images are padded or cropped about the middle where they differ (28 -> 32) */
    bool shuffle, keep_last; /* keep_last: a short last batch; otherwise it is dropped (where there is more than one) */
    uint64_t seed;
    const float *mean, *deviation; /* [c]; NULL: none                                                        */
    struct augment_options augment;
    int32_t rank, ranks; /* data parallel: this process takes its share of every batch (batch is the share); ranks 0 means 1 */
    bool no_thread;      /* made when asked for: debugging, tests                                         */
};

struct batch {
    int32_t count;       /* samples; less than the batch size only in a last one                          */
    const float *pixels; /* [count][c][h][w]                                                              */
    const int32_t *label;
    const float *target; /* [count][classes] with mixup, else NULL                                        */
};

struct batches;
convoy_status batches_open(const struct dataset *set, const struct batches_options *options, struct batches **batches,
                           struct convoy_error *err);
void batches_close(struct batches *batches);
int64_t batches_per_epoch(const struct batches *batches);

/* Starts at a batch of an epoch; what was made ahead is dropped. */
convoy_status batches_seek(struct batches *batches, int64_t epoch, int64_t batch, struct convoy_error *err);
/* The next one, valid until the next call. After the last of an epoch comes the first of the next. */
convoy_status batches_next(struct batches *batches, struct batch *batch, struct convoy_error *err);
int64_t batches_waited_ns(const struct batches *batches); /* how long callers have waited so far             */

#endif
