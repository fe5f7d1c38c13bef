/* hostmem: the host memory domain, the one object whose address means "host" in this process.
 * Allocations are 64-byte aligned, 2 MiB-aligned with MADV_HUGEPAGE from 4 MiB up. CONVOY_FAIL_ALLOC=N makes the N-th allocation of the
 * process fail (out-of-memory tests). */
#ifndef CONVOY_CORE_HOSTMEM_H
#define CONVOY_CORE_HOSTMEM_H

#include <convoy/convoy.h>

struct convoy_memory *hostmem(void); /* lives forever; alloc and free are [any] */

/* A tensor over memory that somebody else owns: buffer is caller storage that must outlive the use. */
struct convoy_tensor hostmem_wrap(struct convoy_buffer *buffer, void *host, uint64_t bytes);

#endif
