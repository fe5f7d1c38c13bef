#include "cli/compare_files.h"
#include "cli/commands.h"
#include "cli/verdicts.h"
#include "core/error.h"
#include "report/changes.h"
#include "report/results.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define THRESHOLD_PCT 10.0

/* A case that both files have a time for. */
struct pair {
    const struct record *old, *new;
    bool done;
};

static bool has_time(const struct record *record)
{
    return !strcmp(record->command, "bench") && record->median_ns > 0 &&
           (!strcmp(record->verdict, "PASS") || !strcmp(record->verdict, "MARGINAL"));
}

/* Networks are compared backend by backend. */
static bool together(const struct record *a, const struct record *b)
{
    return !strcmp(a->network, b->network) && !strcmp(a->pass, b->pass) && a->threads == b->threads &&
           !strcmp(a->cache, b->cache) && !strcmp(a->backend, b->backend) && !strcmp(a->variant, b->variant);
}

static size_t find_pairs(const struct record *old, size_t olds, const struct record *new, size_t news, struct pair *pair)
{
    size_t pairs = 0;
    for (size_t n = 0; n < news; n++) {
        const struct record *match = NULL;
        for (size_t o = 0; o < olds && has_time(&new[n]); o++) {
            if (has_time(&old[o]) && results_same_case(&old[o], &new[n]))
                match = &old[o]; /* of repeated cases the last counts */
        }
        if (match)
            pair[pairs++] = (struct pair){.old = match, .new = &new[n]};
    }
    return pairs;
}

static int64_t known(int64_t value)
{
    return value == INT64_MIN ? 0 : value;
}

static void name_row(struct record *row, const struct record *old, const struct record *new)
{
    *row = *new;
    snprintf(row->command, sizeof row->command, "compare");
    snprintf(row->baseline_hash, sizeof row->baseline_hash, "%s", old->plugin_hash);
}

/* All pairs of the network and candidate of pair `first`: one row each and one for the network. */
static bool judge_network(struct pair *pair, size_t pairs, size_t first, double threshold, struct record *row, size_t *rows)
{
    struct diff_median *layer = calloc(pairs, sizeof *layer);
    struct diff_result *result = calloc(pairs, sizeof *result), network;
    size_t layers = 0;
    bool done = layer && result;
    for (size_t p = first; p < pairs && done; p++) {
        const struct record *old = pair[p].old, *new = pair[p].new;
        if (pair[p].done || !together(pair[first].new, new))
            continue;
        pair[p].done = true;
        layer[layers++] = (struct diff_median){.count = new->count > 0 ? new->count : 1,
                                               .old_ns = (double)old->median_ns,
                                               .old_mad_ns = (double)known(old->mad_ns),
                                               .old_rounds = known(old->rounds),
                                               .new_ns = (double)new->median_ns,
                                               .new_mad_ns = (double)known(new->mad_ns),
                                               .new_rounds = known(new->rounds)};
        name_row(&row[*rows + layers - 1], old, new);
    }
    done = done && diff_judge_medians(layer, layers, threshold, result, &network);
    if (done) {
        for (size_t at = 0; at < layers; at++)
            changes_fill(&row[*rows + at], &result[at], result[at].verdict);
        struct record *whole = &row[*rows + layers];
        name_row(whole, pair[first].old, pair[first].new);
        snprintf(whole->layer, sizeof whole->layer, "%s", CHANGES_NETWORK);
        snprintf(whole->problem, sizeof whole->problem, "%s%s%s", pair[first].new->backend, *pair[first].new->variant ? ":" : "",
                 pair[first].new->variant);
        changes_fill(whole, &network, network.verdict);
        *rows += layers + 1;
    }
    free(layer);
    free(result);
    return done;
}

int compare_files(const struct options *options, const char *old_path, const char *new_path)
{
    struct convoy_error err = error_none();
    struct record *old = NULL, *new = NULL, *row = NULL;
    struct pair *pair = NULL;
    size_t olds = 0, news = 0, pairs, rows = 0;
    char title[256], note[512];
    int code = EXIT_USAGE;
    convoy_status status = results_read(old_path, &old, &olds, &err);
    if (status == CONVOY_OK)
        status = results_read(new_path, &new, &news, &err);
    if (status != CONVOY_OK)
        goto failed;
    status = CONVOY_NO_MEMORY;
    pair = calloc(news + 1, sizeof *pair);
    row = calloc(2 * news + 1, sizeof *row);
    if (!pair || !row)
        goto failed;
    pairs = find_pairs(old, olds, new, news, pair);
    if (!pairs) {
        status = convoy_fail(&err, CONVOY_INVALID, CONVOY_WHY_OTHER, "the two files have no timed case in common");
        goto failed;
    }
    const double threshold = (options->threshold_pct > 0 ? options->threshold_pct : THRESHOLD_PCT) / 100;
    for (size_t p = 0; p < pairs; p++) {
        if (!pair[p].done && !judge_network(pair, pairs, p, threshold, row, &rows))
            goto failed;
    }
    bool same_machine = true;
    for (size_t p = 0; p < pairs; p++)
        same_machine = same_machine && !strcmp(pair[p].old->machine, pair[p].new->machine);
    for (size_t r = 0; r < rows && !same_machine; r++) {
        snprintf(row[r].verdict, sizeof row[r].verdict, "%s", diff_verdict_name(DIFF_INCONCLUSIVE));
    }
    snprintf(title, sizeof title, "%.110s -> %.110s", old_path, new_path);
    snprintf(note, sizeof note,
             "Weaker evidence: the files were measured apart in time, without a control; only both builds in one run (convoy "
             "compare OLD.so "
             "NEW.so) can tell a small change from a different day.%s",
             same_machine ? "" : " They are of different machines, so no verdict is given.");
    code = verdicts_report(options, title, note, row, rows, 0, 0, &err);
    goto out;
failed:
    if (!err.text[0])
        convoy_fail(&err, status, CONVOY_WHY_OTHER, "out of memory for comparing two files");
    code = command_failed(&err);
out:
    free(old);
    free(new);
    free(pair);
    free(row);
    return code;
}
