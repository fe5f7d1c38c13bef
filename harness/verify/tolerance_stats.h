/* tolerance_stats: the bounds of pooling, batch norm and element-wise operations; called by tolerance.c only. */
#ifndef CONVOY_VERIFY_TOLERANCE_STATS_H
#define CONVOY_VERIFY_TOLERANCE_STATS_H

#include "verify/tolerance.h"

void pool_bounds(const struct tensors *inputs, const struct answer *answer, double *bound);
bool bn_bounds(const struct tensors *inputs, const struct answer *answer, double *bound, double *unstable);
void eltwise_bounds(const struct tensors *inputs, const struct answer *answer, double *bound);

/* See tolerance_integer_bounds. */
void pool_integer_bounds(const struct tensors *inputs, const struct answer *answer, double *bound);

#endif
