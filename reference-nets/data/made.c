/* The made set: gratings, one direction per class, of random phase and wavelength, over noise. A sample is a function of (seed,
 * part, i), so that tests and the demo need no file, and two processes see the same. */
#include "data/dataset.h"

#include "core/rng.h"

#include <convoy/plugin.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

struct made {
    uint64_t seed;
    enum dataset_part part;
};

static convoy_status read_sample(const struct dataset *set, int64_t i, float *pixels, int32_t *label, struct convoy_error *err)
{
    (void)err;
    const struct made *made = set->own;
    const uint64_t stream = 2 * (uint64_t)i + (made->part == DATASET_TEST);
    const double pi = acos(-1), angle = pi * (double)(i % set->classes) / set->classes;
    const double phase = 2 * pi * rng_unit(made->seed, stream, 0), wavelength = 4 + 4 * rng_unit(made->seed, stream, 1);
    const double along_h = sin(angle) * 2 * pi / wavelength, along_w = cos(angle) * 2 * pi / wavelength;
    for (int32_t c = 0; c < set->c; c++) {
        const double strength = 0.15 + 0.2 * rng_unit(made->seed, stream, 2 + (uint64_t)c);
        for (int32_t h = 0; h < set->h; h++) {
            for (int32_t w = 0; w < set->w; w++) {
                const int64_t at = ((int64_t)c * set->h + h) * set->w + w;
                const double noise = 0.2 * rng_unit(made->seed, stream, 16 + (uint64_t)at) - 0.1;
                pixels[at] = (float)(0.5 + strength * sin(along_h * h + along_w * w + phase) + noise);
            }
        }
    }
    *label = (int32_t)(i % set->classes);
    return CONVOY_OK;
}

static void close_set(struct dataset *set)
{
    free(set->own);
}

convoy_status dataset_made(enum dataset_part part, int64_t count, int32_t c, int32_t h, int32_t w, int32_t classes, uint64_t seed,
                           struct dataset *set, struct convoy_error *err)
{
    struct made *made = malloc(sizeof *made);
    if (!made)
        return convoy_fail(err, CONVOY_NO_MEMORY, CONVOY_WHY_MEMORY, "no memory for the made set");
    *made = (struct made){.seed = seed, .part = part};
    *set = (struct dataset){
        .count = count, .c = c, .h = h, .w = w, .classes = classes, .read = read_sample, .close = close_set, .own = made};
    snprintf(set->name, sizeof set->name, "made");
    return CONVOY_OK;
}
