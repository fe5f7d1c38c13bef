/* stem: the dense form for first layers, whose few input channels would leave most lanes of the other schedules empty. Lanes run
 * over tiles instead: 16 neighbours at once. V of 16 tiles stays in the first level cache, and for four filters at a time
 * products, sums and the inverse transform follow each other in registers, without planes of M.
 *
 * The image comes as phases (fold.h) of the whole step of a tile, so that pixel (y,x) of 16 neighbouring tiles is one contiguous
 * vector of phase (y%m, x): columns of phases are repeated for the pixels that a tile shares with the next one. Tiles are
 * numbered along rows of tiles_w places or some more; what comes out at the places behind tiles_w is not stored.
 * Knows phases and tiles; must not know problems or threads. All functions [any]. */
#ifndef CONVOY_WINOGRAD_STEM_H
#define CONVOY_WINOGRAD_STEM_H

#include "points.h"
#include <stddef.h>

enum { STEM_TILES = 16, STEM_FILTERS = 4, STEM_MOST_CHANNELS = 16 };
/* Floats after the last phase that may be read. */
enum { STEM_SLACK = 32 };

struct stem {
    int32_t m, channels, filters; /* folded channels, output channels: of one group                           */
    int32_t stride;               /* of the layer                                                            */
    int32_t row;                  /* places of a row of tiles                                                */
    int32_t columns;              /* phases per row of phases                                                */
    int32_t tiles_h, tiles_w;
    ptrdiff_t phase; /* floats of a phase                                                       */
    int32_t out_h, out_w;
    int32_t relu;
    int32_t stream; /* the image leaves the caches anyway: whole lines are written past them           */
};

struct stem_transform {
    int32_t m, r;
    /* V of the 16 places from `place` on, from the phases of an image, to v[alpha*alpha*channels][16]. */
    void (*input)(const struct stem *, const float *phases, int64_t place, float *v);
    /* Output planes of these places. u as stem_place says; bias may be NULL. */
    void (*output)(const struct stem *, const float *v, const float *u, const float *bias, int64_t place, float *image);
};

struct stem_family {
    const char *name; /* as in mk_family */
    const struct stem_transform *transforms;
    int32_t count;
};

extern const struct stem_family stem_avx512; /* on x86-64 only */

/* NULL: there are no stems in this instruction set, which therefore uses the other schedules. */
const struct stem_transform *stem_find(const char *family, int32_t m, int32_t r);

/* Tiles that a tile reads from on one axis, itself and its neighbours. */
int32_t stem_steps(int32_t m, int32_t alpha);
/* Places in a row of tiles: such that vectors of four tiles of 4 pixels do not cross its end. */
int32_t stem_row(int32_t m, int32_t tiles_w);
/* Runs of 16 places in an image. */
int64_t stem_runs(const struct stem *stem);
/* Where a transformed weight is in u: in the order of use, four filters side by side. */
int64_t stem_place(int32_t channels, int32_t alpha, int32_t filter, int32_t channel, int32_t point);
int64_t stem_u_floats(int32_t channels, int32_t alpha, int32_t filters);

#endif
