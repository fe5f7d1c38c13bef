#include "verify/guard.h"
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "verify/guard_fault.h"

/* So much address space on each side may not be touched; a row or two past the end of a large tensor still falls in. */
enum { FENCE_BYTES = 1 << 20, CANARY = 0xC3 };

static const char *const placement_names[] = {
    [GUARD_RIGHT] = "flush-right",
    [GUARD_LEFT] = "flush-left",
    [GUARD_SHIFTED] = "shifted by 4 bytes",
};
_Static_assert(sizeof placement_names / sizeof placement_names[0] == GUARD_PLACEMENT_COUNT, "one name for each placement");

const char *guard_placement_name(enum guard_placement placement)
{
    return placement_names[placement];
}

static size_t round_up(size_t bytes, size_t multiple)
{
    return (bytes + multiple - 1) / multiple * multiple;
}

bool guard_open(struct guard_region *region, const char *name, size_t bytes, size_t align)
{
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    memset(region, 0, sizeof *region);
    region->name = name;
    region->bytes = bytes;
    region->align = align;
    region->room_bytes = round_up(bytes + 4, page);
    region->map_bytes = region->room_bytes + 2 * (size_t)FENCE_BYTES;
    region->map = mmap(NULL, region->map_bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (region->map == MAP_FAILED) {
        region->map = NULL;
        return false;
    }
    region->first = region->map + FENCE_BYTES;
    if (mprotect(region->first, region->room_bytes, PROT_READ | PROT_WRITE) != 0 || !fault_add_region(region)) {
        munmap(region->map, region->map_bytes);
        region->map = NULL;
        return false;
    }
    guard_place(region, GUARD_RIGHT);
    return true;
}

void guard_close(struct guard_region *region)
{
    if (!region->map)
        return;
    fault_remove_region(region);
    munmap(region->map, region->map_bytes);
    region->map = NULL;
}

void guard_place(struct guard_region *region, enum guard_placement placement)
{
    char *const end = region->first + region->room_bytes;
    switch (placement) {
    case GUARD_RIGHT:
        /* Fewer than `align` bytes may remain behind the buffer. */
        region->data = end - round_up(region->bytes, region->align);
        break;
    case GUARD_SHIFTED:
        region->data = region->first + (region->align < 8 ? 4 : 0);
        break;
    default:
        region->data = region->first;
        break;
    }
    memset(region->first, CANARY, (size_t)(region->data - region->first));
    memset(region->data + region->bytes, CANARY, (size_t)(end - region->data) - region->bytes);
}

bool guard_protect(struct guard_region *region, enum guard_access access)
{
    static const int protection[] = {
        [GUARD_WRITABLE] = PROT_READ | PROT_WRITE,
        [GUARD_READ_ONLY] = PROT_READ,
        [GUARD_FORBIDDEN] = PROT_NONE,
    };
    if (region->access == access)
        return true;
    if (mprotect(region->first, region->room_bytes, protection[access]) != 0)
        return false;
    region->access = access;
    return true;
}

bool guard_intact(const struct guard_region *region, const char *during, struct finding *finding)
{
    const unsigned char *const data = (const unsigned char *)region->data;
    const unsigned char *const first = (const unsigned char *)region->first;
    const unsigned char *const end = first + region->room_bytes;
    if (region->access == GUARD_FORBIDDEN)
        return true;
    for (const unsigned char *at = data - 1; at >= first; at--) {
        if (*at != CANARY)
            return finding_set(finding, VERDICT_OOB_WRITE, "%s wrote before %s: %td bytes before its first of %zu bytes", during,
                               region->name, data - at, region->bytes);
    }
    for (const unsigned char *at = data + region->bytes; at < end; at++) {
        if (*at != CANARY)
            return finding_set(finding, VERDICT_OOB_WRITE, "%s wrote past %s: at byte %td of %zu", during, region->name,
                               at - data, region->bytes);
    }
    return true;
}

bool guard_parse(const char *line, struct finding *finding)
{
    static const char start[] = "fault\t";
    char word[32];
    if (strncmp(line, start, sizeof start - 1) != 0)
        return false;
    line += sizeof start - 1;
    const size_t length = strcspn(line, "\t");
    if (line[length] != '\t' || length >= sizeof word)
        return false;
    memcpy(word, line, length);
    word[length] = '\0';
    const enum verdict verdict = verdict_by_name(word);
    if (verdict == VERDICT_COUNT)
        return false;
    const char *const reason = line + length + 1;
    finding_set(finding, verdict, "%.*s", (int)strcspn(reason, "\n"), reason);
    return true;
}
