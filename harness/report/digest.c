#include "report/digest.h"

#include "report/changes.h"
#include "report/classes.h"
#include "report/devices.h"
#include "report/grid.h"
#include "report/matrix.h"
#include "report/rank.h"
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { WIDTH = 120 };

static void header(struct grid *grid, const char *const *name, size_t columns, size_t left)
{
    for (size_t column = 0; column < columns; column++) {
        grid_cell(grid, "%s", name[column]);
        if (column >= left)
            grid_align_right(grid, column);
    }
}

static void title(FILE *out, const char *heading, const char *text)
{
    fprintf(out, "\n%s%s\n\n", heading, text);
}

static bool same_candidate(const struct record *a, const struct record *b)
{
    return !strcmp(a->backend, b->backend) && !strcmp(a->variant, b->variant);
}

static void put_candidate_of(struct grid *grid, const struct record *record, const struct classes *classes)
{
    grid_cell(grid, "%s%s%s%s%s", record->backend, *record->variant ? ":" : "", record->variant, classes_mark(classes),
              rank_is_software(record) ? " (software device)" : "");
}

static void put_candidate(struct grid *grid, const struct record *record)
{
    put_candidate_of(grid, record, &(struct classes){0});
}

/* ---- where the rows come from ---- */

static bool same_origin(const struct record *a, const struct record *b)
{
    return same_candidate(a, b) && !strcmp(a->machine, b->machine) && !strcmp(a->plugin_hash, b->plugin_hash);
}

/* One line for each machine, candidate and plugin file. */
static bool print_origins(FILE *out, const struct report *report)
{
    static const char *const names[] = {"candidate", "version", "plugin file", "seed", "machine", "processor", "rows"};
    enum { COLUMNS = sizeof names / sizeof names[0] };
    struct grid *grid = grid_open(COLUMNS);
    const struct record **first = calloc(report->count ? report->count : 1, sizeof *first);
    size_t *rows = calloc(report->count ? report->count : 1, sizeof *rows), count = 0;
    bool printed = false;
    if (!grid || !first || !rows)
        goto out;
    for (size_t r = 0; r < report->count; r++) {
        size_t at = 0;
        while (at < count && !same_origin(first[at], &report->records[r]))
            at++;
        if (at == count)
            first[count++] = &report->records[r];
        rows[at]++;
    }
    header(grid, names, COLUMNS, COLUMNS - 1);
    for (size_t at = 0; at < count; at++) {
        put_candidate(grid, first[at]);
        grid_cell(grid, "%s", first[at]->plugin_version);
        grid_cell(grid, "%s", first[at]->plugin_hash);
        if (first[at]->seed == INT64_MIN)
            grid_cell(grid, "%s", "");
        else
            grid_cell(grid, "%" PRId64, first[at]->seed);
        grid_cell(grid, "%s", first[at]->machine);
        grid_cell(grid, "%s", first[at]->cpu);
        grid_cell(grid, "%zu", rows[at]);
    }
    printed = grid_print(grid, out, COLUMNS, WIDTH);
out:
    grid_close(grid);
    free(first);
    free(rows);
    return printed;
}

/* ---- networks ---- */

static bool print_totals(FILE *out, const struct group *group)
{
    static const char *const names[] = {"candidate", "layers", "own ms", "whole ms", "of best", "workspace MiB", "prepared MiB"};
    enum { COLUMNS = sizeof names / sizeof names[0] };
    const struct record *first = group->first;
    struct rank rank;
    if (!rank_make(group, &rank))
        return false;
    struct grid *grid = grid_open(COLUMNS);
    bool printed = false;
    if (!grid)
        goto out;
    fprintf(out, "%s %s, batch %d, %" PRId64 " thread%s, %s cache, %s\n\n", *first->network ? first->network : "(no network)",
            first->pass, (int)group->batch, first->threads, first->threads == 1 ? "" : "s", first->cache, first->machine);
    fprintf(out, "Best per layer: %.6g ms over %zu of %zu layers.", (double)rank.best_ns / 1e6, rank.timed, group->layers);
    if (rank.single != RANK_NONE) {
        const struct record *single = group->candidate[rank.single];
        const int64_t ns = rank.total[rank.single].ns;
        fprintf(
            out,
            " Best single backend: %s%s%s, %.6g ms, %.2f times that. Layers that a candidate lacks are charged at its time.\n\n",
            single->backend, *single->variant ? ":" : "", single->variant, (double)ns / 1e6, (double)ns / (double)rank.best_ns);
    } else {
        fputs(" No candidate has every layer; those that one lacks are charged at the fastest's time.\n\n", out);
    }
    header(grid, names, COLUMNS, 1);
    for (size_t c = 0; c < group->candidates; c++) {
        const struct rank_total *total = &rank.total[c];
        struct classes classes = {0};
        for (size_t layer = 0; layer < group->layers; layer++) {
            if (group->timing[layer * group->candidates + c])
                classes_note(&classes, group->timing[layer * group->candidates + c]);
        }
        put_candidate_of(grid, group->candidate[c], &classes);
        grid_cell(grid, "%zu/%zu", total->covered, rank.timed);
        grid_number(grid, total->covered ? (double)total->ns / 1e6 : NAN);
        grid_number(grid, total->covered ? (double)total->filled_ns / 1e6 : NAN);
        if (total->covered)
            grid_cell(grid, "%.2f", (double)total->filled_ns / (double)rank.best_ns);
        else
            grid_cell(grid, "%s", "");
        grid_number(grid, (double)total->workspace_bytes / 1048576);
        grid_number(grid, (double)total->prepared_bytes / 1048576);
    }
    printed = grid_print(grid, out, COLUMNS, WIDTH);
    fputc('\n', out);
out:
    grid_close(grid);
    rank_free(&rank);
    return printed;
}

