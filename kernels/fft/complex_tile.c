#include "complex_tile.h"
#include <string.h>

static const struct complex_family *const families[] = {
#if defined(__x86_64__)
    &complex_avx512,
    &complex_avx2,
#endif
    &complex_portable,
};

const struct complex_family *complex_family(const char *name)
{
    for (size_t at = 0; at < sizeof families / sizeof *families; at++)
        if (!strcmp(families[at]->name, name))
            return families[at];
    return NULL;
}
