#include "report/rank.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Ends of what the median may be: the exact interval, or with too few rounds for one the median and its deviation. */
static int64_t low_end(const struct record *record)
{
    return record->low_ns > 0 ? record->low_ns : record->median_ns - (record->mad_ns > 0 ? record->mad_ns : 0);
}
static int64_t high_end(const struct record *record)
{
    return record->high_ns > 0 ? record->high_ns : record->median_ns + (record->mad_ns > 0 ? record->mad_ns : 0);
}

void rank_layer(const struct group *group, size_t layer, struct rank_layer *rank)
{
    *rank = (struct rank_layer){0};
    for (size_t candidate = 0; candidate < group->candidates; candidate++) {
        const struct record *timing = group->timing[layer * group->candidates + candidate];
        if (!timing)
            continue;
        if (!rank->best || timing->median_ns < rank->best->median_ns) {
            rank->second = rank->best;
            rank->best = timing;
        } else if (!rank->second || timing->median_ns < rank->second->median_ns) {
            rank->second = timing;
        }
    }
    rank->tie = rank->second && high_end(rank->best) >= low_end(rank->second);
}

static void add_layer(struct rank_total *total, const struct group_layer *layer, const struct record *timing)
{
    total->covered++;
    total->ns += layer->count * timing->median_ns;
    if (timing->workspace_bytes > total->workspace_bytes)
        total->workspace_bytes = timing->workspace_bytes;
    if (timing->prepared_bytes > 0)
        total->prepared_bytes += layer->count * timing->prepared_bytes;
}

bool rank_make(const struct group *group, struct rank *rank)
{
    *rank = (struct rank){.single = RANK_NONE};
    rank->total = calloc(group->candidates ? group->candidates : 1, sizeof *rank->total);
    if (!rank->total)
        return false;
    for (size_t layer = 0; layer < group->layers; layer++) {
        struct rank_layer here;
        rank_layer(group, layer, &here);
        if (!here.best)
            continue;
        rank->timed++;
        rank->best_ns += group->layer[layer].count * here.best->median_ns;
        for (size_t candidate = 0; candidate < group->candidates; candidate++) {
            const struct record *timing = group->timing[layer * group->candidates + candidate];
            if (timing)
                add_layer(&rank->total[candidate], &group->layer[layer], timing);
        }
    }
    for (size_t candidate = 0; candidate < group->candidates; candidate++) {
        const struct rank_total *total = &rank->total[candidate];
        if (total->covered == rank->timed && rank->timed &&
            (rank->single == RANK_NONE || total->ns < rank->total[rank->single].ns))
            rank->single = (int)candidate;
    }
    for (size_t candidate = 0; candidate < group->candidates; candidate++) {
        struct rank_total *total = &rank->total[candidate];
        total->filled_ns = total->ns;
        for (size_t layer = 0; layer < group->layers; layer++) {
            struct rank_layer here;
            rank_layer(group, layer, &here);
            if (!here.best || group->timing[layer * group->candidates + candidate])
                continue;
            const struct record *stand_in =
                rank->single == RANK_NONE ? here.best : group->timing[layer * group->candidates + (size_t)rank->single];
            total->filled_ns += group->layer[layer].count * stand_in->median_ns;
        }
    }
    return true;
}

void rank_free(struct rank *rank)
{
    free(rank->total);
    *rank = (struct rank){.single = RANK_NONE};
}

const char *rank_family(const struct record *record)
{
    static const struct {
        const char *prefix, *family;
    } families[] = {{"gemm", "lowering"}, {"fft", "fft"}, {"winograd", "winograd"}, {"direct", "direct"}, {"exact", "direct"}};
    for (size_t at = 0; at < sizeof families / sizeof families[0]; at++) {
        if (!strncmp(record->numerics, families[at].prefix, strlen(families[at].prefix)))
            return families[at].family;
    }
    return "";
}

bool rank_is_software(const struct record *record)
{
    static const char *const signs[] = {"software", "llvmpipe", "lavapipe", "pocl", "swiftshader"};
    for (size_t at = 0; at < sizeof signs / sizeof signs[0]; at++) {
        if (strcasestr(record->algorithm, signs[at]) || strcasestr(record->variant, signs[at]) ||
            strcasestr(record->domain, signs[at]))
            return true;
    }
    return false;
}
