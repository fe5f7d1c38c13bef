#include "cli/tuning.h"

#include "bench/trial.h"
#include "cli/opt.h"
#include "core/accuracy.h"
#include "core/loader.h"
#include "core/slots.h"
#include "verify/tolerance.h"
#include <convoy/plugin.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CANDIDATES_MOST = 256 };

struct tuning {
    const struct verify_subject *subject;
    const struct convoy_tuner *tuner;
    struct trial *trial;
    union problem problem;
    uint64_t seed, mem_limit_bytes;
    struct convoy_numerics numerics; /* the default's                                               */
};

const struct convoy_tuner *tuning_tuner(const struct convoy_plugin *plugin)
{
    const struct convoy_tuner *const tuner = plugin->extension ? plugin->extension(CONVOY_TUNE_ID) : NULL;
    return tuner && convoy_has(tuner, keep) ? tuner : NULL;
}

static convoy_status candidate(const struct tuning *tuning, uint32_t index, char text[CONVOY_TUNE_TEXT_BYTES],
                               struct convoy_error *err)
{
    memset(text, 0, CONVOY_TUNE_TEXT_BYTES);
    const convoy_status status = tuning->tuner->candidate(tuning->subject->instance, &tuning->problem.head, index, text, err);
    if (status == CONVOY_OK && (!text[0] || !memchr(text, '\0', CONVOY_TUNE_TEXT_BYTES) || strpbrk(text, " \t\n\r")))
        return convoy_fail(err, CONVOY_FAILED, CONVOY_WHY_OTHER, "contract: configuration %u has no proper name", index);
    return status;
}

static convoy_status count_candidates(const struct tuning *tuning, uint32_t *count, struct convoy_error *err)
{
    char text[CONVOY_TUNE_TEXT_BYTES];
    struct convoy_error ignored = {.struct_size = sizeof ignored};
    *count = 0;
    convoy_status status = candidate(tuning, 0, text, err);
    if (status != CONVOY_OK)
        return status;
    while (status == CONVOY_OK && ++*count < CANDIDATES_MOST)
        status = candidate(tuning, *count, text, &ignored);
    if (status != CONVOY_OK && status != CONVOY_UNSUPPORTED)
        return convoy_fail(err, status, ignored.why, "%s", ignored.text);
    if (*count == 1)
        return convoy_fail(err, CONVOY_UNSUPPORTED, CONVOY_WHY_OTHER, "the default is its only configuration");
    return CONVOY_OK;
}

static convoy_status force(const struct tuning *tuning, uint32_t index, char text[CONVOY_TUNE_TEXT_BYTES],
                           struct convoy_error *err)
{
    const convoy_status status = candidate(tuning, index, text, err);
    return status == CONVOY_OK ? tuning->tuner->force(tuning->subject->instance, text, err) : status;
}

static void release(const struct tuning *tuning)
{
    tuning->tuner->force(tuning->subject->instance, NULL, NULL);
}

convoy_status tuning_open(const struct verify_subject *subject, const union problem *problem, uint64_t seed,
                          uint64_t mem_limit_bytes, bool forced, struct tuning **out, struct tuning_start *start,
                          struct convoy_error *err)
{
    struct tuning *const tuning = calloc(1, sizeof *tuning);
    struct trial_result result;
    char text[CONVOY_TUNE_TEXT_BYTES];
    if (!tuning)
        return convoy_fail(err, CONVOY_NO_MEMORY, CONVOY_WHY_MEMORY, "out of memory for tuning");
    tuning->subject = subject;
    tuning->tuner = tuning_tuner(subject->plugin);
    tuning->problem = *problem;
    tuning->seed = seed;
    tuning->mem_limit_bytes = mem_limit_bytes;
    *start = (struct tuning_start){.target = {.struct_size = sizeof start->target}};
    convoy_status status = CONVOY_OK;
    if (!tuning->tuner)
        status = convoy_fail(err, CONVOY_UNSUPPORTED, CONVOY_WHY_OTHER, "the plugin has nothing to choose from");
    if (status == CONVOY_OK)
        status = tuning->tuner->target(subject->instance, &start->target, err);
    if (status == CONVOY_OK && start->target.software && !forced)
        status = convoy_fail(err, CONVOY_UNSUPPORTED, CONVOY_WHY_HARDWARE,
                             "%.100s is a CPU that plays a device: nothing is tuned for it (--force does)", start->target.device);
    if (status == CONVOY_OK)
        status = count_candidates(tuning, &start->candidates, err);
    if (status == CONVOY_OK)
        status = force(tuning, 0, text, err);
    if (status == CONVOY_OK) {
        const struct convoy_profiler *const profiler = subject->plugin->extension(CONVOY_PROFILE_ID);
        status = trial_open(subject->instance, profiler, problem, seed, mem_limit_bytes, &tuning->trial, &result, err);
        release(tuning);
    }
    if (status != CONVOY_OK) {
        tuning_close(tuning);
        return status;
    }
    tuning->numerics = result.info.numerics;
    start->ns = result.ns;
    start->plugin_clock = result.plugin_clock;
    *out = tuning;
    return CONVOY_OK;
}

