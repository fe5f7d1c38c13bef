#include "cli/duel.h"
#include "cli/commands.h"
#include "cli/peak.h"
#include "core/signtest.h"
#include <convoy/plugin.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The runners in the order of report/diff.h: which build, which of its two workers, and their role in the sample file. */
static const struct {
    size_t side, copy;
    const char *role;
} runners[DIFF_RUNNERS] = {[DIFF_OLD] = {0, 0, "old"},
                           [DIFF_OLD_TWIN] = {0, 1, "old-twin"},
                           [DIFF_NEW] = {1, 0, "new"},
                           [DIFF_NEW_TWIN] = {1, 1, "new-twin"}};

static bool passes(const struct record *record, const struct options *options)
{
    const enum verdict verdict = verdict_by_name(record->verdict);
    return verdict == VERDICT_PASS || (verdict == VERDICT_MARGINAL && !options->strict);
}

static bool is_declined(const struct record *record)
{
    const enum verdict verdict = verdict_by_name(record->verdict);
    return verdict == VERDICT_UNSUPPORTED || verdict == VERDICT_SKIPPED;
}

static void verify_side(struct builds *builds, size_t side, const struct journal *journal, const struct options *options,
                        struct record *record)
{
    const struct candidate *candidate = &builds->build[side].candidate[0];
    snprintf(record->backend, sizeof record->backend, "%s", candidate->backend->entry->name);
    snprintf(record->variant, sizeof record->variant, "%s", candidate->variant);
    snprintf(record->plugin_hash, sizeof record->plugin_hash, "%s", candidate->backend->entry->hash);
    snprintf(record->plugin_version, sizeof record->plugin_version, "%s", candidate->backend->version);
    const struct record *known = journal_find_problem(journal, record);
    if (known)
        verify_take(record, known);
    else
        verify_case(candidate, options, record);
    session_pause(&candidate->backend->session);
}

static void explain(struct record *record, const char *verdict, const char *side, const char *cause, const char *reason)
{
    char text[sizeof record->reason];
    snprintf(text, sizeof text, "%s", reason); /* may be the record's own */
    snprintf(record->verdict, sizeof record->verdict, "%s", verdict);
    snprintf(record->reason, sizeof record->reason, "the %s build: %.40s%s%.250s", side, cause, *text ? ": " : "", text);
}

/* Correctness of exactly these builds on this shape comes first. False: nothing to time, and the record says why. */
static bool admit(struct duel *duel, struct builds *builds, const struct journal *journal, const struct options *options)
{
    struct record *old = &duel->old;
    *old = duel->record;
    verify_side(builds, 0, journal, options, old);
    verify_side(builds, 1, journal, options, &duel->record);
    snprintf(duel->record.baseline_hash, sizeof duel->record.baseline_hash, "%s", old->plugin_hash);
    struct record *new = &duel->record;
    const bool old_passes = passes(old, options), new_passes = passes(new, options);
    if (!new_passes && !is_declined(new)) {
        duel->lost = true;
        return false;
    }
    if (is_declined(new)) {
        duel->declined = old_passes;
        if (old_passes)
            explain(new, diff_verdict_name(DIFF_REGRESSED), "new", "declines what the old one does", new->reason);
        return false;
    }
    if (is_declined(old)) {
        explain(new, verdict_name(VERDICT_SKIPPED), "old", "declines what the new one does", old->reason);
        return false;
    }
    if (!old_passes) {
        explain(new, diff_verdict_name(DIFF_INCONCLUSIVE), "old", old->verdict, old->reason);
        return false;
    }
    return true;
}

/* Half the sum of the two pairs' log ratios, as report/diff.c has it. */
static size_t effects(const struct entrant *entrant, double *effect, bool *undisturbed)
{
    enum { MOST = RACE_DISCARDED + RACE_MOST_ROUNDS };
    double ns[DIFF_RUNNERS][MOST];
    const struct entrant *const all[] = {&entrant[0], &entrant[1], &entrant[2], &entrant[3]};
    double *const series[] = {ns[0], ns[1], ns[2], ns[3]};
    const size_t count = race_common(all, DIFF_RUNNERS, RACE_MIN, series, undisturbed);
    for (size_t at = 0; at < count; at++)
        effect[at] = (log(ns[DIFF_NEW][at] / ns[DIFF_OLD][at]) + log(ns[DIFF_NEW_TWIN][at] / ns[DIFF_OLD_TWIN][at])) / 2;
    return count;
}

