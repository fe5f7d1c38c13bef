/* The loops for any processor, and the choice between the sets. */
#define LOOPS loops_portable
#define LOOPS_NAME "portable"
#include "loops_body.h"

const struct loops *loops_choose(void)
{
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("avx512vl"))
        return &loops_avx512;
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        return &loops_avx2;
#endif
    return &loops_portable;
}
