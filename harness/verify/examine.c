#include "verify/examine.h"
#include <convoy/plugin.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NAME_BYTES = 96, SENTENCE_BYTES = 256 };

static bool sample_slot(struct examination *e, uint32_t slot, uint64_t most, uint64_t seed, struct finding *finding)
{
    const struct convoy_numerics *const n = &e->tolerance->numerics;
    const bool conv = problem_family(&e->inputs->problem) == FAMILY_CONV;
    const struct convoy_conv *const p = &e->inputs->problem.conv;
    int64_t tile_h = 0, tile_w = 0;
    if (conv && n->kind == CONVOY_NUM_WINOGRAD) {
        tile_h = tile_w = n->m;
    } else if (conv && n->kind == CONVOY_NUM_FFT) {
        tile_h = convoy_max(0, (int64_t)n->tile_h - p->kh + 1);
        tile_w = convoy_max(0, (int64_t)n->tile_w - p->kw + 1);
    }
    return sample_open(&e->inputs->info[slot], tile_h, tile_w, most, seed + slot, &e->sample[slot]) ||
           finding_set(finding, VERDICT_NOT_RUN, "the harness has no memory for a sample of %s", slot_name(slot));
}

static bool open_slot(struct examination *e, uint32_t slot, const struct oracle *oracle, uint64_t most, uint64_t seed,
                      struct finding *finding)
{
    if (most > 0 && !sample_slot(e, slot, most, seed, finding))
        return false;
    if (!oracle_answer(oracle, e->inputs, slot, e->sample[slot].index, e->sample[slot].count, &e->answer[slot], finding))
        return false;
    const size_t count = (size_t)e->answer[slot].count;
    double *const bound = e->bound[slot] = calloc(count, sizeof *bound);
    double *const unstable = e->unstable[slot] = calloc(count, sizeof *unstable);
    bool ok = bound && unstable;
    if (ok && e->integers) {
        tolerance_integer_bounds(e->tolerance, e->inputs, &e->answer[slot], bound);
        memcpy(unstable, bound, count * sizeof *bound);
    } else if (ok) {
        ok = tolerance_bounds(e->tolerance, e->inputs, &e->answer[slot], bound, unstable);
    }
    return ok || finding_set(finding, VERDICT_NOT_RUN, "the harness has no memory for the bounds of %s", slot_name(slot));
}

bool examine_open(struct examination *e, const char *name, const struct oracle *oracle, const struct tensors *inputs,
                  const struct tolerance *tolerance, bool integers, uint64_t sample_most, uint64_t seed, struct finding *finding)
{
    memset(e, 0, sizeof *e);
    e->name = name;
    e->inputs = inputs;
    e->tolerance = tolerance;
    /* Statistics and functions have no exact integers to speak of; their bounds for any data hold. */
    const enum problem_family family = problem_family(&inputs->problem);
    e->integers = integers && (family == FAMILY_CONV || family == FAMILY_POOL);
    for (uint32_t slot = 0; slot < CONVOY_NSLOTS; slot++) {
        if (slot_is_output(&inputs->info[slot]) && !open_slot(e, slot, oracle, sample_most, seed, finding)) {
            examine_close(e);
            return false;
        }
    }
    return true;
}

void examine_close(struct examination *e)
{
    for (uint32_t slot = 0; slot < CONVOY_NSLOTS; slot++) {
        oracle_free(&e->answer[slot]);
        sample_close(&e->sample[slot]);
        free(e->bound[slot]);
        free(e->unstable[slot]);
        e->bound[slot] = e->unstable[slot] = NULL;
    }
}

bool examine_bounds_below(const struct examination *e, double limit)
{
    for (uint32_t slot = 0; slot < CONVOY_NSLOTS; slot++) {
        const struct answer *const answer = &e->answer[slot];
        double *const bound = answer->terms ? calloc((size_t)answer->count, sizeof *bound) : NULL;
        if (!bound)
            continue;
        bool below = tolerance_bounds(e->tolerance, e->inputs, answer, bound, NULL);
        for (uint64_t i = 0; i < answer->count; i++)
            below = below && bound[i] < limit;
        free(bound);
        if (!below)
            return false;
    }
    return true;
}

