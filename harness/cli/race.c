#include "cli/race.h"
#include "bench/order.h"
#include "bench/stats.h"
#include "cli/commands.h"
#include "core/error.h"
#include "core/signtest.h"
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_ROUNDS = 1000, MAX_ENTRANTS = 256 };

static void lost(struct entrant *entrant, const struct session_end *end)
{
    snprintf(entrant->record.verdict, sizeof entrant->record.verdict, "%s", verdict_name(end->verdict));
    snprintf(entrant->record.reason, sizeof entrant->record.reason, "%s", end->reason);
    entrant->racing = false;
}

/* Sends a request; splits an "ok" answer into field[0..want-1]; anything else takes the entrant out with its reason. */
static bool ask(struct entrant *entrant, const struct options *options, const char *request, char **field, size_t want)
{
    struct session *session = &entrant->candidate->backend->session;
    struct session_end end;
    if (session_call(session, request, options->timeout_s, &end) == SESSION_ENDED) {
        lost(entrant, &end);
        return false;
    }
    const size_t fields = session_split(session->line, field, want);
    session_pause(session);
    if (fields == want && !strcmp(field[0], "ok"))
        return true;
    end = (struct session_end){.verdict = fields >= 2 && !strcmp(field[1], status_name(CONVOY_UNSUPPORTED)) ? VERDICT_SKIPPED
                                                                                                            : VERDICT_CONTRACT};
    snprintf(end.reason, sizeof end.reason, "%s", fields >= 3 ? field[2] : "the worker's answer makes no sense");
    lost(entrant, &end);
    return false;
}

struct race_rules race_rules_of(const struct options *options, int64_t last_cache_bytes)
{
    struct race_rules rules = {
        .discarded = RACE_DISCARDED, .least = RACE_LEAST_ROUNDS, .most = RACE_MOST_ROUNDS, .min_batch_ns = RACE_MIN_BATCH_NS};
    if (options->rounds) {
        rules.least = rules.most = options->rounds < MAX_ROUNDS ? options->rounds : MAX_ROUNDS;
        rules.discarded = options->rounds < RACE_LEAST_ROUNDS ? 0 : RACE_DISCARDED;
    }
    if (options->cold)
        rules.cold_bytes = 3 * (uint64_t)(last_cache_bytes > 0 ? last_cache_bytes : INT64_C(64) << 20);
    return rules;
}

bool race_reserve(struct entrant *entrant, size_t entrants, const struct race_rules *rules)
{
    bool all = entrants <= MAX_ENTRANTS;
    for (size_t e = 0; e < entrants && all; e++) {
        entrant[e].samples = (size_t)(rules->discarded + rules->most);
        entrant[e].discarded = (size_t)rules->discarded;
        entrant[e].sample = calloc(entrant[e].samples, sizeof *entrant[e].sample);
        all = entrant[e].sample != NULL;
    }
    if (!all)
        race_free(entrant, entrants);
    return all;
}

void race_free(struct entrant *entrant, size_t entrants)
{
    for (size_t e = 0; e < entrants; e++) {
        free(entrant[e].sample);
        entrant[e].sample = NULL;
    }
}

void race_enter(struct entrant *entrant, const struct options *options, const struct race_rules *rules)
{
    char request[1024], *field[15];
    snprintf(request, sizeof request, "open\t%s\t%" PRId64 "\t%" PRId64 "\t%" PRId64 "\t%" PRIu64 "\t%" PRIu64 "\t%s",
             entrant->candidate->variant, entrant->record.threads, options->seed, rules->min_batch_ns, rules->cold_bytes,
             options->mem_limit_bytes, entrant->record.problem);
    entrant->racing = true;
    if (!ask(entrant, options, request, field, 15))
        return;
    snprintf(entrant->id, sizeof entrant->id, "%s", field[1]);
    entrant->record.plan_ns = strtoll(field[2], NULL, 10);
    entrant->record.prepare_ns = strtoll(field[3], NULL, 10);
    entrant->record.iterations = strtoll(field[4], NULL, 10);
    entrant->record.workspace_bytes = strtoll(field[5], NULL, 10);
    entrant->record.prepared_bytes = strtoll(field[6], NULL, 10);
    snprintf(entrant->record.algorithm, sizeof entrant->record.algorithm, "%s", field[7]);
    snprintf(entrant->record.accuracy_class, sizeof entrant->record.accuracy_class, "%s", field[8]);
    snprintf(entrant->record.deterministic, sizeof entrant->record.deterministic, "%s", field[9]);
    snprintf(entrant->record.domain, sizeof entrant->record.domain, "%s", field[10]);
    entrant->record.upload_ns = strtoll(field[11], NULL, 10);
    entrant->record.download_ns = strtoll(field[12], NULL, 10);
    entrant->record.launch_ns = strtoll(field[13], NULL, 10);
    entrant->record.queued_ns = strtoll(field[14], NULL, 10);
}

