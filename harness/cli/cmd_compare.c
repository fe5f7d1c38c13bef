#include "cli/builds.h"
#include "cli/cases.h"
#include "cli/commands.h"
#include "cli/compare_files.h"
#include "cli/duel.h"
#include "cli/peak.h"
#include "cli/progress.h"
#include "cli/verdicts.h"
#include "core/error.h"
#include "report/changes.h"
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define THRESHOLD_PCT 3.0

/* One case on one thread count, in the first run and in the second one that confirms. */
struct contest {
    struct duel duel[2];
    struct diff_result result;
    enum diff_verdict first, verdict; /* of the first run, and in the end */
    bool again;                       /* takes part in the second run */
    size_t group;                     /* its network: the index of the network's first contest */
};

struct comparison {
    struct builds builds;
    struct table cases;
    struct journal journal;
    struct race_rules rules;
    double threshold;
    struct contest *contest;
    size_t contests;
    struct diff_result *network; /* [contests], used at the groups' first ones */
    enum diff_verdict *network_verdict;
};

static bool together(const struct record *a, const struct record *b)
{
    return !strcmp(a->network, b->network) && !strcmp(a->pass, b->pass) && a->threads == b->threads;
}

static void start_contests(struct comparison *c, const struct options *options, const int64_t *threads, size_t threads_count)
{
    for (size_t t = 0; t < threads_count; t++) {
        for (size_t r = 0; r < c->cases.count; r++) {
            struct contest *contest = &c->contest[c->contests];
            struct record *record = &contest->duel[0].record;
            journal_start(&c->journal, options, &c->cases.row[r], &c->builds.build[1].candidate[0], threads[t], record);
            snprintf(record->repro, sizeof record->repro,
                     "convoy compare %.120s %.120s '%.200s' --seed %" PRId64 " --threads %" PRId64 "%s",
                     options->arguments.item[0], options->arguments.item[1], record->problem, options->seed, threads[t],
                     options->cold ? " --cache cold" : "");
            contest->duel[1].record = *record;
            contest->duel[0].row = contest->duel[1].row = &c->cases.row[r];
            contest->group = c->contests;
            for (size_t g = 0; g < c->contests; g++) {
                if (together(&c->contest[g].duel[0].record, record)) {
                    contest->group = c->contest[g].group;
                    break;
                }
            }
            c->contests++;
        }
    }
}

/* Every contest that takes part in this run, group by group as the tables have them. */
static convoy_status measure(struct comparison *c, const struct options *options, size_t run, struct convoy_error *err)
{
    struct progress progress;
    size_t total = 0;
    int64_t threads = 0;
    double peak_gflops = 0;
    for (size_t at = 0; at < c->contests; at++)
        total += run == 0 || c->contest[at].again;
    progress_start(&progress, total, options->quiet);
    convoy_status status = CONVOY_OK;
    for (size_t at = 0; at < c->contests && status == CONVOY_OK && !command_interrupted(); at++) {
        struct contest *contest = &c->contest[at];
        struct duel *duel = &contest->duel[run];
        if (run == 1 && !contest->again)
            continue;
        if (duel->record.threads != threads) {
            threads = duel->record.threads;
            status = peak_probe(options, threads, &peak_gflops, err);
        }
        progress_show(&progress, duel->record.problem);
        if (run == 1) { /* the same files: what was right is right */
            duel->admitted = contest->duel[0].admitted;
            duel->record = contest->duel[0].record;
            duel->old = contest->duel[0].old;
        }
        if (status == CONVOY_OK)
            status = duel_run(duel, &c->builds, &c->journal, options, &c->rules, &peak_gflops, err);
        progress_step(&progress);
    }
    progress_clear(&progress);
    return status;
}

