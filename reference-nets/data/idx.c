/* IDX files (yann.lecun.com/exdb/mnist, "the IDX file format"): two zero bytes, the type, the rank, big-endian extents, data. */
#include "data/gzfile.h"
#include "data/memory_set.h"
#include "data/readers.h"

#include <convoy/plugin.h>
#include <stdlib.h>
#include <string.h>

enum { TYPE_U8 = 8 };

static uint32_t big_endian(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

/* Checks the head of a file of bytes; extents beyond rank are 1. *data points behind it. */
static convoy_status head_of(const char *path, const uint8_t *bytes, size_t count, int rank, int64_t extent[4],
                             const uint8_t **data, struct convoy_error *err)
{
    const size_t head = 4 + 4 * (size_t)rank;
    if (count < head || bytes[0] || bytes[1])
        return convoy_fail(err, CONVOY_FAILED, CONVOY_WHY_OTHER, "%s: not an IDX file", path);
    if (bytes[2] != TYPE_U8 || bytes[3] != rank)
        return convoy_fail(err, CONVOY_FAILED, CONVOY_WHY_OTHER, "%s: type %d and rank %d, bytes (8) of rank %d are needed", path,
                           bytes[2], bytes[3], rank);
    uint64_t size = 1;
    for (int axis = 0; axis < 4; axis++) {
        extent[axis] = axis < rank ? big_endian(bytes + 4 + 4 * axis) : 1;
        if (extent[axis] && size > UINT64_MAX / (uint64_t)extent[axis])
            return convoy_fail(err, CONVOY_FAILED, CONVOY_WHY_SIZE, "%s: its extents overflow", path);
        size *= (uint64_t)extent[axis];
    }
    if (size != count - head)
        return convoy_fail(err, CONVOY_FAILED, CONVOY_WHY_SIZE, "%s: its head promises %llu bytes of data, %zu are there", path,
                           (unsigned long long)size, count - head);
    *data = bytes + head;
    return CONVOY_OK;
}

static convoy_status take(const char *path, const uint8_t *images, size_t image_bytes, const char *label_path,
                          const uint8_t *labels, size_t label_bytes, struct dataset *set, struct convoy_error *err)
{
    int64_t extent[4], label_extent[4];
    const uint8_t *from, *label_from;
    convoy_status status = head_of(path, images, image_bytes, 3, extent, &from, err);
    if (!status)
        status = head_of(label_path, labels, label_bytes, 1, label_extent, &label_from, err);
    if (!status && extent[0] != label_extent[0])
        status = convoy_fail(err, CONVOY_FAILED, CONVOY_WHY_SIZE, "%s: %lld images, but %s has %lld labels", path,
                             (long long)extent[0], label_path, (long long)label_extent[0]);
    if (!status && (extent[1] > 4096 || extent[2] > 4096 || extent[1] < 1 || extent[2] < 1))
        status = convoy_fail(err, CONVOY_FAILED, CONVOY_WHY_SIZE, "%s: images of %lld x %lld pixels", path, (long long)extent[1],
                             (long long)extent[2]);
    if (status)
        return status;
    const size_t bytes = (size_t)(extent[0] * extent[1] * extent[2]);
    uint8_t *pixels = malloc(bytes + 1);
    int32_t *label = malloc(((size_t)extent[0] + 1) * sizeof *label);
    if (!pixels || !label) {
        free(pixels);
        free(label);
        return convoy_fail(err, CONVOY_NO_MEMORY, CONVOY_WHY_MEMORY, "%s: no memory for %zu bytes", path, bytes);
    }
    memcpy(pixels, from, bytes);
    for (int64_t i = 0; i < extent[0]; i++)
        label[i] = label_from[i];
    return memory_set(path, pixels, label, extent[0], 1, (int32_t)extent[1], (int32_t)extent[2], 255, 10, set, err);
}

convoy_status idx_open(const char *folder, enum dataset_part part, int32_t c, int32_t h, int32_t w, struct dataset *set,
                       struct convoy_error *err)
{
    (void)c, (void)h, (void)w;
    static const char *const names[][2] = {
        [DATASET_TRAIN] = {"train-images-idx3-ubyte", "train-labels-idx1-ubyte"},
        [DATASET_TEST] = {"t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"},
    };
    char path[2][4096];
    if (!gzfile_find(folder, names[part][0], path[0], sizeof path[0]))
        return convoy_fail(err, CONVOY_UNSUPPORTED, CONVOY_WHY_OTHER, "%s: no %s", folder, names[part][0]);
    if (!gzfile_find(folder, names[part][1], path[1], sizeof path[1]))
        return convoy_fail(err, CONVOY_FAILED, CONVOY_WHY_OTHER, "%s: no %s beside the images", folder, names[part][1]);
    uint8_t *bytes[2] = {NULL, NULL};
    size_t count[2] = {0, 0};
    convoy_status status = CONVOY_OK;
    for (int f = 0; !status && f < 2; f++)
        status = gzfile_read(path[f], &bytes[f], &count[f], err);
    if (!status)
        status = take(path[0], bytes[0], count[0], path[1], bytes[1], count[1], set, err);
    free(bytes[0]);
    free(bytes[1]);
    return status;
}
