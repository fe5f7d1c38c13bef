/* rank: who wins the layers of a group, and what the whole network costs with each candidate. Pure arithmetic on records: prints
 * nothing, reads no files. */
#ifndef CONVOY_REPORT_RANK_H
#define CONVOY_REPORT_RANK_H

#include "report/groups.h"

struct rank_layer {
    const struct record *best, *second; /* by median; NULL: none                                                   */
    bool tie;                           /* the two intervals overlap, so that nothing is known about their order   */
};

void rank_layer(const struct group *group, size_t layer, struct rank_layer *rank);

enum { RANK_NONE = -1 };

/* Sums over the layers of count x median_ns, in whole ns. A layer that nobody has a time for is in no sum. */
struct rank_total {
    size_t covered;
    int64_t ns;              /* of the layers that it covers                                                   */
    int64_t filled_ns;       /* and of the others with the fallback's time, or the fastest's where there is none */
    int64_t workspace_bytes; /* the largest of any layer                                                       */
    int64_t prepared_bytes;  /* of all layers together: each keeps its own                                     */
};
struct rank {
    size_t timed;             /* layers that somebody has a time for                                        */
    int64_t best_ns;          /* the fastest of each layer                                                  */
    int single;               /* the fastest candidate that covers all timed layers, also the fallback; RANK_NONE: none does */
    struct rank_total *total; /* of each candidate                                                          */
};

/* False: out of memory. */
bool rank_make(const struct group *group, struct rank *rank);
void rank_free(struct rank *rank);

/* The idea behind the arithmetic that a plan declares: "lowering", "fft", "winograd", "direct"; "" for none of them. */
const char *rank_family(const struct record *record);

/* A device that is a processor in disguise; its times say nothing about a GPU. */
bool rank_is_software(const struct record *record);

#endif
