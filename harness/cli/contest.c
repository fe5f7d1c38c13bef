#include "cli/contest.h"

#include "bench/clock.h"
#include "cli/commands.h"
#include "cli/peak.h"
#include "cli/progress.h"
#include "cli/race.h"
#include "core/error.h"
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { KERNELS = 4, KINDS_PER_OP = 2 * KERNELS, KINDS = KINDS_PER_OP * CONVOY_OP_COUNT };
enum { SMALL = 4 }; /* outputs of a side */

/* How a candidate did on problems of the same kind: decides who is looked at first, and who no more. */
struct form {
    double behind; /* average of log(its time / the fastest one's)                    */
    unsigned seen;
    bool declined; /* its arithmetic is not accurate enough                           */
};

struct heat {
    size_t candidate;
    double expected, glance_ns;
};

/* Who gets how far. */
struct manner {
    size_t finalists;
    double close;    /* a finalist's first look is within this factor of the fastest right one's */
    double hopeless; /* no look after two problems of the kind so far behind                     */
    struct race_rules rules;
};

struct contest {
    struct journal *journal;
    const struct options *options;
    const struct lineup *lineup;
    int64_t threads;
    bool training; /* weights are prepared in every step */
    struct manner manner;
    int64_t deadline_ns; /* INT64_MAX: none */
    struct form *form;   /* [candidates * KINDS] */
    struct entrant *entrant, *finalist;
    struct heat *heat;
    double peak_gflops;
};

enum { QUICK_FINALISTS = 3, FINALISTS = 6, QUICK_ROUNDS = 3, QUICK_MOST_ROUNDS = 8 };
#define QUICK_BATCH_NS INT64_C(500000)
#define LEAST_SHARE_NS INT64_C(20000000)
/* Where a variant that was never seen is expected: behind the defaults of all backends, before those known to be slow. */
#define UNSEEN_VARIANT 0.4
#define SLOW_ELSEWHERE 2  /* so far behind with other kernels: no default any more; less says little, each has its kinds */
#define UNSEEN_DEVICE 0.2 /* setting up costs several looks, and a GPU may be a CPU that plays one */
#define HALF_LIFE 0.5     /* weight of the newest problem in a candidate's form */

static struct manner manner_of(const struct options *options, int64_t last_cache_bytes)
{
    struct manner manner = {
        .finalists = FINALISTS, .close = 1.6, .hopeless = log(8), .rules = race_rules_of(options, last_cache_bytes)};
    if (options->quick) {
        manner.finalists = QUICK_FINALISTS;
        manner.close = 1.25;
        manner.hopeless = log(2.5);
        manner.rules.discarded = 0;
        manner.rules.least = QUICK_ROUNDS;
        manner.rules.most = QUICK_MOST_ROUNDS;
        manner.rules.min_batch_ns = QUICK_BATCH_NS;
    }
    return manner;
}

/* Problems on which the same candidates do well: one operation, and of convolutions one kind of kernel on images that are worth
 * transforming or smaller than a tile. */
static size_t kind_of(const union problem *problem)
{
    size_t kernel = 0, small = 0;
    if (problem_family(problem) == FAMILY_CONV && (problem->conv.kh > 1 || problem->conv.kw > 1)) {
        kernel = problem->conv.stride_h > 1 || problem->conv.stride_w > 1 ? 1 : problem->conv.kh == 3 ? 2 : 3;
        small = problem->conv.oh < SMALL || problem->conv.ow < SMALL;
    }
    return problem->head.op * KINDS_PER_OP + 2 * kernel + small;
}

static struct form *form_of(const struct contest *c, size_t candidate, const union problem *problem)
{
    return &c->form[candidate * KINDS + kind_of(problem)];
}

static bool is_referee(const struct contest *c, size_t candidate)
{
    return c->lineup->referee && !strcmp(c->lineup->candidate[candidate].backend->entry->path, c->lineup->referee);
}

