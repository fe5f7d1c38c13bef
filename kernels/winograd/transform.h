/* transform: the data movement and the tile transforms of the Winograd engine, one table for each instruction set.
 *
 * Everything works on "pixels" of 16 floats: 16 channels side by side, so that lanes are channels. A transform is done in two
 * passes, columns of a strip first (shared by tiles that overlap), then the rows of each tile.
 * Knows tiles and strides; must not know problems, workspaces or threads. All functions [any]; 4-byte alignment suffices. */
#ifndef CONVOY_WINOGRAD_TRANSFORM_H
#define CONVOY_WINOGRAD_TRANSFORM_H

#include "points.h"
#include <stddef.h>

enum { BLOCK = 16 }; /* channels of a pixel */

/* One row of an image, `width` floats for each of `channels` <= 16 channels. Who reads or writes a pixel fetches the one that
 * lies `ahead` floats further on: the channels are planes, far from each other, so no hardware prefetcher follows. Nothing is
 * read there, any address will do. Where `stream` is set, a scatter may write whole cache lines past the caches, and the caller
 * orders these stores. */
struct pixel_row {
    ptrdiff_t channel_stride, ahead;
    int32_t channels, stream;
    int64_t width;
};

struct columns { /* to[i][x] = sum over j of T[i][j] from[j][x] for each pixel x of a strip                      */
    const float *from;
    ptrdiff_t from_row;
    float *to;
    ptrdiff_t to_row;
    int64_t pixels;
};

struct rows { /* planes[i*alpha+j][t] = sum over l of T[j][l] from[i][t*step+l] for each tile t of a strip    */
    const float *from;
    ptrdiff_t from_row;
    float *to;
    ptrdiff_t plane, tile;
    int64_t tiles;
};

struct inverse { /* to[i][t*out+j] = (At planes[..][t] A)[i][j] for each tile t of a strip                         */
    const float *from;
    ptrdiff_t plane, tile;
    float *to;
    ptrdiff_t to_row;
    int64_t tiles;
};

struct filters { /* to[k*to_step + (i*alpha+j)*plane] = (G from[k] Gt)[i][j] for each k < count, r x r taps of 16 floats at `from`
                  */
    const float *from;
    int64_t count;
    float *to;
    ptrdiff_t to_step, plane;
};

struct transform {
    enum form form;
    int32_t m, r;
    int32_t in, out, step, alpha; /* tiles are `step` inputs and `out` outputs apart                                    */
    int32_t singles;              /* as in struct matrices                                                              */
    void (*input_columns)(const struct columns *); /* Bt */
    void (*input_rows)(const struct rows *);
    void (*output)(const struct inverse *);         /* At */
    void (*expand_columns)(const struct columns *); /* A, NULL in the spread forms */
    void (*expand_rows)(const struct rows *);
    void (*filters)(const struct filters *); /* G in float, NULL as well */
};

struct transform_family {
    const char *name; /* as in mk_family */
    /* Pixels x0 .. x0+pixels-1 of a row to `to`, 16 floats each; those outside 0..width-1 and absent channels become 0.
     * May write 15 pixels more before and after. Never reads outside the row. */
    void (*gather)(const float *row, const struct pixel_row *shape, int64_t x0, int64_t pixels, float *to);
    /* The reverse: `pixels` pixels plus bias[16], cut at 0 if relu, to `row`. Never writes outside the pixels, may read
     * 15 more before and after. */
    void (*scatter)(const float *from, int64_t pixels, const float *bias, int relu, const struct pixel_row *shape, float *row);
    /* Orders what scatter wrote past the caches before what this thread writes next. NULL: scatter never does that. */
    void (*order_stores)(void);
    const struct transform *transforms;
    int32_t count;
};

/* NULL: the family has no such form, or is not compiled in. */
const struct transform_family *transform_family_find(const char *name);
const struct transform *transform_find(const struct transform_family *family, enum form form, int32_t m, int32_t r);

extern const struct transform_family transform_avx512, transform_avx2, transform_portable; /* the first two on x86-64 only */

#endif
