/* Which codelets serve an instruction set and a tile. */
#include "codelets.h"
#include <string.h>

static const struct {
    const char *family;
    const struct fft_transform *table;
} sets[] = {
#if defined(__x86_64__)
    {"avx512", codelets_avx512},
    {"avx2", codelets_avx2},
#endif
    {"portable", codelets_portable},
};

const struct fft_transform *fft_codelets(const char *family, int32_t tile)
{
    for (size_t set = 0; set < sizeof sets / sizeof *sets; set++) {
        if (strcmp(sets[set].family, family))
            continue;
        for (int at = 0; at < CODELET_COUNT; at++) {
            if (sets[set].table[at].tile_h == tile)
                return &sets[set].table[at];
        }
    }
    return NULL;
}
