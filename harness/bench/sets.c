#include "bench/sets.h"

#include "bench/inputs.h"
#include <convoy/plugin.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { POISON = 0x7fc0dead }; /* a quiet NaN that no arithmetic makes */

static struct convoy_tensor tensor_of(const struct sets *sets, uint32_t slot, int64_t set)
{
    return (struct convoy_tensor){sets->buffer[slot], (uint64_t)set * sets->stride[slot]};
}

static bool is_scratch(uint32_t slot)
{
    return slot == CONVOY_WORKSPACE || slot == CONVOY_PREPARED;
}

/* Writes every byte, so that no page fault is timed. */
static convoy_status fill(const struct sets *sets, struct convoy_tensor tensor, uint64_t bytes, uint32_t word,
                          struct convoy_error *err)
{
    const uint64_t words_bytes = bytes / 4 * 4;
    convoy_status status = CONVOY_OK;
    if (words_bytes)
        status = sets->memory->fill(sets->memory, tensor, words_bytes, word, err);
    if (status == CONVOY_OK && bytes > words_bytes) {
        const struct convoy_tensor tail = {tensor.buffer, tensor.offset + words_bytes};
        status = sets->memory->upload(sets->memory, tail, &word, bytes - words_bytes, err);
    }
    return status;
}

static convoy_status make_slot(struct sets *sets, uint32_t slot, struct convoy_error *err)
{
    struct convoy_memory *memory = sets->memory;
    const uint64_t all_bytes = (uint64_t)(sets->count - 1) * sets->stride[slot] + sets->bytes[slot];
    convoy_status status = memory->alloc(memory, all_bytes, &sets->buffer[slot], err);
    if (status != CONVOY_OK)
        return status;
    if (is_scratch(slot) || sets->info[slot].role == SLOT_OUTPUT)
        return fill(sets, tensor_of(sets, slot, 0), all_bytes, 0, err);
    for (int64_t set = 0; set < sets->count && status == CONVOY_OK; set++)
        status = inputs_fill(sets->problem, slot, &sets->info[slot], sets->seed + (uint64_t)set, memory,
                             tensor_of(sets, slot, set), err);
    return status;
}

convoy_status sets_make(struct sets *sets, const union problem *problem, struct convoy_memory *memory, uint64_t workspace_bytes,
                        uint64_t prepared_bytes, uint64_t total_bytes, uint64_t seed, struct convoy_error *err)
{
    *sets = (struct sets){.memory = memory, .problem = problem, .seed = seed, .count = 1};
    slots_describe(problem, sets->info);
    const uint64_t align = memory->align > 64 ? memory->align : 64;
    uint64_t set_bytes = 0;
    for (uint32_t slot = 0; slot < CONVOY_NSLOTS; slot++) {
        const bool used = is_scratch(slot) || sets->info[slot].role != SLOT_UNUSED;
        sets->bytes[slot] = !used                      ? 0
                            : slot == CONVOY_WORKSPACE ? workspace_bytes
                            : slot == CONVOY_PREPARED  ? prepared_bytes
                                                       : (uint64_t)sets->info[slot].bytes;
        sets->stride[slot] = (sets->bytes[slot] + align - 1) / align * align;
        set_bytes += sets->stride[slot];
    }
    if (total_bytes && set_bytes) {
        sets->count = (int64_t)((total_bytes + set_bytes - 1) / set_bytes);
        if (sets->count < 2) /* one may be large enough, but then its beginning must not be the next one's end */
            sets->count = 2;
    }
    convoy_status status = CONVOY_OK;
    for (uint32_t slot = 0; slot < CONVOY_NSLOTS && status == CONVOY_OK; slot++) {
        if (sets->bytes[slot])
            status = make_slot(sets, slot, err);
    }
    return status;
}

void sets_free(struct sets *sets)
{
    for (uint32_t slot = 0; slot < CONVOY_NSLOTS; slot++) {
        if (sets->buffer[slot])
            sets->memory->free(sets->memory, sets->buffer[slot]);
        sets->buffer[slot] = NULL;
    }
}

void sets_slots(const struct sets *sets, int64_t set, struct convoy_tensor slot[CONVOY_NSLOTS])
{
    for (uint32_t s = 0; s < CONVOY_NSLOTS; s++)
        slot[s] = sets->buffer[s] ? tensor_of(sets, s, set) : (struct convoy_tensor){0};
}

