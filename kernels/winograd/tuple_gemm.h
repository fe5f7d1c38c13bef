/* tuple_gemm: one small matrix product for each transform point, by the shared register tiles. Sums are split: each runs over at
 * most SPLIT terms, and the partial sums are added, which keeps the error of long sums low (kernels/winograd/README.md).
 * Knows planes and panels; must not know images or threads. */
#ifndef CONVOY_WINOGRAD_TUPLE_GEMM_H
#define CONVOY_WINOGRAD_TUPLE_GEMM_H

#include "microkernel.h"
#include "stages.h"
#include "tuple_tile.h"

enum { SPLIT = 64 };

/* Columns come in panels of `vectors` vectors, the last one perhaps narrower: a panel of U holds, for each input channel,
 * its columns side by side. */
struct panels {
    const struct mk_family *family;
    const struct tuple_tiles *tiles; /* NULL: those of the family */
    int32_t vectors;
    int32_t columns; /* a multiple of BLOCK */
    int32_t count;
};

/* Panels for products of about `rows` rows: few rows need more vectors to fill the registers. */
struct panels panels_make(const struct mk_family *family, int32_t columns, int64_t rows);

/* The first column of a panel; that of panel `count` is `columns`. */
int32_t panel_column(const struct panels *panels, int32_t panel);

/* Transform points that multiply the same row of G share a plane of U: on each axis those from number `singles` on. */
struct sharing {
    int32_t alpha, singles;
};

/* Planes of U: of one axis squared. */
int32_t sharing_planes(const struct sharing *sharing);

enum { FETCHES = 2 };

struct products {
    struct panels panels;
    struct sharing sharing;
    const float *v, *u;
    float *m;
    struct planes v_shape, m_shape;
    ptrdiff_t u_plane;
    int64_t tiles;
    int32_t channels, points;
    int32_t first;      /* the panel that U begins with                     */
    int32_t accumulate; /* M is added to: these are not the first channels  */
    const float *next;  /* NULL, or what is fetched meanwhile: a line for each point and channel */
    /* FETCHES rectangles of an image to be fetched meanwhile, in the order of need. NULL: the next plane of V is fetched. */
    const struct pixels *fetch;
};

/* M[tile][k] = sum over c of V[tile][c] U[c][k] for the transform points of one plane of U and the columns of one panel. */
void tuple_product(const struct products *products, int32_t plane, int32_t panel);

struct gradients {
    struct panels panels;
    struct sharing sharing;
    const float *v, *m;
    float *u; /* u[plane*u_shape.plane + c*u_shape.row + k - (first column of the panel `first`)] */
    struct planes v_shape, m_shape, u_shape;
    int64_t tiles;
    int32_t channels, accumulate;
    int32_t first, end; /* the panels that are computed now */
};

/* dU[c][k] (+)= sum over tiles of V[tile][c] M[tile][k] for the transform points of one plane of U and the columns of one panel.
 */
void tuple_gradient(const struct gradients *gradients, int32_t plane, int32_t panel);

#endif
