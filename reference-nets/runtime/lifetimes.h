/* lifetimes: offsets in one arena for blocks that live for known intervals of steps. Blocks whose intervals meet never
 * overlap. Knows numbers only. */
#ifndef CONVOY_NETS_LIFETIMES_H
#define CONVOY_NETS_LIFETIMES_H

#include <convoy/convoy.h>

struct lifetime {
    int64_t bytes;
    int32_t first, last; /* steps, both included; first > last: never lives                               */
    int64_t offset;      /* answer: a multiple of 64                                                        */
};

/* Largest first, each at the lowest offset that is free throughout its life. *arena_bytes is what all need. */
convoy_status lifetimes_place(struct lifetime *block, size_t count, int64_t *arena_bytes, struct convoy_error *err);

#endif
