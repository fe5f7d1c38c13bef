#include "transform.h"
#include <string.h>

static const struct transform_family *const families[] = {
#if defined(__x86_64__)
    &transform_avx512,
    &transform_avx2,
#endif
    &transform_portable,
};

const struct transform_family *transform_family_find(const char *name)
{
    for (size_t f = 0; f < sizeof families / sizeof families[0]; f++) {
        if (!strcmp(families[f]->name, name))
            return families[f];
    }
    return NULL;
}

const struct transform *transform_find(const struct transform_family *family, enum form form, int32_t m, int32_t r)
{
    for (int32_t t = 0; t < family->count; t++) {
        const struct transform *transform = &family->transforms[t];
        if (transform->form == form && transform->m == m && transform->r == r)
            return transform;
    }
    return NULL;
}