static void run_batch(struct entrant *entrant, const struct options *options, struct sample *sample)
{
    char request[64], *field[12];
    snprintf(request, sizeof request, "batch\t%s", entrant->id);
    if (!ask(entrant, options, request, field, 12))
        return;
    sample->measured = true;
    sample->mean_ns = strtod(field[1], NULL);
    sample->min_ns = strtod(field[2], NULL);
    sample->wall_ns = strtoll(field[3], NULL, 10);
    sample->cpu_ns = strtoll(field[4], NULL, 10);
    sample->waited_ns = strtoll(field[5], NULL, 10);
    sample->voluntary = strtoll(field[6], NULL, 10);
    sample->involuntary = strtoll(field[7], NULL, 10);
    sample->stolen_ns = strtoll(field[8], NULL, 10);
    sample->load = strtod(field[9], NULL);
    sample->mhz = strtoll(field[10], NULL, 10);
    sample->disturbed = !strcmp(field[11], "1");
    entrant->spent_ns += (int64_t)(sample->mean_ns * (double)entrant->record.iterations);
}

double race_glance(struct entrant *entrant, const struct options *options, const struct race_rules *rules)
{
    struct sample sample = {0};
    char request[64], *field[1];
    race_enter(entrant, options, rules);
    if (entrant->racing)
        run_batch(entrant, options, &sample);
    snprintf(request, sizeof request, "close\t%s", entrant->id);
    if (entrant->racing)
        ask(entrant, options, request, field, 1);
    return entrant->racing && sample.measured ? sample.min_ns : (double)NAN;
}

/* Equal batches: the largest iteration count that one of them needs. */
static void level(struct entrant *entrant, size_t entrants, const struct options *options)
{
    int64_t most = 1;
    for (size_t e = 0; e < entrants; e++) {
        if (entrant[e].racing && entrant[e].record.iterations > most)
            most = entrant[e].record.iterations;
    }
    for (size_t e = 0; e < entrants; e++) {
        char request[64], *field[1];
        if (!entrant[e].racing || entrant[e].record.iterations == most)
            continue;
        snprintf(request, sizeof request, "iterations\t%s\t%" PRId64, entrant[e].id, most);
        if (ask(&entrant[e], options, request, field, 1))
            entrant[e].record.iterations = most;
    }
}

/* Asked after the last round: profiling must not disturb what is timed. */
static void ask_phases(struct entrant *entrant, const struct options *options)
{
    char request[64], *field[3];
    snprintf(request, sizeof request, "phases\t%s", entrant->id);
    if (!ask(entrant, options, request, field, 3) || !strcmp(field[1], "-"))
        return;
    snprintf(entrant->record.phases, sizeof entrant->record.phases, "%s", field[1]);
    entrant->record.without_moves_ns = strtoll(field[2], NULL, 10);
}

/* A batch that is as long as all discarded rounds are meant to be warms up by itself. */
static bool needs_warming(const struct entrant *entrant, int64_t round, int64_t budget_ns)
{
    return round >= 0 || entrant->spent_ns < budget_ns / 16;
}

void race_run(struct entrant *entrant, size_t entrants, const struct options *options, const struct race_rules *rules)
{
    const int64_t budget_ns = (int64_t)(options->budget_s * 1e9);
    size_t order[MAX_ENTRANTS];
    if (rules->equal_batches)
        level(entrant, entrants, options);
    for (int64_t round = -rules->discarded; round < rules->most && !command_interrupted(); round++) {
        bool any = false;
        order_round(entrants, round + rules->discarded, (uint64_t)options->seed, order);
        for (size_t place = 0; place < entrants; place++) {
            struct entrant *next = &entrant[order[place]];
            struct sample *sample = &next->sample[round + rules->discarded];
            if (!next->racing || (round > 0 && next->spent_ns >= budget_ns) || !needs_warming(next, round, budget_ns))
                continue;
            any = true;
            *sample = (struct sample){.round = round, .place = (int64_t)place};
            run_batch(next, options, sample);
        }
        if (round + 1 >= rules->least && (!any || (rules->decided && rules->decided(rules, entrant, entrants))))
            break;
    }
    for (size_t e = 0; e < entrants; e++) {
        char request[64], *field[1];
        snprintf(request, sizeof request, "check\t%s", entrant[e].id);
        if (!entrant[e].racing || command_interrupted())
            continue;
        const bool right = ask(&entrant[e], options, request, field, 1);
        if (!right && verdict_by_name(entrant[e].record.verdict) == VERDICT_CONTRACT) /* a time, but not of this work */
            snprintf(entrant[e].record.verdict, sizeof entrant[e].record.verdict, "%s", verdict_name(VERDICT_INVALID_PERF));
        if (right && rules->phases)
            ask_phases(&entrant[e], options);
        snprintf(request, sizeof request, "close\t%s", entrant[e].id);
        if (right)
            ask(&entrant[e], options, request, field, 1);
    }
}