/* ---- accuracy ---- */

static bool has_error(const struct record *record)
{
    return !isnan(record->error_in_bounds) && strcmp(record->command, "compare");
}

static bool print_accuracy(FILE *out, const struct report *report)
{
    static const char *const names[] = {"candidate", "problems", "worst error / bound", "worst norm(y-r)/norm(r)",
                                        "worst backward error"};
    enum { COLUMNS = sizeof names / sizeof names[0] };
    struct grid *grid = grid_open(COLUMNS);
    if (!grid)
        return false;
    header(grid, names, COLUMNS, 1);
    for (size_t r = 0; r < report->count; r++) {
        const struct record *first = &report->records[r];
        size_t earlier = 0, problems = 0;
        if (!has_error(first))
            continue;
        while (earlier < r && !(has_error(&report->records[earlier]) && same_candidate(&report->records[earlier], first)))
            earlier++;
        if (earlier < r)
            continue;
        double error = NAN, relative = NAN, backward = NAN;
        struct classes classes = {0};
        for (size_t other = r; other < report->count; other++) {
            const struct record *record = &report->records[other];
            if (!has_error(record) || !same_candidate(record, first))
                continue;
            problems++;
            classes_note(&classes, record);
            error = fmax(error, record->error_in_bounds);
            relative = fmax(relative, record->l2_rel);
            backward = fmax(backward, record->backward_error);
        }
        put_candidate_of(grid, first, &classes);
        grid_cell(grid, "%zu", problems);
        grid_number(grid, error);
        if (isnan(relative))
            grid_cell(grid, "%s", "");
        else
            grid_cell(grid, "%.2e", relative);
        grid_number(grid, backward);
    }
    const bool printed = grid_print(grid, out, COLUMNS, WIDTH);
    grid_close(grid);
    return printed;
}

/* ---- changes, other files ---- */

static bool print_changes(FILE *out, const char *heading, const struct report *report)
{
    struct record *changes = calloc(report->count ? report->count : 1, sizeof *changes);
    size_t count = 0;
    if (!changes)
        return false;
    for (size_t r = 0; r < report->count; r++) {
        if (!strcmp(report->records[r].command, "compare"))
            changes[count++] = report->records[r];
    }
    if (count) {
        char below[32];
        snprintf(below, sizeof below, "%s%s", *heading ? "#" : "", heading);
        title(out, heading, "Two builds");
        changes_print(out, below, changes, count);
    }
    free(changes);
    return true;
}

static bool print_sheet(FILE *out, const struct sheet *sheet)
{
    struct grid *grid = grid_open(sheet->columns);
    if (!grid)
        return false;
    for (size_t cell = 0; cell < sheet->columns * (sheet->rows + 1); cell++)
        grid_cell(grid, "%s", sheet->cell[cell]);
    const bool printed = grid_print(grid, out, sheet->columns, WIDTH);
    grid_close(grid);
    return printed;
}

/* The last step of each network and backend says how the training went; all steps are too many to read. */
static bool print_training(FILE *out, const struct sheet *sheet)
{
    const int network = sheet_column(sheet, "network"), backend = sheet_column(sheet, "backend");
    struct grid *grid = grid_open(sheet->columns);
    if (!grid)
        return false;
    for (size_t column = 0; column < sheet->columns; column++)
        grid_cell(grid, "%s", sheet->cell[column]);
    for (size_t row = 0; row < sheet->rows; row++) {
        bool last = true;
        for (size_t later = row + 1; later < sheet->rows && last && network >= 0 && backend >= 0; later++)
            last = strcmp(sheet_cell(sheet, row, (size_t)network), sheet_cell(sheet, later, (size_t)network)) ||
                   strcmp(sheet_cell(sheet, row, (size_t)backend), sheet_cell(sheet, later, (size_t)backend));
        for (size_t column = 0; last && column < sheet->columns; column++)
            grid_cell(grid, "%s", sheet_cell(sheet, row, column));
    }
    const bool printed = grid_print(grid, out, sheet->columns, WIDTH);
    grid_close(grid);
    return printed;
}

bool digest_print(FILE *out, const char *heading, const struct report *report)
{
    struct groups groups;
    if (!groups_make(report->records, report->count, &groups))
        return false;
    fprintf(out, "%s\n", *heading ? "# Convoy report" : "Convoy report");
    title(out, heading, "Is it right?");
    matrix_correctness(out, report->records, report->count);
    title(out, heading, "What does a whole network cost?");
    bool done = true;
    for (size_t g = 0; g < groups.count && done; g++)
        done = print_totals(out, &groups.group[g]);
    title(out, heading, "Who wins each layer?");
    matrix_winners(out, report->records, report->count);
    char devices[64];
    snprintf(devices, sizeof devices, "\n%sWhat do launches and copies cost?\n\n", heading);
    done = done && devices_print(out, devices, report->records, report->count);
    title(out, heading, "How accurate?");
    done = done && print_accuracy(out, report) && print_changes(out, heading, report);
    if (done && report->select) {
        title(out, heading, "Selection");
        done = print_sheet(out, report->select);
    }
    if (done && report->training) {
        title(out, heading, "Training, last step");
        done = print_training(out, report->training);
    }
    title(out, heading, "Where the rows come from");
    done = done && print_origins(out, report);
    groups_free(&groups);
    return done && !ferror(out);
}
