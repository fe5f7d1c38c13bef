/* slotmem: the memory of one slot of a plan under test: a guarded region in the host domain, or a buffer of a device domain
 * with canary words on both sides. Knows bytes, domains and placements, no problem and no plan. */
#ifndef CONVOY_VERIFY_SLOTMEM_H
#define CONVOY_VERIFY_SLOTMEM_H

#include "verify/guard.h"
#include <convoy/convoy.h>

struct slotmem {
    const char *name;
    uint64_t bytes; /* 0: the slot is unused              */
    uint32_t align;
    struct convoy_memory *domain; /* NULL: host                         */
    struct guard_region region;
    struct convoy_buffer wrapped;
    struct convoy_buffer *buffer; /* device                             */
    uint64_t pad_bytes, offset;   /* canaries on each side              */
    char *copy;                   /* device: what slotmem_read returns, with the canaries around it */
    enum guard_access access;
};

/* domain NULL: the host's. False: OOM. */
bool slotmem_open(struct slotmem *memory, struct convoy_memory *domain, const char *name, uint64_t bytes, uint32_t align,
                  struct finding *finding);
void slotmem_close(struct slotmem *memory);

/* Makes it writable, places it and renews the canaries; contents are lost. */
bool slotmem_place(struct slotmem *memory, enum guard_placement placement, struct finding *finding);
bool slotmem_write(struct slotmem *memory, const void *data, struct finding *finding);
bool slotmem_fill(struct slotmem *memory, uint32_t word, struct finding *finding);

/* Host: the pages' protection. A device cannot protect: FORBIDDEN overwrites the contents with poison instead, READ_ONLY is
 * checked by slotmem_intact. */
bool slotmem_protect(struct slotmem *memory, enum guard_access access, struct finding *finding);

/* Canaries; on a device also that a READ_ONLY buffer still holds `data` (unless NULL). */
bool slotmem_intact(struct slotmem *memory, const char *during, const void *data, struct finding *finding);

/* The contents, valid until the next call on this memory. NULL: the finding says why. */
const void *slotmem_read(struct slotmem *memory, struct finding *finding);

/* buffer NULL for an unused slot. */
struct convoy_tensor slotmem_tensor(struct slotmem *memory);

#endif
