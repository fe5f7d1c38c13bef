#include "bench/roof.h"
#include "bench/roofline.h"
#include "bench/stats.h"
#include "cli/commands.h"
#include "cli/progress.h"
#include "cli/run.h"
#include "core/error.h"
#include "report/matrix.h"
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One batch lasts at least this long: a thousand times the resolution of the clock and far more than a wake-up. */
#define MIN_BATCH_NS INT64_C(5000000)
enum { MAX_ROUNDS = 1000 };

/* A candidate on one case: its record, its place in the worker and its samples. */
struct entrant {
    const struct candidate *candidate;
    struct record record;
    bool racing;
    char id[24];
    int64_t mean_ns[MAX_ROUNDS], least_ns, spent_ns;
    size_t rounds;
};

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
    if (fields == want && !strcmp(field[0], "ok"))
        return true;
    end = (struct session_end){.verdict = fields >= 2 && !strcmp(field[1], status_name(CONVOY_UNSUPPORTED)) ? VERDICT_SKIPPED
                                                                                                            : VERDICT_CONTRACT};
    snprintf(end.reason, sizeof end.reason, "%s", fields >= 3 ? field[2] : "the worker's answer makes no sense");
    lost(entrant, &end);
    return false;
}

static void open_case(struct entrant *entrant, const struct options *options)
{
    char request[1024], *field[8];
    snprintf(request, sizeof request, "open\t%s\t%" PRId64 "\t%" PRId64 "\t%" PRId64 "\t%" PRIu64 "\t%s",
             entrant->candidate->variant, entrant->record.threads, options->seed, MIN_BATCH_NS, options->mem_limit_bytes,
             entrant->record.problem);
    entrant->racing = true;
    if (!ask(entrant, options, request, field, 8))
        return;
    snprintf(entrant->id, sizeof entrant->id, "%s", field[1]);
    entrant->record.plan_ns = strtoll(field[2], NULL, 10);
    entrant->record.prepare_ns = strtoll(field[3], NULL, 10);
    entrant->record.iterations = strtoll(field[4], NULL, 10);
    entrant->record.workspace_bytes = strtoll(field[5], NULL, 10);
    entrant->record.prepared_bytes = strtoll(field[6], NULL, 10);
    snprintf(entrant->record.algorithm, sizeof entrant->record.algorithm, "%s", field[7]);
    session_pause(&entrant->candidate->backend->session);
}

static void run_batch(struct entrant *entrant, const struct options *options)
{
    char request[64], *field[3];
    snprintf(request, sizeof request, "batch\t%s", entrant->id);
    if (!ask(entrant, options, request, field, 3))
        return;
    session_pause(&entrant->candidate->backend->session);
    const int64_t mean_ns = strtoll(field[1], NULL, 10), least_ns = strtoll(field[2], NULL, 10);
    entrant->mean_ns[entrant->rounds++] = mean_ns;
    if (entrant->rounds == 1 || least_ns < entrant->least_ns)
        entrant->least_ns = least_ns;
    entrant->spent_ns += mean_ns * entrant->record.iterations;
}

/* Every round is one batch of each, forwards and backwards in turn, so that drift falls on all alike. */
static void race(struct entrant *entrant, size_t entrants, const struct options *options)
{
    const int64_t budget_ns = (int64_t)(options->budget_s * 1e9);
    for (int64_t round = 0; round < options->rounds && round < MAX_ROUNDS && !command_interrupted(); round++) {
        for (size_t e = 0; e < entrants; e++) {
            struct entrant *next = &entrant[round % 2 ? entrants - 1 - e : e];
            if (next->racing && (next->rounds == 0 || next->spent_ns < budget_ns))
                run_batch(next, options);
        }
    }
}

/* In a worker of its own, so that the program itself never starts threads. */
static convoy_status probe_peak(const struct options *options, int64_t threads, double *gflops, struct convoy_error *err)
{
    struct session session;
    struct session_end end;
    char request[64], *field[3];
    session_init(&session, "-", "-", options->in_process);
    snprintf(request, sizeof request, "probe\t%" PRId64, threads);
    if (session_call(&session, request, options->timeout_s, &end) == SESSION_ENDED)
        return convoy_fail(err, CONVOY_FAILED, CONVOY_WHY_OTHER, "the peak probe ended: %s", end.reason);
    const size_t fields = session_split(session.line, field, 3);
    const bool ok = fields >= 2 && !strcmp(field[0], "ok");
    *gflops = ok ? strtod(field[1], NULL) : 0;
    session_close(&session);
    return ok ? CONVOY_OK : convoy_fail(err, CONVOY_FAILED, CONVOY_WHY_OTHER, "the peak probe failed");
}

