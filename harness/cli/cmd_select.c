#include "cli/cases.h"
#include "cli/commands.h"
#include "cli/contest.h"
#include "core/error.h"
#include "core/machine.h"
#include "report/classes.h"
#include "report/grid.h"
#include "report/results.h"
#include "select/totals.h"
#include <convoy/plugin.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define QUICK_S 20

/* The rows to choose from, and where they come from. */
struct material {
    struct record *record;
    size_t count;
    char machine[64];
    char *plugins;  /* "name=hash name=hash", as in select.csv */
    size_t without; /* measured now: problems without any time  */
};

/* ---- which backends ---- */

static bool named(const struct opt_list *list, const struct record *record)
{
    char name[sizeof record->backend + sizeof record->variant];
    snprintf(name, sizeof name, "%s:%s", record->backend, record->variant);
    for (size_t b = 0; b < list->count; b++) {
        if (!strcmp(list->item[b], record->backend) || !strcmp(list->item[b], name))
            return true;
    }
    return false;
}

static bool contends(const void *context, const struct record *record)
{
    const struct options *options = context;
    return (!options->backends.count || named(&options->backends, record)) && !named(&options->without, record);
}

static bool add_plugin(struct material *material, const char *name, const char *hash)
{
    const size_t length = material->plugins ? strlen(material->plugins) : 0, more = strlen(name) + strlen(hash) + 3;
    char *longer = realloc(material->plugins, length + more);
    if (!longer)
        return false;
    material->plugins = longer;
    snprintf(longer + length, more, "%s%s=%s", length ? " " : "", name, hash);
    return true;
}

static void material_free(struct material *material)
{
    free(material->record);
    free(material->plugins);
}

/* ---- from result files ---- */

static convoy_status add_file(struct material *material, const char *path, struct convoy_error *err)
{
    struct record *records = NULL;
    size_t count = 0;
    convoy_status status = results_read(path, &records, &count, err);
    if (status != CONVOY_OK)
        return status;
    struct record *all = realloc(material->record, (material->count + count + 1) * sizeof *all);
    if (!all) {
        free(records);
        return convoy_fail(err, CONVOY_NO_MEMORY, CONVOY_WHY_MEMORY, "out of memory for the rows of %.100s", path);
    }
    memcpy(all + material->count, records, count * sizeof *all);
    material->record = all;
    material->count += count;
    free(records);
    return CONVOY_OK;
}

/* Times of two machines cannot be compared: this one's rows count, or those of the only machine there is. */
static convoy_status keep_one_machine(struct material *material, struct convoy_error *err)
{
    struct machine here;
    machine_describe(&here);
    const char *only = NULL;
    bool local = false, several = false;
    for (size_t r = 0; r < material->count; r++) {
        const char *id = material->record[r].machine;
        local = local || !strcmp(id, here.id);
        several = several || (only && strcmp(only, id));
        only = id;
    }
    if (!local && several)
        return convoy_fail(err, CONVOY_INVALID, CONVOY_WHY_OTHER, "the files come from several machines, none of them this one");
    snprintf(material->machine, sizeof material->machine, "%s", local || !only ? here.id : only);
    size_t kept = 0;
    for (size_t r = 0; r < material->count; r++) {
        if (!strcmp(material->record[r].machine, material->machine))
            material->record[kept++] = material->record[r];
    }
    material->count = kept;
    return CONVOY_OK;
}

/* Of each plugin the file that its last row was made with. */
static convoy_status sign(struct material *material, struct convoy_error *err)
{
    for (size_t r = 0; r < material->count; r++) {
        const struct record *record = &material->record[r];
        bool last = true;
        for (size_t later = r + 1; later < material->count && last; later++)
            last = strcmp(material->record[later].backend, record->backend) != 0;
        if (last && record->backend[0] && !add_plugin(material, record->backend, record->plugin_hash))
            return convoy_fail(err, CONVOY_NO_MEMORY, CONVOY_WHY_MEMORY, "out of memory");
    }
    return CONVOY_OK;
}

static bool listed(const struct options *options, const struct record *record)
{
    bool passes = !options->passes, families = !options->families, threads = !options->threads_count;
    union problem problem;
    if (problem_parse(record->problem, &problem, NULL) != CONVOY_OK)
        return false;
    passes = passes || options->passes & 1u << problem_pass(&problem);
    families = families || options->families & 1u << problem_family(&problem);
    for (size_t t = 0; t < options->threads_count; t++)
        threads = threads || options->threads[t] == record->threads;
    return passes && families && threads;
}

