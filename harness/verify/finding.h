/* finding: a verdict with its one sentence, while a case is being examined. The first failure ends the case; a MARGINAL
 * is kept and the examination goes on. Knows neither problems nor plugins. */
#ifndef CONVOY_VERIFY_FINDING_H
#define CONVOY_VERIFY_FINDING_H

#include "verify/verdict.h"
#include <convoy/convoy.h>

struct finding {
    enum verdict verdict;
    char reason[320];
};

/* PASS without a reason. */
struct finding finding_none(void);

/* Notes verdict and sentence unless a failure is noted already, and returns false: return finding_set(...). */
bool finding_set(struct finding *finding, enum verdict verdict, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* The same for a failed call of the ABI: "execute failed: TEXT". NO_MEMORY is OOM, FAILED is FAIL, the rest breaks the contract.
 */
bool finding_status(struct finding *finding, const char *call, convoy_status status, const struct convoy_error *err);

/* Whether the examination may go on. */
bool finding_open(const struct finding *finding);

#endif
