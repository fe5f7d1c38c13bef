#include "stem.h"
#include <convoy/plugin.h>
#include <string.h>

static const struct stem_family *const families[] = {
#if defined(__x86_64__)
    &stem_avx512,
#endif
    NULL,
};

const struct stem_transform *stem_find(const char *family, int32_t m, int32_t r)
{
    for (size_t f = 0; families[f]; f++) {
        for (int32_t t = 0; t < families[f]->count && !strcmp(families[f]->name, family); t++) {
            if (families[f]->transforms[t].m == m && families[f]->transforms[t].r == r)
                return &families[f]->transforms[t];
        }
    }
    return NULL;
}

int32_t stem_steps(int32_t m, int32_t alpha)
{
    return (int32_t)convoy_ceil_div(alpha, m);
}

int32_t stem_row(int32_t m, int32_t tiles_w)
{
    return m == 4 ? (int32_t)convoy_round_up(tiles_w, 4) : tiles_w;
}

int64_t stem_runs(const struct stem *stem)
{
    return convoy_ceil_div((int64_t)stem->tiles_h * stem->row, STEM_TILES);
}

int64_t stem_place(int32_t channels, int32_t alpha, int32_t filter, int32_t channel, int32_t point)
{
    const int64_t four = filter / STEM_FILTERS, column = point % alpha, row = point / alpha;
    return (((four * alpha + column) * channels + channel) * alpha + row) * STEM_FILTERS + filter % STEM_FILTERS;
}

int64_t stem_u_floats(int32_t channels, int32_t alpha, int32_t filters)
{
    return convoy_round_up(filters, STEM_FILTERS) * channels * alpha * alpha;
}