bool duel_decided(const struct race_rules *rules, const struct entrant *entrant, size_t entrants)
{
    double effect[RACE_DISCARDED + RACE_MOST_ROUNDS];
    bool undisturbed;
    for (size_t e = 0; e < entrants; e++) {
        if (!entrant[e].racing)
            return true; /* there will be no common round any more */
    }
    const size_t count = effects(entrant, effect, &undisturbed);
    if (!undisturbed || count < RACE_LEAST_ROUNDS)
        return false;
    const struct signtest_interval interval = signtest_interval(effect, count, 0.95);
    return (interval.low > -rules->margin && interval.high < rules->margin) || interval.low > rules->margin ||
           interval.high < -rules->margin;
}

/* A time faster than the machine is no time. */
static bool believable(struct entrant *entrant, const struct options *options, const union problem *problem, double *peak_gflops)
{
    if (!race_summarise(entrant) || problem_family(problem) != FAMILY_CONV || *peak_gflops <= 0)
        return entrant->racing;
    entrant->record.gflops = (double)problem_flops(problem) / (double)entrant->record.median_ns;
    peak_judge(&entrant->record, options, &problem->conv, peak_gflops);
    return passes(&entrant->record, options);
}

static convoy_status keep_rounds(struct duel *duel, const struct entrant *entrant, struct convoy_error *err)
{
    const struct entrant *all[DIFF_RUNNERS];
    for (size_t runner = 0; runner < DIFF_RUNNERS; runner++) {
        all[runner] = &entrant[runner];
        duel->ns[runner] = calloc(entrant[runner].samples, sizeof *duel->ns[runner]);
        if (!duel->ns[runner])
            return convoy_fail(err, CONVOY_NO_MEMORY, CONVOY_WHY_MEMORY, "out of memory for the times of a case");
    }
    bool undisturbed;
    duel->rounds = race_common(all, DIFF_RUNNERS, RACE_MIN, duel->ns, &undisturbed);
    duel->timed = duel->rounds > 0;
    return CONVOY_OK;
}

convoy_status duel_run(struct duel *duel, struct builds *builds, struct journal *journal, const struct options *options,
                       const struct race_rules *rules, double *peak_gflops, struct convoy_error *err)
{
    struct entrant entrant[DIFF_RUNNERS] = {0};
    convoy_status status = CONVOY_OK;
    if (!duel->admitted && !admit(duel, builds, journal, options))
        return CONVOY_OK;
    duel->admitted = true;
    for (size_t runner = 0; runner < DIFF_RUNNERS; runner++) {
        struct build *build = &builds->build[runners[runner].side];
        entrant[runner] = (struct entrant){.candidate = &build->candidate[runners[runner].copy],
                                           .record = runners[runner].side ? duel->record : duel->old,
                                           .role = runners[runner].role};
        race_enter(&entrant[runner], options, rules);
    }
    if (!race_reserve(entrant, DIFF_RUNNERS, rules))
        return convoy_fail(err, CONVOY_NO_MEMORY, CONVOY_WHY_MEMORY, "out of memory for the samples");
    race_run(entrant, DIFF_RUNNERS, options, rules);
    if (command_interrupted())
        goto out;
    for (size_t runner = 0; runner < DIFF_RUNNERS && status == CONVOY_OK && journal->samples; runner++)
        status = samples_append(journal->samples, &entrant[runner].record, entrant[runner].role, entrant[runner].sample,
                                entrant[runner].samples, err);
    for (size_t runner = DIFF_RUNNERS; runner-- > 0;) {
        if (believable(&entrant[runner], options, &duel->row->problem, peak_gflops))
            continue;
        const bool is_new = runners[runner].side == 1;
        duel->lost = duel->lost || is_new;
        explain(&duel->record, is_new ? entrant[runner].record.verdict : diff_verdict_name(DIFF_INCONCLUSIVE),
                is_new ? "new" : "old", entrant[runner].record.verdict, entrant[runner].record.reason);
        goto out;
    }
    if (status == CONVOY_OK)
        status = keep_rounds(duel, entrant, err);
    const struct record identity = duel->record;
    duel->record = entrant[DIFF_NEW].record;
    memcpy(duel->record.baseline_hash, identity.baseline_hash, sizeof duel->record.baseline_hash);
out:
    race_free(entrant, DIFF_RUNNERS);
    return status;
}

void duel_free(struct duel *duel)
{
    for (size_t runner = 0; runner < DIFF_RUNNERS; runner++) {
        free(duel->ns[runner]);
        duel->ns[runner] = NULL;
    }
    duel->rounds = 0;
    duel->timed = false;
}
