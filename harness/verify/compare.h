/* compare: an output against the reference: the error in units of its bound, the worst element, and the measures that are
 * reported. Every test is written so that a NaN fails it. Knows neither plugins nor how bounds come about. */
#ifndef CONVOY_VERIFY_COMPARE_H
#define CONVOY_VERIFY_COMPARE_H

#include "verify/oracle.h"

/* What outputs are filled with: a signalling NaN. Arithmetic on it leaves other bits, a quiet NaN, than a missing store. */
#define COMPARE_POISON 0x7fa5a5a5u

struct comparison {
    uint64_t count;          /* elements compared                                                 */
    uint64_t wrong;          /* beyond their bound                                                */
    uint64_t worst;          /* element number of the largest error in units of its bound         */
    double error_in_bounds;  /* there; infinite where a value is not finite or the bound is 0     */
    double got, want, bound; /* there                                                             */
    bool unstable;           /* every element is within the wider bound of an unstable algorithm  */
    double l2_rel;           /* |y-r|_2 / |r|_2                                                   */
    double max_rel;          /* max|y-r| / max|r|                                                 */
    double backward_error;   /* max |y-r| / D in units of 2^-24                                   */
    double rms_range;        /* |y-r|_2 / (sqrt(count) * max(|y|,|r|)), as MIOpen reports         */
    uint64_t with_terms;     /* elements with D > 0, of which ...                                 */
    uint64_t nonzero;        /* ... the reference is not 0                                        */
    bool unwritten;          /* some element of the whole output kept its poison, the first being */
    uint64_t unwritten_at;
};

/* output: all of it, of `elements` elements of `type`; bound and unstable belong to the elements of `answer`. Poison is looked
 * for everywhere if `poisoned`. */
void compare_output(const void *output, enum slot_type type, uint64_t elements, bool poisoned, const struct answer *answer,
                    const double *bound, const double *unstable, struct comparison *result);

/* "y[0,3,5,7]" */
void compare_element_name(const struct slot_info *info, uint32_t slot, uint64_t element, char *buf, size_t size);

#endif
