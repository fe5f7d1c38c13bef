/* catalog: the networks by name. */
#ifndef CONVOY_NETS_CATALOG_H
#define CONVOY_NETS_CATALOG_H

#include "nets/net.h"

struct catalog_entry {
    const char *name;
    struct net_extent image;
    convoy_status (*build)(struct net *net, int32_t variant, struct convoy_error *err);
    int32_t variant;
    bool tabled; /* its layer table is kept in harness/tables */
};
extern const struct catalog_entry catalog[];
extern const size_t catalog_count;

/* Builds a network by name; an unknown name is CONVOY_INVALID. On success the caller frees it with net_free. */
convoy_status catalog_build(const char *name, struct net *net, struct convoy_error *err);

#endif
