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

void bn_destroy(struct layer *layer);

/* bn_sync.c: what bn.c does where several processes share their statistics */
convoy_status bn_sync_create(struct layer *layer, struct convoy_error *err);
convoy_status bn_sync_forward(struct layer *layer, struct convoy_error *err);
convoy_status bn_sync_backward(struct layer *layer, struct convoy_error *err);

/* pool.c */
convoy_status pool_create(struct layer *layer, struct convoy_error *err);
convoy_status pool_forward(struct layer *layer, struct convoy_error *err);
convoy_status pool_backward(struct layer *layer, struct convoy_error *err);

/* uneven.c: adaptive average pools whose windows differ */
convoy_status uneven_forward(struct layer *layer, struct convoy_error *err);
convoy_status uneven_backward(struct layer *layer, struct convoy_error *err);

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

/* slopes.c */
int prelu_params(const struct net *net, const struct net_layer *layer, struct layer_param param[PARAMS_PER_LAYER]);
convoy_status prelu_forward(struct layer *layer, struct convoy_error *err);
convoy_status prelu_backward(struct layer *layer, struct convoy_error *err);
convoy_status rrelu_forward(struct layer *layer, struct convoy_error *err);
convoy_status rrelu_backward(struct layer *layer, struct convoy_error *err);

/* noise.c */
convoy_status dropout_forward(struct layer *layer, struct convoy_error *err);
convoy_status dropout_backward(struct layer *layer, struct convoy_error *err);
convoy_status noise_forward(struct layer *layer, struct convoy_error *err);
convoy_status noise_backward(struct layer *layer, struct convoy_error *err);

/* channels.c */
convoy_status maxout_forward(struct layer *layer, struct convoy_error *err);
convoy_status maxout_backward(struct layer *layer, struct convoy_error *err);
convoy_status l2features_forward(struct layer *layer, struct convoy_error *err);
convoy_status l2features_backward(struct layer *layer, struct convoy_error *err);
int affine_params(const struct net *net, const struct net_layer *layer, struct layer_param param[PARAMS_PER_LAYER]);
convoy_status affine_forward(struct layer *layer, struct convoy_error *err);
convoy_status affine_backward(struct layer *layer, struct convoy_error *err);
convoy_status subsample_forward(struct layer *layer, struct convoy_error *err);
convoy_status subsample_backward(struct layer *layer, struct convoy_error *err);
convoy_status rbf_forward(struct layer *layer, struct convoy_error *err);
convoy_status rbf_backward(struct layer *layer, struct convoy_error *err);

/* sparsity.c */
convoy_status sparsity_forward(struct layer *layer, struct convoy_error *err);
convoy_status sparsity_backward(struct layer *layer, struct convoy_error *err);

/* norms.c */
convoy_status lrn_create(struct layer *layer, struct convoy_error *err);
convoy_status lrn_forward(struct layer *layer, struct convoy_error *err);
convoy_status lrn_backward(struct layer *layer, struct convoy_error *err);
int groupnorm_params(const struct net *net, const struct net_layer *layer, struct layer_param param[PARAMS_PER_LAYER]);
convoy_status groupnorm_create(struct layer *layer, struct convoy_error *err);
convoy_status groupnorm_forward(struct layer *layer, struct convoy_error *err);
convoy_status groupnorm_backward(struct layer *layer, struct convoy_error *err);
convoy_status lcn_create(struct layer *layer, struct convoy_error *err);
void lcn_destroy(struct layer *layer);
convoy_status lcn_forward(struct layer *layer, struct convoy_error *err);
convoy_status lcn_backward(struct layer *layer, struct convoy_error *err);

#endif
