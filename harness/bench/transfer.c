#include "bench/transfer.h"

#include "bench/clock.h"
#include "core/slots.h"
#include <convoy/plugin.h>
#include <stdio.h>
#include <stdlib.h>

enum { REPEATS = 4 }; /* the first one also touches the pages */

static bool is_activation(uint32_t slot)
{
    return slot == CONVOY_X || slot == CONVOY_X2 || slot == CONVOY_Y || slot == CONVOY_DX || slot == CONVOY_DY ||
           slot == CONVOY_INDEX;
}

/* One copy there and one back, of so many bytes; keeps the fastest. */
static convoy_status copy_once(struct convoy_memory *memory, struct convoy_tensor tensor, void *host_bytes, uint64_t in_bytes,
                               uint64_t out_bytes, struct transfer *transfer, struct convoy_error *err)
{
    convoy_status status = CONVOY_OK;
    int64_t start_ns = clock_ns(), ns;
    if (in_bytes)
        status = memory->upload(memory, tensor, host_bytes, in_bytes, err);
    ns = in_bytes ? clock_ns() - start_ns : 0;
    transfer->upload_ns = ns < transfer->upload_ns ? ns : transfer->upload_ns;
    start_ns = clock_ns();
    if (status == CONVOY_OK && out_bytes)
        status = memory->download(memory, host_bytes, tensor, out_bytes, err);
    ns = out_bytes ? clock_ns() - start_ns : 0;
    transfer->download_ns = ns < transfer->download_ns ? ns : transfer->download_ns;
    return status;
}

convoy_status transfer_measure(struct convoy_instance *instance, const struct convoy_host *host, const union problem *problem,
                               struct transfer *transfer, struct convoy_error *err)
{
    struct convoy_memory *const memory = instance->memory;
    *transfer = (struct transfer){.domain = "host"};
    if (memory == host->memory)
        return CONVOY_OK;
    snprintf(transfer->domain, sizeof transfer->domain, "%s", memory->name ? memory->name : "device");
    struct slot_info info[CONVOY_NSLOTS];
    uint64_t in_bytes = 0, out_bytes = 0;
    slots_describe(problem, info);
    for (uint32_t slot = 0; slot < CONVOY_NSLOTS; slot++) {
        if (is_activation(slot) && info[slot].role != SLOT_UNUSED && info[slot].role != SLOT_OUTPUT)
            in_bytes += (uint64_t)info[slot].bytes;
        if (is_activation(slot) && (info[slot].role == SLOT_OUTPUT || info[slot].role == SLOT_INOUT))
            out_bytes += (uint64_t)info[slot].bytes;
    }
    /* A tensor of bytes (INDEX) may leave an odd count; copies of whole words cost the same. */
    in_bytes = (in_bytes + 3) / 4 * 4;
    out_bytes = (out_bytes + 3) / 4 * 4;
    const uint64_t bytes = in_bytes > out_bytes ? in_bytes : out_bytes;
    struct convoy_buffer *buffer = NULL;
    void *host_bytes = calloc(1, bytes + 1);
    if (!host_bytes)
        return convoy_fail(err, CONVOY_NO_MEMORY, CONVOY_WHY_MEMORY, "out of memory for a copy of the activations");
    convoy_status status = memory->alloc(memory, bytes, &buffer, err);
    transfer->upload_ns = transfer->download_ns = INT64_MAX;
    for (int repeat = 0; repeat < REPEATS && status == CONVOY_OK; repeat++)
        status = copy_once(memory, (struct convoy_tensor){buffer, 0}, host_bytes, in_bytes, out_bytes, transfer, err);
    if (buffer)
        memory->free(memory, buffer);
    free(host_bytes);
    return status;
}
