#include "bench/order.h"

#include "core/rng.h"

/* A random permutation of 0..count-1 (Fisher-Yates), a function of seed and square. */
static void permute(size_t count, uint64_t seed, uint64_t square, size_t *name)
{
    for (size_t at = 0; at < count; at++)
        name[at] = at;
    for (size_t left = count; left > 1; left--) {
        const size_t pick = (size_t)rng_below(seed, square, left, left);
        const size_t kept = name[left - 1];
        name[left - 1] = name[pick];
        name[pick] = kept;
    }
}

void order_round(size_t count, int64_t round, uint64_t seed, size_t *order)
{
    enum { SQUARE = 64 };
    size_t name[SQUARE];
    if (count == 0)
        return;
    permute(count, seed, (uint64_t)round / count, order);
    if (count > SQUARE) /* so many in random order: no square is ever finished */
        return;
    for (size_t at = 0; at < count; at++)
        name[at] = order[at];
    /* Row r holds at place p the name number s_p + r, with s = 0, 1, count-1, 2, count-2, … */
    const size_t row = (size_t)((uint64_t)round % count);
    for (size_t place = 0; place < count; place++) {
        const size_t half = (place + 1) / 2, start = place % 2 ? half : (count - half) % count;
        order[place] = name[(start + row) % count];
    }
}