/* Convolutions of other kinds, on average; `unknown` before the first one, and for other operations, which are programs apart. */
static double elsewhere(const struct contest *c, size_t candidate, const union problem *problem, double unknown)
{
    double sum = 0;
    unsigned kinds = 0;
    if (problem_family(problem) != FAMILY_CONV)
        return unknown;
    for (size_t kind = KINDS_PER_OP * CONVOY_CONV_FWD; kind < KINDS_PER_OP * (CONVOY_CONV_BWD_WEIGHTS + 1); kind++) {
        const struct form *form = &c->form[candidate * KINDS + kind];
        sum += form->seen ? form->behind : 0;
        kinds += form->seen > 0;
    }
    return kinds ? sum / kinds : unknown;
}

static double expected(const struct contest *c, size_t candidate, const union problem *problem)
{
    const struct form *form = form_of(c, candidate, problem);
    const struct candidate *who = &c->lineup->candidate[candidate];
    if (is_referee(c, candidate))
        return (double)INFINITY; /* it computes in double precision, for rightness: the last resort */
    if (form->seen)
        return form->behind;
    const double unknown = strcmp(who->variant, who->backend->variant[0])   ? UNSEEN_VARIANT
                           : strcmp(who->backend->threading, "device") == 0 ? UNSEEN_DEVICE
                                                                            : 0;
    const double known = elsewhere(c, candidate, problem, unknown);
    return known > SLOW_ELSEWHERE ? known : unknown;
}

static int compare_expected(const void *left, const void *right)
{
    const struct heat *a = left, *b = right;
    if (a->expected != b->expected)
        return a->expected < b->expected ? -1 : 1;
    return a->candidate < b->candidate ? -1 : 1;
}

static int compare_glance(const void *left, const void *right)
{
    const struct heat *a = left, *b = right;
    if (a->glance_ns != b->glance_ns)
        return a->glance_ns < b->glance_ns ? -1 : 1;
    return compare_expected(left, right);
}

/* The options of one step: a worker that does not answer in the time that is left is killed, and its candidate is out. */
static struct options step_options(const struct contest *c, int64_t limit_ns)
{
    struct options options = *c->options;
    const int64_t seconds = limit_ns / INT64_C(1000000000) + 1;
    if (c->deadline_ns != INT64_MAX && seconds < options.timeout_s)
        options.timeout_s = seconds;
    return options;
}

/* One short look at each; returns how many have a time, the fastest first in c->heat. */
static size_t look(struct contest *c, const struct table_row *row, int64_t until_ns)
{
    const size_t candidates = c->lineup->candidates;
    size_t timed = 0;
    for (size_t at = 0; at < candidates; at++)
        c->heat[at] = (struct heat){at, expected(c, at, &row->problem), (double)INFINITY};
    qsort(c->heat, candidates, sizeof *c->heat, compare_expected);
    double best_ns = INFINITY;
    for (size_t h = 0; h < candidates && !command_interrupted(); h++) {
        struct heat *heat = &c->heat[h];
        struct entrant *entrant = &c->entrant[heat->candidate];
        const struct form *form = form_of(c, heat->candidate, &row->problem);
        const int64_t left_ns = until_ns - clock_ns();
        *entrant = (struct entrant){.candidate = &c->lineup->candidate[heat->candidate], .role = ""};
        journal_start(c->journal, c->options, row, entrant->candidate, c->threads, &entrant->record);
        if (form->declined ||
            (timed && (left_ns <= 0 || is_referee(c, heat->candidate) || (form->seen >= 2 && form->behind > c->manner.hopeless))))
            continue;
        const struct options options = step_options(c, left_ns > 0 ? 4 * left_ns : 0);
        heat->glance_ns = race_glance(entrant, &options, &c->manner.rules);
        if (isnan(heat->glance_ns)) {
            heat->glance_ns = (double)INFINITY;
            continue;
        }
        if (!c->options->any_accuracy && !strcmp(entrant->record.accuracy_class, "fast")) {
            form_of(c, heat->candidate, &row->problem)->declined = c->options->quick;
            heat->glance_ns = (double)INFINITY;
            continue;
        }
        if (c->training && entrant->record.prepare_ns > 0)
            heat->glance_ns += (double)entrant->record.prepare_ns;
        best_ns = heat->glance_ns < best_ns ? heat->glance_ns : best_ns;
        timed++;
    }
    for (size_t h = 0; h < candidates; h++) {
        struct form *form = form_of(c, c->heat[h].candidate, &row->problem);
        if (!isfinite(c->heat[h].glance_ns))
            continue;
        const double behind = log(c->heat[h].glance_ns / best_ns);
        form->behind = form->seen ? form->behind + HALF_LIFE * (behind - form->behind) : behind;
        form->seen++;
    }
    qsort(c->heat, candidates, sizeof *c->heat, compare_glance);
    return timed;
}

