#include "report/matrix.h"

#include "core/log.h"
#include "report/classes.h"
#include "report/grid.h"
#include "report/groups.h"
#include "report/rank.h"
#include <convoy/convoy.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { WIDTH = 120 };

static const char effective_text[] =
    "Effective GFLOP/s: the direct algorithm's operations (2 per multiply-add) over the time, for every algorithm.\n";

static void out_of_memory(void)
{
    log_text(CONVOY_LOG_ERROR, "out of memory for a report table");
}

static bool same(const char *a, const char *b)
{
    return strcmp(a, b) == 0;
}

/* Space for "backend:variant" of any record. */
struct candidate_name {
    char text[sizeof((struct record *)0)->backend + sizeof((struct record *)0)->variant + sizeof " (strict/fast)"];
};

static struct candidate_name candidate_name(const struct record *record)
{
    struct candidate_name name;
    snprintf(name.text, sizeof name.text, "%s%s%s", record->backend, *record->variant ? ":" : "", record->variant);
    return name;
}

/* The same with the mark of its class. */
static struct candidate_name marked_name(const struct record *record, const struct classes *classes)
{
    struct candidate_name name = candidate_name(record);
    const size_t used = strlen(name.text);
    snprintf(name.text + used, sizeof name.text - used, "%s", classes_mark(classes));
    return name;
}

static struct candidate_name marked_name_of(const struct record *record)
{
    struct classes classes = {0};
    classes_note(&classes, record);
    return marked_name(record, &classes);
}

/* ---- correctness ---- */

/* The distinct rows or columns of the matrix, by a first record of each. */
struct axis {
    const struct record **first;
    size_t count;
    bool (*equal)(const struct record *, const struct record *);
};

static bool equal_op(const struct record *a, const struct record *b)
{
    return same(a->op, b->op) && same(a->pass, b->pass);
}
static bool equal_candidate(const struct record *a, const struct record *b)
{
    return same(a->backend, b->backend) && same(a->variant, b->variant);
}

static bool axis_add(struct axis *axis, const struct record *record)
{
    for (size_t at = 0; at < axis->count; at++)
        if (axis->equal(axis->first[at], record))
            return true;
    const struct record **larger = realloc(axis->first, (axis->count + 1) * sizeof *larger);
    if (!larger)
        return false;
    axis->first = larger;
    larger[axis->count++] = record;
    return true;
}

static const char *verdict_of(const struct record *record)
{
    return *record->verdict ? record->verdict : "NOT_RUN";
}

static bool is_declined(const char *verdict)
{
    return same(verdict, "UNSUPPORTED") || same(verdict, "SKIPPED");
}

static void correctness_cell(struct grid *grid, const struct record *records, size_t count, const struct record *op,
                             const struct record *candidate)
{
    size_t passed = 0, total = 0, worst_count = 0;
    const char *worst = NULL;
    bool declined_only = true;
    for (size_t at = 0; at < count; at++) {
        const struct record *record = &records[at];
        if (!same(record->command, "verify") || !equal_op(record, op) || !equal_candidate(record, candidate))
            continue;
        const char *verdict = verdict_of(record);
        total++;
        passed += same(verdict, "PASS");
        declined_only = declined_only && is_declined(verdict);
        if (same(verdict, "PASS") || is_declined(verdict))
            continue;
        size_t alike = 0;
        for (size_t other = 0; other < count; other++)
            alike += same(records[other].command, "verify") && equal_op(&records[other], op) &&
                     equal_candidate(&records[other], candidate) && same(verdict_of(&records[other]), verdict);
        if (alike > worst_count) {
            worst = verdict;
            worst_count = alike;
        }
    }
    if (!total)
        grid_cell(grid, "%s", "");
    else if (worst)
        grid_cell(grid, "%s %zu", worst, worst_count);
    else if (declined_only)
        grid_cell(grid, "-");
    else
        grid_cell(grid, "%zu/%zu", passed, total);
}