static convoy_status read_material(const struct options *options, struct material *material, struct convoy_error *err)
{
    convoy_status status = CONVOY_OK;
    for (size_t f = 0; f < options->arguments.count && status == CONVOY_OK; f++)
        status = add_file(material, options->arguments.item[f], err);
    if (status == CONVOY_OK)
        status = keep_one_machine(material, err);
    if (status == CONVOY_OK)
        status = sign(material, err);
    size_t kept = 0;
    for (size_t r = 0; r < material->count && status == CONVOY_OK; r++) {
        if (listed(options, &material->record[r]))
            material->record[kept++] = material->record[r];
    }
    material->count = kept;
    return status;
}

/* ---- measured now ---- */

/* What a network computes when it is not trained: statistics as they are, no index of the maximum. */
static convoy_status for_inference(struct table *cases, struct convoy_error *err)
{
    convoy_status status = CONVOY_OK;
    for (size_t r = 0; r < cases->count && status == CONVOY_OK; r++) {
        union problem *problem = &cases->row[r].problem;
        if (problem->head.op == CONVOY_BN_TRAIN) {
            const struct convoy_bn trained = problem->bn;
            *problem = (union problem){.bn = trained};
            problem->head.op = CONVOY_BN_INFER;
            status = problem_complete(problem, err);
        } else if (problem->head.op == CONVOY_POOL_FWD && problem->pool.kind == CONVOY_POOL_MAX) {
            problem->head.flags |= CONVOY_NO_INDEX;
        }
    }
    return status;
}

static void leave_out(struct lineup *lineup, const struct options *options)
{
    size_t kept = 0;
    for (size_t c = 0; c < lineup->candidates; c++) {
        struct record record = {0};
        snprintf(record.backend, sizeof record.backend, "%s", lineup->candidate[c].backend->entry->name);
        snprintf(record.variant, sizeof record.variant, "%s", lineup->candidate[c].variant);
        if (!named(&options->without, &record))
            lineup->candidate[kept++] = lineup->candidate[c];
    }
    lineup->candidates = kept;
}

static bool takes_part(const struct lineup *lineup, const struct backend *backend)
{
    for (size_t c = 0; c < lineup->candidates; c++) {
        if (lineup->candidate[c].backend == backend)
            return true;
    }
    return false;
}

static convoy_status measure_material(const struct options *given, bool training, struct material *material,
                                      struct convoy_error *err)
{
    struct options options = *given;
    struct table cases = {0};
    struct lineup lineup = {0};
    struct journal journal = {0};
    struct convoy_error close_err = error_none();
    options.output = NULL; /* of the rows; the selection's is given->output */
    if (options.quick) {
        options.full_macs = INT64_C(1) << 20;
        options.total_s = options.total_s > 0 ? options.total_s : QUICK_S;
    }
    convoy_status status = cases_build(&options, training ? (1u << PASS_COUNT) - 1 : 1u << PASS_FWD, &cases, err);
    if (status == CONVOY_OK && !training)
        status = for_inference(&cases, err);
    if (status == CONVOY_OK)
        status = lineup_open(&options, &lineup, err);
    if (status == CONVOY_OK && !lineup.referee)
        status = convoy_fail(err, CONVOY_FAILED, CONVOY_WHY_OTHER, "the referee backend naive is not here; see `convoy list`");
    if (status == CONVOY_OK)
        status = journal_open(&journal, "bench", &options, err);
    if (status == CONVOY_OK) {
        leave_out(&lineup, &options);
        snprintf(material->machine, sizeof material->machine, "%s", journal.machine.id);
        status = contest_run(&journal, &options, &lineup, &cases, &material->without, err);
    }
    for (size_t b = 0; b < lineup.backends && status == CONVOY_OK; b++) {
        const struct backend *backend = &lineup.backend[b];
        if (takes_part(&lineup, backend) && !add_plugin(material, backend->entry->name, backend->entry->hash))
            status = convoy_fail(err, CONVOY_NO_MEMORY, CONVOY_WHY_MEMORY, "out of memory");
    }
    material->record = journal.record; /* taken over */
    material->count = journal.count;
    journal.record = NULL;
    journal_close(&journal, &close_err);
    lineup_close(&lineup);
    table_free(&cases);
    return status;
}

/* ---- choosing and saying so ---- */

