#include "cli/commands.h"
#include "cli/progress.h"
#include "cli/run.h"
#include "core/error.h"
#include "report/junit.h"
#include "report/matrix.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void set_verdict(struct record *record, enum verdict verdict, const char *reason)
{
    snprintf(record->verdict, sizeof record->verdict, "%s", verdict_name(verdict));
    snprintf(record->reason, sizeof record->reason, "%s", reason);
}

void verify_take(struct record *record, const struct record *answer)
{
    memcpy(record->verdict, answer->verdict, sizeof record->verdict);
    memcpy(record->reason, answer->reason, sizeof record->reason);
    memcpy(record->algorithm, answer->algorithm, sizeof record->algorithm);
    memcpy(record->numerics, answer->numerics, sizeof record->numerics);
    memcpy(record->accuracy_class, answer->accuracy_class, sizeof record->accuracy_class);
    record->error_in_bounds = answer->error_in_bounds;
    record->l2_rel = answer->l2_rel;
    record->max_rel = answer->max_rel;
    record->backward_error = answer->backward_error;
    record->workspace_bytes = answer->workspace_bytes;
    record->prepared_bytes = answer->prepared_bytes;
}

void verify_case(const struct candidate *candidate, const struct options *options, struct record *record)
{
    char request[1024];
    snprintf(request, sizeof request, "verify\t%s\t%" PRId64 "\t%" PRId64 "\t%" PRIu64 "\t%" PRId64 "\t%d\t%s",
             candidate->variant, record->threads, options->seed, options->mem_limit_bytes, options->full_macs, options->strict,
             record->problem);
    struct session *session = &candidate->backend->session;
    struct session_end end;
    enum session_outcome outcome = session_call(session, request, options->timeout_s, &end);
    if (outcome == SESSION_ENDED && end.killed_from_outside)
        outcome = session_call(session, request, options->timeout_s, &end);
    if (outcome == SESSION_ENDED) {
        set_verdict(record, end.verdict, end.reason);
        return;
    }
    struct record answer;
    if (!strncmp(session->line, "record\t", 7) && record_decode(session->line + 7, &answer)) {
        verify_take(record, &answer);
        return;
    }
    char *field[3];
    const size_t fields = session_split(session->line, field, 3);
    set_verdict(record, VERDICT_CONTRACT, fields == 3 ? field[2] : "the worker's answer makes no sense");
}

static void print_failure(const struct record *record)
{
    printf("%s%s%s %s%s%s %s", colour_bad(), record->verdict, colour_off(), record->backend, record->variant[0] ? ":" : "",
           record->variant, record->problem);
    if (record->network[0])
        printf(" (%s %s)", record->network, record->layer);
    printf("\n    %s\n    %s\n", record->reason, record->repro);
}

struct tally {
    size_t verdict[VERDICT_COUNT], failures;
};

static void count(struct tally *tally, const struct record *record, bool strict)
{
    const enum verdict verdict = verdict_by_name(record->verdict);
    tally->verdict[verdict < VERDICT_COUNT ? verdict : VERDICT_FAIL]++;
    tally->failures += verdict_is_failure(verdict, strict);
}

static void print_tally(const struct tally *tally, size_t rows)
{
    printf("%zu rows:", rows);
    for (int v = 0; v < VERDICT_COUNT; v++) {
        if (tally->verdict[v])
            printf(" %zu %s", tally->verdict[v], verdict_name((enum verdict)v));
    }
    printf("%s\n", tally->failures ? "" : rows ? "; no failure" : "");
}

static convoy_status verify_row(struct journal *journal, const struct options *options, const struct table_row *row,
                                const struct candidate *candidate, int64_t threads, struct tally *tally,
                                const struct progress *progress, struct convoy_error *err)
{
    struct record record;
    journal_start(journal, options, row, candidate, threads, &record);
    const struct record *earlier = journal_find(journal, &record);
    if (earlier) {
        count(tally, earlier, options->strict);
        return CONVOY_OK;
    }
    const struct record *twin = journal_find_problem(journal, &record);
    if (twin)
        verify_take(&record, twin);
    else
        verify_case(candidate, options, &record);
    count(tally, &record, options->strict);
    if (verdict_is_failure(verdict_by_name(record.verdict), options->strict) && !twin) {
        progress_clear(progress);
        print_failure(&record);
        fflush(stdout);
    }
    return journal_add(journal, &record, err);
}

static convoy_status verify_all(struct journal *journal, const struct options *options, const struct lineup *lineup,
                                const struct table *cases, struct tally *tally, struct convoy_error *err)
{
    const int64_t all_cores[] = {journal->machine.cores};
    const int64_t *threads = options->threads_count ? options->threads : all_cores;
    const size_t threads_count = options->threads_count ? options->threads_count : 1;
    struct progress progress;
    progress_start(&progress, cases->count * lineup->candidates * threads_count, options->quiet);
    convoy_status status = CONVOY_OK;
    for (size_t r = 0; r < cases->count; r++) {
        for (size_t c = 0; c < lineup->candidates; c++) {
            for (size_t t = 0; t < threads_count && status == CONVOY_OK; t++) {
                if (command_interrupted())
                    goto out;
                char problem[PROBLEM_TEXT_BYTES], name[128], current[PROBLEM_TEXT_BYTES + 130];
                problem_print(&cases->row[r].problem, problem, sizeof problem);
                candidate_name(&lineup->candidate[c], name, sizeof name);
                snprintf(current, sizeof current, "%s %s", name, problem);
                progress_show(&progress, current);
                status = verify_row(journal, options, &cases->row[r], &lineup->candidate[c], threads[t], tally, &progress, err);
                progress_step(&progress);
            }
        }
    }
out:
    progress_clear(&progress);
    return status;
}

static enum junit_outcome outcome_lenient(const struct record *record)
{
    const enum verdict verdict = verdict_by_name(record->verdict);
    if (verdict_is_failure(verdict, false))
        return JUNIT_FAILED;
    return verdict == VERDICT_PASS || verdict == VERDICT_MARGINAL ? JUNIT_PASSED : JUNIT_SKIPPED;
}
static enum junit_outcome outcome_strict(const struct record *record)
{
    return verdict_is_failure(verdict_by_name(record->verdict), true) ? JUNIT_FAILED : outcome_lenient(record);
}

int cmd_verify(const struct options *options)
{
    struct convoy_error err = error_none();
    struct tally tally = {0};
    struct run run;
    /* The workers inherit it: OpenMP threads of peers that spin while they wait slow verification down many times on a busy
     * machine. Timing wants them awake, so only here, and a choice of the user's stays. */
    setenv("OMP_WAIT_POLICY", "passive", 0);
    convoy_status status = run_open(&run, "verify", options, (1u << PASS_COUNT) - 1, &err);
    if (status == CONVOY_OK)
        status = verify_all(&run.journal, options, &run.lineup, &run.cases, &tally, &err);
    run.failures = tally.failures;
    const struct journal *journal = &run.journal;
    if (journal->count && !options->quiet) {
        matrix_correctness(stdout, journal->record, journal->count);
        putchar('\n');
    }
    if (journal->count)
        print_tally(&tally, journal->count);
    if (options->junit && journal->count && status == CONVOY_OK)
        status = junit_write(options->junit, journal->record, journal->count, options->strict ? outcome_strict : outcome_lenient,
                             &err);
    return run_close(&run, status, &err);
}
