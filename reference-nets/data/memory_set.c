#include "data/memory_set.h"

#include <convoy/plugin.h>
#include <stdio.h>
#include <stdlib.h>

struct memory {
    uint8_t *pixels;
    int32_t *label;
    float level[256]; /* of a byte */
};

static convoy_status read_sample(const struct dataset *set, int64_t i, float *pixels, int32_t *label, struct convoy_error *err)
{
    (void)err;
    const struct memory *memory = set->own;
    const int64_t size = (int64_t)set->c * set->h * set->w;
    for (int64_t p = 0; p < size; p++)
        pixels[p] = memory->level[memory->pixels[i * size + p]];
    *label = memory->label[i];
    return CONVOY_OK;
}

static void close_set(struct dataset *set)
{
    struct memory *memory = set->own;
    free(memory->pixels);
    free(memory->label);
    free(memory);
}

convoy_status memory_set(const char *source, uint8_t *pixels, int32_t *label, int64_t count, int32_t c, int32_t h, int32_t w,
                         int32_t white, int32_t classes, struct dataset *set, struct convoy_error *err)
{
    struct memory *memory = malloc(sizeof *memory);
    convoy_status status = memory ? CONVOY_OK : convoy_fail(err, CONVOY_NO_MEMORY, CONVOY_WHY_MEMORY, "%s: no memory", source);
    int32_t largest = 0;
    for (int64_t i = 0; !status && i < count; i++) {
        if (label[i] < 0 || (classes && label[i] >= classes))
            status = convoy_fail(err, CONVOY_FAILED, CONVOY_WHY_OTHER, "%s: sample %lld has label %d of %d classes", source,
                                 (long long)i, label[i], classes);
        largest = (int32_t)convoy_max(largest, label[i]);
    }
    if (!status && count == 0)
        status = convoy_fail(err, CONVOY_FAILED, CONVOY_WHY_OTHER, "%s: no samples", source);
    if (status) {
        free(pixels);
        free(label);
        free(memory);
        return status;
    }
    memory->pixels = pixels;
    memory->label = label;
    for (int32_t byte = 0; byte < 256; byte++)
        memory->level[byte] = (float)byte / (float)white;
    *set = (struct dataset){.count = count, .c = c, .h = h, .w = w, .classes = classes ? classes : largest + 1};
    set->read = read_sample;
    set->close = close_set;
    set->own = memory;
    snprintf(set->name, sizeof set->name, "%.63s", source);
    return CONVOY_OK;
}
