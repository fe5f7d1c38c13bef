#include "cli/cases.h"
#include "cli/commands.h"
#include "cli/progress.h"
#include "core/error.h"
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A lead below this over the default may be noise, and the default is what is tested most. */
#define WORTH_KEEPING 0.97

enum { CONFIGURATIONS_MOST = 256 };

struct counts {
    size_t tuned, unchanged, declined, failed;
};

/* One problem of one candidate. */
struct search {
    const struct options *options;
    const struct candidate *candidate;
    char name[80], problem[PROBLEM_TEXT_BYTES];
    uint32_t configurations, tried, out;
    double default_ns, best_ns;
    uint32_t best; /* index; 0: the default */
    char best_name[32], clock[8], path[512];
    bool barred[CONFIGURATIONS_MOST]; /* out already: found wrong, or the end of a worker                       */
};

/* Sends a request and splits the answer. False: the worker is gone or makes no sense, with a reason. */
static bool ask(const struct search *search, const char *request, char **field, size_t most, size_t *fields, char *reason,
                size_t size)
{
    struct session *const session = &search->candidate->backend->session;
    struct session_end end;
    if (session_call(session, request, search->options->timeout_s, &end) == SESSION_ENDED) {
        snprintf(reason, size, "%s: %.280s", verdict_name(end.verdict), end.reason);
        return false;
    }
    *fields = session_split(session->line, field, most);
    if (*fields == 3 && !strcmp(field[0], "error")) {
        snprintf(reason, size, "%.300s", field[2]);
        return false;
    }
    return true;
}

enum start { STARTED, DECLINED, FAILED };

static enum start open_search(struct search *search, char *reason, size_t size)
{
    char request[1024], *field[7];
    size_t fields = 0;
    const struct options *const options = search->options;
    snprintf(request, sizeof request, "tune\t%s\t%" PRId64 "\t%" PRIu64 "\t%d\t%s", search->candidate->variant, options->seed,
             options->mem_limit_bytes, options->force, search->problem);
    if (!ask(search, request, field, 7, &fields, reason, size))
        return FAILED;
    if (fields == 3 && !strcmp(field[0], "no")) {
        snprintf(reason, size, "%.300s", field[2]);
        return DECLINED;
    }
    if (fields != 7 || strcmp(field[0], "ok")) {
        snprintf(reason, size, "the worker's answer makes no sense");
        return FAILED;
    }
    search->configurations = (uint32_t)strtoul(field[1], NULL, 10);
    if (search->configurations > CONFIGURATIONS_MOST)
        search->configurations = CONFIGURATIONS_MOST;
    search->default_ns = search->best_ns = strtod(field[2], NULL);
    snprintf(search->clock, sizeof search->clock, "%s", field[3]);
    snprintf(search->path, sizeof search->path, "%s", field[6]);
    return STARTED;
}

/* The time of one configuration; NaN: it is out, and was told. *gone: the worker ended with it, and another one must be started. */
static double try_one(struct search *search, uint32_t index, double best_ns, char *name, size_t name_size, double *spent_s,
                      bool *gone)
{
    char request[96], *field[4], reason[320] = "";
    size_t fields = 0;
    snprintf(request, sizeof request, "try\t%u\t%.17g", index, best_ns);
    *spent_s = 0;
    *gone = !ask(search, request, field, 4, &fields, reason, sizeof reason);
    if (!*gone && fields == 4) {
        snprintf(name, name_size, "%s", field[1]);
        *spent_s = strtod(field[3], NULL) / 1e9;
        if (!strcmp(field[0], "ok"))
            return strtod(field[2], NULL);
        snprintf(reason, sizeof reason, "%.300s", field[2]);
    }
    search->out++;
    search->barred[index] = true;
    fprintf(stderr, "convoy: %s %s: configuration %u %s is out: %s\n", search->name, search->problem, index, *gone ? "" : name,
            reason);
    return (double)NAN;
}

