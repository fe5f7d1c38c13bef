#include "verify/rig.h"
#include "core/error.h"
#include "core/fpenv.h"
#include "core/loader.h"
#include "verify/compare.h"
#include <inttypes.h>
#include <string.h>

enum { WORKSPACE_WORD = (int)0xa5a5a5a5 };

/* Compares the floating-point modes with those before `call`; where they differ, puts them back and notes it. */
static bool modes_kept(uint64_t before, const char *call, struct finding *finding)
{
    const uint64_t after = fpenv_get();
    if (after == before)
        return true;
    fpenv_set(before);
    return finding_set(finding, VERDICT_FPENV, "%s left other floating-point modes: control %#" PRIx64 ", before %#" PRIx64, call,
                       after, before);
}

static bool ask_support(struct rig *rig, struct finding *finding)
{
    struct convoy_instance *const instance = rig->subject->instance;
    struct convoy_error err = error_none();
    const uint64_t modes = fpenv_get();
    guard_stage("supports", GUARD_PLACEMENT_COUNT);
    const convoy_status status = instance->ops->supports(instance, &rig->problem.head, &err);
    if (!modes_kept(modes, "supports", finding))
        return false;
    if (status == CONVOY_OK)
        return true;
    if (status != CONVOY_UNSUPPORTED)
        return finding_status(finding, "supports", status, &err);
    if (err.status != CONVOY_UNSUPPORTED || err.why == CONVOY_WHY_NONE || err.why >= CONVOY_WHY_COUNT || err.text[0] == '\0' ||
        !memchr(err.text, '\0', sizeof err.text))
        return finding_set(finding, VERDICT_CONTRACT, "supports declined without a status, a reason code and a sentence");
    return finding_set(finding, VERDICT_UNSUPPORTED, "%s: %s", why_name(err.why), err.text);
}

static bool make_plan(struct rig *rig, struct finding *finding)
{
    struct convoy_error err = error_none();
    const uint64_t modes = fpenv_get();
    guard_stage("plan", GUARD_PLACEMENT_COUNT);
    const convoy_status status = loader_plan(rig->subject->instance, &rig->problem.head, &rig->plan, &rig->info, &err);
    if (!modes_kept(modes, "plan", finding))
        return false;
    if (status == CONVOY_OK)
        return true;
    rig->plan = NULL;
    memset(&rig->info, 0, sizeof rig->info);
    if (status == CONVOY_NO_MEMORY)
        return finding_set(finding, VERDICT_OOM, "plan ran out of memory: %s", err.text);
    if (strncmp(err.text, "contract:", 9) == 0)
        return finding_set(finding, VERDICT_CONTRACT, "%s", err.text);
    return finding_set(finding, VERDICT_LIAR, "supports said yes, plan said \"%s\": %s", status_name(status), err.text);
}

static bool check_info(const struct rig *rig, struct finding *finding)
{
    const struct convoy_plan_info *const info = &rig->info;
    const bool weights = rig->slots[CONVOY_W].role == SLOT_INPUT;
    const bool prepare = convoy_has(rig->plan->ops, prepare) && rig->plan->ops->prepare;
    if (info->algorithm[0] == '\0' || !memchr(info->algorithm, '\0', sizeof info->algorithm))
        return finding_set(finding, VERDICT_CONTRACT, "info names no algorithm");
    if (prepare != (info->prepared_bytes > 0))
        return finding_set(finding, VERDICT_CONTRACT, "info wants %" PRIu64 " bytes of prepared weights, but prepare is %s",
                           info->prepared_bytes, prepare ? "there" : "missing");
    if (info->prepared_bytes > 0 && !weights)
        return finding_set(finding, VERDICT_CONTRACT, "info wants prepared weights of an operation that has none");
    return true;
}

static bool within_limit(const struct rig *rig, uint64_t limit, struct finding *finding)
{
    uint64_t tensors = 0;
    for (uint32_t slot = 0; slot < CONVOY_NSLOTS; slot++)
        tensors += (uint64_t)rig->slots[slot].bytes;
    const uint64_t extra = rig->info.workspace_bytes + rig->info.prepared_bytes;
    if (limit == 0 || (extra >= rig->info.workspace_bytes && extra <= limit))
        return true;
    return finding_set(finding, VERDICT_SKIPPED,
                       "workspace of %" PRIu64 " and prepared weights of %" PRIu64 " bytes exceed the limit of %" PRIu64
                       " (the tensors have %" PRIu64 ")",
                       rig->info.workspace_bytes, rig->info.prepared_bytes, limit, tensors);
}

static bool open_memory(struct rig *rig, struct finding *finding)
{
    const struct verify_subject *const subject = rig->subject;
    struct convoy_memory *const domain = subject->instance->memory;
    struct convoy_memory *const device = domain == subject->host->memory ? NULL : domain;
    for (uint32_t slot = 0; slot < CONVOY_NSLOTS; slot++) {
        uint64_t bytes = (uint64_t)rig->slots[slot].bytes;
        uint32_t align = sizeof(float);
        if (slot == CONVOY_WORKSPACE || slot == CONVOY_PREPARED) {
            bytes = slot == CONVOY_WORKSPACE ? rig->info.workspace_bytes : rig->info.prepared_bytes;
            align = domain->align;
        }
        if (!slotmem_open(&rig->memory[slot], device, slot_name(slot), bytes, align, finding))
            return false;
    }
    return true;
}

