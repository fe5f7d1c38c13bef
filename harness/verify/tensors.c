#include "verify/tensors.h"
#include <stdlib.h>
#include <string.h>

bool tensors_open(const union problem *problem, struct tensors *tensors)
{
    memset(tensors, 0, sizeof *tensors);
    tensors->problem = *problem;
    slots_describe(problem, tensors->info);
    for (uint32_t slot = 0; slot < CONVOY_NSLOTS; slot++) {
        const struct slot_info *const info = &tensors->info[slot];
        if (!slot_is_input(info))
            continue;
        tensors->data[slot] = calloc(1, (size_t)info->bytes);
        if (!tensors->data[slot]) {
            tensors_close(tensors);
            return false;
        }
    }
    return true;
}

void tensors_close(struct tensors *tensors)
{
    for (uint32_t slot = 0; slot < CONVOY_NSLOTS; slot++) {
        free(tensors->data[slot]);
        tensors->data[slot] = NULL;
    }
}

float *tensors_f32(const struct tensors *tensors, uint32_t slot)
{
    return tensors->data[slot];
}

void tensors_copy(struct tensors *to, const struct tensors *from, uint32_t slot)
{
    memcpy(to->data[slot], from->data[slot], (size_t)to->info[slot].bytes);
}
