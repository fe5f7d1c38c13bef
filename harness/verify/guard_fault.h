/* guard_fault: what the fault handler needs to know about regions; between guard.c and guard_fault.c only. */
#ifndef CONVOY_VERIFY_GUARD_FAULT_H
#define CONVOY_VERIFY_GUARD_FAULT_H

#include "verify/guard.h"

/* False: too many regions at once. */
bool fault_add_region(const struct guard_region *region);
void fault_remove_region(const struct guard_region *region);

#endif
