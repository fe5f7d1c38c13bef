#include "tiles.h"
#include <stdlib.h>
#include <string.h>

/* Widest first. */
static const struct mk_family *const families[] = {
#if defined(__x86_64__)
    &mk_avx512,
    &mk_avx2,
#endif
    &mk_portable,
};
enum { FAMILY_COUNT = sizeof families / sizeof families[0] };

static int cpu_runs(const struct mk_family *family)
{
#if defined(__x86_64__)
    if (family == &mk_avx512)
        return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
               __builtin_cpu_supports("avx512vl");
    if (family == &mk_avx2)
        return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
#endif
    return family == &mk_portable;
}

const struct mk_family *mk_family_by_name(const char *name)
{
    for (int f = 0; f < FAMILY_COUNT; f++) {
        if (!strcmp(families[f]->name, name))
            return cpu_runs(families[f]) ? families[f] : NULL;
    }
    return NULL;
}

const struct mk_family *mk_family_select(void)
{
    const char *wanted = getenv("CONVOY_ISA");
    const struct mk_family *family = wanted ? mk_family_by_name(wanted) : NULL;
    for (int f = 0; f < FAMILY_COUNT && !family; f++) {
        if (cpu_runs(families[f]))
            family = families[f];
    }
    return family;
}
