/* tensor: contiguous data that may live in several memory domains. Each domain's copy is made when it is first asked for and
 * refreshed only when another domain has written since, so that data stay where they are used.
 * Knows memory domains; must not know layers or plugins. Not thread-safe: one step runs at a time. */
#ifndef CONVOY_NETS_TENSOR_H
#define CONVOY_NETS_TENSOR_H

#include <convoy/convoy.h>
#include <stdbool.h>

enum { TENSOR_DOMAINS = 4 };

enum tensor_access { TENSOR_READ, TENSOR_WRITE, TENSOR_UPDATE }; /* WRITE: all of it is overwritten       */

struct tensor {
    int64_t bytes;
    uint64_t version; /* grows with every write                                                          */
    int32_t copies;
    struct tensor_copy {
        struct convoy_memory *memory;
        struct convoy_tensor at;
        bool valid, owned;
    } copy[TENSOR_DOMAINS];
};

/* Over `bytes` bytes of a buffer that the caller keeps (an arena), its first copy, taken as valid. */
void tensor_over(struct tensor *tensor, struct convoy_buffer *buffer, uint64_t offset, int64_t bytes);
void tensor_release(struct tensor *tensor); /* what it allocated in other domains; a zeroed tensor is allowed */

/* Where the tensor is in a domain, made valid there for the access; READ and UPDATE copy from a valid domain if needed. */
convoy_status tensor_in(struct tensor *tensor, struct convoy_memory *memory, enum tensor_access access, struct convoy_tensor *at,
                        struct convoy_error *err);

/* The same in the host domain, as an address; NULL: err tells why. */
void *tensor_host(struct tensor *tensor, enum tensor_access access, struct convoy_error *err);

#endif
