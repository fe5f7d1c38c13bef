/* lanes: the same plan opened with other hosts: one thread, and several whose tasks come in another order on other workers. A
 * plugin that declares its results independent of threads must give the same bits. Knows no reference values. */
#ifndef CONVOY_VERIFY_LANES_H
#define CONVOY_VERIFY_LANES_H

#include "verify/rig.h"

/* kept[slot]: copies of the outputs of the plan under test for `inputs`. Nothing is checked unless the plan declares
 * CONVOY_THREAD_INVARIANT and the subject names its variant. */
bool lanes_check(const struct rig *rig, const struct tensors *inputs, void *const kept[CONVOY_NSLOTS], struct finding *finding);

/* Bitwise; NONDETERMINISTIC names the first element that differs and `between`: "two runs". */
bool lanes_same_bits(struct rig *rig, void *const kept[CONVOY_NSLOTS], const char *between, struct finding *finding);

/* Copies of all outputs, to be freed with lanes_drop; false: no memory or no output. */
bool lanes_keep(struct rig *rig, void *kept[CONVOY_NSLOTS], struct finding *finding);
void lanes_drop(void *kept[CONVOY_NSLOTS]);

#endif