/* The series of a contest: one run's, or (runs 2) both behind each other in memory of its own. */
static bool gather(const struct contest *contest, size_t first_run, size_t runs, struct diff_layer *layer,
                   double *room[DIFF_RUNNERS])
{
    *layer = (struct diff_layer){.count = contest->duel[0].row->count > 0 ? contest->duel[0].row->count : 1};
    for (size_t run = first_run; run < first_run + runs; run++)
        layer->rounds += contest->duel[run].rounds;
    for (size_t runner = 0; runner < DIFF_RUNNERS; runner++) {
        size_t used = 0;
        room[runner] = calloc(layer->rounds + 1, sizeof *room[runner]);
        if (!room[runner])
            return false;
        for (size_t run = first_run; run < first_run + runs; run++) {
            const struct duel *duel = &contest->duel[run];
            if (duel->rounds)
                memcpy(room[runner] + used, duel->ns[runner], duel->rounds * sizeof *room[runner]);
            used += duel->rounds;
        }
        layer->ns[runner] = room[runner];
    }
    return true;
}

/* Judges the timed contests of a group by the given runs; result is indexed like the contests. False: out of memory. */
static bool judge_group(const struct comparison *c, size_t group, size_t first_run, size_t runs, struct diff_result *result,
                        struct diff_result *network)
{
    struct diff_layer *layer = calloc(c->contests + 1, sizeof *layer);
    struct diff_result *of_layer = calloc(c->contests + 1, sizeof *of_layer);
    double *(*room)[DIFF_RUNNERS] = calloc(c->contests + 1, sizeof *room);
    size_t *from = calloc(c->contests + 1, sizeof *from), layers = 0;
    bool done = layer && of_layer && room && from;
    for (size_t at = group; at < c->contests && done; at++) {
        const struct contest *contest = &c->contest[at];
        const struct duel *last = &contest->duel[first_run + runs - 1];
        if (contest->group != group || !contest->duel[first_run].timed || !last->timed)
            continue;
        from[layers] = at;
        done = gather(contest, first_run, runs, &layer[layers], room[layers]);
        layers++;
    }
    done = done && diff_judge(layer, layers, c->threshold, of_layer, network);
    for (size_t l = 0; l < layers; l++) {
        if (done)
            result[from[l]] = of_layer[l];
        for (size_t runner = 0; runner < DIFF_RUNNERS; runner++)
            free(room[l][runner]);
    }
    free(layer);
    free(of_layer);
    free(room);
    free(from);
    return done;
}

/* A change must be found again and an open question gets more rounds: all layers of such a network, else the layers alone. */
static size_t choose_again(struct comparison *c)
{
    size_t chosen = 0;
    for (size_t at = 0; at < c->contests; at++) {
        struct contest *contest = &c->contest[at];
        const bool changed = contest->verdict == DIFF_REGRESSED || contest->verdict == DIFF_IMPROVED;
        contest->again = contest->duel[0].timed && (changed || c->network_verdict[contest->group] != DIFF_EQUIVALENT);
        chosen += contest->again;
    }
    return chosen;
}

static bool judge_first(struct comparison *c)
{
    struct diff_result *result = calloc(c->contests + 1, sizeof *result);
    bool done = result != NULL;
    for (size_t at = 0; at < c->contests && done; at++) {
        if (c->contest[at].group != at)
            continue;
        done = judge_group(c, at, 0, 1, result, &c->network[at]);
        c->network_verdict[at] = c->network[at].verdict;
    }
    for (size_t at = 0; at < c->contests && done; at++) {
        c->contest[at].result = result[at];
        c->contest[at].first = c->contest[at].verdict = result[at].verdict;
    }
    free(result);
    return done;
}

