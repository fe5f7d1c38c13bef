/* oracle: what the outputs should be, asked of the referee extension for all elements or for a sample of them.
 * Knows no plugin under test and no tolerance. */
#ifndef CONVOY_VERIFY_ORACLE_H
#define CONVOY_VERIFY_ORACLE_H

#include "verify/finding.h"
#include "verify/tensors.h"
#include <convoy/referee.h>

struct oracle {
    const struct convoy_referee *referee;
    const struct convoy_host *host;
};

struct answer {
    uint32_t slot;
    uint64_t count;        /* evaluated elements                                          */
    const uint64_t *index; /* ascending element numbers, borrowed; NULL: 0..count-1       */
    struct convoy_verdict_terms *terms;
};

/* Evaluates output `slot` at the `count` elements of `index` (NULL: all of them). The caller frees with oracle_free.
 * False: the finding says why (no memory, or the referee refuses: NOT_RUN). */
bool oracle_answer(const struct oracle *oracle, const struct tensors *inputs, uint32_t slot, const uint64_t *index,
                   uint64_t count, struct answer *answer, struct finding *finding);
void oracle_free(struct answer *answer);

/* Evaluates a whole output of `inputs` and stores it, rounded to its type, as the input `to_slot` of `to`. */
bool oracle_store(const struct oracle *oracle, const struct tensors *inputs, uint32_t slot, struct tensors *to, uint32_t to_slot,
                  struct finding *finding);

#endif
