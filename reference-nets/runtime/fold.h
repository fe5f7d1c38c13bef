/* fold: batch norm in the weights of the convolution before it, for evaluation. With the running mean m and variance v they are
 * one convolution: w' = w * gamma/sqrt(v + eps), b' = beta + (b - m) * gamma/sqrt(v + eps), per output channel (Jacob et al.,
 * arXiv 1712.05877, section 3.2). Knows networks and models; must not know execs or plugins. */
#ifndef CONVOY_NETS_FOLD_H
#define CONVOY_NETS_FOLD_H

#include "runtime/model.h"

/* The network without each batch norm that alone reads a convolution or fully connected layer, which gets a bias instead; all
 * others stay. net must outlive folded. */
convoy_status fold_net(const struct net *net, struct net *folded, struct convoy_error *err);

/* The values of a model of net, in the model of what fold_net made of it. */
convoy_status fold_values(struct model *from, struct model *folded, struct convoy_error *err);

#endif
