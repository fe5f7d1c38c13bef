#include "verify/leak.h"
#include <malloc.h>

/* A library's first executes may fill caches that stay (an allocator keeps some freed chunks of each size for every thread), so
 * growth is a leak only if it goes on for longer than that. */
enum { EXECUTES = 32 };

size_t leak_heap_bytes(void)
{
    const struct mallinfo2 heap = mallinfo2();
    return heap.uordblks + heap.hblkhd;
}

bool leak_check(struct rig *rig, struct finding *finding)
{
    const size_t first = leak_heap_bytes();
    size_t before = first;
    for (int turn = 0; turn < EXECUTES; turn++) {
        if (!rig_execute(rig, finding))
            return false;
        const size_t after = leak_heap_bytes();
        if (after <= before)
            return true;
        before = after;
    }
    return finding_set(finding, VERDICT_LEAK, "%d executes leave %zu bytes on the heap, and each leaves more", EXECUTES,
                       before - first);
}
