#include "report/history.h"

#include "core/log.h"
#include "core/signtest.h"
#include "report/grid.h"
#include "report/groups.h"
#include <convoy/convoy.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { WIDTH = 140, EARLIER = 5 };

/* A step beyond this from the median of the points before is marked, if it is beyond their own scatter as well. */
#define MARK 0.10

struct point {
    struct record first; /* names machine, network, pass, threads, cache, candidate, plugin file, revision and time */
    int32_t batch;
    size_t layers;
    uint64_t layers_hash; /* equal: the same problems with the same counts */
    double total_ns, pct_peak;
};

struct history {
    struct point *point;
    size_t points, capacity;
};

struct history *history_open(void)
{
    return calloc(1, sizeof(struct history));
}

void history_close(struct history *history)
{
    if (!history)
        return;
    free(history->point);
    free(history);
}

static uint64_t hash_layer(const struct group_layer *layer)
{
    uint64_t hash = UINT64_C(14695981039346656037) ^ (uint64_t)layer->count;
    for (const char *c = layer->first->problem; *c; c++)
        hash = (hash ^ (unsigned char)*c) * UINT64_C(1099511628211);
    return hash;
}

/* False: out of memory. A candidate that lacks a layer is no point. */
static bool add_point(struct history *history, const struct group *group, size_t candidate)
{
    struct point point = {.batch = group->batch, .layers = group->layers, .pct_peak = (double)NAN};
    double flops = 0;
    for (size_t layer = 0; layer < group->layers; layer++) {
        const struct group_layer *here = &group->layer[layer];
        const struct record *timing = group->timing[layer * group->candidates + candidate];
        if (!timing)
            return true;
        if (layer == 0)
            point.first = *timing;
        point.total_ns += (double)here->count * (double)timing->median_ns;
        point.layers_hash += hash_layer(here); /* in any order */
        flops += here->flops > 0 ? (double)here->count * (double)here->flops : NAN;
    }
    if (point.first.peak_gflops > 0)
        point.pct_peak = 100 * flops / point.total_ns / point.first.peak_gflops;
    if (history->points == history->capacity) {
        const size_t capacity = history->capacity ? 2 * history->capacity : 64;
        struct point *larger = realloc(history->point, capacity * sizeof *larger);
        if (!larger)
            return false;
        history->point = larger;
        history->capacity = capacity;
    }
    history->point[history->points++] = point;
    return true;
}

bool history_add(struct history *history, const struct record *records, size_t count)
{
    struct groups groups;
    if (!groups_make(records, count, &groups))
        return false;
    bool done = true;
    for (size_t g = 0; g < groups.count && done; g++) {
        for (size_t c = 0; c < groups.group[g].candidates && done; c++)
            done = add_point(history, &groups.group[g], c);
    }
    groups_free(&groups);
    return done;
}

static int by_number(double left, double right)
{
    return (left > right) - (left < right);
}

/* Order of what shares a table. */
static int by_table(const struct point *a, const struct point *b)
{
    int order = strcmp(a->first.machine, b->first.machine);
    order = order ? order : strcmp(a->first.network, b->first.network);
    order = order ? order : strcmp(a->first.pass, b->first.pass);
    order = order ? order : by_number(a->batch, b->batch);
    order = order ? order : by_number((double)a->first.threads, (double)b->first.threads);
    order = order ? order : strcmp(a->first.cache, b->first.cache);
    return order ? order : (a->layers_hash > b->layers_hash) - (a->layers_hash < b->layers_hash);
}

static int by_candidate(const struct point *a, const struct point *b)
{
    const int order = strcmp(a->first.backend, b->first.backend);
    return order ? order : strcmp(a->first.variant, b->first.variant);
}

static int by_place(const void *left, const void *right)
{
    const struct point *a = left, *b = right;
    int order = by_table(a, b);
    order = order ? order : by_candidate(a, b);
    return order ? order : strcmp(a->first.utc, b->first.utc); /* ISO 8601 sorts as time does */
}