void matrix_correctness(FILE *out, const struct record *records, size_t count)
{
    struct axis ops = {.equal = equal_op}, candidates = {.equal = equal_candidate};
    struct grid *grid = NULL;
    bool done = false;
    for (size_t at = 0; at < count; at++)
        if (same(records[at].command, "verify") && (!axis_add(&ops, &records[at]) || !axis_add(&candidates, &records[at])))
            goto out;
    if (!ops.count) {
        fputs("No verification records.\n", out);
        done = true;
        goto out;
    }
    grid = grid_open(2 + candidates.count);
    if (!grid)
        goto out;
    grid_cell(grid, "operation");
    grid_cell(grid, "pass");
    bool marked = false;
    for (size_t column = 0; column < candidates.count; column++) {
        struct classes classes = {0};
        for (size_t at = 0; at < count; at++)
            if (same(records[at].command, "verify") && equal_candidate(&records[at], candidates.first[column]))
                classes_note(&classes, &records[at]);
        marked |= classes.fast;
        grid_cell(grid, "%s", marked_name(candidates.first[column], &classes).text);
        grid_align_right(grid, 2 + column);
    }
    for (size_t row = 0; row < ops.count; row++) {
        grid_cell(grid, "%s", ops.first[row]->op);
        grid_cell(grid, "%s", ops.first[row]->pass);
        for (size_t column = 0; column < candidates.count; column++)
            correctness_cell(grid, records, count, ops.first[row], candidates.first[column]);
    }
    fprintf(out,
            "Verified problems: passed/total, the rest was declined; \"-\": all declined; else the most frequent failure.\n%s\n",
            marked ? classes_text : "");
    done = grid_print(grid, out, 2, WIDTH);
out:
    if (!done)
        out_of_memory();
    grid_close(grid);
    free(ops.first);
    free(candidates.first);
}

/* ---- times ---- */

static bool has_fast(const struct record *records, size_t count)
{
    struct classes classes = {0};
    for (size_t at = 0; at < count; at++)
        classes_note(&classes, &records[at]);
    return classes.fast;
}

static void print_title(FILE *out, const struct group *group)
{
    const struct record *first = group->first;
    fprintf(out, "%s %s", *first->network ? first->network : "(no network)", first->pass);
    if (group->batch)
        fprintf(out, ", batch %d", (int)group->batch);
    if (first->threads > 0)
        fprintf(out, ", %lld thread%s", (long long)first->threads, first->threads == 1 ? "" : "s");
    if (*first->cache)
        fprintf(out, ", %s cache", first->cache);
    if (*first->machine)
        fprintf(out, ", %s", first->machine);
    fputs("\n\n", out);
}

static double milliseconds(int64_t ns)
{
    return (double)ns / 1e6;
}

/* timing.md, measuring loop: spread over 5 % of the median marks a row as noisy. */
static bool is_noisy(const struct record *record)
{
    return record->mad_ns > 0 && (double)record->mad_ns > 0.05 * (double)record->median_ns;
}

static bool print_winners(FILE *out, const struct group *group)
{
    static const char *const header[] = {"layer", "problem", "fastest", "ms", "GFLOP/s", "% peak", "% roof", "runner-up", "% slower"};
    static const bool right[] = {false, false, false, true, true, true, true, false, true};
    enum { COLUMNS = sizeof header / sizeof *header };
    struct grid *grid = grid_open(COLUMNS);
    if (!grid)
        return false;
    for (size_t column = 0; column < COLUMNS; column++) {
        grid_cell(grid, "%s", header[column]);
        if (right[column])
            grid_align_right(grid, column);
    }
    for (size_t layer = 0; layer < group->layers; layer++) {
        struct rank_layer rank;
        rank_layer(group, layer, &rank);
        const struct record *fastest = rank.best, *second = rank.second;
        grid_cell(grid, "%s", group->layer[layer].first->layer);
        grid_cell(grid, "%s", group->layer[layer].first->problem);
        grid_cell(grid, "%s%s", fastest ? marked_name_of(fastest).text : "none", fastest && is_noisy(fastest) ? " ~" : "");
        grid_number(grid, fastest ? milliseconds(fastest->median_ns) : NAN);
        grid_number(grid, fastest ? fastest->gflops : NAN);
        if (fastest && !isnan(fastest->pct_peak))
            grid_cell(grid, "%.1f", fastest->pct_peak);
        else
            grid_cell(grid, "%s", "");
        if (fastest && !isnan(fastest->pct_roof))
            grid_cell(grid, "%.1f %s", fastest->pct_roof, fastest->roof);
        else
            grid_cell(grid, "%s", "");
        grid_cell(grid, "%s", second ? marked_name_of(second).text : "");
        if (second)
            grid_cell(grid, "%.1f", 100 * ((double)second->median_ns / (double)fastest->median_ns - 1));
        else
            grid_cell(grid, "%s", "");
    }
    print_title(out, group);
    const bool printed = grid_print(grid, out, COLUMNS, WIDTH);
    fputc('\n', out);
    grid_close(grid);
    return printed;
}

