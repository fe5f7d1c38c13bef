/* The loops for any processor, and the choice between the sets. */
#define LOOPS loops_portable
#define LOOPS_NAME "portable"
#define LOOPS_OF(operation) operation##_loops_portable
#include "loops_body.h"
#include <convoy/plugin.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int processor_runs(const struct loops *loops)
{
#if defined(__x86_64__)
    if (loops == &loops_avx512)
        return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
               __builtin_cpu_supports("avx512vl");
    if (loops == &loops_avx2)
        return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
#endif
    return loops == &loops_portable;
}

const struct loops *loops_choose(void)
{
    static const struct loops *const widest_first[] = {
#if defined(__x86_64__)
        &loops_avx512,
        &loops_avx2,
#endif
        &loops_portable,
    };
    enum { SETS = sizeof widest_first / sizeof *widest_first };
    const char *wanted = getenv("CONVOY_ISA");
    for (int set = 0; set < SETS && wanted; set++)
        if (!strcmp(widest_first[set]->name, wanted) && processor_runs(widest_first[set]))
            return widest_first[set];
    int set = 0;
    while (!processor_runs(widest_first[set]))
        set++;
    return widest_first[set];
}

/* The file says "32768K". 0: there is no such cache, or no such file. */
static int64_t cache_bytes(int index)
{
    char path[80];
    long long kib = 0;
    snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu0/cache/index%d/size", index);
    FILE *file = fopen(path, "r");
    if (!file)
        return 0;
    if (fscanf(file, "%lldK", &kib) != 1)
        kib = 0;
    fclose(file);
    return kib * 1024;
}

int loops_leave_cache(int64_t bytes)
{
    enum { INDICES = 5 };
    int64_t last_bytes = 0;
    for (int index = 0; index < INDICES; index++)
        last_bytes = convoy_max(last_bytes, cache_bytes(index));
    return last_bytes > 0 && bytes > last_bytes;
}