/* Against the median of up to five points before it: the step, and whether it is out of their common scatter. */
static bool step(const struct point *point, size_t before, double *change)
{
    double earlier[EARLIER], distance[EARLIER];
    const size_t count = before < EARLIER ? before : EARLIER;
    if (!count)
        return false;
    for (size_t at = 0; at < count; at++)
        earlier[at] = log((point - 1 - at)->total_ns);
    const double middle = signtest_interval(earlier, count, 0.95).median;
    for (size_t at = 0; at < count; at++)
        distance[at] = fabs(earlier[at] - middle);
    const double mad = signtest_interval(distance, count, 0.95).median;
    *change = log(point->total_ns) - middle;
    return fabs(*change) > MARK && fabs(*change) > 3 * 1.4826 * mad;
}

static void put_point(struct grid *grid, const struct point *point, size_t before)
{
    const struct record *first = &point->first;
    double change = 0;
    const bool marked = step(point, before, &change);
    grid_cell(grid, "%s%s%s", first->backend, *first->variant ? ":" : "", first->variant);
    grid_cell(grid, "%s", first->utc);
    grid_cell(grid, "%s", first->revision);
    grid_cell(grid, "%s%s", first->plugin_hash,
              before && !strcmp(first->plugin_hash, (point - 1)->first.plugin_hash) ? " =" : "");
    grid_number(grid, point->total_ns / 1e6);
    if (isnan(point->pct_peak))
        grid_cell(grid, "%s", "");
    else
        grid_cell(grid, "%.1f", point->pct_peak);
    if (before)
        grid_cell(grid, "%+.1f%s", 100 * expm1(change), marked ? " *" : "");
    else
        grid_cell(grid, "%s", "");
}

static bool print_table(FILE *out, const struct point *point, size_t points)
{
    static const char *const header[] = {"candidate", "utc", "revision", "plugin file", "total ms", "% peak", "change %"};
    enum { COLUMNS = sizeof header / sizeof *header };
    const struct record *first = &point->first;
    struct grid *grid = grid_open(COLUMNS);
    if (!grid)
        return false;
    for (size_t column = 0; column < COLUMNS; column++) {
        grid_cell(grid, "%s", header[column]);
        if (column > 3)
            grid_align_right(grid, column);
    }
    size_t before = 0;
    for (size_t at = 0; at < points; at++) {
        before = at && by_candidate(&point[at - 1], &point[at]) == 0 ? before + 1 : 0;
        put_point(grid, &point[at], before);
    }
    fprintf(out, "%s: %s %s", first->machine, *first->network ? first->network : "(no network)", first->pass);
    if (point->batch)
        fprintf(out, ", batch %d", (int)point->batch);
    fprintf(out, ", %lld thread%s, %s cache, %zu layers\n\n", (long long)first->threads, first->threads == 1 ? "" : "s",
            first->cache, point->layers);
    const bool printed = grid_print(grid, out, COLUMNS, WIDTH);
    grid_close(grid);
    fputc('\n', out);
    return printed;
}

size_t history_print(struct history *history, FILE *out)
{
    if (!history->points)
        return 0;
    qsort(history->point, history->points, sizeof *history->point, by_place);
    fputs("Sums over the layers of count x median time. change: against the median of up to five runs before; \"*\": over 10 % "
          "and out of "
          "their\nscatter. \"=\": the plugin file is the one of the run before, so that a change is the machine's or the "
          "harness's. Trends, no "
          "verdicts:\nto compare two builds use `convoy compare`.\n\n",
          out);
    for (size_t first = 0, end; first < history->points; first = end) {
        for (end = first + 1; end < history->points && by_table(&history->point[first], &history->point[end]) == 0; end++)
            continue;
        if (!print_table(out, &history->point[first], end - first)) {
            log_text(CONVOY_LOG_ERROR, "out of memory for a report table");
            break;
        }
    }
    return history->points;
}
