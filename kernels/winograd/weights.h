/* weights: filters between their order in memory and transformed planes: U = G g Gt before, dg = Gt dU G after.
 * Knows panels and the order of weights in memory; must not know threads. */
#ifndef CONVOY_WINOGRAD_WEIGHTS_H
#define CONVOY_WINOGRAD_WEIGHTS_H

#include "filter.h"
#include "tuple_gemm.h"

struct weights {
    const struct filter_family *family;
    struct filter_matrix matrix;
    int32_t in, out;                 /* channels of one group, in the direction of the transforms                */
    ptrdiff_t in_stride, out_stride; /* floats between filters                                                  */
    int32_t rotated;                 /* taps in reverse order: backward data                                    */
    int32_t kernel, fold;            /* in memory filters have kernel x kernel taps; phases are channels (fold.h) */
};

/* Planes of points: the rows of G that differ, squared. */
int32_t weights_planes(const struct weights *weights);

/* The taps of the input channel `in` and outputs out .. out+15: taps[r*r][16], 0 for absent filters. out is a multiple of 16. */
void weights_taps(const struct weights *weights, const float *w, int32_t in, int32_t out, float *taps);

/* The filters of the input channel `in` and outputs out .. out+15, transformed: points[planes][16], 0 for absent ones. out is a
 * multiple of 16. */
void weights_points(const struct weights *weights, const float *w, int32_t in, int32_t out, float *points);

/* U of the input channel `in` and outputs out .. out+15 into its panel. out is a multiple of 16. */
void weights_transform(const struct weights *weights, const float *w, int32_t in, int32_t out, const struct panels *panels,
                       ptrdiff_t u_plane, float *u);

/* dw of the input channel `in` and outputs out .. out+15 from dU, whose first point of these filters is at `du`. */
void weights_gradient(const struct weights *weights, const float *du, const struct planes *shape, int32_t in, int32_t out,
                      float *dw);

#endif
