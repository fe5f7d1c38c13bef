/* rig: a plan under test with all of its memory, every call of the plugin watched: guarded buffers, poisoned outputs and
 * workspace, protected inputs, floating-point modes. Knows how to run, not what is right. */
#ifndef CONVOY_VERIFY_RIG_H
#define CONVOY_VERIFY_RIG_H

#include "verify/slotmem.h"
#include "verify/tensors.h"
#include "verify/verify.h"

struct rig {
    const struct verify_subject *subject;
    union problem problem;
    struct slot_info slots[CONVOY_NSLOTS];
    struct convoy_plan *plan;
    struct convoy_plan_info info;
    struct slotmem memory[CONVOY_NSLOTS];
    const struct tensors *loaded; /* the inputs that the memory holds */
    enum guard_placement placement;
};

/* supports, plan, info, and memory for all slots. False: the finding is UNSUPPORTED, LIAR, OOM, SKIPPED, CONTRACT, FPENV; what
 * is known of info is in rig->info all the same, and there is nothing to close. mem_limit_bytes 0: none. */
bool rig_open(struct rig *rig, const struct verify_subject *subject, const union problem *problem, uint64_t mem_limit_bytes,
              struct finding *finding);
void rig_close(struct rig *rig, struct finding *finding);

/* Places the memory, loads the inputs (which must live until the next load), poisons outputs and, with 0xA5 or NaN, the
 * workspace. */
bool rig_load(struct rig *rig, const struct tensors *inputs, enum guard_placement placement, struct finding *finding);

/* prepare, if the plan has it. From then on the weights are out of bounds. */
bool rig_prepare(struct rig *rig, struct finding *finding);

/* execute and sync, with outputs poisoned and in-place slots loaded anew. */
bool rig_execute(struct rig *rig, struct finding *finding);

/* load, prepare, execute. */
bool rig_run(struct rig *rig, const struct tensors *inputs, enum guard_placement placement, struct finding *finding);

/* An output's contents, valid until the next call; NULL: the finding says why. */
const void *rig_output(struct rig *rig, uint32_t slot, struct finding *finding);

#endif