static bool judge_element(const struct examination *e, const struct rig *rig, uint32_t slot, const struct comparison *result,
                          struct finding *finding)
{
    char name[NAME_BYTES], sentence[SENTENCE_BYTES], factor[32] = "";
    compare_element_name(&rig->slots[slot], slot, result->worst, name, sizeof name);
    if (isfinite(result->error_in_bounds))
        snprintf(factor, sizeof factor, ", %.3g times the bound", result->error_in_bounds);
    snprintf(sentence, sizeof sentence, "%s, %s: %s is %.9g, not %.9g%s; %llu of %llu elements are wrong", e->name,
             guard_placement_name(rig->placement), name, result->got, result->want, factor, (unsigned long long)result->wrong,
             (unsigned long long)result->count);
    if (e->integers || !isfinite(result->error_in_bounds))
        return finding_set(finding, VERDICT_FAIL, "%s", sentence);
    if (result->error_in_bounds <= TOLERANCE_MARGIN)
        finding_set(finding, VERDICT_MARGINAL, "%s", sentence);
    else if (result->unstable)
        finding_set(finding, VERDICT_MARGINAL, "unstable (a variance in one pass): %s", sentence);
    else
        return finding_set(finding, VERDICT_FAIL, "%s", sentence);
    return true;
}

/* The RMS over a tensor, where enough of it was compared. */
static bool judge_tensor(const struct examination *e, uint32_t slot, const struct comparison *result, struct finding *finding)
{
    const double bound = tolerance_relative_rms(e->tolerance, &e->inputs->problem, slot);
    if (!e->judge_rms || result->count < TOLERANCE_RMS_COUNT || result->l2_rel <= bound)
        return true;
    const enum verdict verdict = result->l2_rel <= TOLERANCE_MARGIN * bound ? VERDICT_MARGINAL : VERDICT_FAIL;
    finding_set(finding, verdict, "%s: the relative RMS error of %s is %.3g, its bound %.3g", e->name, slot_name(slot),
                result->l2_rel, bound);
    return verdict == VERDICT_MARGINAL;
}

static bool judge_slot(const struct examination *e, struct rig *rig, uint32_t slot, struct measures *measures,
                       struct finding *finding)
{
    struct comparison result;
    const struct slot_info *const info = &rig->slots[slot];
    const void *const output = rig_output(rig, slot, finding);
    if (!output)
        return false;
    compare_output(output, info->type, (uint64_t)info->elements, info->role == SLOT_OUTPUT, &e->answer[slot], e->bound[slot],
                   e->unstable[slot], &result);
    if (measures) {
        measures->error_in_bounds = fmax(measures->error_in_bounds, result.error_in_bounds);
        measures->l2_rel = fmax(measures->l2_rel, result.l2_rel);
        measures->max_rel = fmax(measures->max_rel, result.max_rel);
        measures->backward_error = fmax(measures->backward_error, result.backward_error);
        measures->with_terms += result.with_terms;
        measures->nonzero += result.nonzero;
    }
    if (result.unwritten) {
        char name[NAME_BYTES];
        compare_element_name(info, slot, result.unwritten_at, name, sizeof name);
        return finding_set(finding, VERDICT_UNWRITTEN, "%s, %s: %s was not written", e->name,
                           guard_placement_name(rig->placement), name);
    }
    if (!(result.error_in_bounds <= 1) && !judge_element(e, rig, slot, &result, finding))
        return false;
    return judge_tensor(e, slot, &result, finding);
}

bool examine_judge(const struct examination *e, struct rig *rig, struct measures *measures, struct finding *finding)
{
    bool ok = true;
    for (uint32_t slot = 0; slot < CONVOY_NSLOTS && ok; slot++) {
        if (e->answer[slot].terms)
            ok = judge_slot(e, rig, slot, measures, finding);
    }
    return ok;
}