static bool reopen(struct search *search)
{
    char reason[320];
    const double default_ns = search->default_ns, best_ns = search->best_ns;
    const bool opened = open_search(search, reason, sizeof reason) == STARTED;
    search->default_ns = default_ns;
    search->best_ns = best_ns;
    return opened;
}

/* The default was timed first, on a device that may have been asleep: both once more, one after the other. */
static void repeat_the_leaders(struct search *search)
{
    char name[32];
    double spent_s = 0;
    bool gone = false;
    for (int turn = 0; turn < 2 && search->best && !gone; turn++) {
        const double again = try_one(search, 0, INFINITY, name, sizeof name, &spent_s, &gone);
        const double best = gone ? (double)NAN : try_one(search, search->best, INFINITY, name, sizeof name, &spent_s, &gone);
        search->default_ns = again < search->default_ns ? again : search->default_ns;
        search->best_ns = best < search->best_ns ? best : search->best_ns;
    }
    if (gone || !(search->best_ns < WORTH_KEEPING * search->default_ns)) {
        search->best = 0;
        search->best_ns = search->default_ns;
        snprintf(search->best_name, sizeof search->best_name, "default");
    }
}

/* Each configuration once, as long as there is time; a lead that may be noise is none. */
static void find_best(struct search *search)
{
    const double budget_s = search->options->total_s > 0 ? search->options->total_s : 1;
    char name[32];
    double spent_s = 0, all_s = 0;
    search->best = 0;
    search->best_ns = search->default_ns;
    snprintf(search->best_name, sizeof search->best_name, "default");
    for (uint32_t index = 1; index < search->configurations && all_s < budget_s && !command_interrupted(); index++) {
        bool gone;
        if (search->barred[index])
            continue;
        const double ns = try_one(search, index, search->best_ns, name, sizeof name, &spent_s, &gone);
        all_s += spent_s;
        search->tried++;
        if (gone && !reopen(search))
            break;
        if (ns < search->best_ns) {
            search->best_ns = ns;
            search->best = index;
            snprintf(search->best_name, sizeof search->best_name, "%s", name);
        }
    }
    repeat_the_leaders(search);
}

enum kept { KEPT, KEPT_NOT, KEPT_WRONG };

/* The default is kept as well: an earlier choice that has become slower must not stay. */
static enum kept keep_best(struct search *search, char *algorithm, size_t algorithm_size, char *reason, size_t size)
{
    char request[64], *field[3];
    size_t fields = 0;
    snprintf(request, sizeof request, "keep\t%u", search->best);
    if (!ask(search, request, field, 3, &fields, reason, size))
        return KEPT_NOT;
    if (fields == 2 && !strcmp(field[0], "ok")) {
        snprintf(algorithm, algorithm_size, "%s", field[1]);
        return KEPT;
    }
    snprintf(reason, size, "%.300s", fields == 2 ? field[1] : "the worker's answer makes no sense");
    if (!search->best)
        return KEPT_NOT;
    search->out++;
    search->barred[search->best] = true;
    fprintf(stderr, "convoy: %s %s: configuration %u %s is out: %s\n", search->name, search->problem, search->best,
            search->best_name, reason);
    return KEPT_WRONG;
}