void matrix_winners(FILE *out, const struct record *records, size_t count)
{
    struct groups groups;
    if (!groups_make(records, count, &groups)) {
        out_of_memory();
        return;
    }
    if (groups.count)
        fprintf(out, "Fastest candidate per layer, by median time; \"~\": spread above 5 %% of the median.\n%s%s\n",
                effective_text, has_fast(records, count) ? classes_text : "");
    else
        fputs("No timing records.\n", out);
    for (size_t at = 0; at < groups.count; at++)
        if (!print_winners(out, &groups.group[at])) {
            out_of_memory();
            break;
        }
    groups_free(&groups);
}

struct total {
    struct candidate_name name;
    size_t covered;
    double ns; /* of all layers, with their multiplicity; 0: layers are lacking, and a sum would compare with nothing */
};

/* Complete candidates by time, then the others by what they lack; equals by name. */
static int by_total(const void *a, const void *b)
{
    const struct total *left = a, *right = b;
    if (left->covered != right->covered)
        return left->covered > right->covered ? -1 : 1;
    const int order = (left->ns > right->ns) - (left->ns < right->ns);
    return order ? order : strcmp(left->name.text, right->name.text);
}

static bool print_totals(FILE *out, const struct group *group)
{
    static const char *const header[] = {"candidate", "layers", "lacks", "total ms", "of best", "GFLOP/s"};
    enum { COLUMNS = sizeof header / sizeof *header };
    struct total *total = calloc(group->candidates + 1, sizeof *total);
    struct grid *grid = grid_open(COLUMNS);
    struct rank rank;
    const bool ranked = rank_make(group, &rank);
    bool printed = false;
    if (!total || !grid || !ranked)
        goto out;

    double operations = 0;
    snprintf(total[0].name.text, sizeof total[0].name.text, "best per layer");
    total[0].covered = rank.timed;
    total[0].ns = (double)rank.best_ns;
    for (size_t c = 0; c < group->candidates; c++) {
        struct classes classes = {0};
        for (size_t layer = 0; layer < group->layers; layer++) {
            if (group->timing[layer * group->candidates + c])
                classes_note(&classes, group->timing[layer * group->candidates + c]);
        }
        total[1 + c] =
            (struct total){marked_name(group->candidate[c], &classes), rank.total[c].covered, (double)rank.total[c].ns};
    }
    for (size_t layer = 0; layer < group->layers; layer++) {
        const struct group_layer *here = &group->layer[layer];
        operations += here->flops > 0 ? (double)here->count * (double)here->flops : NAN;
    }
    for (size_t row = 0; row < group->candidates + 1; row++)
        if (total[row].covered < group->layers)
            total[row].ns = 0;
    qsort(total + 1, group->candidates, sizeof *total, by_total);

    for (size_t column = 0; column < COLUMNS; column++) {
        grid_cell(grid, "%s", header[column]);
        if (column)
            grid_align_right(grid, column);
    }
    for (size_t row = 0; row < group->candidates + 1; row++) {
        const bool complete = total[row].covered == group->layers;
        grid_cell(grid, "%s", total[row].name.text);
        grid_cell(grid, "%zu", total[row].covered);
        if (complete)
            grid_cell(grid, "%s", "");
        else
            grid_cell(grid, "%zu", group->layers - total[row].covered);
        grid_number(grid, complete ? total[row].ns / 1e6 : NAN);
        if (complete)
            grid_cell(grid, "%.2f", total[row].ns / total[0].ns);
        else
            grid_cell(grid, "%s", "");
        grid_number(grid, complete ? operations / total[row].ns : NAN);
    }
    print_title(out, group);
    printed = grid_print(grid, out, COLUMNS, WIDTH);
    fputc('\n', out);
out:
    if (ranked)
        rank_free(&rank);
    grid_close(grid);
    free(total);
    return printed;
}

void matrix_totals(FILE *out, const struct record *records, size_t count)
{
    struct groups groups;
    if (!groups_make(records, count, &groups)) {
        out_of_memory();
        return;
    }
    if (groups.count)
        fprintf(out, "Network totals: sum over the layers of count x median time, for candidates that have every layer.\n%s%s\n",
                effective_text, has_fast(records, count) ? classes_text : "");
    else
        fputs("No timing records.\n", out);
    for (size_t at = 0; at < groups.count; at++)
        if (!print_totals(out, &groups.group[at])) {
            out_of_memory();
            break;
        }
    groups_free(&groups);
}
