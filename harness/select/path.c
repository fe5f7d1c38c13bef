#include "select/path.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- within one memory ---- */

static const struct cost_option *fastest(const struct cost_layer *layer, const char *domain, const struct cost_option *except)
{
    const struct cost_option *best = NULL;
    for (size_t o = 0; o < layer->options; o++) {
        const struct cost_option *option = &layer->option[o];
        if (option == except || !option->contender || (domain && strcmp(option->domain, domain)))
            continue;
        if (!best || option->ns < best->ns || (option->ns == best->ns && strcmp(option->backend, best->backend) < 0))
            best = option;
    }
    return best;
}

static bool intervals_touch(const struct cost_option *a, const struct cost_option *b)
{
    return a->low_ns <= b->high_ns && b->low_ns <= a->high_ns;
}

static bool preferred(const struct record *a, const struct record *b)
{
    const bool a_deterministic = strcmp(a->deterministic, "no") != 0, b_deterministic = strcmp(b->deterministic, "no") != 0;
    if (a_deterministic != b_deterministic)
        return a_deterministic;
    if (a->workspace_bytes != b->workspace_bytes)
        return a->workspace_bytes < b->workspace_bytes;
    const int order = strcmp(a->backend, b->backend);
    return order ? order < 0 : strcmp(a->variant, b->variant) < 0;
}

/* The stored winner, if it was selected with the plugin file that the option was measured with. */
static bool is_incumbent(const struct cost_option *option, const struct select_row *row, const char *plugins)
{
    char word[128];
    if (!row || strcmp(row->backend, option->backend))
        return false;
    const int length = snprintf(word, sizeof word, "%s=%s", option->record->backend, option->record->plugin_hash);
    for (const char *at = plugins; at && (at = strstr(at, word)) != NULL; at++) {
        if ((at == plugins || at[-1] == ' ') && (at[length] == ' ' || !at[length]))
            return true;
    }
    return false;
}

static struct path_choice champion(const struct cost_layer *layer, const char *domain, const struct select_row *row,
                                   const char *plugins)
{
    const struct cost_option *best = fastest(layer, domain, NULL);
    struct path_choice choice = {.winner = best};
    if (!best)
        return choice;
    bool kept = false;
    for (size_t o = 0; o < layer->options && !kept; o++) {
        const struct cost_option *option = &layer->option[o];
        if (option == best || !option->contender || strcmp(option->domain, domain) || !intervals_touch(option, best))
            continue;
        if (is_incumbent(option, row, plugins)) {
            choice = (struct path_choice){.winner = option, .tie = true};
            kept = true;
        } else if (option->ns <= (1 + PATH_TIE) * best->ns) {
            choice.tie = true;
            if (!is_incumbent(choice.winner, row, plugins) && preferred(option->record, choice.winner->record))
                choice.winner = option;
        }
    }
    choice.runner_up = fastest(layer, domain, choice.winner);
    if (!choice.runner_up)
        choice.runner_up = fastest(layer, NULL, choice.winner);
    return choice;
}

/* ---- between memories ---- */

/* The best of one layer in one memory, and the cheapest way there. */
struct station {
    struct path_choice choice;
    double total_ns;
    const struct station *before;
    size_t layer;
};

static int64_t crossings(const struct cost_layer *a, const struct cost_layer *b)
{
    return a->count > b->count ? a->count : b->count;
}

static const struct cost_option *option_at(const struct station *station)
{
    return station ? station->choice.winner : NULL;
}

/* Cheapest way from the stations of the layer before (none: the host) into this one. */
static void arrive(struct station *station, const struct cost_chain *chain, const struct station *before, size_t befores)
{
    const struct cost_layer *layer = &chain->layer[station->layer];
    station->total_ns = INFINITY;
    for (size_t b = 0; b < befores || b == 0; b++) {
        const struct station *from = befores ? &before[b] : NULL;
        const int64_t times = from ? crossings(&chain->layer[from->layer], layer) : 1;
        const double total_ns =
            (from ? from->total_ns : 0) + (double)times * cost_transfer_ns(option_at(from), option_at(station));
        if (total_ns < station->total_ns) {
            station->total_ns = total_ns;
            station->before = from;
        }
    }
    station->total_ns += (double)layer->count * option_at(station)->ns;
}

