/* catalog: the networks by name. */
#ifndef CONVOY_NETS_CATALOG_H
#define CONVOY_NETS_CATALOG_H

#include "nets/net.h"

struct catalog_entry {
    const char *name;
    struct net_extent image;
    int32_t classes;
    convoy_status (*build)(struct net *net, int32_t variant, struct convoy_error *err);
    int32_t variant;
    bool tabled; /* its layer table is kept in harness/tables */
};
extern const struct catalog_entry catalog[];
extern const size_t catalog_count;

/* What a user may change of a network; zero means the catalog's own. */
struct catalog_options {
    struct net_extent image; /* each extent by itself                                                     */
    int32_t classes;
    double width; /* factor on channels                                                        */
    enum net_bn_place bn_place;
    const struct net_spec *activation; /* style.h; in place of every ReLU                                 */
    float sparsity, sparsity_weight;   /* of sigmoids, as in net.h                                        */
};

/* Builds a network by name; an unknown name, an image too small for it, or a style that finds nothing in it to change (batch norm
 * without a convolution before an activation, sparsity without sigmoids), is CONVOY_INVALID. options may be NULL. On success the
 * caller frees it with net_free. */
convoy_status catalog_build(const char *name, const struct catalog_options *options, struct net *net, struct convoy_error *err);

#endif
