/* The order of examination. Exact integers first: they separate wrong indices from rounding. Then identities, which need no
 * reference and so guard the referee too. Then random data under the bound of the declared numerics. */
#include "verify/verify.h"
#include "core/accuracy.h"
#include "verify/adversarial.h"
#include "verify/checksum.h"
#include "verify/examine.h"
#include "verify/fill.h"
#include "verify/identity.h"
#include "verify/lanes.h"
#include "verify/leak.h"
#include "verify/twin.h"
#include <convoy/plugin.h>
#include <convoy/shape.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum {
    FULL_WORK_DEFAULT = 50000000, /* multiply-adds that are checked whole where the options do not say                  */
    TIER_2_WORK = 400000,         /* small enough for eight more data sets                                              */
    IDENTITY_WORK = 4000000,
    CHECKSUM_SHARE = 4, /* of the work of a whole check                                                       */
    SAMPLE_LEAST = 64,
    SAMPLE_MOST = 8192,
    FILL_TRIES = 8
};

/* What is shared by the steps of one case. */
struct examinee {
    const struct verify_subject *subject;
    const struct verify_options *options;
    struct oracle oracle;
    struct rig *rig;
    struct tolerance tolerance;
    uint64_t sample_most; /* 0: every element is compared                                                      */
    struct measures *measures;
    struct finding *finding;
};

static int64_t work_of(const union problem *problem)
{
    if (problem_family(problem) == FAMILY_CONV)
        return convoy_conv_macs(&problem->conv);
    return problem_flops(problem) / 2;
}

static int64_t full_work_of(const struct verify_options *options)
{
    return options->full_macs > 0 ? options->full_macs : FULL_WORK_DEFAULT;
}

static bool no_memory(struct finding *finding)
{
    return finding_set(finding, VERDICT_NOT_RUN, "the harness has no memory for the inputs");
}

/* ---- tier 0 ---- */

/* Whether the integers are small enough for the judgement: exact sums, or errors below a quarter. */
static bool integers_decide(const struct examinee *c, const struct examination *e)
{
    if (problem_family(&c->rig->problem) != FAMILY_CONV)
        return true;
    if (!c->tolerance.exact_integers)
        return examine_bounds_below(e, 0.25);
    for (uint32_t slot = 0; slot < CONVOY_NSLOTS; slot++) {
        for (uint64_t i = 0; e->answer[slot].terms && i < e->answer[slot].count; i++) {
            if (!(e->answer[slot].terms[i].abs_sum * c->tolerance.growth < 0x1p24))
                return false;
        }
    }
    return true;
}

/* Fills `inputs` with integers that decide, and opens the examination. */
static bool open_integers(const struct examinee *c, struct tensors *inputs, struct examination *e)
{
    struct fill_integers integers = fill_choose_integers(&inputs->problem, &c->tolerance);
    for (int turn = 0; turn < FILL_TRIES; turn++) {
        if (!fill_with_integers(inputs, &c->oracle, c->options->seed, &integers, c->finding) ||
            !examine_open(e, "integers", &c->oracle, inputs, &c->tolerance, true, c->sample_most, c->options->seed, c->finding))
            return false;
        if (integers_decide(c, e))
            return true;
        examine_close(e);
        integers = fill_thin_integers(integers);
    }
    return finding_set(c->finding, VERDICT_MISTRUSTED,
                       "no integers are small enough for the declared numerics to give them back");
}

static bool check_integers(const struct examinee *c)
{
    struct tensors inputs;
    struct examination e;
    if (!tensors_open(&c->rig->problem, &inputs))
        return no_memory(c->finding);
    bool ok = open_integers(c, &inputs, &e);
    if (ok) {
        ok = rig_run(c->rig, &inputs, GUARD_RIGHT, c->finding) && examine_judge(&e, c->rig, NULL, c->finding);
        if (ok && c->sample_most == 0)
            ok = rig_run(c->rig, &inputs, GUARD_LEFT, c->finding) && examine_judge(&e, c->rig, NULL, c->finding);
        else if (ok)
            ok = checksum_check(c->rig, &inputs, &c->oracle, CHECKSUM_SHARE * full_work_of(c->options), c->options->seed,
                                c->finding);
        examine_close(&e);
    }
    tensors_close(&inputs);
    return ok;
}

/* ---- tier 1 ---- */

/* A comparison with zeros proves little: at least a tenth of the outputs that sum up anything must not be 0. Only a loss over one
 * class is 0 by definition. */
