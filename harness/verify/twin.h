/* twin: for a problem too large to check whole, a small one that a kernel treats alike: the same kernel, strides, padding,
 * dilation and kind of groups, the same remainders modulo the tiles, but few images, channels and pixels. */
#ifndef CONVOY_VERIFY_TWIN_H
#define CONVOY_VERIFY_TWIN_H

#include "core/problem.h"

/* False: the problem has no smaller twin (only convolutions have). */
bool twin_of(const union problem *problem, const struct convoy_numerics *numerics, union problem *twin);

#endif
