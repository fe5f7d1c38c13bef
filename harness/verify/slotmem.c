#include "verify/slotmem.h"
#include "core/error.h"
#include "core/hostmem.h"
#include "verify/compare.h"
#include <stdlib.h>
#include <string.h>

enum { CANARY_WORD = 0x43c3c3c3, PAD_LEAST_BYTES = 256 };

static uint64_t round_up(uint64_t bytes, uint64_t multiple)
{
    return (bytes + multiple - 1) / multiple * multiple;
}

static uint64_t whole_bytes(const struct slotmem *memory)
{
    return 2 * memory->pad_bytes + round_up(memory->bytes, 4);
}

static bool open_device(struct slotmem *memory, struct finding *finding)
{
    struct convoy_error err = error_none();
    memory->pad_bytes = round_up(PAD_LEAST_BYTES, memory->align);
    memory->offset = memory->pad_bytes;
    memory->copy = malloc((size_t)whole_bytes(memory));
    if (!memory->copy)
        return finding_set(finding, VERDICT_OOM, "no memory for a copy of %s (%llu bytes)", memory->name,
                           (unsigned long long)memory->bytes);
    const convoy_status status = memory->domain->alloc(memory->domain, whole_bytes(memory), &memory->buffer, &err);
    if (status == CONVOY_OK && memory->buffer)
        return true;
    free(memory->copy);
    memory->copy = NULL;
    memory->buffer = NULL;
    return finding_status(finding, "allocating on the device", status == CONVOY_OK ? CONVOY_INVALID : status, &err);
}

bool slotmem_open(struct slotmem *memory, struct convoy_memory *domain, const char *name, uint64_t bytes, uint32_t align,
                  struct finding *finding)
{
    memset(memory, 0, sizeof *memory);
    memory->name = name;
    memory->bytes = bytes;
    memory->align = align;
    memory->domain = domain;
    if (bytes == 0)
        return true;
    bool ok;
    if (domain)
        ok = open_device(memory, finding);
    else
        ok = guard_open(&memory->region, name, (size_t)bytes, align) ||
             finding_set(finding, VERDICT_OOM, "no memory for %s (%llu bytes)", name, (unsigned long long)bytes);
    if (!ok)
        memory->bytes = 0;
    return ok;
}

void slotmem_close(struct slotmem *memory)
{
    if (memory->bytes == 0)
        return;
    if (memory->domain)
        memory->domain->free(memory->domain, memory->buffer);
    else
        guard_close(&memory->region);
    free(memory->copy);
    memory->bytes = 0;
}

static bool device_fill(struct slotmem *memory, uint64_t offset, uint64_t bytes, uint32_t word, struct finding *finding)
{
    struct convoy_error err = error_none();
    const struct convoy_tensor tensor = {memory->buffer, offset};
    const convoy_status status = bytes ? memory->domain->fill(memory->domain, tensor, bytes, word, &err) : CONVOY_OK;
    return status == CONVOY_OK || finding_status(finding, "filling device memory", status, &err);
}

bool slotmem_place(struct slotmem *memory, enum guard_placement placement, struct finding *finding)
{
    if (memory->bytes == 0)
        return true;
    if (!slotmem_protect(memory, GUARD_WRITABLE, finding))
        return false;
    if (!memory->domain) {
        guard_place(&memory->region, placement);
        return true;
    }
    memory->offset = memory->pad_bytes + (placement == GUARD_SHIFTED && memory->align < 8 ? 4 : 0);
    return device_fill(memory, 0, whole_bytes(memory), CANARY_WORD, finding);
}

bool slotmem_write(struct slotmem *memory, const void *data, struct finding *finding)
{
    struct convoy_error err = error_none();
    if (memory->bytes == 0)
        return true;
    if (!memory->domain) {
        memcpy(memory->region.data, data, (size_t)memory->bytes);
        return true;
    }
    const struct convoy_tensor tensor = {memory->buffer, memory->offset};
    const convoy_status status = memory->domain->upload(memory->domain, tensor, data, memory->bytes, &err);
    return status == CONVOY_OK || finding_status(finding, "uploading to the device", status, &err);
}

bool slotmem_fill(struct slotmem *memory, uint32_t word, struct finding *finding)
{
    if (memory->bytes == 0)
        return true;
    if (memory->domain)
        return device_fill(memory, memory->offset, round_up(memory->bytes, 4), word, finding);
    for (uint64_t b = 0; b < memory->bytes; b += sizeof word) {
        const uint64_t rest = memory->bytes - b;
        memcpy(memory->region.data + b, &word, rest < sizeof word ? (size_t)rest : sizeof word);
    }
    return true;
}

bool slotmem_protect(struct slotmem *memory, enum guard_access access, struct finding *finding)
{
    if (memory->bytes == 0)
        return true;
    memory->access = access;
    if (memory->domain)
        return access != GUARD_FORBIDDEN || slotmem_fill(memory, COMPARE_POISON, finding);
    return guard_protect(&memory->region, access) ||
           finding_set(finding, VERDICT_NOT_RUN, "the harness could not protect the pages of %s", memory->name);
}

/* Downloads the buffer with its canaries. */
static bool fetch(struct slotmem *memory, struct finding *finding)
{
    struct convoy_error err = error_none();
    const struct convoy_tensor tensor = {memory->buffer, 0};
    const convoy_status status = memory->domain->download(memory->domain, memory->copy, tensor, whole_bytes(memory), &err);
    return status == CONVOY_OK || finding_status(finding, "downloading from the device", status, &err);
}

bool slotmem_intact(struct slotmem *memory, const char *during, const void *data, struct finding *finding)
{
    static const uint32_t canary = CANARY_WORD;
    if (memory->bytes == 0)
        return true;
    if (!memory->domain)
        return guard_intact(&memory->region, during, finding);
    if (!fetch(memory, finding))
        return false;
    const uint64_t end = memory->offset + memory->bytes;
    for (uint64_t b = 0; b < whole_bytes(memory); b++) {
        const bool outside = b < memory->offset || b >= round_up(end, 4);
        if (outside && memory->copy[b] != ((const char *)&canary)[b % sizeof canary])
            return finding_set(finding, VERDICT_OOB_WRITE, "%s wrote outside %s on the device: at byte %lld of %llu", during,
                               memory->name, (long long)b - (long long)memory->offset, (unsigned long long)memory->bytes);
    }
    if (memory->access == GUARD_READ_ONLY && data && memcmp(memory->copy + memory->offset, data, (size_t)memory->bytes) != 0)
        return finding_set(finding, VERDICT_DIRTY_INPUT, "%s changed the input %s on the device", during, memory->name);
    return true;
}

const void *slotmem_read(struct slotmem *memory, struct finding *finding)
{
    if (!memory->domain)
        return memory->region.data;
    return fetch(memory, finding) ? memory->copy + memory->offset : NULL;
}

struct convoy_tensor slotmem_tensor(struct slotmem *memory)
{
    struct convoy_tensor tensor = {NULL, 0};
    if (memory->bytes == 0)
        return tensor;
    if (memory->domain) {
        tensor.buffer = memory->buffer;
        tensor.offset = memory->offset;
        return tensor;
    }
    return hostmem_wrap(&memory->wrapped, memory->region.data, memory->bytes);
}
