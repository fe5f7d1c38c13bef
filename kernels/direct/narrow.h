/* narrow: the correlations of correlate.h with lanes over the outputs of a row, for which lanes over channels are no use: groups
 * with few output channels (depthwise: one), and sums so short that turning tiles over would cost more than they do. */
#ifndef CONVOY_DIRECT_NARROW_H
#define CONVOY_DIRECT_NARROW_H

#include "correlate.h"

/* Whether narrow_plan suits; needs the first halves of the views. */
int narrow_suits(const struct correlate *correlate);

/* As the functions of correlate.h. correlate_close closes both. */
int narrow_plan(struct correlate *correlate);
uint64_t narrow_workspace_bytes(const struct correlate *correlate);
uint64_t narrow_prepared_bytes(const struct correlate *correlate);
void narrow_prepare(const struct correlate *correlate, const float *w, float *prepared);
void narrow_execute(const struct correlate *correlate, const float *x, const float *prepared, const float *bias, float *y,
                    float *workspace);

#endif
