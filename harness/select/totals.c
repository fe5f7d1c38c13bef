#include "select/totals.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct total *find(struct totals *totals, const char *name, bool plugin)
{
    for (size_t t = 0; t < totals->count; t++) {
        if (totals->total[t].plugin == plugin && !strcmp(totals->total[t].backend, name))
            return &totals->total[t];
    }
    struct total *total = &totals->total[totals->count++];
    *total = (struct total){.plugin = plugin};
    snprintf(total->backend, sizeof total->backend, "%s", name);
    return total;
}

static void add(struct total *total, const struct cost_layer *layer, const struct path_choice *choice, double ns, bool contender)
{
    total->layers++;
    total->ns += (double)layer->count * ns;
    total->best_ns += (double)layer->count * choice->winner->ns;
    total->contender = total->contender || contender;
}

/* The first option of each plugin stands for all: those after it are looked at from there. */
static void add_plugins(struct totals *totals, const struct cost_layer *layer, const struct path_choice *choice)
{
    for (size_t o = 0; o < layer->options; o++) {
        const char *const plugin = layer->option[o].record->backend;
        double least_ns = INFINITY;
        bool first = true, contender = false;
        for (size_t at = 0; at < layer->options; at++) {
            const struct cost_option *option = &layer->option[at];
            if (strcmp(option->record->backend, plugin))
                continue;
            first = first && at >= o;
            least_ns = option->ns < least_ns ? option->ns : least_ns;
            contender = contender || option->contender;
        }
        if (first)
            add(find(totals, plugin, true), layer, choice, least_ns, contender);
    }
}

static int compare_totals(const void *left, const void *right)
{
    const struct total *a = left, *b = right;
    if (a->layers != b->layers)
        return a->layers > b->layers ? -1 : 1;
    if (a->ns != b->ns)
        return a->ns < b->ns ? -1 : 1;
    return a->plugin != b->plugin ? b->plugin - a->plugin : strcmp(a->backend, b->backend);
}

bool totals_make(const struct cost_chain *chain, const struct path_choice *choice, struct totals *totals)
{
    size_t options = 1;
    for (size_t at = 0; at < chain->layers; at++)
        options += 2 * chain->layer[at].options;
    *totals = (struct totals){.total = calloc(options, sizeof *totals->total)};
    if (!totals->total)
        return false;
    for (size_t at = 0; at < chain->layers; at++) {
        const struct cost_layer *layer = &chain->layer[at];
        if (!choice[at].winner)
            continue;
        for (size_t o = 0; o < layer->options; o++)
            add(find(totals, layer->option[o].backend, false), layer, &choice[at], layer->option[o].ns,
                layer->option[o].contender);
        add_plugins(totals, layer, &choice[at]);
    }
    qsort(totals->total, totals->count, sizeof *totals->total, compare_totals);
    return true;
}

void totals_free(struct totals *totals)
{
    free(totals->total);
    *totals = (struct totals){0};
}

const struct total *totals_best_single(const struct totals *totals, const struct cost_chain *chain,
                                       const struct path_choice *choice)
{
    size_t computed = 0;
    for (size_t at = 0; at < chain->layers; at++)
        computed += choice[at].winner != NULL;
    for (size_t t = 0; t < totals->count; t++) {
        if (!totals->total[t].plugin && totals->total[t].contender && totals->total[t].layers == computed)
            return &totals->total[t];
    }
    return NULL;
}
