/* Outputs of a pooling that leave the caches: stores past them are only worth it in whole lines of 64 bytes. */
#include "pool.h"
#include <string.h>

enum { LINE_BYTES = 64 };

void pool_stage_open(struct pool_stage *stage, void *buffer, void *to)
{
    const int64_t off = (int64_t)((uintptr_t)to % LINE_BYTES);
    *stage = (struct pool_stage){.buffer = buffer, .to = (char *)to - off, .begin = off, .end = off};
}

/* The first line may be partly another's. What does not fill a line stays. */
static void write_lines(struct pool_stage *stage, const struct pool_loops *loops)
{
    const int64_t whole = stage->end / LINE_BYTES * LINE_BYTES;
    int64_t at = 0;
    if (!whole)
        return;
    if (stage->begin) {
        memcpy(stage->to + stage->begin, stage->buffer + stage->begin, (size_t)(LINE_BYTES - stage->begin));
        at = LINE_BYTES;
    }
    loops->stream_lines((float *)(void *)(stage->to + at), (const float *)(const void *)(stage->buffer + at),
                        (whole - at) / LINE_BYTES);
    memmove(stage->buffer, stage->buffer + whole, (size_t)(stage->end - whole));
    stage->to += whole;
    stage->begin = 0;
    stage->end -= whole;
}

void *pool_stage_room(struct pool_stage *stage, const struct pool_loops *loops, int64_t bytes)
{
    if (stage->end + bytes > POOL_STAGE_BYTES)
        write_lines(stage, loops);
    void *const room = stage->buffer + stage->end;
    stage->end += bytes;
    return room;
}

void pool_stage_return(struct pool_stage *stage, int64_t bytes)
{
    stage->end -= bytes;
}

void pool_stage_close(struct pool_stage *stage, const struct pool_loops *loops)
{
    write_lines(stage, loops);
    loops->end_stream();
    memcpy(stage->to + stage->begin, stage->buffer + stage->begin, (size_t)(stage->end - stage->begin));
}
