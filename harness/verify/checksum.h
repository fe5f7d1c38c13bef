/* checksum: every output of a large convolution checked at the cost of one channel (Freivalds' idea: R. Freivalds, "Probabilistic
 * machines can use less running time", IFIP 1977). A convolution is linear in its weights, so for small random integers v
 *     sum_k v[k] * y[n,k,oh,ow] = conv(x, sum_k v[k] * w[k])[n,oh,ow],
 * and likewise for both gradients. On integers both sides are equal; a wrong element passes only if others cancel it. */
#ifndef CONVOY_VERIFY_CHECKSUM_H
#define CONVOY_VERIFY_CHECKSUM_H

#include "verify/rig.h"
#include "verify/tolerance.h"

/* Judges the outputs in the rig for the integers `inputs`. most_work: multiply-adds that the referee may spend; forward and
 * backward-data look at fewer images to keep to it. Passes what it cannot check: other operations, a fused ReLU. */
bool checksum_check(struct rig *rig, const struct tensors *inputs, const struct oracle *oracle, int64_t most_work, uint64_t seed,
                    struct finding *finding);

#endif
