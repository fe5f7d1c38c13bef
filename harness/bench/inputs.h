/* inputs: random data for timing, in the ranges that keep every operation finite however often it is repeated.
 * Knows slots, not plans. */
#ifndef CONVOY_BENCH_INPUTS_H
#define CONVOY_BENCH_INPUTS_H

#include "core/slots.h"

/* Fills one input (or in-out) slot of the problem through the memory's upload. A function of seed and slot only. [instance] */
convoy_status inputs_fill(const union problem *problem, uint32_t slot, const struct slot_info *info, uint64_t seed,
                          struct convoy_memory *memory, struct convoy_tensor tensor, struct convoy_error *err);

/* New data for a part of a float slot that inputs_fill filled, at another place for every turn: little work however large the
 * tensor is. [instance] */
convoy_status inputs_refresh(const union problem *problem, uint32_t slot, const struct slot_info *info, uint64_t seed,
                             uint64_t turn, struct convoy_memory *memory, struct convoy_tensor tensor, struct convoy_error *err);

#endif
