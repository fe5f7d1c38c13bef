/* style: what a user may change of any network while its builder appends layers: where batch norm stands, what takes the place of
 * ReLU, what is asked of sigmoids. Knows specs; must not know graphs. */
#ifndef CONVOY_NETS_STYLE_H
#define CONVOY_NETS_STYLE_H

#include "nets/net.h"

/* The layer that a name such as "elu" stands for; NULL: none of them. Lives forever. [any] */
const struct net_spec *style_activation(const char *name);

/* "before" or "after" the activation; false: neither. [any] */
bool style_bn_place(const char *name, enum net_bn_place *place);

/* Room for the names of layers that the builder has not. */
struct style_names {
    char bn[NET_NAME_BYTES], sparsity[NET_NAME_BYTES];
};

/* The next layers of a builder's row in this style: takes *taken (1 or 2) of the `left` ones at spec and returns how many it made
 * of them. [any] */
enum { STYLE_MOST = 4 };
size_t style_apply(const struct net *net, const struct net_spec *spec, size_t left, size_t *taken,
                   struct net_spec made[STYLE_MOST], struct style_names *names);

#endif
