/* plan: everything that is decided before data are seen, for the three passes of a convolution.
 * Forward and backward data are one engine: the second runs from dy to dx with the channels exchanged, the filters rotated by
 * 180 degrees and the padding r-1-p. Weight gradients are its adjoint (conv_bwd_weights.c). */
#ifndef CONVOY_WINOGRAD_PLAN_H
#define CONVOY_WINOGRAD_PLAN_H

#include "fold.h"
#include "route.h"
#include "stem.h"
#include "weights.h"
#include <convoy/convoy.h>

struct self {
    struct convoy_instance base;
    const struct convoy_host *host;
    const struct mk_family *family;
    const struct transform_family *transforms;
    const struct filter_family *filters;
    int32_t m;
};

struct plan {
    struct convoy_plan base;
    const struct convoy_host *host;
    struct convoy_conv problem;
    struct layer layer; /* of one group                                                           */
    int32_t groups;
    const struct transform *transform;
    struct fold fold;                            /* x or dx, where the layer is a folded one */
    const struct stem_transform *stem_transform; /* NULL: tiles go through the planes of the other schedules */
    struct stem stem;
    struct fold phases; /* x for the stem */
    int64_t phases_floats;
    struct sharing sharing;
    struct weights weights;
    struct windows windows;  /* of x (weight gradients and forward) or dy (backward data)              */
    struct windows expanded; /* of dy, for weight gradients                                            */
    struct outputs outputs;
    struct panels panels;
    struct tiling tiling;
    int32_t lazy;          /* prepared weights are packed taps; U is made in pieces while executing    */
    int32_t fused;         /* a box passes all stages within one task, in memory of the worker       */
    struct planes v, m, u; /* strides of V, M and dU                                                 */
    int32_t du_panels;     /* panels of dU that exist at a time; all where there are several chunks      */
    ptrdiff_t u_plane;     /* of U, or of a piece of it                                              */
    int64_t u_floats, scratch_floats, v_floats, m_floats, du_floats; /* prepared, per group; per worker; per chunk          */
    int64_t piece_floats;                        /* of a piece, per worker                                               */
    int32_t piece_channels;                      /* in all columns of a panel                                            */
    int64_t from_floats, to_floats, fold_floats; /* of one group of one image in memory; of a folded group        */
    int64_t weight_floats;                       /* weights of one group                                                   */
    uint64_t workspace_bytes, prepared_bytes;
    struct convoy_numerics numerics;
    char algorithm[40];
};

/* supports() has said yes and found the route. Returns NULL where there is no memory. */
struct plan *plan_make(const struct self *self, const struct convoy_conv *problem, const struct route *route);
void plan_destroy(struct plan *plan);

void conv_prepare(const struct plan *plan, const float *w, float *u);

/* Forward: x to y; backward data: dy to dx. */
void conv_run(const struct plan *plan, const float *from, const float *u, const float *bias, float *to, float *workspace);
void conv_stem_prepare(const struct plan *plan, const float *w, float *u);
void conv_stem_run(const struct plan *plan, const float *x, const float *u, const float *bias, float *y, float *workspace);
void conv_gradient_run(const struct plan *plan, const float *x, const float *dy, float *dw, float *dbias, float *workspace);

#endif
