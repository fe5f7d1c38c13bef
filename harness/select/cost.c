#include "select/cost.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool same(const char *a, const char *b)
{
    return strcmp(a, b) == 0;
}

/* ---- which rows count ---- */

enum judgement { JUDGED_RIGHT, JUDGED_NOTHING, JUDGED_WRONG };

/* What a verdict says about the plugin file on the problem. Names that this version does not know are no pass. */
static enum judgement judge(const struct record *record)
{
    if (same(record->verdict, "PASS") || same(record->verdict, "MARGINAL"))
        return JUDGED_RIGHT;
    static const char *const neutral[] = {"UNSUPPORTED", "SKIPPED", "NOT_RUN"};
    for (size_t v = 0; v < sizeof neutral / sizeof neutral[0]; v++) {
        if (same(record->verdict, neutral[v]))
            return JUDGED_NOTHING;
    }
    return JUDGED_WRONG;
}

static int compare_cases(const void *left, const void *right)
{
    const struct record *a = *(const struct record *const *)left, *b = *(const struct record *const *)right;
    int order = strcmp(a->backend, b->backend);
    if (!order)
        order = strcmp(a->problem, b->problem);
    if (!order)
        order = strcmp(a->variant, b->variant);
    return order ? order : a < b ? -1 : a > b; /* the array's order: later rows last */
}

/* Rows of earlier files of a plugin say nothing about the one that would be used. `sorted` is by backend first. */
static void drop_old_files(const struct record *const *sorted, size_t count, const struct record *records, bool *counts)
{
    for (size_t from = 0, to; from < count; from = to) {
        const struct record *last = sorted[from];
        for (to = from; to < count && same(sorted[to]->backend, sorted[from]->backend); to++)
            last = sorted[to] > last ? sorted[to] : last;
        for (size_t at = from; at < to; at++)
            counts[sorted[at] - records] = same(sorted[at]->plugin_hash, last->plugin_hash);
    }
}

/* A failure on a problem takes every row of that backend on it out, at whatever number of threads it was seen. */
static void drop_failed(const struct record *const *sorted, size_t count, const struct record *records, bool *counts)
{
    for (size_t from = 0, to; from < count; from = to) {
        const struct record *const first = sorted[from];
        bool wrong = false;
        for (to = from; to < count && same(sorted[to]->backend, first->backend) && same(sorted[to]->problem, first->problem) &&
                        same(sorted[to]->variant, first->variant);
             to++)
            wrong = wrong || (counts[sorted[to] - records] && judge(sorted[to]) == JUDGED_WRONG);
        for (size_t at = from; at < to && wrong; at++)
            counts[sorted[at] - records] = false;
    }
}

static bool mark(const struct record *records, size_t count, bool *counts)
{
    const struct record **sorted = malloc((count + 1) * sizeof *sorted);
    if (!sorted)
        return false;
    for (size_t r = 0; r < count; r++)
        sorted[r] = &records[r];
    qsort(sorted, count, sizeof *sorted, compare_cases);
    drop_old_files(sorted, count, records, counts);
    drop_failed(sorted, count, records, counts);
    free(sorted);
    return true;
}

static bool has_cost(const struct record *record, const struct cost_rules *rules)
{
    return same(record->command, "bench") && record->median_ns > 0 && record->threads > 0 && judge(record) == JUDGED_RIGHT &&
           same(record->cache, rules->cache) && (rules->training || same(record->pass, "fwd"));
}

/* ---- options, layers, chains ---- */

/* Makes room for element `count`; capacities are powers of two. NULL: out of memory, the old array stays. */
static void *room(void *array, size_t count, size_t element_bytes)
{
    if (count && (count & (count - 1)))
        return array;
    return realloc(array, (count ? 2 * count : 1) * element_bytes);
}

static int32_t batch_of(const union problem *problem)
{
    switch (problem_family(problem)) {
    case FAMILY_CONV:
        return problem->conv.n;
    case FAMILY_POOL:
        return problem->pool.n;
    case FAMILY_BN:
        return problem->bn.n;
    default:
        return 0;
    }
}

static double or_zero(int64_t ns)
{
    return ns > 0 ? (double)ns : 0;
}

/* With few rounds there is no interval; then the spread of the rounds stands for it. */
static void price(struct cost_option *option, const struct record *record, bool training)
{
    const double prepare_ns = training ? or_zero(record->prepare_ns) : 0, median_ns = (double)record->median_ns;
    double low_ns = record->low_ns > 0 ? (double)record->low_ns : or_zero(record->p5_ns);
    double high_ns = record->high_ns > 0 ? (double)record->high_ns : or_zero(record->p95_ns);
    low_ns = low_ns > 0 && low_ns < median_ns ? low_ns : median_ns;
    high_ns = high_ns > median_ns ? high_ns : median_ns;
    option->ns = median_ns + prepare_ns;
    option->low_ns = low_ns + prepare_ns;
    option->high_ns = high_ns + prepare_ns;
    option->upload_ns = or_zero(record->upload_ns);
    option->download_ns = or_zero(record->download_ns);
}