/* How far two results of these numerics may be apart: each lies within its own bound of the exact one. */
static double allowed_difference(const struct tuning *tuning, const struct convoy_numerics *numerics)
{
    const struct convoy_numerics *const both[] = {&tuning->numerics, numerics};
    struct slot_info info[CONVOY_NSLOTS];
    double worst = 0;
    slots_describe(&tuning->problem, info);
    for (uint32_t slot = 0; slot < CONVOY_NSLOTS; slot++) {
        double sum = 0;
        for (int which = 0; which < 2 && info[slot].role == SLOT_OUTPUT; which++) {
            struct tolerance tolerance;
            struct finding finding = finding_none();
            if (!tolerance_of(&tuning->problem, both[which], &tolerance, &finding))
                return 0;
            sum += tolerance_relative_rms(&tolerance, &tuning->problem, slot);
        }
        worst = sum > worst ? sum : worst;
    }
    return isfinite(worst) ? worst : 0x1p-16;
}

static int rank_of(const char *accuracy_class)
{
    return !strcmp(accuracy_class, "exact") ? 0 : !strcmp(accuracy_class, "strict") ? 1 : 2;
}

static convoy_status judge(const struct tuning *tuning, const struct trial_result *result, struct convoy_error *err)
{
    const char *const mine = accuracy_class(&tuning->problem, &result->info.numerics), *const theirs = accuracy_class(
                                                                                           &tuning->problem, &tuning->numerics);
    if (rank_of(mine) > rank_of(theirs))
        return convoy_fail(err, CONVOY_UNSUPPORTED, CONVOY_WHY_OTHER, "its class is %s, the default's %s", mine, theirs);
    const double allowed = result->compared ? allowed_difference(tuning, &result->info.numerics) : 0;
    if (result->compared && !(result->difference <= allowed))
        return convoy_fail(err, CONVOY_UNSUPPORTED, CONVOY_WHY_OTHER,
                           "its result is %.3g from the default's, relative to its size; the class allows %.3g",
                           result->difference, allowed);
    return CONVOY_OK;
}

convoy_status tuning_run(struct tuning *tuning, uint32_t index, double best_ns, struct tuning_try *out, struct convoy_error *err)
{
    struct trial_result result = {0};
    *out = (struct tuning_try){.ns = INFINITY};
    convoy_status status = force(tuning, index, out->text, err);
    if (status == CONVOY_OK) {
        status = trial_run(tuning->trial, best_ns, &result, err);
        release(tuning);
    }
    if (status == CONVOY_OK)
        status = judge(tuning, &result, err);
    out->ns = status == CONVOY_OK ? result.ns : (double)INFINITY;
    out->spent_ns = result.spent_ns;
    return status == CONVOY_NO_MEMORY ? CONVOY_UNSUPPORTED : status;
}

convoy_status tuning_keep(struct tuning *tuning, uint32_t index, char *algorithm, size_t size, struct convoy_error *err)
{
    char text[CONVOY_TUNE_TEXT_BYTES];
    struct record *const record = malloc(sizeof *record);
    if (!record)
        return convoy_fail(err, CONVOY_NO_MEMORY, CONVOY_WHY_MEMORY, "out of memory");
    record_clear(record);
    const struct verify_options options = {
        .seed = tuning->seed, .mem_limit_bytes = tuning->mem_limit_bytes, .full_macs = OPT_FULL_MACS};
    convoy_status status = force(tuning, index, text, err);
    if (status == CONVOY_OK) {
        const enum verdict verdict = verify_run(tuning->subject, &tuning->problem, &options, record);
        if (verdict != VERDICT_PASS)
            status = convoy_fail(err, CONVOY_UNSUPPORTED, CONVOY_WHY_OTHER, "%s: %.200s", verdict_name(verdict), record->reason);
        release(tuning);
    }
    free(record);
    if (status == CONVOY_OK)
        status = tuning->tuner->keep(tuning->subject->instance, &tuning->problem.head, text, err);
    if (status != CONVOY_OK)
        return status;
    struct convoy_plan *plan = NULL;
    struct convoy_plan_info info;
    status = loader_plan(tuning->subject->instance, &tuning->problem.head, &plan, &info, err);
    if (status == CONVOY_OK) {
        snprintf(algorithm, size, "%s", info.algorithm);
        plan->ops->destroy(plan);
    }
    return status;
}

void tuning_close(struct tuning *tuning)
{
    if (tuning)
        trial_close(tuning->trial);
    free(tuning);
}
