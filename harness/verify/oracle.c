#include "verify/oracle.h"
#include "core/error.h"
#include "core/hostmem.h"
#include <stdlib.h>
#include <string.h>

bool oracle_answer(const struct oracle *oracle, const struct tensors *inputs, uint32_t slot, const uint64_t *index,
                   uint64_t count, struct answer *answer, struct finding *finding)
{
    struct convoy_error err = error_none();
    memset(answer, 0, sizeof *answer);
    answer->slot = slot;
    answer->index = index;
    answer->count = index ? count : (uint64_t)inputs->info[slot].elements;
    answer->terms = calloc((size_t)answer->count, sizeof *answer->terms);
    if (!answer->terms)
        return finding_set(finding, VERDICT_NOT_RUN, "the harness has no memory for %llu reference values of %s",
                           (unsigned long long)answer->count, slot_name(slot));
    struct convoy_buffer buffer[CONVOY_NSLOTS];
    struct convoy_tensor tensor[CONVOY_NSLOTS] = {{NULL, 0}};
    const struct convoy_args args = {.struct_size = sizeof args, .nslots = CONVOY_NSLOTS, .slot = tensor};
    for (uint32_t s = 0; s < CONVOY_NSLOTS; s++) {
        if (inputs->data[s])
            tensor[s] = hostmem_wrap(&buffer[s], inputs->data[s], (uint64_t)inputs->info[s].bytes);
    }
    const convoy_status status =
        oracle->referee->evaluate(oracle->host, &inputs->problem.head, &args, slot, index, answer->count, answer->terms, &err);
    if (status == CONVOY_OK)
        return true;
    oracle_free(answer);
    return finding_set(finding, VERDICT_NOT_RUN, "the referee could not evaluate %s: %s", slot_name(slot), err.text);
}

void oracle_free(struct answer *answer)
{
    free(answer->terms);
    answer->terms = NULL;
}

bool oracle_store(const struct oracle *oracle, const struct tensors *inputs, uint32_t slot, struct tensors *to, uint32_t to_slot,
                  struct finding *finding)
{
    struct answer answer;
    if (!oracle_answer(oracle, inputs, slot, NULL, 0, &answer, finding))
        return false;
    for (uint64_t e = 0; e < answer.count; e++) {
        const double value = answer.terms[e].value;
        switch (to->info[to_slot].type) {
        case SLOT_F32:
            ((float *)to->data[to_slot])[e] = (float)value;
            break;
        case SLOT_U8:
            ((uint8_t *)to->data[to_slot])[e] = (uint8_t)value;
            break;
        case SLOT_S32:
            ((int32_t *)to->data[to_slot])[e] = (int32_t)value;
            break;
        }
    }
    oracle_free(&answer);
    return true;
}
