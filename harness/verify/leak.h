/* leak: what repeated executes leave on the heap. Knows the C library's heap only; devices answer for their own. */
#ifndef CONVOY_VERIFY_LEAK_H
#define CONVOY_VERIFY_LEAK_H

#include "verify/rig.h"

/* Bytes in use on the heap, large mappings included. */
size_t leak_heap_bytes(void);

/* Executes a loaded and prepared plan until an execute leaves nothing on the heap. False: LEAK, none of many does. */
bool leak_check(struct rig *rig, struct finding *finding);

#endif
