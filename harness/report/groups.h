/* groups: bench records as tables of layers x candidates, one for each network, pass, batch, threads, cache and machine.
 * Borrows the records; prints nothing. */
#ifndef CONVOY_REPORT_GROUPS_H
#define CONVOY_REPORT_GROUPS_H

#include "core/record.h"

struct group_layer {
    const struct record *first; /* names the layer, its problem and count    */
    int64_t count;              /* 1 if the record has none                  */
    int64_t flops;              /* of the direct algorithm; 0: unknown       */
};

struct group {
    const struct record *first; /* names network, pass, threads, cache and machine           */
    int32_t batch;              /* 0: the problems have none                                 */
    struct group_layer *layer;
    size_t layers;
    const struct record **candidate; /* names backend and variant                            */
    size_t candidates;
    const struct record **timing; /* [layer * candidates + candidate]; NULL: no valid time */
};

struct groups {
    struct group *group;
    size_t count;
};

/* Everything in order of first appearance; of repeated cases the last counts. False: out of memory. */
bool groups_make(const struct record *records, size_t count, struct groups *groups);
void groups_free(struct groups *groups);

#endif