/* As probe_peak. */
static convoy_status probe_bandwidth(const struct options *options, int64_t threads, struct bandwidth *bandwidth,
                                     struct convoy_error *err)
{
    struct session session;
    struct session_end end;
    char request[64], *field[3];
    session_init(&session, "-", "-", options->in_process);
    snprintf(request, sizeof request, "bandwidth\t%" PRId64, threads);
    if (session_call(&session, request, options->timeout_s, &end) == SESSION_ENDED)
        return convoy_fail(err, CONVOY_FAILED, CONVOY_WHY_OTHER, "the bandwidth probe ended: %s", end.reason);
    const size_t fields = session_split(session.line, field, 3);
    const bool ok = fields >= 2 && !strcmp(field[0], "ok") && bandwidth_parse(field[1], bandwidth);
    session_close(&session);
    return ok ? CONVOY_OK : convoy_fail(err, CONVOY_FAILED, CONVOY_WHY_OTHER, "the bandwidth probe failed");
}

static void show_roofs(int64_t threads, double peak_gflops, const struct bandwidth *bandwidth)
{
    fprintf(stderr, "FMA peak with %" PRId64 " thread%s: %.1f GFLOP/s; GB/s of read, write, copy:", threads, threads > 1 ? "s" : "",
            peak_gflops);
    for (int level = 0; level < BANDWIDTH_LEVELS; level++) {
        const double *gbps = bandwidth->gbps[level];
        if (gbps[BANDWIDTH_READ] > 0)
            fprintf(stderr, "%s %s %.0f, %.0f, %.0f", level ? ";" : "", bandwidth_level_name((enum bandwidth_level)level),
                    gbps[BANDWIDTH_READ], fmax(gbps[BANDWIDTH_WRITE], gbps[BANDWIDTH_WRITE_STREAM]),
                    fmax(gbps[BANDWIDTH_COPY], gbps[BANDWIDTH_COPY_STREAM]));
    }
    fputc('\n', stderr);
}

/* How near the row comes to the least time that this machine allows. */
static void judge_roof(struct record *record, const union problem *problem, const struct bandwidth *bandwidth)
{
    const struct roofline roofline = roofline_of(problem, record->peak_gflops, bandwidth);
    if (!(roofline.least_ns > 0))
        return;
    record->pct_roof = 100 * roofline.least_ns / (double)(record->median_ns > 0 ? record->median_ns : 1);
    record->roof_gbps = roofline.gbps;
    snprintf(record->roof, sizeof record->roof, "%s", roofline.limit);
}

/* No kernel is faster than the fewest multiply-adds of its arithmetic at the measured peak: a time below that is of something
 * else. The peak is measured again first, because something may have disturbed it. */