convoy_status sets_refresh(const struct sets *sets, int64_t set, uint64_t turn, struct convoy_error *err)
{
    static const uint32_t activations[] = {CONVOY_X, CONVOY_DY};
    convoy_status status = CONVOY_OK;
    for (size_t a = 0; a < sizeof activations / sizeof activations[0] && status == CONVOY_OK; a++) {
        const uint32_t slot = activations[a];
        if (sets->buffer[slot] && sets->info[slot].role == SLOT_INPUT && sets->info[slot].type == SLOT_F32)
            status = inputs_refresh(sets->problem, slot, &sets->info[slot], sets->seed + (uint64_t)set, turn, sets->memory,
                                    tensor_of(sets, slot, set), err);
    }
    return status;
}

/* Room for the largest slot that `wanted` takes, in the host's memory. NULL with err: out of memory. */
static void *room_for(const struct sets *sets, bool (*wanted)(enum slot_role), struct convoy_error *err)
{
    uint64_t most = 4;
    for (uint32_t slot = 0; slot < CONVOY_NSLOTS; slot++) {
        if (sets->buffer[slot] && !is_scratch(slot) && wanted(sets->info[slot].role) && sets->bytes[slot] > most)
            most = sets->bytes[slot];
    }
    void *room = malloc(most);
    if (!room)
        convoy_fail(err, CONVOY_NO_MEMORY, CONVOY_WHY_MEMORY, "out of memory for looking at the tensors of a case");
    return room;
}

static bool is_read(enum slot_role role)
{
    return role == SLOT_INPUT || role == SLOT_INOUT;
}
static bool is_written(enum slot_role role)
{
    return role == SLOT_OUTPUT;
}

convoy_status sets_copy_inputs(const struct sets *from, int64_t set, const struct sets *to, struct convoy_error *err)
{
    void *room = room_for(from, is_read, err);
    if (!room)
        return CONVOY_NO_MEMORY;
    convoy_status status = CONVOY_OK;
    for (uint32_t slot = 0; slot < CONVOY_NSLOTS && status == CONVOY_OK; slot++) {
        if (!from->buffer[slot] || is_scratch(slot))
            continue;
        if (is_written(from->info[slot].role)) {
            status = fill(to, tensor_of(to, slot, 0), to->bytes[slot], POISON, err);
            continue;
        }
        status = from->memory->download(from->memory, room, tensor_of(from, slot, set), from->bytes[slot], err);
        if (status == CONVOY_OK)
            status = to->memory->upload(to->memory, tensor_of(to, slot, 0), room, from->bytes[slot], err);
    }
    free(room);
    return status;
}

static double float_difference(const float *a, const float *b, int64_t count)
{
    double distance = 0, size = 0;
    for (int64_t at = 0; at < count; at++) {
        const double difference = (double)a[at] - (double)b[at];
        distance += difference * difference;
        size += (double)b[at] * (double)b[at];
    }
    if (!isfinite(distance) || !isfinite(size))
        return INFINITY;
    return distance > 0 ? sqrt(distance) / sqrt(size) : 0;
}

convoy_status sets_difference(const struct sets *sets, int64_t set, const struct sets *other, double *difference,
                              struct convoy_error *err)
{
    void *a = room_for(sets, is_written, err), *b = a ? room_for(sets, is_written, err) : NULL;
    convoy_status status = a && b ? CONVOY_OK : CONVOY_NO_MEMORY;
    *difference = 0;
    for (uint32_t slot = 0; slot < CONVOY_NSLOTS && status == CONVOY_OK; slot++) {
        if (!sets->buffer[slot] || is_scratch(slot) || !is_written(sets->info[slot].role))
            continue;
        status = sets->memory->download(sets->memory, a, tensor_of(sets, slot, set), sets->bytes[slot], err);
        if (status == CONVOY_OK)
            status = other->memory->download(other->memory, b, tensor_of(other, slot, 0), sets->bytes[slot], err);
        if (status != CONVOY_OK || !memcmp(a, b, sets->bytes[slot]))
            continue;
        const double here = sets->info[slot].type == SLOT_F32 ? float_difference(a, b, sets->info[slot].elements) : INFINITY;
        if (here > *difference)
            *difference = here;
    }
    free(a);
    free(b);
    return status;
}