/* Correctness of exactly this file on this very shape; only a pass is raced. */
static bool admit(struct contest *c, struct entrant *entrant, int64_t limit_ns)
{
    const struct options options = step_options(c, limit_ns);
    const struct record *known = journal_find_problem(c->journal, &entrant->record);
    if (known)
        verify_take(&entrant->record, known);
    else
        verify_case(entrant->candidate, &options, &entrant->record);
    session_pause(&entrant->candidate->backend->session);
    const enum verdict verdict = verdict_by_name(entrant->record.verdict);
    return verdict == VERDICT_PASS || (verdict == VERDICT_MARGINAL && !c->options->strict);
}

/* Verifies from the fastest on until there are enough finalists; a candidate that fails leaves its verdict in the journal. */
static convoy_status qualify(struct contest *c, size_t timed, int64_t until_ns, size_t *finalists, struct convoy_error *err)
{
    double limit_ns = INFINITY;
    convoy_status status = CONVOY_OK;
    *finalists = 0;
    for (size_t h = 0; h < timed && *finalists < c->manner.finalists && status == CONVOY_OK && !command_interrupted(); h++) {
        const int64_t left_ns = until_ns - clock_ns();
        if (c->heat[h].glance_ns > limit_ns || (*finalists && left_ns <= 0))
            break;
        struct entrant *entrant = &c->entrant[c->heat[h].candidate];
        if (admit(c, entrant, left_ns > 0 ? 4 * left_ns + INT64_C(1000000000) : INT64_C(2000000000))) {
            limit_ns = limit_ns < c->manner.close * c->heat[h].glance_ns ? limit_ns : c->manner.close * c->heat[h].glance_ns;
            c->finalist[(*finalists)++] = *entrant;
        } else {
            status = journal_add(c->journal, &entrant->record, err);
        }
    }
    return status;
}

static convoy_status final(struct contest *c, const struct table_row *row, size_t finalists, int64_t until_ns, bool *won,
                           struct convoy_error *err)
{
    const int64_t left_ns = until_ns - clock_ns();
    struct options options = step_options(c, left_ns > 0 ? 4 * left_ns + INT64_C(2000000000) : INT64_C(2000000000));
    if (c->deadline_ns != INT64_MAX) /* each may spend its part; at least one round is run */
        options.budget_s = fmax(1e-6, 1e-9 * (double)left_ns / (double)finalists);
    for (size_t f = 0; f < finalists; f++)
        race_enter(&c->finalist[f], &options, &c->manner.rules);
    if (!race_reserve(c->finalist, finalists, &c->manner.rules))
        return convoy_fail(err, CONVOY_NO_MEMORY, CONVOY_WHY_MEMORY, "out of memory for the samples");
    race_run(c->finalist, finalists, &options, &c->manner.rules);
    convoy_status status = CONVOY_OK;
    for (size_t f = 0; f < finalists && status == CONVOY_OK && !command_interrupted(); f++) {
        struct record *record = &c->finalist[f].record;
        if (race_summarise(&c->finalist[f])) {
            *won = true;
            record->gflops = (double)problem_flops(&row->problem) / (double)(record->median_ns > 0 ? record->median_ns : 1);
            if (problem_family(&row->problem) == FAMILY_CONV && c->peak_gflops > 0)
                peak_judge(record, &options, &row->problem.conv, &c->peak_gflops);
        }
        status = journal_add(c->journal, record, err);
    }
    race_free(c->finalist, finalists);
    return status;
}

/* Rows of the same problem, already measured for another layer, once more for this one. */
static convoy_status repeat(struct journal *journal, const struct table_row *row, const char *problem, size_t count, bool *any,
                            struct convoy_error *err)
{
    char network[48] = "", layer[64] = "";
    convoy_status status = CONVOY_OK;
    *any = false;
    for (size_t r = 0; r < count && status == CONVOY_OK; r++) {
        struct record copy = journal->record[r];
        if (strcmp(copy.problem, problem) || (*any && (strcmp(copy.network, network) || strcmp(copy.layer, layer))))
            continue;
        if (!*any) {
            memcpy(network, copy.network, sizeof network);
            memcpy(layer, copy.layer, sizeof layer);
        }
        *any = true;
        snprintf(copy.network, sizeof copy.network, "%s", row->network);
        snprintf(copy.layer, sizeof copy.layer, "%s", row->layer);
        copy.count = row->count;
        status = journal_add(journal, &copy, err);
    }
    return status;
}