static bool is_vacuous(const struct examination *e)
{
    uint64_t with_terms = 0, nonzero = 0;
    if (e->inputs->problem.head.op == CONVOY_ELTWISE && e->inputs->problem.eltwise.classes == 1)
        return false;
    for (uint32_t slot = 0; slot < CONVOY_NSLOTS; slot++) {
        const struct answer *const answer = &e->answer[slot];
        for (uint64_t i = 0; answer->terms && slot != CONVOY_INDEX && i < answer->count; i++) {
            with_terms += answer->terms[i].abs_sum > 0;
            nonzero += answer->terms[i].abs_sum > 0 && answer->terms[i].value != 0;
        }
    }
    return nonzero == 0 || nonzero * 10 < with_terms;
}

/* Random data; a small output that happens to be zero gets another draw. */
static bool open_uniform(const struct examinee *c, struct tensors *inputs, struct examination *e, bool *vacuous)
{
    *vacuous = true;
    for (uint64_t turn = 0; *vacuous && turn < FILL_TRIES; turn++) {
        if (turn > 0)
            examine_close(e);
        if (!fill_with_pattern(inputs, &c->oracle, c->options->seed + turn, FILL_UNIFORM, c->finding) ||
            !examine_open(e, "uniform data", &c->oracle, inputs, &c->tolerance, false, c->sample_most, c->options->seed,
                          c->finding))
            return false;
        e->judge_rms = true;
        *vacuous = is_vacuous(e);
    }
    return true;
}

/* Runs of one data set: again with the same memory and prepared weights, with other alignment, with other threads. */
static bool check_repeats(const struct examinee *c, const struct examination *e)
{
    static const enum guard_placement others[] = {GUARD_LEFT, GUARD_SHIFTED};
    void *kept[CONVOY_NSLOTS];
    const bool deterministic = c->rig->info.numerics.flags & CONVOY_DETERMINISTIC;
    if (!lanes_keep(c->rig, kept, c->finding))
        return false;
    bool ok = rig_execute(c->rig, c->finding) && examine_judge(e, c->rig, NULL, c->finding);
    if (ok && deterministic)
        ok = lanes_same_bits(c->rig, kept, "a second run", c->finding);
    if (ok && c->sample_most == 0)
        ok = leak_check(c->rig, c->finding);
    for (size_t i = 0; ok && c->sample_most == 0 && i < sizeof others / sizeof others[0]; i++) {
        ok = rig_run(c->rig, e->inputs, others[i], c->finding) && examine_judge(e, c->rig, NULL, c->finding);
        if (ok && deterministic)
            ok = lanes_same_bits(c->rig, kept, "a run with buffers at another alignment", c->finding);
    }
    if (ok && c->sample_most == 0)
        ok = lanes_check(c->rig, e->inputs, kept, c->finding);
    lanes_drop(kept);
    return ok;
}

static bool check_uniform(const struct examinee *c)
{
    struct tensors inputs;
    struct examination e;
    bool vacuous;
    if (!tensors_open(&c->rig->problem, &inputs))
        return no_memory(c->finding);
    bool ok = open_uniform(c, &inputs, &e, &vacuous);
    if (ok) {
        const enum guard_placement placement = c->sample_most == 0 ? GUARD_RIGHT : GUARD_LEFT;
        ok = rig_run(c->rig, &inputs, placement, c->finding) && examine_judge(&e, c->rig, c->measures, c->finding) &&
             check_repeats(c, &e);
        if (ok && vacuous)
            ok = finding_set(c->finding, VERDICT_MISTRUSTED, "nearly all outputs are zero whatever the data");
        examine_close(&e);
    }
    tensors_close(&inputs);
    return ok;
}

/* One more data set, judged once. */
static bool check_pattern(const struct examinee *c, enum fill_pattern pattern)
{
    struct tensors inputs;
    struct examination e;
    char name[48];
    snprintf(name, sizeof name, "%s data", fill_pattern_name(pattern));
    if (!tensors_open(&c->rig->problem, &inputs))
        return no_memory(c->finding);
    bool ok = fill_with_pattern(&inputs, &c->oracle, c->options->seed, pattern, c->finding) &&
              examine_open(&e, name, &c->oracle, &inputs, &c->tolerance, false, c->sample_most, c->options->seed, c->finding);
    if (ok) {
        ok = rig_run(c->rig, &inputs, GUARD_LEFT, c->finding) && examine_judge(&e, c->rig, NULL, c->finding);
        examine_close(&e);
    }
    tensors_close(&inputs);
    return ok;
}

