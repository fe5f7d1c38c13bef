/* fill: the data that a problem is examined with, a pure function of (seed, slot, element). Inputs that another pass would
 * have made (pooling indices, saved statistics, the y of a derivative) are made by the referee, so that they are consistent.
 * Knows no plugin. */
#ifndef CONVOY_VERIFY_FILL_H
#define CONVOY_VERIFY_FILL_H

#include "verify/oracle.h"
#include "verify/tolerance.h"

/* x, without an x dy, without either dw. */
uint32_t fill_first_operand(const struct tensors *tensors);

/* Images (x, dy) hold integers in -image..image, zero except for the share `density`; weights multiples of `multiple` up to
 * multiple*weight in size. */
struct fill_integers {
    int32_t image, weight, multiple;
    double density;
};

/* The largest values with which the numerics still give exact integers (or, where they do not, errors below 1/4). */
struct fill_integers fill_choose_integers(const union problem *problem, const struct tolerance *tolerance);
/* What both allow. */
struct fill_integers fill_join_integers(struct fill_integers a, struct fill_integers b);
/* Half the range, or with range 1 a quarter of the density. */
struct fill_integers fill_thin_integers(struct fill_integers a);

bool fill_with_integers(struct tensors *tensors, const struct oracle *oracle, uint64_t seed, const struct fill_integers *integers,
                        struct finding *finding);

/* Patterns for the first operand (x, for backward-data dy); the others are uniform(-1,1) except as noted. */
enum fill_pattern {
    FILL_UNIFORM,    /* uniform(-1,1)                                                       */
    FILL_LARGE_MEAN, /* 10 + uniform(-1,1)                                                  */
    FILL_POSITIVE,   /* uniform(0,1), all operands: sums drift                              */
    FILL_CANCELLING, /* pairs of +-(10^4 + uniform), weights near 1: sums cancel            */
    FILL_WIDE_RANGE, /* uniform(-1,1) * 10^(-15..15)                                        */
    FILL_DENORMAL,   /* uniform(-1,1) * 2^-127                                              */
    FILL_PATTERN_COUNT
};
const char *fill_pattern_name(enum fill_pattern pattern); /* "uniform" */

bool fill_with_pattern(struct tensors *tensors, const struct oracle *oracle, uint64_t seed, enum fill_pattern pattern,
                       struct finding *finding);

#endif
