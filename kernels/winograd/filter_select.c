#include "filter.h"
#include <string.h>

static const struct filter_family *const families[] = {
#if defined(__x86_64__)
    &filter_avx512,
    &filter_avx2,
#endif
    &filter_portable,
};

const struct filter_family *filter_family_find(const char *name)
{
    for (size_t f = 0; f < sizeof families / sizeof families[0]; f++) {
        if (!strcmp(families[f]->name, name))
            return families[f];
    }
    return NULL;
}