/* ---- one problem ---- */

static void examine_problem(const struct examinee *c)
{
    const union problem *const problem = &c->rig->problem;
    const int64_t work = work_of(problem);
    if (!check_integers(c))
        return;
    if (c->sample_most == 0 && work <= IDENTITY_WORK && !identity_check(c->rig, &c->oracle, c->options->seed, c->finding))
        return;
    if (!check_uniform(c))
        return;
    if (problem_family(problem) == FAMILY_BN && !check_pattern(c, FILL_LARGE_MEAN))
        return;
    if (c->sample_most == 0 && work <= TIER_2_WORK)
        adversarial_check(c->rig, &c->oracle, &c->tolerance, c->options->seed, c->finding);
}

static uint64_t sample_size(const struct examinee *c, int64_t full_work)
{
    const double affordable = 4 * (double)full_work / c->tolerance.terms;
    return (uint64_t)fmin(SAMPLE_MOST, fmax(SAMPLE_LEAST, affordable));
}

static void examine_twin(const struct examinee *c);

/* Opens a plan, notes what it says in `record` (unless NULL), examines it whole, or its twin and samples of it. */
static void examine_plan(const struct verify_subject *subject, const union problem *problem, const struct verify_options *options,
                         bool sampled, struct record *record, struct measures *measures, struct finding *finding)
{
    struct rig rig;
    struct examinee c = {.subject = subject, .options = options, .rig = &rig, .measures = measures, .finding = finding};
    c.oracle = (struct oracle){subject->referee, subject->host};
    const bool opened = rig_open(&rig, subject, problem, options->mem_limit_bytes, finding);
    if (record && rig.info.algorithm[0]) {
        snprintf(record->algorithm, sizeof record->algorithm, "%.*s", (int)sizeof rig.info.algorithm - 1, rig.info.algorithm);
        tolerance_numerics_name(&rig.info.numerics, record->numerics, sizeof record->numerics);
        snprintf(record->accuracy_class, sizeof record->accuracy_class, "%s", accuracy_class(problem, &rig.info.numerics));
        record->workspace_bytes = (int64_t)rig.info.workspace_bytes;
        record->prepared_bytes = (int64_t)rig.info.prepared_bytes;
    }
    if (!opened)
        return;
    if (tolerance_of(problem, &rig.info.numerics, &c.tolerance, finding)) {
        c.sample_most = sampled ? sample_size(&c, full_work_of(options)) : 0;
        if (sampled)
            examine_twin(&c);
        if (finding_open(finding))
            examine_problem(&c);
    }
    rig_close(&rig, finding);
}

/* The small problem of the same kind; a plan that cannot have it is examined by its samples alone. */
static void examine_twin(const struct examinee *c)
{
    union problem twin;
    struct measures measures = {0};
    struct finding found = finding_none();
    char text[PROBLEM_TEXT_BYTES];
    if (!twin_of(&c->rig->problem, &c->rig->info.numerics, &twin) || work_of(&twin) > full_work_of(c->options))
        return;
    examine_plan(c->subject, &twin, c->options, false, NULL, &measures, &found);
    if (found.verdict == VERDICT_PASS || found.verdict == VERDICT_UNSUPPORTED || found.verdict == VERDICT_SKIPPED)
        return;
    problem_print(&twin, text, sizeof text);
    finding_set(c->finding, found.verdict, "in the twin %s: %s", text, found.reason);
}

static void put_measures(struct record *record, const struct measures *measures)
{
    record->error_in_bounds = measures->error_in_bounds;
    record->l2_rel = measures->l2_rel;
    record->max_rel = measures->max_rel;
    record->backward_error = measures->backward_error;
}

enum verdict verify_run(const struct verify_subject *subject, const union problem *problem, const struct verify_options *options,
                        struct record *record)
{
    struct measures measures = {.error_in_bounds = NAN, .l2_rel = NAN, .max_rel = NAN, .backward_error = NAN};
    struct finding finding = finding_none();
    const bool large = work_of(problem) > full_work_of(options);
    guard_note_objects();
    record->algorithm[0] = record->numerics[0] = record->accuracy_class[0] = '\0';
    record->workspace_bytes = record->prepared_bytes = INT64_MIN;
    examine_plan(subject, problem, options, large, record, &measures, &finding);
    put_measures(record, &measures);
    snprintf(record->verdict, sizeof record->verdict, "%s", verdict_name(finding.verdict));
    snprintf(record->reason, sizeof record->reason, "%s", finding.reason);
    return finding.verdict;
}
