/* sets: the tensors of one case, once or many times over. A single set is the hot cache; sets that together are larger than the
 * last cache level, taken in turn, are the cold one. All sets of a slot lie in one allocation. Knows slots, no plans and no clock. */
#ifndef CONVOY_BENCH_SETS_H
#define CONVOY_BENCH_SETS_H

#include "core/slots.h"

struct sets {
    struct convoy_memory *memory;
    const union problem *problem; /* borrowed                                               */
    uint64_t seed;
    struct slot_info info[CONVOY_NSLOTS];
    struct convoy_buffer *buffer[CONVOY_NSLOTS];
    uint64_t bytes[CONVOY_NSLOTS], stride[CONVOY_NSLOTS]; /* stride: from one set to the next               */
    int64_t count;
};

/* Sets that hold at least total_bytes together (0: one set); inputs get data of their own in every set, every page is written. On
 * failure sets_free is still right. [instance] */
convoy_status sets_make(struct sets *sets, const union problem *problem, struct convoy_memory *memory, uint64_t workspace_bytes,
                        uint64_t prepared_bytes, uint64_t total_bytes, uint64_t seed, struct convoy_error *err);
void sets_free(struct sets *sets);

/* The arguments of one set: all CONVOY_NSLOTS entries. [any] */
void sets_slots(const struct sets *sets, int64_t set, struct convoy_tensor slot[CONVOY_NSLOTS]);

/* Another part of the activations gets new data, other for every `turn`: what was computed before is not the answer any more.
 * Weights and statistics stay, because plans prepare them. [instance] */
convoy_status sets_refresh(const struct sets *sets, int64_t set, uint64_t turn, struct convoy_error *err);

/* Inputs of a set of `from` into the first set of `to`, whose outputs are poisoned. [instance] */
convoy_status sets_copy_inputs(const struct sets *from, int64_t set, const struct sets *to, struct convoy_error *err);

/* Outputs of a set against those of the first set of `other`: *difference is the largest |a-b|_2 / |b|_2 over the float outputs, 0 for
 * equal bits, infinite where something is not finite or an index differs. [instance] */
convoy_status sets_difference(const struct sets *sets, int64_t set, const struct sets *other, double *difference,
                              struct convoy_error *err);

#endif