static void print_winners(const struct cost_chain *chain, const struct path_choice *choice)
{
    struct grid *grid = grid_open(9);
    static const char *const head[] = {"layer", "count", "problem", "winner", "ms", "prepare", "runner-up", "lead", ""};
    for (size_t c = 0; grid && c < 9; c++)
        grid_cell(grid, "%s", head[c]);
    for (size_t at = 0; at < chain->layers && grid; at++) {
        const struct cost_layer *layer = &chain->layer[at];
        const struct cost_option *winner = choice[at].winner, *next = choice[at].runner_up;
        grid_cell(grid, "%s", layer->first->layer);
        grid_cell(grid, "%lld", (long long)layer->count);
        grid_cell(grid, "%s", layer->first->problem);
        grid_cell(grid, "%s%s", winner ? winner->backend : "nobody", winner ? classes_mark_of(winner->record) : "");
        grid_number(grid, winner ? (double)winner->record->median_ns / 1e6 : (double)NAN);
        grid_number(grid, winner && winner->record->prepare_ns > 0 ? (double)winner->record->prepare_ns / 1e6 : (double)NAN);
        grid_cell(grid, "%s%s", next ? next->backend : "", next ? classes_mark_of(next->record) : "");
        grid_number(grid, next ? next->ns / winner->ns : (double)NAN);
        grid_cell(grid, "%s", choice[at].tie ? "tie" : "");
    }
    static const size_t numbers[] = {1, 4, 5, 7};
    for (size_t n = 0; grid && n < 4; n++)
        grid_align_right(grid, numbers[n]);
    if (grid)
        grid_print(grid, stdout, 1, 1000);
    grid_close(grid);
    putchar('\n');
}

static void print_totals(const struct totals *totals)
{
    struct grid *grid = grid_open(5);
    static const char *const head[] = {"backend", "layers", "ms", "best per layer ms", "ratio"};
    for (size_t c = 0; grid && c < 5; c++)
        grid_cell(grid, "%s", head[c]);
    for (size_t t = 0; t < totals->count && grid; t++) {
        const struct total *total = &totals->total[t];
        grid_cell(grid, "%s%s%s", total->backend, total->plugin ? ", best variants" : "",
                  total->contender ? "" : " (not in the selection)");
        grid_cell(grid, "%zu", total->layers);
        grid_number(grid, total->ns / 1e6);
        grid_number(grid, total->best_ns / 1e6);
        grid_number(grid, total->ns / total->best_ns);
    }
    for (size_t c = 1; grid && c < 5; c++)
        grid_align_right(grid, c);
    if (grid)
        grid_print(grid, stdout, 1, 1000);
    grid_close(grid);
    putchar('\n');
}

static bool print_chain(const struct cost_chain *chain, const struct path_choice *choice, bool training, bool winners)
{
    struct totals totals;
    if (!totals_make(chain, choice, &totals))
        return false;
    size_t won = 0;
    double computing_ns = 0;
    for (size_t at = 0; at < chain->layers; at++) {
        won += choice[at].winner != NULL;
        computing_ns += choice[at].winner ? (double)chain->layer[at].count * choice[at].winner->ns : 0;
    }
    printf("## %s, %s", chain->network[0] ? chain->network : "problems",
           training ? "training: all passes, preparing in each step" : "inference: forward, weights prepared before");
    if (chain->batch)
        printf(", batch %d", chain->batch);
    printf(", %lld thread%s\n\n", (long long)chain->threads, chain->threads == 1 ? "" : "s");
    if (winners)
        print_winners(chain, choice);
    print_totals(&totals);
    const struct total *single = totals_best_single(&totals, chain, choice);
    const double total_ns = path_total_ns(chain, choice);
    printf("Best per layer: %.4g ms, %.4g ms of it transfers between memories, over %zu layers", total_ns / 1e6,
           (total_ns - computing_ns) / 1e6, won);
    if (won < chain->layers)
        printf(" (%zu without a backend)", chain->layers - won);
    if (single)
        printf(". Best single backend: %s, %.4g ms, %.3g times that.\n\n", single->backend, single->ns / 1e6,
               single->ns / total_ns);
    else
        printf(". No single backend computes all of them.\n\n");
    totals_free(&totals);
    return true;
}

/* All networks for one purpose; the rows go into `selection` unless it is NULL. */
static convoy_status choose(const struct options *options, const struct material *material, bool training,
                            const struct selection *stored, struct selection *selection, struct convoy_error *err)
{
    const struct cost_rules rules = {.training = training,
                                     .any_accuracy = options->any_accuracy,
                                     .cache = options->cold ? "cold" : "hot",
                                     .contends = contends,
                                     .context = options};
    struct costs costs;
    bool ok = costs_make(material->record, material->count, &rules, &costs);
    for (size_t c = 0; ok && c < costs.chains; c++) {
        const struct cost_chain *chain = &costs.chain[c];
        struct path_choice *choice = calloc(chain->layers, sizeof *choice);
        ok = choice && path_choose(chain, stored, choice) && (!selection || path_rows(chain, choice, selection));
        if (ok && !options->quiet)
            ok = print_chain(chain, choice, training, selection != NULL);
        free(choice);
    }
    if (ok)
        costs_free(&costs);
    return ok ? CONVOY_OK : convoy_fail(err, CONVOY_NO_MEMORY, CONVOY_WHY_MEMORY, "out of memory for the costs");
}