static size_t make_stations(const struct cost_chain *chain, size_t at, const struct selection *stored, struct station *station)
{
    const struct cost_layer *layer = &chain->layer[at];
    const struct select_row *row = stored ? select_find(stored, &layer->problem, (uint32_t)chain->threads) : NULL;
    size_t count = 0;
    for (size_t o = 0; o < layer->options; o++) {
        bool known = !layer->option[o].contender;
        for (size_t s = 0; s < count && !known; s++)
            known = !strcmp(option_at(&station[s])->domain, layer->option[o].domain);
        if (!known)
            station[count++] = (struct station){
                .choice = champion(layer, layer->option[o].domain, row, stored ? stored->plugins : NULL), .layer = at};
    }
    return count;
}

bool path_choose(const struct cost_chain *chain, const struct selection *stored, struct path_choice *choice)
{
    size_t options = 1;
    for (size_t at = 0; at < chain->layers; at++) {
        options += chain->layer[at].options;
        choice[at] = (struct path_choice){0};
    }
    struct station *stations = calloc(options, sizeof *stations);
    if (!stations)
        return false;
    const struct station *before = NULL, *end = NULL;
    size_t used = 0, befores = 0;
    for (size_t at = 0; at < chain->layers; at++) {
        struct station *here = &stations[used];
        const size_t count = make_stations(chain, at, stored, here);
        for (size_t s = 0; s < count; s++)
            arrive(&here[s], chain, before, befores);
        if (!count)
            continue; /* nobody computes the layer: the path goes on without it */
        before = here;
        befores = count;
        used += count;
    }
    double least_ns = INFINITY;
    for (size_t b = 0; b < befores; b++) {
        const double total_ns = before[b].total_ns + cost_transfer_ns(option_at(&before[b]), NULL);
        if (total_ns < least_ns) {
            least_ns = total_ns;
            end = &before[b];
        }
    }
    for (; end; end = end->before)
        choice[end->layer] = end->choice;
    free(stations);
    return true;
}

double path_total_ns(const struct cost_chain *chain, const struct path_choice *choice)
{
    const struct cost_layer *before = NULL;
    const struct cost_option *from = NULL;
    double total_ns = 0;
    for (size_t at = 0; at < chain->layers; at++) {
        const struct cost_layer *layer = &chain->layer[at];
        const struct cost_option *to = choice[at].winner;
        if (!to)
            continue;
        total_ns += (double)layer->count * to->ns + (double)(before ? crossings(before, layer) : 1) * cost_transfer_ns(from, to);
        before = layer;
        from = to;
    }
    return total_ns + cost_transfer_ns(from, NULL);
}

/* ---- rows ---- */

#define COPY(to, from) snprintf((to), sizeof(to), "%.*s", (int)sizeof(to) - 1, (from))

static void fill_row(struct select_row *row, const struct cost_chain *chain, const struct cost_layer *layer,
                     const struct path_choice *choice)
{
    const struct cost_option *winner = choice->winner, *next = choice->runner_up;
    const struct record *record = winner->record;
    *row = (struct select_row){
        .count = layer->count, .problem = layer->problem, .threads = (uint32_t)chain->threads, .tie = choice->tie};
    COPY(row->network, layer->first->network);
    COPY(row->layer, layer->first->layer);
    COPY(row->backend, winner->backend);
    COPY(row->algorithm, record->algorithm);
    COPY(row->accuracy_class, record->accuracy_class);
    /* The interval is of the execution; preparing stands apart. */
    const double prepare_ns = winner->ns - (double)record->median_ns;
    row->ms = (winner->ns - prepare_ns) / 1e6;
    row->low_ms = (winner->low_ns - prepare_ns) / 1e6;
    row->high_ms = (winner->high_ns - prepare_ns) / 1e6;
    row->prepare_ms = record->prepare_ns > 0 ? (double)record->prepare_ns / 1e6 : 0;
    row->runner_up_ms = row->lead = row->lead_low = row->lead_high = (double)NAN;
    if (!next)
        return;
    COPY(row->runner_up, next->backend);
    row->runner_up_ms = (double)next->record->median_ns / 1e6;
    row->lead = next->ns / winner->ns;
    row->lead_low = next->low_ns / winner->high_ns;
    row->lead_high = next->high_ns / winner->low_ns;
}

bool path_rows(const struct cost_chain *chain, const struct path_choice *choice, struct selection *selection)
{
    struct select_row *rows = realloc(selection->row, (selection->count + chain->layers + 1) * sizeof *rows);
    if (!rows)
        return false;
    selection->row = rows;
    for (size_t at = 0; at < chain->layers; at++) {
        if (choice[at].winner)
            fill_row(&rows[selection->count++], chain, &chain->layer[at], &choice[at]);
    }
    return true;
}