/* Large problems deserve more of the time, but small ones are many. */
static double weight_of(const struct table *cases, size_t r)
{
    double total = 0;
    for (size_t at = 0; at < cases->count; at++)
        total += (double)problem_flops(&cases->row[at].problem);
    return 1 + (total > 0 ? (double)cases->count * (double)problem_flops(&cases->row[r].problem) / total : 0);
}

static convoy_status decide(struct contest *c, const struct table_row *row, int64_t share_ns, bool *won, struct convoy_error *err)
{
    const int64_t start_ns = clock_ns();
    const bool bounded = c->deadline_ns != INT64_MAX;
    size_t finalists = 0;
    *won = false;
    const size_t timed = look(c, row, bounded ? start_ns + share_ns / 2 : INT64_MAX);
    convoy_status status = qualify(c, timed, bounded ? start_ns + share_ns * 3 / 4 : INT64_MAX / 8, &finalists, err);
    if (status == CONVOY_OK && finalists && !command_interrupted())
        status = final(c, row, finalists, bounded ? start_ns + share_ns : INT64_MAX / 8, won, err);
    return status;
}

convoy_status contest_run(struct journal *journal, const struct options *options, const struct lineup *lineup,
                          const struct table *cases, size_t *without, struct convoy_error *err)
{
    const int64_t start_ns = clock_ns(), total_ns = (int64_t)(options->total_s * 1e9);
    struct contest c = {.journal = journal, .options = options, .lineup = lineup, .deadline_ns = INT64_MAX};
    c.threads = options->threads_count ? options->threads[0] : journal->machine.cores;
    c.training = options->purpose && !strcmp(options->purpose, "training");
    c.manner = manner_of(options, journal->machine.l3_bytes);
    if (total_ns)
        c.deadline_ns = start_ns + total_ns;
    c.form = calloc((lineup->candidates + 1) * KINDS, sizeof *c.form);
    c.entrant = calloc(lineup->candidates + 1, sizeof *c.entrant);
    c.finalist = calloc(FINALISTS, sizeof *c.finalist);
    c.heat = calloc(lineup->candidates + 1, sizeof *c.heat);
    convoy_status status = c.form && c.entrant && c.finalist && c.heat
                               ? CONVOY_OK
                               : convoy_fail(err, CONVOY_NO_MEMORY, CONVOY_WHY_MEMORY, "out of memory");
    if (status == CONVOY_OK && !options->quick)
        status = peak_probe(options, c.threads, &c.peak_gflops, err);
    double weights = 0;
    for (size_t r = 0; r < cases->count; r++)
        weights += weight_of(cases, r);
    struct progress progress;
    progress_start(&progress, cases->count, options->quiet);
    *without = 0;
    for (size_t r = 0; r < cases->count && status == CONVOY_OK && !command_interrupted(); r++) {
        char problem[PROBLEM_TEXT_BYTES];
        bool done;
        problem_print(&cases->row[r].problem, problem, sizeof problem);
        progress_show(&progress, problem);
        status = repeat(journal, &cases->row[r], problem, journal->count, &done, err);
        const double weight = weight_of(cases, r);
        const int64_t now_ns = clock_ns();
        if (status == CONVOY_OK && !done && (!total_ns || now_ns < start_ns + 2 * total_ns)) {
            int64_t share_ns = total_ns ? (int64_t)((double)(c.deadline_ns - now_ns) * weight / weights) : 0;
            share_ns = share_ns > LEAST_SHARE_NS ? share_ns : LEAST_SHARE_NS;
            status = decide(&c, &cases->row[r], share_ns, &done, err);
        }
        weights -= weight;
        *without += !done;
        progress_step(&progress);
    }
    progress_clear(&progress);
    free(c.form);
    free(c.entrant);
    free(c.finalist);
    free(c.heat);
    return status;
}
