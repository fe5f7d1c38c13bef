/* memory_set: a data set whose pixels are bytes in memory: what most readers fill. */
#ifndef CONVOY_DATA_MEMORY_SET_H
#define CONVOY_DATA_MEMORY_SET_H

#include "data/dataset.h"

/* Takes pixels [count][c][h][w] and labels [count] (both from malloc, freed with the set, also on failure). A pixel of `white`
 * reads as 1. classes 0: one more than the largest label. source names the file in errors. */
convoy_status memory_set(const char *source, uint8_t *pixels, int32_t *label, int64_t count, int32_t c, int32_t h, int32_t w,
                         int32_t white, int32_t classes, struct dataset *set, struct convoy_error *err);

#endif
