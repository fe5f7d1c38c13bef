#include "isa.h"
#include <string.h>

const struct isa *isa_select(void)
{
    static const struct isa *const known[] = {
        &isa_portable,
#if defined(__x86_64__)
        &isa_avx512,
        &isa_avx2,
#endif
    };
    const struct mk_family *family = mk_family_select();
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (!strcmp(known[i]->family->name, family->name))
            return known[i];
    }
    return known[0];
}
