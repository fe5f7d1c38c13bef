#include "report/groups.h"

#include "core/error.h"
#include "core/problem.h"
#include <stdlib.h>
#include <string.h>

/* Where a record belongs; found in a first pass, so that the tables can be allocated whole. */
struct place {
    size_t group, layer, candidate;
};

static bool same(const char *a, const char *b)
{
    return strcmp(a, b) == 0;
}

static bool is_bench(const struct record *record)
{
    return same(record->command, "bench");
}

/* A time counts if nothing was found wrong with the result. */
static bool has_time(const struct record *record)
{
    return record->median_ns > 0 && (!*record->verdict || same(record->verdict, "PASS") || same(record->verdict, "MARGINAL"));
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

/* Makes room for element `count`; capacities are powers of two. NULL: out of memory, the old array stays. */
static void *room(void *array, size_t count, size_t element_bytes)
{
    if (count && (count & (count - 1)))
        return array;
    return realloc(array, (count ? 2 * count : 1) * element_bytes);
}

static struct group *find_group(struct groups *groups, const struct record *record, int32_t batch)
{
    for (size_t at = groups->count; at-- > 0;) { /* the last one is the likely one */
        struct group *group = &groups->group[at];
        const struct record *first = group->first;
        if (group->batch == batch && first->threads == record->threads && same(first->network, record->network) &&
            same(first->pass, record->pass) && same(first->cache, record->cache) && same(first->machine, record->machine))
            return group;
    }
    struct group *larger = room(groups->group, groups->count, sizeof *larger);
    if (!larger)
        return NULL;
    groups->group = larger;
    larger[groups->count] = (struct group){.first = record, .batch = batch};
    return &larger[groups->count++];
}

static bool find_layer(struct group *group, const struct record *record, int64_t flops, size_t *at)
{
    for (*at = 0; *at < group->layers; ++*at) {
        const struct record *first = group->layer[*at].first;
        if (same(first->layer, record->layer) && same(first->problem, record->problem))
            return true;
    }
    struct group_layer *larger = room(group->layer, group->layers, sizeof *larger);
    if (!larger)
        return false;
    group->layer = larger;
    larger[group->layers++] = (struct group_layer){record, record->count > 0 ? record->count : 1, flops};
    return true;
}

static bool find_candidate(struct group *group, const struct record *record, size_t *at)
{
    for (*at = 0; *at < group->candidates; ++*at) {
        const struct record *first = group->candidate[*at];
        if (same(first->backend, record->backend) && same(first->variant, record->variant))
            return true;
    }
    const struct record **larger = room(group->candidate, group->candidates, sizeof *larger);
    if (!larger)
        return false;
    group->candidate = larger;
    larger[group->candidates++] = record;
    return true;
}

static bool find_place(struct groups *groups, const struct record *record, struct place *place)
{
    union problem problem;
    int32_t batch = 0;
    int64_t flops = 0;
    if (problem_parse(record->problem, &problem, NULL) == CONVOY_OK) {
        batch = batch_of(&problem);
        flops = problem_flops(&problem);
    }
    struct group *group = find_group(groups, record, batch);
    if (!group)
        return false;
    place->group = (size_t)(group - groups->group);
    return find_layer(group, record, flops, &place->layer) && find_candidate(group, record, &place->candidate);
}

bool groups_make(const struct record *records, size_t count, struct groups *groups)
{
    *groups = (struct groups){0};
    struct place *place = calloc(count ? count : 1, sizeof *place);
    bool done = false;
    if (!place)
        goto out;
    for (size_t at = 0; at < count; at++)
        if (is_bench(&records[at]) && !find_place(groups, &records[at], &place[at]))
            goto out;
    for (size_t at = 0; at < groups->count; at++) {
        struct group *group = &groups->group[at];
        group->timing = calloc(group->layers * group->candidates, sizeof *group->timing);
        if (!group->timing)
            goto out;
    }
    for (size_t at = 0; at < count; at++)
        if (is_bench(&records[at])) {
            struct group *group = &groups->group[place[at].group];
            group->timing[place[at].layer * group->candidates + place[at].candidate] =
                has_time(&records[at]) ? &records[at] : NULL;
        }
    done = true;
out:
    free(place);
    if (!done)
        groups_free(groups);
    return done;
}

void groups_free(struct groups *groups)
{
    for (size_t at = 0; at < groups->count; at++) {
        free(groups->group[at].layer);
        free(groups->group[at].candidate);
        free(groups->group[at].timing);
    }
    free(groups->group);
    *groups = (struct groups){0};
}
