/* tensors: plain host memory for the inputs of one problem, in the form that the referee reads. They are the truth that
 * guarded copies are made of. Knows the slots of a problem, and nothing of plans or data. */
#ifndef CONVOY_VERIFY_TENSORS_H
#define CONVOY_VERIFY_TENSORS_H

#include "core/slots.h"

struct tensors {
    union problem problem;
    struct slot_info info[CONVOY_NSLOTS];
    void *data[CONVOY_NSLOTS]; /* NULL where the problem reads no such slot   */
};

/* Zeroed memory for every input and in-place slot. False: no memory (and nothing to close). */
bool tensors_open(const union problem *problem, struct tensors *tensors);
void tensors_close(struct tensors *tensors);

float *tensors_f32(const struct tensors *tensors, uint32_t slot);

/* Copies the data of one slot from tensors that have the same slot at the same size. */
void tensors_copy(struct tensors *to, const struct tensors *from, uint32_t slot);

static inline bool slot_is_input(const struct slot_info *info)
{
    return info->role == SLOT_INPUT || info->role == SLOT_INOUT;
}
static inline bool slot_is_output(const struct slot_info *info)
{
    return info->role == SLOT_OUTPUT || info->role == SLOT_INOUT;
}

#endif