static void judge_time(struct record *record, const struct options *options, const struct convoy_conv *conv, double *peak_gflops)
{
    enum { PROBES = 3 };
    const double slack = 1.25, needed = roof_least_flops(conv, record->numerics) / (double)record->min_ns;
    struct convoy_error err = error_none();
    for (int probe = 0; probe < PROBES && needed > slack * *peak_gflops; probe++) {
        double again = 0;
        if (probe_peak(options, record->threads, &again, &err) == CONVOY_OK && again > *peak_gflops)
            *peak_gflops = again;
    }
    record->peak_gflops = *peak_gflops;
    record->pct_peak = 100 * record->gflops / *peak_gflops;
    if (needed <= slack * *peak_gflops)
        return;
    snprintf(record->verdict, sizeof record->verdict, "%s", verdict_name(VERDICT_INVALID_PERF));
    snprintf(record->reason, sizeof record->reason,
             "%" PRId64 " ns would be %.0f GFLOP/s of operations that the arithmetic %s cannot do without; the peak is %.0f",
             record->min_ns, needed, record->numerics, *peak_gflops);
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

static void finish(struct entrant *entrant, const struct options *options, const union problem *problem, double *peak_gflops,
                   const struct bandwidth *bandwidth)
{
    if (entrant->racing) {
        ask_phases(entrant, options);
        char request[64], *field[1];
        snprintf(request, sizeof request, "close\t%s", entrant->id);
        ask(entrant, options, request, field, 1);
    }
    if (!entrant->racing || !entrant->rounds)
        return;
    struct record *record = &entrant->record;
    record->rounds = (int64_t)entrant->rounds;
    record->median_ns = stats_median(entrant->mean_ns, entrant->rounds);
    record->mad_ns = stats_mad(entrant->mean_ns, entrant->rounds);
    record->min_ns = entrant->least_ns > 0 ? entrant->least_ns : 1;
    record->peak_gflops = *peak_gflops;
    record->gflops = (double)problem_flops(problem) / (double)(record->median_ns > 0 ? record->median_ns : 1);
    if (problem_family(problem) == FAMILY_CONV && *peak_gflops > 0)
        judge_time(record, options, &problem->conv, peak_gflops);
    judge_roof(record, problem, bandwidth);
}

/* Correctness of exactly this build on this shape comes first; only a pass is timed. */
static bool admit(struct journal *journal, const struct options *options, const struct candidate *candidate,
                  struct record *record)
{
    const struct record *known = journal_find_problem(journal, record);
    if (known)
        verify_take(record, known);
    else
        verify_case(candidate, options, record);
    const enum verdict verdict = verdict_by_name(record->verdict);
    session_pause(&candidate->backend->session);
    return verdict == VERDICT_PASS || (verdict == VERDICT_MARGINAL && !options->strict);
}

static convoy_status bench_row(struct journal *journal, const struct options *options, const struct lineup *lineup,
                               const struct table_row *row, int64_t threads, double *peak_gflops,
                               const struct bandwidth *bandwidth, struct entrant *entrant, size_t *failures,
                               struct convoy_error *err)
{
    size_t entrants = 0;
    for (size_t c = 0; c < lineup->candidates; c++) {
        struct entrant *next = &entrant[entrants];
        *next = (struct entrant){.candidate = &lineup->candidate[c]};
        journal_start(journal, options, row, &lineup->candidate[c], threads, &next->record);
        if (journal_find(journal, &next->record))
            continue;
        entrants++;
        if (admit(journal, options, &lineup->candidate[c], &next->record))
            open_case(next, options);
    }
    race(entrant, entrants, options);
    if (command_interrupted())
        return CONVOY_OK; /* a case cut short is measured again by --resume */
    for (size_t e = 0; e < entrants; e++) {
        finish(&entrant[e], options, &row->problem, peak_gflops, bandwidth);
        *failures += verdict_is_failure(verdict_by_name(entrant[e].record.verdict), options->strict);
        const convoy_status status = journal_add(journal, &entrant[e].record, err);
        if (status != CONVOY_OK)
            return status;
    }
    return CONVOY_OK;
}

static convoy_status bench_all(struct journal *journal, const struct options *options, const struct lineup *lineup,
                               const struct table *cases, size_t *failures, struct convoy_error *err)
{
    const int64_t usual[] = {1, journal->machine.cores};
    const int64_t *threads = options->threads_count ? options->threads : usual;
    const size_t threads_count = options->threads_count ? options->threads_count : journal->machine.cores > 1 ? 2 : 1;
    struct entrant *entrant = calloc(lineup->candidates, sizeof *entrant);
    if (!entrant)
        return convoy_fail(err, CONVOY_NO_MEMORY, CONVOY_WHY_MEMORY, "out of memory");
    struct progress progress;
    progress_start(&progress, cases->count * threads_count, options->quiet);
    convoy_status status = CONVOY_OK;
    for (size_t t = 0; t < threads_count && status == CONVOY_OK; t++) {
        double peak_gflops = 0;
        struct bandwidth bandwidth;
        status = probe_peak(options, threads[t], &peak_gflops, err);
        if (status == CONVOY_OK)
            status = probe_bandwidth(options, threads[t], &bandwidth, err);
        if (status == CONVOY_OK && !options->quiet) {
            progress_clear(&progress);
            show_roofs(threads[t], peak_gflops, &bandwidth);
        }
        for (size_t r = 0; r < cases->count && status == CONVOY_OK && !command_interrupted(); r++) {
            char problem[PROBLEM_TEXT_BYTES];
            problem_print(&cases->row[r].problem, problem, sizeof problem);
            progress_show(&progress, problem);
            status = bench_row(journal, options, lineup, &cases->row[r], threads[t], &peak_gflops, &bandwidth, entrant, failures,
                               err);
            progress_step(&progress);
        }
    }
    progress_clear(&progress);
    free(entrant);
    return status;
}

int cmd_bench(const struct options *options)
{
    struct convoy_error err = error_none();
    struct run run;
    convoy_status status = run_open(&run, "bench", options, 1u << PASS_FWD, &err);
    if (status == CONVOY_OK)
        status = bench_all(&run.journal, options, &run.lineup, &run.cases, &run.failures, &err);
    const struct journal *journal = &run.journal;
    if (journal->count && !options->quiet) {
        matrix_winners(stdout, journal->record, journal->count);
        putchar('\n');
        matrix_totals(stdout, journal->record, journal->count);
    }
    if (journal->count)
        printf("%zu rows, %zu of them failures without a valid time\n", journal->count, run.failures);
    return run_close(&run, status, &err);
}
