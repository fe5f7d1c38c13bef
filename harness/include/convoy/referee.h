/* referee.h: extension "convoy.referee/1", offered by the backend that the verifier trusts (kernels/naive).
 * It answers with doubles, and with the scale terms from which the verifier derives its error bounds. */
#ifndef CONVOY_REFEREE_H
#define CONVOY_REFEREE_H

#include "convoy.h"

#ifdef __cplusplus
extern "C" {
#endif

#define CONVOY_REFEREE_ID "convoy.referee/1"

struct convoy_verdict_terms { /* of one output element, exact inputs, fp64 arithmetic                           */
    double value;             /* r, not rounded to float; an integer for INDEX                                 */
    double abs_sum;           /* D = sum of |terms| that were added up, bias included                          */
    double norm;              /* s = |a|_2 * |b|_2 over the terms a_i*b_i; D where the output is no dot product */
};

struct convoy_referee {
    uint32_t struct_size, reserved;
    /* Evaluates `count` elements of output `slot` of the problem: those named by index (row-major element numbers), or
     * elements 0..count-1 if index is NULL. Reads the input slots of args (host memory), never an output slot.
     * BN_BWD's terms take mu and istd from SAVE_MEAN and SAVE_ISTD as given. RUN_MEAN, RUN_VAR and SGD's W and X2 are read
     * as inputs, so call it before the plan under test overwrites them. Threads through host->parallel. [any]
     * CONVOY_INVALID: slot is no output of the op. */
    convoy_status (*evaluate)(const struct convoy_host *host, const struct convoy_problem *problem, const struct convoy_args *args,
                              uint32_t slot, const uint64_t *index, uint64_t count, struct convoy_verdict_terms *terms, struct convoy_error *err);
};

#ifdef __cplusplus
}
#endif
#endif
