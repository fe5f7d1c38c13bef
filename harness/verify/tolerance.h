/* tolerance: from the numerics that a plan declares to the error that each output element may have. The only module that
 * holds error constants; each stands beside its derivation. They are derived or measured, never adjusted to a plugin.
 * Knows no plugin and no buffer under test. u = 2^-24 throughout, the unit roundoff of float. */
#ifndef CONVOY_VERIFY_TOLERANCE_H
#define CONVOY_VERIFY_TOLERANCE_H

#include "verify/oracle.h"

#define TOLERANCE_U 0x1p-24

struct tolerance {
    struct convoy_numerics numerics;
    double element;      /* c in |error| <= c * u * (s + sqrt(L) * |r|)                                       */
    double chain;        /* L, the longest chain of additions                                                 */
    double relative_rms; /* bound on |y - r|_2 / |r|_2 over a tensor                                          */
    double terms;        /* products per output element at most                                               */
    double underflow;    /* absolute error where products or sums lie below the least normal number           */
    bool tiled;          /* transforms whole tiles, so that an element's error follows its neighbours' size   */
    bool exact_integers; /* small integers give the exact result; else the nearest integer is right           */
    double growth;       /* exact_integers: partial sums stay below growth * sum |x||w|                       */
    int32_t multiple;    /* exact_integers: if the weights are multiples of this                              */
};

/* False (CONTRACT): the numerics are not valid for the operation, or no constant is known for them. */
bool tolerance_of(const union problem *problem, const struct convoy_numerics *numerics, struct tolerance *tolerance,
                  struct finding *finding);

/* "winograd(4,3)", "fft(16)", "gemm". */
void tolerance_numerics_name(const struct convoy_numerics *numerics, char *buf, size_t size);

/* For each element of answer the bound on |y - r| for data of any kind. `unstable` gets the wider bound of a one-pass variance,
 * equal to bound where there is no such thing; it may be NULL. False: no memory. */
bool tolerance_bounds(const struct tolerance *tolerance, const struct tensors *inputs, const struct answer *answer, double *bound,
                      double *unstable);

/* The same for a convolution or pooling on integers of fill_with_integers: 0 where the result must be exact, just below 0.5 where
 * rounding to the nearest integer must give it. */
void tolerance_integer_bounds(const struct tolerance *tolerance, const struct tensors *inputs, const struct answer *answer,
                              double *bound);

/* How many of the elements of a tensor have to be compared before the relative_rms gate means something. */
enum { TOLERANCE_RMS_COUNT = 256 };
/* Bound on the relative RMS error of one output slot; infinite where there is none. */
double tolerance_relative_rms(const struct tolerance *tolerance, const union problem *problem, uint32_t slot);

/* Up to bound * TOLERANCE_MARGIN is MARGINAL. */
#define TOLERANCE_MARGIN 4.0

#endif
