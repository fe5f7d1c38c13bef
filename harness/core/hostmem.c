#include "core/hostmem.h"
#include <convoy/plugin.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { ALIGN_BYTES = 64, HUGE_PAGE_BYTES = 2 << 20, HUGE_FROM_BYTES = 4 << 20 };

static _Atomic uint64_t allocations;

/* True for the allocation whose number, counted over the whole process, CONVOY_FAIL_ALLOC names. */
static int must_fail(void)
{
    const uint64_t number = atomic_fetch_add(&allocations, 1) + 1;
    const char *text = getenv("CONVOY_FAIL_ALLOC");
    return text && strtoull(text, NULL, 10) == number;
}

static convoy_status host_alloc(struct convoy_memory *memory, uint64_t bytes, struct convoy_buffer **out,
                                struct convoy_error *err)
{
    struct convoy_buffer *buffer = NULL;
    void *host = NULL;
    *out = NULL;
    if (must_fail())
        return convoy_fail(err, CONVOY_NO_MEMORY, CONVOY_WHY_MEMORY,
                           "no host memory for %" PRIu64 " bytes (CONVOY_FAIL_ALLOC makes this allocation fail)", bytes);
    if (bytes > (uint64_t)PTRDIFF_MAX - HUGE_PAGE_BYTES)
        goto no_memory;
    /* Whole lines, so that vector code may load the line that holds the last element; one line even for nothing. */
    const size_t padded_bytes = bytes ? (size_t)convoy_round_up((int64_t)bytes, ALIGN_BYTES) : ALIGN_BYTES;
    const int huge = padded_bytes >= HUGE_FROM_BYTES;
    buffer = malloc(sizeof *buffer);
    if (!buffer || posix_memalign(&host, huge ? HUGE_PAGE_BYTES : ALIGN_BYTES, padded_bytes) != 0)
        goto no_memory;
    /* Huge pages are a wish: a kernel without them refuses, and the memory is as good. */
    if (huge)
        (void)madvise(host, padded_bytes, MADV_HUGEPAGE);
    *buffer = (struct convoy_buffer){.memory = memory, .host = host, .bytes = bytes};
    *out = buffer;
    return CONVOY_OK;

no_memory:
    free(buffer);
    return convoy_fail(err, CONVOY_NO_MEMORY, CONVOY_WHY_MEMORY, "no host memory for %" PRIu64 " bytes", bytes);
}

static void host_free(struct convoy_memory *memory, struct convoy_buffer *buffer)
{
    (void)memory;
    if (!buffer)
        return;
    free(buffer->host);
    free(buffer);
}

/* CONVOY_OK if the bytes lie inside the tensor's buffer and the buffer is host memory. */
static convoy_status check_range(const struct convoy_memory *memory, struct convoy_tensor tensor, uint64_t bytes,
                                 const char *what, struct convoy_error *err)
{
    const struct convoy_buffer *buffer = tensor.buffer;
    if (!buffer)
        return convoy_fail(err, CONVOY_INVALID, CONVOY_WHY_MEMORY, "%s of a tensor without a buffer", what);
    if (buffer->memory != memory || !buffer->host)
        return convoy_fail(err, CONVOY_INVALID, CONVOY_WHY_MEMORY, "%s of a buffer that is not in host memory", what);
    if (tensor.offset > buffer->bytes || bytes > buffer->bytes - tensor.offset)
        return convoy_fail(err, CONVOY_INVALID, CONVOY_WHY_MEMORY,
                           "%s of %" PRIu64 " bytes at offset %" PRIu64 " leaves a buffer of %" PRIu64 " bytes", what, bytes,
                           tensor.offset, buffer->bytes);
    return CONVOY_OK;
}

static char *address(struct convoy_tensor tensor)
{
    return (char *)tensor.buffer->host + tensor.offset;
}

static convoy_status host_fill(struct convoy_memory *memory, struct convoy_tensor tensor, uint64_t bytes, uint32_t word,
                               struct convoy_error *err)
{
    const convoy_status status = check_range(memory, tensor, bytes, "fill", err);
    if (status)
        return status;
    if (bytes % sizeof word || tensor.offset % sizeof word)
        return convoy_fail(err, CONVOY_INVALID, CONVOY_WHY_MEMORY,
                           "fill of %" PRIu64 " bytes at offset %" PRIu64 ": both must be multiples of 4", bytes, tensor.offset);
    if (word == (word & 0xffu) * 0x01010101u) {
        memset(address(tensor), (int)(word & 0xffu), (size_t)bytes);
        return CONVOY_OK;
    }
    /* memcpy: wrapped memory may belong to an object of any type. */
    char *to = address(tensor);
    for (uint64_t done_bytes = 0; done_bytes < bytes; done_bytes += sizeof word)
        memcpy(to + done_bytes, &word, sizeof word);
    return CONVOY_OK;
}

static convoy_status host_upload(struct convoy_memory *memory, struct convoy_tensor to, const void *from, uint64_t bytes,
                                 struct convoy_error *err)
{
    const convoy_status status = check_range(memory, to, bytes, "upload", err);
    if (status || bytes == 0)
        return status;
    if (!from)
        return convoy_fail(err, CONVOY_INVALID, CONVOY_WHY_MEMORY, "upload of %" PRIu64 " bytes from nowhere", bytes);
    memmove(address(to), from, (size_t)bytes);
    return CONVOY_OK;
}

static convoy_status host_download(struct convoy_memory *memory, void *to, struct convoy_tensor from, uint64_t bytes,
                                   struct convoy_error *err)
{
    const convoy_status status = check_range(memory, from, bytes, "download", err);
    if (status || bytes == 0)
        return status;
    if (!to)
        return convoy_fail(err, CONVOY_INVALID, CONVOY_WHY_MEMORY, "download of %" PRIu64 " bytes to nowhere", bytes);
    memmove(to, address(from), (size_t)bytes);
    return CONVOY_OK;
}

static struct convoy_memory host_domain = {
    .struct_size = sizeof(struct convoy_memory),
    .align = ALIGN_BYTES,
    .name = "host",
    .alloc = host_alloc,
    .free = host_free,
    .fill = host_fill,
    .upload = host_upload,
    .download = host_download,
};

struct convoy_memory *hostmem(void)
{
    return &host_domain;
}

struct convoy_tensor hostmem_wrap(struct convoy_buffer *buffer, void *host, uint64_t bytes)
{
    *buffer = (struct convoy_buffer){.memory = &host_domain, .host = host, .bytes = bytes};
    return (struct convoy_tensor){.buffer = buffer, .offset = 0};
}
