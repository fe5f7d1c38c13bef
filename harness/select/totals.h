/* totals: what a whole network costs with one backend, beside the best of each layer on the same layers. Knows costs and paths.
 */
#ifndef CONVOY_SELECT_TOTALS_H
#define CONVOY_SELECT_TOTALS_H

#include "select/path.h"

struct total {
    char backend[SELECT_BACKEND_BYTES]; /* "winograd:f4", or "winograd": the best of its variants on each layer */
    bool plugin;                        /* the latter */
    bool contender;                     /* one of its options may be selected */
    size_t layers;                      /* that it computes */
    double ns, best_ns;                 /* sums of count x time over these layers: its own, and the winners' */
};

struct totals {
    struct total *total;
    size_t count;
};

/* Most layers first, then the least time. False: out of memory. */
bool totals_make(const struct cost_chain *chain, const struct path_choice *choice, struct totals *totals);
void totals_free(struct totals *totals);

/* The fastest single contender that computes all layers that anybody computes; NULL: none does. */
const struct total *totals_best_single(const struct totals *totals, const struct cost_chain *chain,
                                       const struct path_choice *choice);

#endif
