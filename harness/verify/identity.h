/* identity: what must hold between outputs whatever the reference says: adjoint, linearity, shift and impulse for convolutions,
 * the same inner products for pooling, moments and orthogonality for batch norm. It guards the referee too. */
#ifndef CONVOY_VERIFY_IDENTITY_H
#define CONVOY_VERIFY_IDENTITY_H

#include "verify/rig.h"
#include "verify/tolerance.h"

/* The problem of the rig against itself, or a backward pass against the forward pass of the same instance (where it has none, the
 * referee's). FAIL names the identity. */
bool identity_check(struct rig *rig, const struct oracle *oracle, uint64_t seed, struct finding *finding);

#endif
