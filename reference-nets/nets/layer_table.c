#include "nets/layer_table.h"

#include <convoy/plugin.h>
#include <errno.h>
#include <string.h>

/* Activations are no rows: their time is that of memory, and folded into other layers where that is possible. */
static bool is_row(const struct net_layer *layer)
{
    return layer->posed && problem_family(&layer->problem) != FAMILY_ELTWISE;
}

static bool alike(const struct net_layer *a, const struct net_layer *b)
{
    return is_row(a) && is_row(b) && problem_equal(&a->problem, &b->problem);
}

static size_t first_like(const struct net *net, size_t layer)
{
    size_t first = 0;
    while (!alike(&net->layer[first], &net->layer[layer]))
        first++;
    return first;
}

static size_t count_like(const struct net *net, size_t layer)
{
    size_t count = 0;
    for (size_t other = layer; other < net->count; other++)
        count += alike(&net->layer[other], &net->layer[layer]);
    return count;
}

/* Names and problem strings hold neither commas nor quotes, so that no field needs quoting. */
convoy_status layer_table_write(const struct net *net, FILE *out, struct convoy_error *err)
{
    fputs("network,layer,count,problem\n", out);
    for (size_t layer = 0; layer < net->count; layer++) {
        if (!is_row(&net->layer[layer]) || first_like(net, layer) != layer)
            continue;
        char text[PROBLEM_TEXT_BYTES];
        problem_print(&net->layer[layer].problem, text, sizeof text);
        fprintf(out, "%s,%s,%zu,%s\n", net->name, net->layer[layer].name, count_like(net, layer), text);
    }
    if (fflush(out) || ferror(out))
        return convoy_fail(err, CONVOY_FAILED, CONVOY_WHY_OTHER, "writing the table of %s: %s", net->name, strerror(errno));
    return CONVOY_OK;
}