static void tune_one(struct search *search, struct counts *counts)
{
    char reason[320] = "", algorithm[64] = "";
    switch (open_search(search, reason, sizeof reason)) {
    case DECLINED:
        counts->declined++;
        printf("%-18s %s: not tuned: %s\n", search->name, search->problem, reason);
        return;
    case FAILED:
        counts->failed++;
        fprintf(stderr, "convoy: %s %s: %s\n", search->name, search->problem, reason);
        return;
    case STARTED:
        break;
    }
    enum kept kept = KEPT_WRONG;
    while (kept == KEPT_WRONG) { /* the next best, where the referee finds the best one wrong */
        find_best(search);
        if (command_interrupted())
            return;
        kept = keep_best(search, algorithm, sizeof algorithm, reason, sizeof reason);
    }
    if (kept == KEPT_NOT) {
        counts->failed++;
        fprintf(stderr, "convoy: %s %s: nothing is kept: %s\n", search->name, search->problem, reason);
        return;
    }
    *(search->best ? &counts->tuned : &counts->unchanged) += 1;
    printf("%-18s %s: %s, %.1f us, the default %.1f us (%s clock); %u of %u tried, %u out\n", search->name, search->problem,
           algorithm, search->best_ns / 1e3, search->default_ns / 1e3, search->clock, search->tried, search->configurations - 1,
           search->out);
}

static convoy_status tune_all(const struct options *options, const struct lineup *lineup, const struct table *cases,
                              struct counts *counts, struct convoy_error *err)
{
    struct search *const search = malloc(sizeof *search);
    char path[sizeof search->path] = "";
    if (!search)
        return convoy_fail(err, CONVOY_NO_MEMORY, CONVOY_WHY_MEMORY, "out of memory");
    struct progress progress;
    progress_start(&progress, cases->count * lineup->candidates, options->quiet);
    for (size_t c = 0; c < lineup->candidates; c++) {
        for (size_t r = 0; r < cases->count && !command_interrupted(); r++) {
            *search = (struct search){.options = options, .candidate = &lineup->candidate[c]};
            candidate_name(search->candidate, search->name, sizeof search->name);
            problem_print(&cases->row[r].problem, search->problem, sizeof search->problem);
            progress_show(&progress, search->problem);
            progress_clear(&progress);
            tune_one(search, counts);
            progress_step(&progress);
            if (search->path[0] && strcmp(search->path, path)) {
                memcpy(path, search->path, sizeof path);
                printf("%-18s choices are kept in %s\n", search->candidate->backend->entry->name, path);
            }
        }
        session_pause(&lineup->candidate[c].backend->session);
    }
    progress_clear(&progress);
    free(search);
    return CONVOY_OK;
}

int cmd_tune(const struct options *options)
{
    struct convoy_error err = error_none();
    struct table cases = {0};
    struct lineup lineup = {0};
    struct counts counts = {0};
    convoy_status status = CONVOY_OK;
    if (!options->tables.count && !options->arguments.count)
        status = convoy_fail(&err, CONVOY_INVALID, CONVOY_WHY_OTHER, "tune needs a problem or a --table");
    if (status == CONVOY_OK)
        status = cases_build(options, 1u << PASS_FWD, &cases, &err);
    if (status == CONVOY_OK)
        status = lineup_open(options, &lineup, &err);
    if (status == CONVOY_OK && !lineup.referee)
        status = convoy_fail(&err, CONVOY_FAILED, CONVOY_WHY_OTHER, "the referee backend naive is not here; see `convoy list`");
    if (status == CONVOY_OK && !options->backends.count) { /* those that have something to choose from: devices */
        size_t kept = 0;
        for (size_t c = 0; c < lineup.candidates; c++) {
            if (!strcmp(lineup.candidate[c].backend->threading, "device"))
                lineup.candidate[kept++] = lineup.candidate[c];
        }
        lineup.candidates = kept;
    }
    if (status == CONVOY_OK)
        status = tune_all(options, &lineup, &cases, &counts, &err);
    int code = counts.failed                                                   ? EXIT_INCORRECT
               : command_interrupted() || counts.tuned + counts.unchanged == 0 ? EXIT_INCONCLUSIVE
                                                                               : EXIT_OK;
    if (status != CONVOY_OK)
        code = command_failed(&err);
    else
        printf("%zu tuned, %zu left at the default, %zu not tuned, %zu failed\n", counts.tuned, counts.unchanged, counts.declined,
               counts.failed);
    lineup_close(&lineup);
    table_free(&cases);
    return code;
}
