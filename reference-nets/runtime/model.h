/* model: the learned state of a network: parameters, their gradients and the running statistics, each in one arena.
 * Knows networks and tensors; must not know batches, plans or data. */
#ifndef CONVOY_NETS_MODEL_H
#define CONVOY_NETS_MODEL_H

#include "nets/net.h"
#include "runtime/tensor.h"

enum { PARAM_NAME_BYTES = 72, PARAMS_PER_LAYER = 4 };

enum param_role { PARAM_WEIGHT, PARAM_BIAS, PARAM_GAMMA, PARAM_BETA, PARAM_SLOPE, PARAM_RUN_MEAN, PARAM_RUN_VAR };

struct param {
    char name[PARAM_NAME_BYTES]; /* "layer1.0.conv1.weight", as PyTorch has it                             */
    enum param_role role;
    bool learned; /* false: running statistics                                              */
    int32_t layer, rank;
    int64_t extent[4], count;
    int64_t fan_in, fan_out;   /* c/groups*kh*kw and k/groups*kh*kw; 0 where there is none               */
    int64_t offset;            /* floats from the start of the arena (learned: of values and gradients)  */
    const uint8_t *mask;       /* CONV with a connection table: [k][c]                                   */
    float rate_scale;          /* on the learning rate; 0: frozen                                        */
    bool decays;               /* weight decay applies                                                   */
    struct tensor value, grad; /* grad only where learned                                                */
};

struct model {
    const struct net *net;
    struct param *param;
    size_t params;
    int64_t learned_count, state_count; /* floats                                                          */
    struct convoy_buffer *values, *grads, *state;
    int64_t batches; /* that running statistics have seen: num_batches_tracked in files that PyTorch reads */
    int32_t *first; /* [layers+1]: params of layer l are first[l] .. first[l+1]-1                          */
};

/* Zeroed values; net must outlive the model. */
convoy_status model_create(const struct net *net, struct model *model, struct convoy_error *err);
void model_free(struct model *model);

struct param *model_param(struct model *model, int32_t layer, enum param_role role); /* NULL: the layer has none */
struct param *model_find(struct model *model, const char *name);

/* All learned values, or gradients, as one array in the host domain, made valid there. */
float *model_values(struct model *model, enum tensor_access access, struct convoy_error *err);
float *model_grads(struct model *model, enum tensor_access access, struct convoy_error *err);

#endif
