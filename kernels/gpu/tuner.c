/* The extension convoy.tune/1 for instances of the GPU backends, and plans made from what it decided. */
#include "tuning.h"
#include <convoy/plugin.h>
#include <string.h>

/* The configuration of that text among those of the problem; false: there is none, here or any more. */
static bool candidate_named(const struct gpu_instance *instance, const struct convoy_problem *problem, const char *text,
                            struct gpu_candidate *found)
{
    struct gpu_candidate list[GPU_CANDIDATES_MOST];
    const uint32_t count = gpu_candidates(instance->device, instance->variant, problem, list, NULL);
    for (uint32_t c = 0; c < count; c++) {
        if (!strcmp(list[c].text, text)) {
            *found = list[c];
            return true;
        }
    }
    return false;
}

static convoy_status make(const struct gpu_instance *instance, const struct convoy_problem *problem,
                          const struct gpu_choice *choice, struct gpu_program *program, struct convoy_error *err)
{
    struct gpu_device device = *instance->device;
    device.choice = choice;
    return gpu_program_fit(&device, instance->variant, problem, instance->base.memory, program, err);
}

convoy_status gpu_instance_program(struct gpu_instance *instance, const struct convoy_problem *problem,
                                   struct gpu_program *program, struct convoy_error *err)
{
    struct gpu_candidate candidate;
    char kept[CONVOY_TUNE_TEXT_BYTES];
    const bool forced = instance->forced[0] != '\0';
    const bool tuned = !forced && gpu_tuning_find(instance->tuning, instance->variant, problem, kept, sizeof kept);
    const char *const text = forced ? instance->forced : kept;
    if ((forced || tuned) && candidate_named(instance, problem, text, &candidate)) {
        const convoy_status status = make(instance, problem, &candidate.choice, program, err);
        if (status == CONVOY_OK && !program->replaced) {
            memcpy(program->choice, candidate.text, sizeof program->choice);
            program->tuned = tuned;
        }
        if (status == CONVOY_OK || forced)
            return status;
    } else if (forced) {
        return convoy_fail(err, CONVOY_UNSUPPORTED, CONVOY_WHY_OTHER, "this problem has no configuration \"%s\"", text);
    } else if (tuned && instance->tuning && instance->host && instance->host->log) {
        char line[160];
        snprintf(line, sizeof line, "the configuration \"%s\" that was kept is none of this problem; the default is taken", text);
        instance->host->log(instance->host, CONVOY_LOG_WARNING, line);
    }
    return make(instance, problem, NULL, program, err);
}

void gpu_program_label(const struct gpu_program *program, bool software, char label[GPU_LABEL_BYTES])
{
    char tail[GPU_LABEL_BYTES];
    if (program->choice[0])
        snprintf(tail, sizeof tail, " %.17s%s%s", program->choice, program->tuned ? " tuned" : "", software ? ", software" : "");
    else
        snprintf(tail, sizeof tail, "%s", software ? ", software device" : "");
    const size_t room = GPU_LABEL_BYTES - 1 - strlen(tail), whole = strlen(program->algorithm);
    size_t length = whole < room ? whole : room;
    while (length && program->algorithm[length - 1] == ' ')
        length--;
    memcpy(label, program->algorithm, length);
    memcpy(label + length, tail, strlen(tail) + 1);
}

/* ---- the extension ---- */

static convoy_status target(const struct convoy_instance *base, struct convoy_tune_target *out, struct convoy_error *err)
{
    const struct gpu_instance *const instance = (const struct gpu_instance *)base;
    struct convoy_tune_target mine = {.struct_size = out->struct_size, .software = instance->software};
    if (!instance->tuning)
        return convoy_fail(err, CONVOY_NO_MEMORY, CONVOY_WHY_MEMORY, "no memory for choices");
    gpu_tuning_describe(instance->tuning, &mine);
    memcpy(out, &mine, out->struct_size < sizeof mine ? out->struct_size : sizeof mine);
    return CONVOY_OK;
}

static convoy_status candidate(const struct convoy_instance *base, const struct convoy_problem *problem, uint32_t index,
                               char *text, struct convoy_error *err)
{
    const struct gpu_instance *const instance = (const struct gpu_instance *)base;
    struct gpu_candidate list[GPU_CANDIDATES_MOST];
    const uint32_t count = gpu_candidates(instance->device, instance->variant, problem, list, err);
    if (!count)
        return CONVOY_UNSUPPORTED;
    if (index >= count)
        return convoy_fail(err, CONVOY_UNSUPPORTED, CONVOY_WHY_SIZE, "there are %u configurations", count);
    memcpy(text, list[index].text, sizeof list[index].text);
    return CONVOY_OK;
}

static convoy_status force(struct convoy_instance *base, const char *text, struct convoy_error *err)
{
    struct gpu_instance *const instance = (struct gpu_instance *)base;
    if (text && strlen(text) >= sizeof instance->forced)
        return convoy_fail(err, CONVOY_INVALID, CONVOY_WHY_OTHER, "no configuration is called \"%.40s\"", text);
    snprintf(instance->forced, sizeof instance->forced, "%s", text ? text : "");
    return CONVOY_OK;
}

static convoy_status keep(struct convoy_instance *base, const struct convoy_problem *problem, const char *text,
                          struct convoy_error *err)
{
    struct gpu_instance *const instance = (struct gpu_instance *)base;
    struct gpu_candidate found;
    if (!candidate_named(instance, problem, text, &found))
        return convoy_fail(err, CONVOY_INVALID, CONVOY_WHY_OTHER, "this problem has no configuration \"%.40s\"", text);
    return gpu_tuning_keep(instance->tuning, instance->variant, problem, text, err);
}

const struct convoy_tuner gpu_tuner = {
    .struct_size = sizeof gpu_tuner,
    .target = target,
    .candidate = candidate,
    .force = force,
    .keep = keep,
};