static bool add_option(struct cost_layer *layer, const struct record *record, const struct cost_rules *rules)
{
    struct cost_option made = {.record = record, .domain = record->domain[0] ? record->domain : "host"};
    const int length =
        snprintf(made.backend, sizeof made.backend, "%s%s%s", record->backend, record->variant[0] ? ":" : "", record->variant);
    if (length < 0 || (size_t)length >= sizeof made.backend)
        return true; /* a name that select.csv cannot hold */
    price(&made, record, rules->training);
    made.contender = (rules->any_accuracy || !same(record->accuracy_class, "fast")) &&
                     (!rules->contends || rules->contends(rules->context, record));
    for (size_t o = 0; o < layer->options; o++) {
        if (same(layer->option[o].backend, made.backend)) {
            layer->option[o] = made;
            return true;
        }
    }
    struct cost_option *larger = room(layer->option, layer->options, sizeof *larger);
    if (!larger)
        return false;
    layer->option = larger;
    layer->option[layer->options++] = made;
    return true;
}

static struct cost_chain *find_chain(struct costs *costs, const struct record *record, int32_t batch)
{
    for (size_t at = costs->chains; at-- > 0;) {
        struct cost_chain *chain = &costs->chain[at];
        if (chain->batch == batch && chain->threads == record->threads && same(chain->network, record->network))
            return chain;
    }
    struct cost_chain *larger = room(costs->chain, costs->chains, sizeof *larger);
    if (!larger)
        return NULL;
    costs->chain = larger;
    larger[costs->chains] = (struct cost_chain){.network = record->network, .batch = batch, .threads = record->threads};
    return &larger[costs->chains++];
}

static struct cost_layer *find_layer(struct cost_chain *chain, const struct record *record, const union problem *problem)
{
    for (size_t at = chain->layers; at-- > 0;) {
        struct cost_layer *layer = &chain->layer[at];
        if (same(layer->first->layer, record->layer) && problem_equal(&layer->problem, problem))
            return layer;
    }
    struct cost_layer *larger = room(chain->layer, chain->layers, sizeof *larger);
    if (!larger)
        return NULL;
    chain->layer = larger;
    larger[chain->layers] =
        (struct cost_layer){.first = record, .problem = *problem, .count = record->count > 0 ? record->count : 1};
    return &larger[chain->layers++];
}

static int compare_forward(const void *left, const void *right)
{
    const struct cost_layer *a = left, *b = right;
    return a->first < b->first ? -1 : a->first > b->first;
}

/* Forward in the order of the rows, backward against it; of one layer the gradient of the weights first. */
static void order_layers(struct cost_chain *chain)
{
    struct cost_layer *const layer = chain->layer;
    qsort(layer, chain->layers, sizeof *layer, compare_forward);
    size_t forward = 0;
    for (size_t at = 0; at < chain->layers; at++) { /* a stable partition by insertion: tables are short */
        if (problem_pass(&layer[at].problem) != PASS_FWD)
            continue;
        const struct cost_layer next = layer[at];
        memmove(&layer[forward + 1], &layer[forward], (at - forward) * sizeof *layer);
        layer[forward++] = next;
    }
    for (size_t low = forward, high = chain->layers; low + 1 < high; low++) {
        const struct cost_layer kept = layer[low];
        layer[low] = layer[--high];
        layer[high] = kept;
    }
}

bool costs_make(const struct record *records, size_t count, const struct cost_rules *rules, struct costs *costs)
{
    *costs = (struct costs){0};
    bool *counts = calloc(count + 1, sizeof *counts);
    bool ok = counts && mark(records, count, counts);
    for (size_t r = 0; r < count && ok; r++) {
        union problem problem;
        if (!counts[r] || !has_cost(&records[r], rules) || problem_parse(records[r].problem, &problem, NULL) != CONVOY_OK)
            continue;
        struct cost_chain *chain = find_chain(costs, &records[r], batch_of(&problem));
        struct cost_layer *layer = chain ? find_layer(chain, &records[r], &problem) : NULL;
        ok = layer && add_option(layer, &records[r], rules);
    }
    free(counts);
    for (size_t c = 0; c < costs->chains; c++)
        order_layers(&costs->chain[c]);
    if (!ok)
        costs_free(costs);
    return ok;
}

void costs_free(struct costs *costs)
{
    for (size_t c = 0; c < costs->chains; c++) {
        for (size_t at = 0; at < costs->chain[c].layers; at++)
            free(costs->chain[c].layer[at].option);
        free(costs->chain[c].layer);
    }
    free(costs->chain);
    *costs = (struct costs){0};
}

double cost_transfer_ns(const struct cost_option *from, const struct cost_option *to)
{
    if (!strcmp(from ? from->domain : "host", to ? to->domain : "host"))
        return 0;
    return (from ? from->download_ns : 0) + (to ? to->upload_ns : 0);
}
