#include "bench/bandwidth_loop.h"

typedef float lanes __attribute__((vector_size(16), may_alias));

/* Volatile: neither may the compiler leave a pass out, nor make a call of memcpy of it, which chooses its stores by itself. */
static void read_all(char *to, const char *from, size_t bytes)
{
    const volatile lanes *const source = (const volatile lanes *)(const void *)from;
    (void)to;
    for (size_t at = 0; at < bytes / sizeof(lanes); at += 4) {
        (void)source[at];
        (void)source[at + 1];
        (void)source[at + 2];
        (void)source[at + 3];
    }
}

static void write_all(char *to, const char *from, size_t bytes)
{
    volatile lanes *const target = (volatile lanes *)(void *)to;
    const lanes zero = {0};
    (void)from;
    for (size_t at = 0; at < bytes / sizeof(lanes); at += 4) {
        target[at] = zero;
        target[at + 1] = zero;
        target[at + 2] = zero;
        target[at + 3] = zero;
    }
}

static void copy_all(char *to, const char *from, size_t bytes)
{
    const volatile lanes *const source = (const volatile lanes *)(const void *)from;
    volatile lanes *const target = (volatile lanes *)(void *)to;
    for (size_t at = 0; at < bytes / sizeof(lanes); at += 4) {
        target[at] = source[at];
        target[at + 1] = source[at + 1];
        target[at + 2] = source[at + 2];
        target[at + 3] = source[at + 3];
    }
}

/* C has no non-temporal store: the streamed kinds are the ordinary ones. */
bandwidth_loop_fn *const bandwidth_loops_portable[BANDWIDTH_KINDS] = {
    [BANDWIDTH_READ] = read_all,        [BANDWIDTH_WRITE] = write_all,      [BANDWIDTH_WRITE_STREAM] = write_all,
    [BANDWIDTH_COPY] = copy_all,        [BANDWIDTH_COPY_STREAM] = copy_all,
};
