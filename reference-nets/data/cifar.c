/* CIFAR-10 in its binary form (cs.toronto.edu/~kriz/cifar.html): records of one label byte and 3 x 32 x 32 pixels, colour by
 * colour; CIFAR-100 (train.bin, test.bin) has a coarse label before the fine one, which is taken. */
#include "data/gzfile.h"
#include "data/memory_set.h"
#include "data/readers.h"

#include <convoy/plugin.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SIDE = 32, PIXELS = 3 * SIDE * SIDE, BATCHES = 5 };

struct records {
    uint8_t *pixels;
    int32_t *label;
    int64_t count;
};

static convoy_status append(struct records *records, const char *path, size_t label_bytes, struct convoy_error *err)
{
    uint8_t *bytes;
    size_t count;
    convoy_status status = gzfile_read(path, &bytes, &count, err);
    if (status)
        return status;
    const size_t record = label_bytes + PIXELS, added = count / record;
    if (count % record || !added) {
        free(bytes);
        return convoy_fail(err, CONVOY_FAILED, CONVOY_WHY_SIZE, "%s: %zu bytes are not whole records of %zu", path, count,
                           record);
    }
    const size_t total = (size_t)records->count + added;
    uint8_t *pixels = realloc(records->pixels, total * PIXELS);
    if (pixels)
        records->pixels = pixels;
    int32_t *label = realloc(records->label, total * sizeof *label);
    if (label)
        records->label = label;
    if (pixels && label) {
        for (size_t i = 0; i < added; i++, records->count++) {
            label[records->count] = bytes[i * record + label_bytes - 1];
            memcpy(pixels + records->count * PIXELS, bytes + i * record + label_bytes, PIXELS);
        }
    } else {
        status = convoy_fail(err, CONVOY_NO_MEMORY, CONVOY_WHY_MEMORY, "%s: no memory for %zu records", path, total);
    }
    free(bytes);
    return status;
}

convoy_status cifar_open(const char *folder, enum dataset_part part, int32_t c, int32_t h, int32_t w, struct dataset *set,
                         struct convoy_error *err)
{
    (void)c, (void)h, (void)w;
    char path[4096], name[32], source[4096];
    struct records records = {0};
    int32_t classes = 10;
    convoy_status status = CONVOY_OK;
    for (int batch = 1; !status && batch <= (part == DATASET_TRAIN ? BATCHES : 1); batch++) {
        snprintf(name, sizeof name, part == DATASET_TRAIN ? "data_batch_%d.bin" : "test_batch.bin", batch);
        if (gzfile_find(folder, name, path, sizeof path)) {
            status = append(&records, path, 1, err);
            memcpy(source, path, sizeof source);
        }
    }
    if (!status && !records.count && gzfile_find(folder, part == DATASET_TRAIN ? "train.bin" : "test.bin", path, sizeof path)) {
        status = append(&records, path, 2, err);
        memcpy(source, path, sizeof source);
        classes = 100;
    }
    if (!status && !records.count)
        status = convoy_fail(err, CONVOY_UNSUPPORTED, CONVOY_WHY_OTHER, "%s: no CIFAR binaries", folder);
    if (status) {
        free(records.pixels);
        free(records.label);
        return status;
    }
    return memory_set(source, records.pixels, records.label, records.count, 3, SIDE, SIDE, 255, classes, set, err);
}
