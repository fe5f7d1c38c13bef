#include "report/changes.h"

#include "core/log.h"
#include "report/classes.h"
#include "report/grid.h"
#include <convoy/convoy.h>
#include <math.h>
#include <string.h>

enum { WIDTH = 160 };

static bool same(const char *a, const char *b)
{
    return strcmp(a, b) == 0;
}

static double percent(double ratio)
{
    return 100 * (ratio - 1);
}

static int64_t whole_ns(double ns)
{
    return ns > 0 ? (int64_t)(ns + 0.5) : INT64_MIN;
}

void changes_fill(struct record *record, const struct diff_result *result, enum diff_verdict verdict)
{
    snprintf(record->verdict, sizeof record->verdict, "%s", diff_verdict_name(verdict));
    record->rounds = (int64_t)result->rounds;
    record->baseline_ns = whole_ns(result->old_ns);
    record->median_ns = whole_ns(result->new_ns);
    if (!result->rounds) {
        snprintf(record->reason, sizeof record->reason, "no common round was measured");
        return;
    }
    record->ratio = exp(result->effect);
    record->ratio_low = exp(result->low);
    record->ratio_high = exp(result->high);
    record->noise_pct = percent(exp(result->floor));
    record->p_holm = result->p;
    record->p_equivalent = result->p_equivalent;
    snprintf(record->reason, sizeof record->reason,
             "%.2f %% %s (95 %% interval %.2f to %.2f %%), noise floor %.2f %%, a change counts from %.2f %%",
             fabs(percent(record->ratio)), record->ratio < 1 ? "faster" : "slower", percent(record->ratio_low),
             percent(record->ratio_high), record->noise_pct, percent(exp(result->least)));
}

static bool is_network(const struct record *record)
{
    return same(record->layer, CHANGES_NETWORK);
}

static bool together(const struct record *a, const struct record *b)
{
    return same(a->network, b->network) && same(a->pass, b->pass) && a->threads == b->threads && same(a->cache, b->cache);
}

static void milliseconds(struct grid *grid, int64_t ns)
{
    grid_number(grid, ns == INT64_MIN ? (double)NAN : (double)ns / 1e6);
}

static void put_row(struct grid *grid, const struct record *record)
{
    grid_cell(grid, "%s", record->layer);
    grid_cell(grid, "%s%s", record->problem, classes_mark_of(record));
    milliseconds(grid, record->baseline_ns);
    milliseconds(grid, record->median_ns);
    if (isnan(record->ratio)) {
        for (int cell = 0; cell < 4; cell++)
            grid_cell(grid, "%s", "");
    } else {
        grid_cell(grid, "%+.2f", percent(record->ratio));
        grid_cell(grid, "%+.2f … %+.2f", percent(record->ratio_low), percent(record->ratio_high));
        grid_cell(grid, "%.2g", record->p_holm);
        grid_cell(grid, "%.2f", record->noise_pct);
    }
    grid_cell(grid, "%s", record->verdict);
}

/* The layers of one network; rows without a time say why below the table. */
static bool print_layers(FILE *out, const struct record *records, size_t count, const struct record *network)
{
    static const char *const header[] = {"layer",         "problem",  "old ms",  "new ms", "change %",
                                         "95 % interval", "p (Holm)", "noise %", "verdict"};
    enum { COLUMNS = sizeof header / sizeof *header };
    struct grid *grid = grid_open(COLUMNS);
    if (!grid)
        return false;
    for (size_t column = 0; column < COLUMNS; column++) {
        grid_cell(grid, "%s", header[column]);
        if (column > 1 && column + 1 < COLUMNS)
            grid_align_right(grid, column);
    }
    for (size_t at = 0; at < count; at++) {
        if (!is_network(&records[at]) && together(&records[at], network))
            put_row(grid, &records[at]);
    }
    const bool printed = grid_print(grid, out, COLUMNS, WIDTH);
    grid_close(grid);
    fputc('\n', out);
    for (size_t at = 0; at < count; at++) {
        const struct record *record = &records[at];
        if (!is_network(record) && together(record, network) && isnan(record->ratio) && *record->reason)
            fprintf(out, "* %s: %s: %s\n", record->problem, record->verdict, record->reason);
    }
    return printed;
}

void changes_print(FILE *out, const char *heading, const struct record *records, size_t count)
{
    for (size_t at = 0; at < count; at++) {
        const struct record *record = &records[at];
        if (!is_network(record))
            continue;
        fprintf(out, "%s%s %s, %lld thread%s, %s cache: %s\n\n%s.\n\n", heading, *record->network ? record->network : "problems",
                record->pass, (long long)record->threads, record->threads == 1 ? "" : "s", record->cache, record->verdict,
                record->reason);
        if (!print_layers(out, records, count, record)) {
            log_text(CONVOY_LOG_ERROR, "out of memory for a report table");
            return;
        }
        fputc('\n', out);
    }
}