/* The figures shown are those of both runs together. */
static bool judge_second(struct comparison *c)
{
    struct diff_result *second = calloc(c->contests + 1, sizeof *second), *pooled = calloc(c->contests + 1, sizeof *pooled);
    bool done = second && pooled;
    for (size_t group = 0; group < c->contests && done; group++) {
        struct diff_result network[2];
        if (c->contest[group].group != group)
            continue;
        done = judge_group(c, group, 1, 1, second, &network[0]) && judge_group(c, group, 0, 2, pooled, &network[1]);
        if (done && c->network_verdict[group] != DIFF_EQUIVALENT) {
            c->network_verdict[group] = diff_confirm(c->network_verdict[group], network[0].verdict, network[1].verdict);
            c->network[group] = network[1];
        }
    }
    for (size_t at = 0; at < c->contests && done; at++) {
        struct contest *contest = &c->contest[at];
        if (!contest->again || !contest->duel[1].timed)
            continue;
        contest->verdict = diff_confirm(contest->verdict, second[at].verdict, pooled[at].verdict);
        contest->result = pooled[at];
    }
    free(second);
    free(pooled);
    return done;
}

static void add_reason(struct record *record)
{
    const size_t used = strlen(record->reason);
    snprintf(record->reason + used, sizeof record->reason - used, "; the second run did not confirm the first");
}

static void make_rows(const struct comparison *c, struct record *row, size_t *rows, size_t *failures, size_t *losses)
{
    for (size_t group = 0; group < c->contests; group++) {
        if (c->contest[group].group != group)
            continue;
        bool any = false;
        for (size_t at = group; at < c->contests; at++) {
            const struct contest *contest = &c->contest[at];
            const struct duel *duel = &contest->duel[contest->duel[0].timed && contest->duel[1].lost ? 1 : 0];
            if (contest->group != group)
                continue;
            row[*rows] = duel->record;
            if (duel->timed)
                changes_fill(&row[*rows], &contest->result, contest->verdict);
            if (duel->timed && contest->verdict == DIFF_INCONCLUSIVE && contest->first != DIFF_INCONCLUSIVE)
                add_reason(&row[*rows]);
            any = any || duel->timed;
            *failures += duel->lost;
            *losses += duel->declined;
            ++*rows;
        }
        if (!any)
            continue;
        struct record *whole = &row[(*rows)++];
        const struct record *first = &c->contest[group].duel[0].record;
        record_clear(whole);
        *whole = *first;
        whole->count = 1;
        snprintf(whole->layer, sizeof whole->layer, "%s", CHANGES_NETWORK);
        whole->problem[0] = whole->op[0] = whole->numerics[0] = whole->algorithm[0] = '\0';
        char *problem = strchr(whole->repro, '\''), *rest = problem ? strstr(problem, " --seed") : NULL;
        if (rest) /* not of one layer */
            memmove(problem, rest + 1, strlen(rest));
        changes_fill(whole, &c->network[group], c->network_verdict[group]);
    }
}

static int report(struct comparison *c, const struct options *options, struct convoy_error *err)
{
    struct record *row = calloc(2 * c->contests + 1, sizeof *row);
    size_t rows = 0, failures = 0, losses = 0;
    char title[512], note[512], name[2][128];
    if (!row) {
        convoy_fail(err, CONVOY_NO_MEMORY, CONVOY_WHY_MEMORY, "out of memory for the verdicts");
        return command_failed(err);
    }
    make_rows(c, row, &rows, &failures, &losses);
    for (size_t side = 0; side < 2; side++)
        candidate_name(&c->builds.build[side].candidate[0], name[side], sizeof name[side]);
    snprintf(title, sizeof title, "%s %s -> %s %s", name[0], c->builds.build[0].entry[0].hash, name[1],
             c->builds.build[1].entry[0].hash);
    snprintf(note, sizeof note,
             "Both builds interleaved in one run, two workers each; least time of a batch, median over the rounds. A change "
             "counts from %.3g %% "
             "and from twice the noise floor, and was found in two runs.",
             100 * c->threshold);
    convoy_status status = CONVOY_OK;
    for (size_t r = 0; r < rows && status == CONVOY_OK; r++)
        status = journal_add(&c->journal, &row[r], err);
    const int code =
        status == CONVOY_OK ? verdicts_report(options, title, note, row, rows, failures, losses, err) : command_failed(err);
    free(row);
    return code;
}

