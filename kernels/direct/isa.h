/* isa: the loops that differ between instruction sets, beside the tiles of the microkernel family. */
#ifndef CONVOY_DIRECT_ISA_H
#define CONVOY_DIRECT_ISA_H

#include "microkernel.h"
#include "depthwise.h"
#include "panel.h"
#include "plane.h"

/* A finished tile, tile[i*width + j] for output i and channel j, to y[j*y_channel + i*y_col] + bias[j] (NULL: no bias). */
struct tile_store {
    const float *tile;
    int64_t width, y_channel, y_col;
    int32_t rows, channels; /* rows up to the ISA's store_rows                                                */
    float *y;
    const float *bias;
    int32_t relu;
};

/* to[p*row + j] = from[j*channel + p] for p < pixels, j < channels; zero for the other j < width. */
struct transpose {
    const float *from;
    int64_t channel, pixels, width, row;
    int32_t channels;
    float *to;
};

/* `count` columns of `rows` rows, `row` floats apart, to tiles of `width` columns that lie one after the other, each
 * [rows][width]; the last one is as wide as its vectors, with zeros beyond the last column. */
struct columns {
    const float *from;
    int64_t row, rows, count, width;
    float *to;
};

struct isa {
    const struct mk_family *family;
    panel_fill_fn *fill;
    int32_t store_rows; /* at least the family's                                                              */
    void (*store)(const struct tile_store *store);
    void (*transpose)(const struct transpose *transpose);
    void (*columns)(const struct columns *columns);
    depthwise_rows_fn *depthwise;
    depthwise_gradient_fn *depthwise_gradient;
    const struct plane_loops *planes; /* NULL: none                                                           */
};

extern const struct isa isa_avx512, isa_avx2, isa_portable; /* the first two on x86-64 only */

/* The one whose tiles mk_family_select names. */
const struct isa *isa_select(void);

#endif
