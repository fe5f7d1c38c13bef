/* guard: host memory between pages that may not be touched, and the handler that turns a fault there into a sentence.
 * A region lies in a mapping of its own. It ends at the last readable byte (GUARD_RIGHT), or begins at the first
 * (GUARD_LEFT), or begins 4 bytes after it (GUARD_SHIFTED, for the odd alignment); what is left of its pages holds canary bytes.
 * Knows names of buffers and nothing of problems, plans or plugins. */
#ifndef CONVOY_VERIFY_GUARD_H
#define CONVOY_VERIFY_GUARD_H

#include "verify/finding.h"
#include <stddef.h>

enum guard_placement { GUARD_RIGHT, GUARD_LEFT, GUARD_SHIFTED, GUARD_PLACEMENT_COUNT };
enum guard_access { GUARD_WRITABLE, GUARD_READ_ONLY, GUARD_FORBIDDEN };

struct guard_region {
    const char *name;  /* lives as long as the region         */
    char *map, *first; /* the mapping; its accessible pages   */
    size_t map_bytes, room_bytes;
    char *data; /* the buffer proper                   */
    size_t bytes, align;
    enum guard_access access;
};

/* bytes >= 1, align a power of two from 4 to the page size. False: no memory. The region is writable and placed right. */
bool guard_open(struct guard_region *region, const char *name, size_t bytes, size_t align);
void guard_close(struct guard_region *region);

/* Moves the buffer within its pages, which must be writable; its contents are lost and the canaries are new. Shifting
 * needs an alignment below 8, others are placed left. */
void guard_place(struct guard_region *region, enum guard_placement placement);
const char *guard_placement_name(enum guard_placement placement); /* "flush-right" */

/* A write to a READ_ONLY buffer is DIRTY_INPUT, any access to a FORBIDDEN one breaks the contract. */
bool guard_protect(struct guard_region *region, enum guard_access access);

/* False and OOB_WRITE if a canary byte changed; `during` completes the sentence. */
bool guard_intact(const struct guard_region *region, const char *during, struct finding *finding);

/* What the fault handler does: one line "fault\tVERDICT\treason\n" to report_fd, then _exit(GUARD_EXIT_STATUS). It covers SIGSEGV
 * and SIGBUS (OOB_READ, OOB_WRITE, DIRTY_INPUT, CONTRACT where the address lies in a region, else CRASH), SIGFPE, SIGILL and
 * SIGABRT. */
enum { GUARD_EXIT_STATUS = 86, GUARD_LINE_BYTES = 512 };
bool guard_install(int report_fd);

/* Notes the address ranges of the loaded objects for the handler; call it after a plugin was loaded. */
void guard_note_objects(void);

/* What is going on, for the handler's sentence: "execute", and where the buffers lie (GUARD_PLACEMENT_COUNT: nowhere yet).
 * The string must outlive its use. */
void guard_stage(const char *stage, enum guard_placement placement);

/* Reads such a line; false if it is none. */
bool guard_parse(const char *line, struct finding *finding);

#endif