/* What -o holds already: an earlier selection keeps winners that are not clearly beaten; a result file is not written over. */
static convoy_status read_stored(const char *path, const struct selection *next, struct selection *stored, bool *has_stored,
                                 struct convoy_error *err)
{
    struct convoy_error cause = error_none();
    struct record *records = NULL;
    size_t count = 0;
    *has_stored = select_read(path, stored, &cause) == CONVOY_OK;
    if (*has_stored && (strcmp(stored->machine, next->machine) || strcmp(stored->purpose, next->purpose))) {
        select_free(stored);
        *has_stored = false;
    }
    /* A selection also reads as rows, of which no column but the problem's is known: results say what made them. */
    if (!*has_stored && results_read(path, &records, &count, &cause) == CONVOY_OK && count && records[0].command[0]) {
        free(records);
        return convoy_fail(err, CONVOY_INVALID, CONVOY_WHY_OTHER, "-o %.160s: holds results; a selection would replace them",
                           path);
    }
    free(records);
    return CONVOY_OK;
}

static bool has_backward(const struct material *material)
{
    for (size_t r = 0; r < material->count; r++) {
        if (!strcmp(material->record[r].command, "bench") && strcmp(material->record[r].pass, "fwd"))
            return true;
    }
    return false;
}

static convoy_status conclude(const struct options *options, struct material *material, bool training, bool both, int *code,
                              struct convoy_error *err)
{
    struct selection selection = {0}, stored = {0};
    bool has_stored = false;
    snprintf(selection.machine, sizeof selection.machine, "%s", material->machine);
    snprintf(selection.purpose, sizeof selection.purpose, "%s", training ? "training" : "inference");
    selection.plugins = material->plugins;
    material->plugins = NULL;
    convoy_status status = options->output ? read_stored(options->output, &selection, &stored, &has_stored, err) : CONVOY_OK;
    if (status == CONVOY_OK && both)
        status = choose(options, material, !training, NULL, NULL, err);
    if (status == CONVOY_OK)
        status = choose(options, material, training, has_stored ? &stored : NULL, &selection, err);
    if (status == CONVOY_OK && !selection.count) {
        fprintf(stderr, "convoy: nothing to select from: no row has a time that counts\n");
        *code = EXIT_INCONCLUSIVE;
    } else if (status == CONVOY_OK && options->output) {
        status = select_write(options->output, &selection, err);
        if (status == CONVOY_OK && !options->quiet)
            printf("selection: %s\n", options->output);
    }
    select_free(&selection);
    select_free(&stored);
    return status;
}

int cmd_select(const struct options *options)
{
    struct convoy_error err = error_none();
    struct material material = {0};
    const bool live = options->tables.count > 0;
    bool training = options->purpose && !strcmp(options->purpose, "training");
    int code = EXIT_OK;
    convoy_status status;
    if (live && options->arguments.count)
        status = convoy_fail(&err, CONVOY_INVALID, CONVOY_WHY_OTHER, "result files and --table exclude each other");
    else if (!live && !options->arguments.count)
        status = convoy_fail(&err, CONVOY_INVALID, CONVOY_WHY_OTHER,
                             "what to select from? result files, or --table NAME to measure now");
    else if (live && options->threads_count > 1)
        status =
            convoy_fail(&err, CONVOY_INVALID, CONVOY_WHY_OTHER, "--threads: one number for a selection that is measured now");
    else
        status = live ? measure_material(options, training, &material, &err) : read_material(options, &material, &err);
    if (status == CONVOY_OK && command_interrupted()) {
        fprintf(stderr, "convoy: interrupted; nothing was selected\n");
        code = EXIT_INCONCLUSIVE;
    } else if (status == CONVOY_OK) {
        const bool both = !live && !options->purpose && has_backward(&material);
        if (!live && !options->purpose)
            training = both;
        if (material.without)
            fprintf(stderr, "convoy: %zu problems have no winner: nobody computes them, or the time did not suffice\n",
                    material.without);
        status = conclude(options, &material, training, both, &code, &err);
    }
    material_free(&material);
    return status == CONVOY_OK ? code : command_failed(&err);
}