bool rig_open(struct rig *rig, const struct verify_subject *subject, const union problem *problem, uint64_t mem_limit_bytes,
              struct finding *finding)
{
    memset(rig, 0, sizeof *rig);
    rig->subject = subject;
    rig->problem = *problem;
    slots_describe(problem, rig->slots);
    if (!ask_support(rig, finding) || !make_plan(rig, finding))
        return false;
    if (check_info(rig, finding) && within_limit(rig, mem_limit_bytes, finding) && open_memory(rig, finding))
        return true;
    rig_close(rig, finding);
    return false;
}

void rig_close(struct rig *rig, struct finding *finding)
{
    for (uint32_t slot = 0; slot < CONVOY_NSLOTS; slot++)
        slotmem_close(&rig->memory[slot]);
    if (!rig->plan)
        return;
    const uint64_t modes = fpenv_get();
    guard_stage("destroy", GUARD_PLACEMENT_COUNT);
    rig->plan->ops->destroy(rig->plan);
    rig->plan = NULL;
    modes_kept(modes, "destroy", finding);
}

static bool is_workspace(uint32_t slot)
{
    return slot == CONVOY_WORKSPACE || slot == CONVOY_PREPARED;
}

/* As raw memory the workspace would be zero more often than in use. 0xA5 bytes make a tiny float, which a sum that was not
 * cleared would hide; so placements other than the first get NaN. */
static uint32_t workspace_word(enum guard_placement placement)
{
    return placement == GUARD_RIGHT ? (uint32_t)WORKSPACE_WORD : COMPARE_POISON;
}

bool rig_load(struct rig *rig, const struct tensors *inputs, enum guard_placement placement, struct finding *finding)
{
    rig->loaded = inputs;
    rig->placement = placement;
    for (uint32_t slot = 0; slot < CONVOY_NSLOTS; slot++) {
        struct slotmem *const memory = &rig->memory[slot];
        bool ok = slotmem_place(memory, placement, finding);
        if (ok && is_workspace(slot))
            ok = slotmem_fill(memory, workspace_word(placement), finding);
        else if (ok && rig->slots[slot].role == SLOT_INPUT)
            ok = slotmem_write(memory, inputs->data[slot], finding) && slotmem_protect(memory, GUARD_READ_ONLY, finding);
        if (!ok)
            return false;
    }
    return true;
}

typedef convoy_status call_fn(struct convoy_plan *, const struct convoy_args *, struct convoy_error *);

static bool call_plan(struct rig *rig, call_fn *function, const char *name, struct finding *finding)
{
    struct convoy_instance *const instance = rig->subject->instance;
    struct convoy_tensor slot[CONVOY_NSLOTS];
    struct convoy_error err = error_none();
    const struct convoy_args args = {.struct_size = sizeof args, .nslots = CONVOY_NSLOTS, .slot = slot};
    for (uint32_t s = 0; s < CONVOY_NSLOTS; s++)
        slot[s] = slotmem_tensor(&rig->memory[s]);
    const uint64_t modes = fpenv_get();
    guard_stage(name, rig->placement);
    convoy_status status = function(rig->plan, &args, &err);
    if (status == CONVOY_OK && convoy_has(instance->ops, sync) && instance->ops->sync)
        status = instance->ops->sync(instance, &err);
    guard_stage("checking", rig->placement);
    if (!modes_kept(modes, name, finding))
        return false;
    if (status != CONVOY_OK)
        return finding_status(finding, name, status, &err);
    for (uint32_t s = 0; s < CONVOY_NSLOTS; s++) {
        if (!slotmem_intact(&rig->memory[s], name, rig->loaded->data[s], finding))
            return false;
    }
    return true;
}

bool rig_prepare(struct rig *rig, struct finding *finding)
{
    if (rig->info.prepared_bytes == 0)
        return true;
    return slotmem_protect(&rig->memory[CONVOY_PREPARED], GUARD_WRITABLE, finding) &&
           call_plan(rig, rig->plan->ops->prepare, "prepare", finding) &&
           slotmem_protect(&rig->memory[CONVOY_PREPARED], GUARD_READ_ONLY, finding) &&
           slotmem_protect(&rig->memory[CONVOY_W], GUARD_FORBIDDEN, finding);
}

bool rig_execute(struct rig *rig, struct finding *finding)
{
    for (uint32_t slot = 0; slot < CONVOY_NSLOTS; slot++) {
        struct slotmem *const memory = &rig->memory[slot];
        bool ok = true;
        if (rig->slots[slot].role == SLOT_OUTPUT)
            ok = slotmem_fill(memory, COMPARE_POISON, finding);
        else if (rig->slots[slot].role == SLOT_INOUT)
            ok = slotmem_write(memory, rig->loaded->data[slot], finding);
        if (!ok)
            return false;
    }
    return call_plan(rig, rig->plan->ops->execute, "execute", finding);
}

bool rig_run(struct rig *rig, const struct tensors *inputs, enum guard_placement placement, struct finding *finding)
{
    return rig_load(rig, inputs, placement, finding) && rig_prepare(rig, finding) && rig_execute(rig, finding);
}

const void *rig_output(struct rig *rig, uint32_t slot, struct finding *finding)
{
    return slotmem_read(&rig->memory[slot], finding);
}
