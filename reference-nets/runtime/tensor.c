#include "runtime/tensor.h"

#include "core/hostmem.h"

#include <convoy/plugin.h>
#include <stdlib.h>
#include <string.h>

void tensor_over(struct tensor *tensor, struct convoy_buffer *buffer, uint64_t offset, int64_t bytes)
{
    *tensor = (struct tensor){
        .bytes = bytes,
        .copies = 1,
        .copy = {{.memory = buffer->memory, .at = {.buffer = buffer, .offset = offset}, .valid = true}},
    };
}

void tensor_release(struct tensor *tensor)
{
    for (int32_t index = 0; index < tensor->copies; index++) {
        struct tensor_copy *copy = &tensor->copy[index];
        if (copy->owned)
            copy->memory->free(copy->memory, copy->at.buffer);
    }
    memset(tensor, 0, sizeof *tensor);
}

static struct tensor_copy *copy_in(struct tensor *tensor, const struct convoy_memory *memory)
{
    for (int32_t index = 0; index < tensor->copies; index++)
        if (tensor->copy[index].memory == memory)
            return &tensor->copy[index];
    return NULL;
}

static convoy_status copy_add(struct tensor *tensor, struct convoy_memory *memory, struct tensor_copy **added,
                              struct convoy_error *err)
{
    if (tensor->copies == TENSOR_DOMAINS)
        return convoy_fail(err, CONVOY_INVALID, CONVOY_WHY_MEMORY, "a tensor can live in at most %d memory domains",
                           TENSOR_DOMAINS);
    struct tensor_copy *copy = &tensor->copy[tensor->copies];
    *copy = (struct tensor_copy){.memory = memory, .owned = true};
    const convoy_status status = memory->alloc(memory, (uint64_t)tensor->bytes, &copy->at.buffer, err);
    if (status)
        return status;
    tensor->copies++;
    *added = copy;
    return CONVOY_OK;
}

/* One end of a transfer is the host domain; two devices meet in host memory that is freed at once. */
static convoy_status transfer(const struct tensor_copy *from, const struct tensor_copy *to, uint64_t bytes,
                              struct convoy_error *err)
{
    if (to->at.buffer->host)
        return from->memory->download(from->memory, (char *)to->at.buffer->host + to->at.offset, from->at, bytes, err);
    if (from->at.buffer->host)
        return to->memory->upload(to->memory, to->at, (const char *)from->at.buffer->host + from->at.offset, bytes, err);
    void *between = malloc(bytes);
    if (!between)
        return convoy_fail(err, CONVOY_NO_MEMORY, CONVOY_WHY_MEMORY, "no memory for a transfer of %llu bytes",
                           (unsigned long long)bytes);
    convoy_status status = from->memory->download(from->memory, between, from->at, bytes, err);
    if (!status)
        status = to->memory->upload(to->memory, to->at, between, bytes, err);
    free(between);
    return status;
}

convoy_status tensor_in(struct tensor *tensor, struct convoy_memory *memory, enum tensor_access access, struct convoy_tensor *at,
                        struct convoy_error *err)
{
    struct tensor_copy *copy = copy_in(tensor, memory);
    convoy_status status = copy ? CONVOY_OK : copy_add(tensor, memory, &copy, err);
    if (status)
        return status;
    if (!copy->valid && access != TENSOR_WRITE) {
        const struct tensor_copy *from = NULL;
        for (int32_t index = 0; !from && index < tensor->copies; index++)
            from = tensor->copy[index].valid ? &tensor->copy[index] : NULL;
        if (!from)
            return convoy_fail(err, CONVOY_INVALID, CONVOY_WHY_OTHER, "a tensor is read that nothing has written");
        status = transfer(from, copy, (uint64_t)tensor->bytes, err);
        if (status)
            return status;
    }
    copy->valid = true;
    if (access != TENSOR_READ) {
        tensor->version++;
        for (int32_t index = 0; index < tensor->copies; index++)
            tensor->copy[index].valid = &tensor->copy[index] == copy;
    }
    *at = copy->at;
    return CONVOY_OK;
}

void *tensor_host(struct tensor *tensor, enum tensor_access access, struct convoy_error *err)
{
    struct convoy_tensor at;
    if (tensor_in(tensor, hostmem(), access, &at, err))
        return NULL;
    return (char *)at.buffer->host + at.offset;
}