/* Kept samples of an entrant into ns; returns how many. */
static size_t kept_means(const struct entrant *entrant, int64_t *ns, int64_t *least_ns, int64_t *disturbed)
{
    size_t count = 0;
    double least = INFINITY;
    *disturbed = 0;
    for (size_t s = entrant->discarded; s < entrant->samples; s++) {
        const struct sample *sample = &entrant->sample[s];
        if (!sample->measured)
            continue;
        ns[count++] = (int64_t)(sample->mean_ns + 0.5);
        *disturbed += sample->disturbed;
        least = sample->min_ns < least ? sample->min_ns : least;
    }
    *least_ns = count && least >= 1 ? (int64_t)least : 1;
    return count;
}

/* The processor time that the batches took over their wall time, the median; above the threads that the plugin was given it runs
 * more. */
static void note_extra_threads(struct entrant *entrant)
{
    double busy[MAX_ROUNDS + RACE_DISCARDED];
    size_t count = 0;
    for (size_t s = entrant->discarded; s < entrant->samples; s++) {
        if (entrant->sample[s].measured && entrant->sample[s].wall_ns > 0)
            busy[count++] = (double)entrant->sample[s].cpu_ns / (double)entrant->sample[s].wall_ns;
    }
    const double lanes = count ? signtest_interval(busy, count, 0.95).median : 0;
    struct record *record = &entrant->record;
    if (lanes > 1.2 * (double)record->threads && strcmp(entrant->candidate->backend->threading, "device") && !*record->reason)
        snprintf(record->reason, sizeof record->reason, "kept %.1f processors busy with %" PRId64 " thread%s given", lanes,
                 record->threads, record->threads == 1 ? "" : "s");
}

bool race_summarise(struct entrant *entrant)
{
    struct record *record = &entrant->record;
    if (!entrant->racing)
        return false;
    int64_t ns[MAX_ROUNDS + RACE_DISCARDED];
    double mean[MAX_ROUNDS + RACE_DISCARDED];
    const size_t count = kept_means(entrant, ns, &record->min_ns, &record->disturbed);
    if (!count) {
        record->min_ns = record->disturbed = INT64_MIN;
        return false;
    }
    for (size_t s = 0; s < count; s++)
        mean[s] = (double)ns[s];
    const struct signtest_interval interval = signtest_interval(mean, count, 0.95); /* sorts mean */
    record->rounds = (int64_t)count;
    record->median_ns = stats_median(ns, count);
    record->mad_ns = stats_mad(ns, count);
    if (isfinite(interval.low)) {
        record->low_ns = (int64_t)interval.low;
        record->high_ns = (int64_t)interval.high;
    }
    note_extra_threads(entrant);
    record->p5_ns = (int64_t)mean[(size_t)(0.05 * (double)(count - 1) + 0.5)];
    record->p95_ns = (int64_t)mean[(size_t)(0.95 * (double)(count - 1) + 0.5)];
    return true;
}

static size_t collect(const struct entrant *const *entrant, size_t entrants, enum race_statistic statistic, bool undisturbed_only,
                      double *const *ns)
{
    size_t count = 0;
    for (size_t s = entrant[0]->discarded; s < entrant[0]->samples; s++) {
        bool good = true;
        for (size_t e = 0; e < entrants && good; e++)
            good = entrant[e]->sample[s].measured && !(undisturbed_only && entrant[e]->sample[s].disturbed);
        if (!good)
            continue;
        for (size_t e = 0; e < entrants; e++) {
            const struct sample *sample = &entrant[e]->sample[s];
            const double time_ns = statistic == RACE_MIN ? sample->min_ns : sample->mean_ns;
            ns[e][count] = time_ns > 0 ? time_ns : 1e-3; /* below the clock's step */
        }
        count++;
    }
    return count;
}

size_t race_common(const struct entrant *const *entrant, size_t entrants, enum race_statistic statistic, double *const *ns,
                   bool *undisturbed)
{
    const size_t count = collect(entrant, entrants, statistic, true, ns);
    *undisturbed = count >= RACE_LEAST_UNDISTURBED;
    return *undisturbed ? count : collect(entrant, entrants, statistic, false, ns);
}

size_t race_log_ratios(const struct entrant *a, const struct entrant *b, enum race_statistic statistic, double *ratio)
{
    double first[MAX_ROUNDS + RACE_DISCARDED], second[MAX_ROUNDS + RACE_DISCARDED];
    const struct entrant *const pair[] = {a, b};
    double *const ns[] = {first, second};
    bool undisturbed;
    const size_t count = race_common(pair, 2, statistic, ns, &undisturbed);
    for (size_t at = 0; at < count; at++)
        ratio[at] = log(second[at] / first[at]);
    return count;
}
