#include "runtime/lifetimes.h"

#include <convoy/plugin.h>
#include <stdlib.h>

enum { ALIGN_BYTES = 64 };

static int larger_first(const void *left, const void *right)
{
    const struct lifetime *a = *(struct lifetime *const *)left, *b = *(struct lifetime *const *)right;
    if (a->bytes != b->bytes)
        return a->bytes > b->bytes ? -1 : 1;
    return a < b ? -1 : a > b;
}

static int lower_first(const void *left, const void *right)
{
    const struct lifetime *a = *(struct lifetime *const *)left, *b = *(struct lifetime *const *)right;
    return a->offset < b->offset ? -1 : a->offset > b->offset;
}

/* The lowest gap of the placed blocks that live at the same time. */
static int64_t lowest_gap(struct lifetime *const *placed, size_t count, const struct lifetime *block, struct lifetime **meeting)
{
    size_t meets = 0;
    for (size_t index = 0; index < count; index++)
        if (placed[index]->first <= block->last && block->first <= placed[index]->last)
            meeting[meets++] = placed[index];
    qsort(meeting, meets, sizeof *meeting, lower_first);
    int64_t offset = 0;
    for (size_t index = 0; index < meets && meeting[index]->offset < offset + block->bytes; index++)
        offset = convoy_max(offset, convoy_round_up(meeting[index]->offset + meeting[index]->bytes, ALIGN_BYTES));
    return offset;
}

convoy_status lifetimes_place(struct lifetime *block, size_t count, int64_t *arena_bytes, struct convoy_error *err)
{
    struct lifetime **order = malloc((count + 1) * sizeof *order), **meeting = malloc((count + 1) * sizeof *meeting);
    if (!order || !meeting) {
        free(order);
        free(meeting);
        return convoy_fail(err, CONVOY_NO_MEMORY, CONVOY_WHY_MEMORY, "no memory to place %zu blocks", count);
    }
    size_t living = 0;
    for (size_t index = 0; index < count; index++)
        if (block[index].first <= block[index].last)
            order[living++] = &block[index];
    qsort(order, living, sizeof *order, larger_first);
    *arena_bytes = 0;
    for (size_t index = 0; index < living; index++) {
        order[index]->offset = lowest_gap(order, index, order[index], meeting);
        *arena_bytes = convoy_max(*arena_bytes, order[index]->offset + order[index]->bytes);
    }
    free(order);
    free(meeting);
    return CONVOY_OK;
}
