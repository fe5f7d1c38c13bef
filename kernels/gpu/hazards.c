/* Accesses since the last barrier, as lists of ranges; a launch has at most GPU_BINDS_MOST of them and barriers are frequent, so
 * a search through all is short. */
#include "gpu.h"
#include <stdlib.h>

struct range {
    const void *buffer;
    uint64_t begin, end;
    uint32_t access;
};

struct gpu_hazards {
    struct range *range;
    size_t count, capacity;
    size_t pending; /* the first range of the launch that is being recorded */
    bool blind;     /* no memory for ranges once: from then on every access is a conflict */
};

struct gpu_hazards *gpu_hazards_open(void)
{
    return calloc(1, sizeof(struct gpu_hazards));
}

void gpu_hazards_close(struct gpu_hazards *hazards)
{
    if (hazards)
        free(hazards->range);
    free(hazards);
}

bool gpu_hazards_note(struct gpu_hazards *hazards, const void *buffer, uint64_t offset, uint64_t bytes, uint32_t access)
{
    const struct range range = {buffer, offset, offset + bytes, access};
    bool conflict = hazards->blind;
    for (size_t r = 0; r < hazards->pending && !conflict; r++) {
        const struct range *const earlier = &hazards->range[r];
        conflict = earlier->buffer == buffer && earlier->begin < range.end && range.begin < earlier->end &&
                   ((earlier->access | access) & GPU_WRITE) != 0;
    }
    if (hazards->count == hazards->capacity) {
        const size_t capacity = hazards->capacity ? hazards->capacity * 2 : 64;
        struct range *const more = realloc(hazards->range, capacity * sizeof *more);
        if (!more) {
            hazards->blind = true;
            return true;
        }
        hazards->range = more;
        hazards->capacity = capacity;
    }
    hazards->range[hazards->count++] = range;
    return conflict;
}

void gpu_hazards_launched(struct gpu_hazards *hazards)
{
    hazards->pending = hazards->count;
}

void gpu_hazards_barrier(struct gpu_hazards *hazards)
{
    const size_t kept = hazards->count - hazards->pending;
    for (size_t r = 0; r < kept; r++)
        hazards->range[r] = hazards->range[hazards->pending + r];
    hazards->count = kept;
    hazards->pending = 0;
}
