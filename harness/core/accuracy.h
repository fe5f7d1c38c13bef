/* accuracy: the class of a plan's arithmetic, from the numerics that it declares: what results may be compared with each other. What
 * errors it may make is for verify/tolerance to say, which counts the lengths of its sums by the functions below. */
#ifndef CONVOY_CORE_ACCURACY_H
#define CONVOY_CORE_ACCURACY_H

#include "core/problem.h"

/* "exact", "strict" or "fast". [any] */
const char *accuracy_class(const union problem *problem, const struct convoy_numerics *numerics);

/* Winograd: points of a tile along an axis. */
uint32_t accuracy_tile_points(const struct convoy_conv *p, const struct convoy_numerics *numerics);
/* Transforms: tiles of all images. */
int64_t accuracy_tile_count(const struct convoy_conv *p, const struct convoy_numerics *numerics);
/* Products per output element, and for transforms (`tiled`) the length of the sum between them. */
double accuracy_whole_chain(const struct convoy_conv *p, const struct convoy_numerics *numerics, bool tiled);
/* The longest chain of a sum of `whole` terms in partial sums of `part` terms, added up one after the other. */
double accuracy_split_chain(double whole, double part);

#endif
