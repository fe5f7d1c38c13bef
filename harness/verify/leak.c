#include "verify/leak.h"
#include <malloc.h>

enum { EXECUTES = 6 };

size_t leak_heap_bytes(void)
{
    const struct mallinfo2 heap = mallinfo2();
    return heap.uordblks + heap.hblkhd;
}

/* One execute may legitimately grow something once more; growth with each of several is a leak. */
bool leak_check(struct rig *rig, struct finding *finding)
{
    size_t before = leak_heap_bytes();
    const size_t first = before;
    int growths = 0;
    for (int turn = 0; turn < EXECUTES; turn++) {
        if (!rig_execute(rig, finding))
            return false;
        const size_t after = leak_heap_bytes();
        growths += after > before;
        before = after;
    }
    if (growths < EXECUTES - 1)
        return true;
    return finding_set(finding, VERDICT_LEAK, "%d executes leave %zu bytes on the heap, and each leaves more", EXECUTES, before - first);
}
