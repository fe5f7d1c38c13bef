/* kinds: the functions behind layer_table, file by file. Signatures are those of struct layer_kind in layer.h. */
#ifndef CONVOY_NETS_KINDS_H
#define CONVOY_NETS_KINDS_H

#include "layers/layer.h"

/* conv.c: convolution and fully connected */
int conv_params(const struct net *net, const struct net_layer *layer, struct layer_param param[PARAMS_PER_LAYER]);
convoy_status conv_create(struct layer *layer, struct convoy_error *err);
convoy_status conv_forward(struct layer *layer, struct convoy_error *err);
convoy_status conv_backward(struct layer *layer, struct convoy_error *err);

/* bn.c */
int bn_params(const struct net *net, const struct net_layer *layer, struct layer_param param[PARAMS_PER_LAYER]);
convoy_status bn_create(struct layer *layer, struct convoy_error *err);
convoy_status bn_forward(struct layer *layer, struct convoy_error *err);
convoy_status bn_backward(struct layer *layer, struct convoy_error *err);

/* pool.c */
convoy_status pool_create(struct layer *layer, struct convoy_error *err);
convoy_status pool_forward(struct layer *layer, struct convoy_error *err);
convoy_status pool_backward(struct layer *layer, struct convoy_error *err);

/* act.c */
convoy_status act_create(struct layer *layer, struct convoy_error *err);
convoy_status act_forward(struct layer *layer, struct convoy_error *err);
convoy_status act_backward(struct layer *layer, struct convoy_error *err);

/* join.c: sums and concatenations */
convoy_status add_create(struct layer *layer, struct convoy_error *err);
convoy_status add_forward(struct layer *layer, struct convoy_error *err);
convoy_status add_backward(struct layer *layer, struct convoy_error *err);
convoy_status cat_forward(struct layer *layer, struct convoy_error *err);
convoy_status cat_backward(struct layer *layer, struct convoy_error *err);

#endif
