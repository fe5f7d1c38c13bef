/* path: the cheapest way through a network: which backend computes each layer, where every move of activations between memories
 * costs what was measured. Knows costs and an earlier selection, no files. */
#ifndef CONVOY_SELECT_PATH_H
#define CONVOY_SELECT_PATH_H

#include "select/cost.h"

/* Medians closer than this are a tie where their intervals touch. */
#define PATH_TIE 0.03

struct path_choice {
    const struct cost_option *winner;    /* NULL: no contender                                                 */
    const struct cost_option *runner_up; /* the fastest other contender, in the winner's memory if there is one; NULL: none */
    bool tie;                            /* decided by determinism, workspace, name, or by what was selected before */
};

/* choice has room for chain->layers. Within one memory the least median wins; those whose interval touches the fastest one's and
 * whose median is within PATH_TIE of it tie: the deterministic one, then the smaller workspace, then the name. `stored` (NULL:
 * none) keeps its winners until the intervals are apart; rows of plugin files that have changed are passed over. Between
 * memories: the shortest path, a transition counted as often as the more frequent of its two layers. False: out of memory. */
bool path_choose(const struct cost_chain *chain, const struct selection *stored, struct path_choice *choice);

/* Appends a row per layer that has a winner. False: out of memory. */
bool path_rows(const struct cost_chain *chain, const struct path_choice *choice, struct selection *selection);

/* Time of the whole path, transfers included. */
double path_total_ns(const struct cost_chain *chain, const struct path_choice *choice);

#endif
