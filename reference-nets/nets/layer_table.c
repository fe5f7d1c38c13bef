#include "nets/layer_table.h"

#include <convoy/plugin.h>
#include <errno.h>
#include <string.h>

static size_t first_like(const struct net *net, size_t layer)
{
    size_t first = 0;
    while (!problem_equal(&net->layer[first].problem, &net->layer[layer].problem))
        first++;
    return first;
}

static size_t count_like(const struct net *net, size_t layer)
{
    size_t count = 0;
    for (size_t other = layer; other < net->count; other++)
        count += problem_equal(&net->layer[other].problem, &net->layer[layer].problem);
    return count;
}

/* Names and problem strings hold neither commas nor quotes, so that no field needs quoting. */
convoy_status layer_table_write(const struct net *net, FILE *out, struct convoy_error *err)
{
    fputs("network,layer,count,problem\n", out);
    for (size_t layer = 0; layer < net->count; layer++) {
        if (first_like(net, layer) != layer)
            continue;
        char text[PROBLEM_TEXT_BYTES];
        problem_print(&net->layer[layer].problem, text, sizeof text);
        fprintf(out, "%s,%s,%zu,%s\n", net->name, net->layer[layer].name, count_like(net, layer), text);
    }
    if (fflush(out) || ferror(out))
        return convoy_fail(err, CONVOY_FAILED, CONVOY_WHY_OTHER, "writing the table of %s: %s", net->name, strerror(errno));
    return CONVOY_OK;
}
