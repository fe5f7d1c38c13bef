/* slots: which tensors a problem reads and writes, with their shapes and types. One definition for verifying, timing,
 * running from files and training. Knows problems, allocates nothing. */
#ifndef CONVOY_CORE_SLOTS_H
#define CONVOY_CORE_SLOTS_H

#include "core/problem.h"

enum slot_role { SLOT_UNUSED, SLOT_INPUT, SLOT_OUTPUT, SLOT_INOUT };
enum slot_type { SLOT_F32, SLOT_U8, SLOT_S32 };

struct slot_info {
    enum slot_role role;
    enum slot_type type;
    int32_t rank;      /* 1, 2 or 4                                                            */
    int64_t extent[4]; /* row-major                                                            */
    int64_t elements;
    int64_t bytes;
};

/* Fills all CONVOY_NSLOTS entries for a complete problem; WORKSPACE and PREPARED stay unused (the plan sizes them). [any] */
void slots_describe(const union problem *problem, struct slot_info info[CONVOY_NSLOTS]);

const char *slot_name(uint32_t slot);             /* "x", "run_mean", …: the lower-case name of files and options */
int slot_by_name(const char *name);               /* -1: none                                                     */
const char *slot_type_name(enum slot_type type);  /* "f32" "u8" "s32"                                             */

/* Bytes of all inputs read once and all outputs written once: the least traffic of any algorithm. [any] */
int64_t slots_traffic_bytes(const union problem *problem);

#endif
