/* dataset: labelled images by number. A source (idx.c, cifar.c, folder.c, table.c, made.c) fills the table of functions;
 * batches.h makes batches. Pixels are floats, channels first, in [0, 1]: normalising is the batches' business. Knows files; must
 * not know networks or training. */
#ifndef CONVOY_DATA_DATASET_H
#define CONVOY_DATA_DATASET_H

#include <convoy/convoy.h>
#include <stdbool.h>

struct dataset {
    char name[64];
    int64_t count;
    int32_t c, h, w, classes;
    /* Sample i: c*h*w floats and its label. [any]: several threads may read. Damaged files are CONVOY_FAILED and named. */
    convoy_status (*read)(const struct dataset *set, int64_t i, float *pixels, int32_t *label, struct convoy_error *err);
    void (*close)(struct dataset *set);
    const char *(*class_name)(const struct dataset *set, int32_t label); /* NULL: there are no names         */
    void *own;
};

enum dataset_part { DATASET_TRAIN, DATASET_TEST };

/* Opens what lies in a folder, told by its files: MNIST-like IDX files, plain or .gz ({train,t10k}-{images,labels}-idx?-ubyte),
 * CIFAR binaries (data_batch_*.bin and test_batch.bin, or train.bin and test.bin), `train/` and `test/` (or `val/`) with one
 * folder of PNG or JPEG pictures per class, train.csv and test.csv (label, pixels...). folder NULL or "made": the made set.
 * h, w: pictures of a folder are scaled to it (0: the first one's size); for the others they must fit or be 0.
 * On failure err names the file and what is wrong in it. The caller closes with dataset_close. */
convoy_status dataset_open(const char *folder, enum dataset_part part, int32_t c, int32_t h, int32_t w, struct dataset *set,
                           struct convoy_error *err);
void dataset_close(struct dataset *set);

/* Shapes in `classes` kinds with noise, drawn from (seed, part, i): no file is needed. */
convoy_status dataset_made(enum dataset_part part, int64_t count, int32_t c, int32_t h, int32_t w, int32_t classes, uint64_t seed,
                           struct dataset *set, struct convoy_error *err);

/* Views of a set that outlives them: the first `count` samples; every `every`-th sample (held true) or all others. */
convoy_status dataset_head(const struct dataset *whole, int64_t count, struct dataset *set, struct convoy_error *err);
convoy_status dataset_split(const struct dataset *whole, int64_t every, bool held, struct dataset *set, struct convoy_error *err);

/* A copy of the first `count` samples in memory; the original may be closed. */
convoy_status dataset_cached(const struct dataset *whole, int64_t count, struct dataset *set, struct convoy_error *err);

/* Mean and deviation of each channel over at most `limit` samples. */
convoy_status dataset_moments(const struct dataset *set, int64_t limit, float *mean, float *deviation, struct convoy_error *err);

#endif
