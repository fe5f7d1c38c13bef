/* style: what a user may change of any network while its builder appends layers: where batch norm stands, and what takes the
 * place of ReLU. Knows specs; must not know graphs. */
#ifndef CONVOY_NETS_STYLE_H
#define CONVOY_NETS_STYLE_H

#include "nets/net.h"

/* The layer that a name such as "elu" stands for; NULL: none of them. Lives forever. [any] */
const struct net_spec *style_activation(const char *name);

/* "before" or "after" the activation; false: neither. [any] */
bool style_bn_place(const char *name, enum net_bn_place *place);

/* The next layers of a builder's row in this style: takes *taken (1 or 2) of the `left` ones at spec and returns how many it made
 * of them. `name` is room for the name of a layer that the builder has not. [any] */
enum { STYLE_MOST = 3 };
size_t style_apply(const struct net *net, const struct net_spec *spec, size_t left, size_t *taken,
                   struct net_spec made[STYLE_MOST], char name[NET_NAME_BYTES]);

#endif