static convoy_status compare(struct comparison *c, const struct options *options, struct convoy_error *err)
{
    const int64_t one[] = {1};
    const int64_t *threads = options->threads_count ? options->threads : one;
    const size_t threads_count = options->threads_count ? options->threads_count : 1;
    const size_t most = c->cases.count * threads_count;
    c->contest = calloc(most, sizeof *c->contest);
    c->network = calloc(most, sizeof *c->network);
    c->network_verdict = calloc(most, sizeof *c->network_verdict);
    if (!c->contest || !c->network || !c->network_verdict)
        return convoy_fail(err, CONVOY_NO_MEMORY, CONVOY_WHY_MEMORY, "out of memory for %zu cases", most);
    start_contests(c, options, threads, threads_count);
    convoy_status status = measure(c, options, 0, err);
    if (status != CONVOY_OK)
        return status;
    bool judged = judge_first(c);
    if (judged && !command_interrupted() && choose_again(c)) {
        builds_restart(&c->builds);
        status = measure(c, options, 1, err);
        if (status == CONVOY_OK && !command_interrupted())
            judged = judge_second(c);
    }
    return status != CONVOY_OK || judged
               ? status
               : convoy_fail(err, CONVOY_NO_MEMORY, CONVOY_WHY_MEMORY, "out of memory for the verdicts");
}

static bool is_file_of_results(const char *name)
{
    const size_t length = strlen(name);
    return length > 4 && !strcmp(name + length - 4, ".csv");
}

int cmd_compare(const struct options *options)
{
    struct convoy_error err = error_none();
    const struct opt_list *arguments = &options->arguments;
    if (arguments->count < 2) {
        convoy_fail(&err, CONVOY_INVALID, CONVOY_WHY_OTHER,
                    "compare needs the old and the new: two plugins, or two result files");
        return command_failed(&err);
    }
    if (is_file_of_results(arguments->item[0]) && is_file_of_results(arguments->item[1]))
        return compare_files(options, arguments->item[0], arguments->item[1]);

    struct options narrowed = *options;
    narrowed.arguments.count -= 2;
    memmove(narrowed.arguments.item, arguments->item + 2, narrowed.arguments.count * sizeof arguments->item[0]);
    if (!narrowed.arguments.count && !narrowed.tables.count)
        narrowed.tables = (struct opt_list){.item = {"lecture"}, .count = 1};
    struct comparison c = {.threshold = (options->threshold_pct > 0 ? options->threshold_pct : THRESHOLD_PCT) / 100};
    int code = EXIT_USAGE;
    convoy_status status = cases_build(&narrowed, 1u << PASS_FWD, &c.cases, &err);
    if (status == CONVOY_OK)
        status = builds_open(options, arguments->item, options->variant, &c.builds, &err);
    if (status == CONVOY_OK)
        status = journal_open(&c.journal, "compare", options, &err);
    if (status == CONVOY_OK) {
        c.rules = race_rules_of(options, c.journal.machine.l3_bytes);
        c.rules.equal_batches = true;
        c.rules.margin = log1p(c.threshold);
        c.rules.decided = options->rounds ? NULL : duel_decided;
        status = compare(&c, options, &err);
    }
    code = status == CONVOY_OK ? report(&c, options, &err) : command_failed(&err);
    for (size_t at = 0; at < c.contests; at++) {
        duel_free(&c.contest[at].duel[0]);
        duel_free(&c.contest[at].duel[1]);
    }
    free(c.contest);
    free(c.network);
    free(c.network_verdict);
    struct convoy_error close_err = error_none();
    if (journal_close(&c.journal, &close_err) != CONVOY_OK)
        code = command_failed(&close_err);
    builds_close(&c.builds);
    table_free(&c.cases);
    return code;
}
