#include "bench/stats.h"
#include "cli/commands.h"
#include "cli/peak.h"
#include "cli/progress.h"
#include "cli/race.h"
#include "cli/run.h"
#include "core/error.h"
#include "core/signtest.h"
#include "report/devices.h"
#include "report/matrix.h"
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A lead below this is a tie; a race whose interval is narrower need not go on. */
#define TIE 0.01

/* What a run of bench carries along besides its journal. */
struct course {
    struct race_rules rules;
    struct entrant *entrant;  /* one per candidate, and the control                              */
    struct backend *twin;     /* [lineup.backends] second workers of the same files, for the control */
    struct candidate control; /* of the case in hand                                              */
    double *noise;            /* absolute log ratio of the A/A control, case by case               */
    size_t noises;
    double peak_gflops;
    struct bandwidth bandwidth;
};

/* Whether the interval of the two fastest tells them apart or calls them a tie; one alone must know its own median as well. */
static bool lead_is_clear(const struct race_rules *rules, const struct entrant *entrant, size_t entrants)
{
    const struct entrant *fastest = NULL, *second = NULL;
    double best_ns = INFINITY, next_ns = INFINITY, ratio[RACE_DISCARDED + RACE_MOST_ROUNDS];
    for (size_t e = 0; e < entrants; e++) {
        const struct entrant *const self[] = {&entrant[e]};
        double *const ns[] = {ratio};
        bool undisturbed;
        const size_t count = entrant[e].racing ? race_common(self, 1, RACE_MEAN, ns, &undisturbed) : 0;
        if (!count || !strcmp(entrant[e].role, "control"))
            continue;
        const double median_ns = signtest_interval(ratio, count, 0.95).median;
        if (median_ns < best_ns) {
            second = fastest, next_ns = best_ns;
            fastest = &entrant[e], best_ns = median_ns;
        } else if (median_ns < next_ns) {
            second = &entrant[e], next_ns = median_ns;
        }
    }
    if (!fastest)
        return true;
    size_t count;
    if (second) {
        count = race_log_ratios(fastest, second, RACE_MEAN, ratio);
    } else {
        const struct entrant *const self[] = {fastest};
        double *const ns[] = {ratio};
        bool undisturbed;
        count = race_common(self, 1, RACE_MEAN, ns, &undisturbed);
        for (size_t at = 0; at < count; at++)
            ratio[at] = log(ratio[at] / best_ns);
    }
    if (!count)
        return true; /* the runner-up is so slow that its budget ended before a common round */
    const struct signtest_interval interval = signtest_interval(ratio, count, 0.95);
    return interval.low > 0 || interval.high < 0 || (interval.low > -rules->margin && interval.high < rules->margin);
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

static void finish(struct entrant *entrant, const struct options *options, const union problem *problem, struct course *course)
{
    double *peak_gflops = &course->peak_gflops;
    struct record *record = &entrant->record;
    if (!race_summarise(entrant))
        return;
    record->peak_gflops = *peak_gflops;
    record->gflops = (double)problem_flops(problem) / (double)(record->median_ns > 0 ? record->median_ns : 1);
    if (problem_family(problem) == FAMILY_CONV && *peak_gflops > 0)
        peak_judge(record, options, &problem->conv, peak_gflops);
    peak_judge_roof(record, problem, &course->bandwidth);
}

/* The A/A control: the first racing candidate once more, in a worker of its own. */
static size_t add_control(struct course *course, const struct options *options, const struct lineup *lineup, size_t entrants)
{
    for (size_t e = 0; e < entrants; e++) {
        const struct entrant *model = &course->entrant[e];
        if (!model->racing)
            continue;
        const struct backend *backend = model->candidate->backend;
        struct backend *twin = &course->twin[backend - lineup->backend];
        if (!twin->entry) {
            twin->entry = backend->entry;
            session_init(&twin->session, backend->entry->path, lineup->referee, options->in_process);
        }
        course->control = (struct candidate){twin, model->candidate->variant};
        struct entrant *control = &course->entrant[entrants];
        *control = (struct entrant){.candidate = &course->control, .record = model->record, .role = "control"};
        return 1;
    }
    return 0;
}

/* How far the control and its model were apart, in percent; NaN: no control. */
static double measure_noise(struct course *course, size_t entrants, size_t controls)
{
    double ratio[RACE_DISCARDED + RACE_MOST_ROUNDS];
    for (size_t e = 0; e < entrants && controls; e++) {
        const struct entrant *model = &course->entrant[e], *control = &course->entrant[entrants];
        if (strcmp(model->record.backend, control->record.backend) || strcmp(model->record.variant, control->record.variant))
            continue;
        const size_t count = model->racing && control->racing ? race_log_ratios(model, control, RACE_MEAN, ratio) : 0;
        if (!count)
            break;
        const double noise = fabs(signtest_interval(ratio, count, 0.95).median);
        course->noise[course->noises++] = noise;
        return 100 * expm1(noise);
    }
    return NAN;
}

static convoy_status bench_row(struct journal *journal, const struct options *options, const struct lineup *lineup,
                               const struct table_row *row, int64_t threads, struct course *course, size_t *failures,
                               struct convoy_error *err)
{
    struct entrant *entrant = course->entrant;
    size_t entrants = 0;
    for (size_t c = 0; c < lineup->candidates; c++) {
        struct entrant *next = &entrant[entrants];
        *next = (struct entrant){.candidate = &lineup->candidate[c], .role = ""};
        journal_start(journal, options, row, &lineup->candidate[c], threads, &next->record);
        if (journal_find(journal, &next->record))
            continue;
        entrants++;
        if (admit(journal, options, &lineup->candidate[c], &next->record))
            race_enter(next, options, &course->rules);
    }
    const size_t controls = course->twin ? add_control(course, options, lineup, entrants) : 0;
    if (controls)
        race_enter(&entrant[entrants], options, &course->rules);
    convoy_status status = CONVOY_OK;
    if (!race_reserve(entrant, entrants + controls, &course->rules))
        return convoy_fail(err, CONVOY_NO_MEMORY, CONVOY_WHY_MEMORY, "out of memory for the samples");
    race_run(entrant, entrants + controls, options, &course->rules);
    if (command_interrupted())
        goto out; /* a case cut short is measured again by --resume */
    const double noise_pct = measure_noise(course, entrants, controls);
    for (size_t e = 0; e < entrants && status == CONVOY_OK; e++) {
        finish(&entrant[e], options, &row->problem, course);
        if (entrant[e].racing)
            entrant[e].record.noise_pct = noise_pct;
        *failures += verdict_is_failure(verdict_by_name(entrant[e].record.verdict), options->strict);
        status = journal_add(journal, &entrant[e].record, err);
    }
    for (size_t e = 0; e < entrants + controls && status == CONVOY_OK && journal->samples; e++)
        status =
            samples_append(journal->samples, &entrant[e].record, entrant[e].role, entrant[e].sample, entrant[e].samples, err);
out:
    race_free(entrant, entrants + controls);
    return status;
}

static void show_roofs(int64_t threads, double peak_gflops, const struct bandwidth *bandwidth)
{
    fprintf(stderr, "FMA peak with %" PRId64 " thread%s: %.1f GFLOP/s; GB/s of read, write, copy:", threads,
            threads > 1 ? "s" : "", peak_gflops);
    for (int level = 0; level < BANDWIDTH_LEVELS; level++) {
        const double *gbps = bandwidth->gbps[level];
        if (gbps[BANDWIDTH_READ] > 0)
            fprintf(stderr, "%s %s %.0f, %.0f, %.0f", level ? ";" : "", bandwidth_level_name((enum bandwidth_level)level),
                    gbps[BANDWIDTH_READ], fmax(gbps[BANDWIDTH_WRITE], gbps[BANDWIDTH_WRITE_STREAM]),
                    fmax(gbps[BANDWIDTH_COPY], gbps[BANDWIDTH_COPY_STREAM]));
    }
    fputc('\n', stderr);
}

static convoy_status open_course(struct course *course, const struct options *options, const struct lineup *lineup, size_t cases,
                                 struct convoy_error *err)
{
    course->entrant = calloc(lineup->candidates + 1, sizeof *course->entrant);
    course->noise = calloc(cases, sizeof *course->noise);
    const bool has_control = !options->rounds; /* a quick look is no claim and needs no noise floor */
    if (has_control)
        course->twin = calloc(lineup->backends, sizeof *course->twin);
    return course->entrant && course->noise && (course->twin || !has_control)
               ? CONVOY_OK
               : convoy_fail(err, CONVOY_NO_MEMORY, CONVOY_WHY_MEMORY, "out of memory");
}

static void close_course(struct course *course, const struct lineup *lineup)
{
    for (size_t b = 0; course->twin && b < lineup->backends; b++) {
        if (course->twin[b].entry)
            session_close(&course->twin[b].session);
    }
    free(course->twin);
    free(course->entrant);
    free(course->noise);
}

static void print_noise(const struct course *course, const struct options *options)
{
    if (!course->noises || options->quiet)
        return;
    double worst = 0;
    for (size_t n = 0; n < course->noises; n++)
        worst = course->noise[n] > worst ? course->noise[n] : worst;
    const double middle = signtest_interval(course->noise, course->noises, 0.95).median;
    printf("A/A noise floor: two workers with the same plugin file were %.2f %% apart in the median over %zu cases, %.2f %% at "
           "most.\n\n",
           100 * expm1(middle), course->noises, 100 * expm1(worst));
}

static convoy_status bench_all(struct journal *journal, const struct options *options, const struct lineup *lineup,
                               const struct table *cases, size_t *failures, struct convoy_error *err)
{
    const int64_t usual[] = {1, journal->machine.cores};
    const int64_t *threads = options->threads_count ? options->threads : usual;
    const size_t threads_count = options->threads_count ? options->threads_count : journal->machine.cores > 1 ? 2 : 1;
    struct course course = {.rules = race_rules_of(options, journal->machine.l3_bytes)};
    course.rules.margin = TIE;
    course.rules.phases = true;
    course.rules.decided = options->rounds ? NULL : lead_is_clear;
    convoy_status status = open_course(&course, options, lineup, cases->count * threads_count, err);
    if (status != CONVOY_OK)
        return status;
    struct progress progress;
    progress_start(&progress, cases->count * threads_count, options->quiet);
    for (size_t t = 0; t < threads_count && status == CONVOY_OK; t++) {
        status = peak_probe(options, threads[t], &course.peak_gflops, err);
        if (status == CONVOY_OK)
            status = peak_bandwidth(options, threads[t], &course.bandwidth, err);
        if (status == CONVOY_OK && !options->quiet) {
            progress_clear(&progress);
            show_roofs(threads[t], course.peak_gflops, &course.bandwidth);
        }
        for (size_t r = 0; r < cases->count && status == CONVOY_OK && !command_interrupted(); r++) {
            char problem[PROBLEM_TEXT_BYTES];
            problem_print(&cases->row[r].problem, problem, sizeof problem);
            progress_show(&progress, problem);
            status = bench_row(journal, options, lineup, &cases->row[r], threads[t], &course, failures, err);
            progress_step(&progress);
        }
    }
    progress_clear(&progress);
    print_noise(&course, options);
    close_course(&course, lineup);
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
        devices_print(
            stdout,
            "\nOn devices: kernels by the device's clock; executions with launches, by ours; copies of the activations.\n\n",
            journal->record, journal->count);
    }
    if (journal->count)
        printf("%zu rows, %zu of them failures without a valid time\n", journal->count, run.failures);
    return run_close(&run, status, &err);
}
