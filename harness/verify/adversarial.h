/* adversarial: data that a kernel would rather not see: cancellation, a wide dynamic range, denormals, powers of two as scale,
 * NaN. For small problems; the bounds are those of any data. */
#ifndef CONVOY_VERIFY_ADVERSARIAL_H
#define CONVOY_VERIFY_ADVERSARIAL_H

#include "verify/rig.h"
#include "verify/tolerance.h"

bool adversarial_check(struct rig *rig, const struct oracle *oracle, const struct tolerance *tolerance, uint64_t seed,
                       struct finding *finding);

#endif
