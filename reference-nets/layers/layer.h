/* layer: what every kind of layer implements. One file per kind or family of kinds; the table layer_table in layers.c maps
 * kinds to functions. A layer sees its own tensors and nothing of the graph: sums of gradients from several readers, memory
 * and order are exec's business. Outputs are overwritten, never accumulated. */
#ifndef CONVOY_NETS_LAYER_H
#define CONVOY_NETS_LAYER_H

#include "runtime/exec.h"

enum { LAYER_KEEPS = 2 };

struct layer {
    const struct net_layer *spec;
    int32_t batch, index;
    enum exec_mode mode;
    struct backends *backends;
    uint64_t seed, step; /* of random layers                                                */
    struct net_extent in_extent[NET_INPUTS];
    struct tensor *in[NET_INPUTS], *out;
    struct tensor *din[NET_INPUTS], *dout; /* din NULL: not wanted; both NULL in EXEC_EVAL                    */
    struct param *param[PARAMS_PER_LAYER]; /* by place in layer_params' answer                                */
    bool fused_relu;                       /* out is max(0, out): the activation after it is folded in        */
    struct op *op[PASS_COUNT];
    struct tensor keep[LAYER_KEEPS]; /* from forward to backward, of the kind's choice: layer_keep      */
    struct convoy_buffer *keep_buffer[LAYER_KEEPS];
    void *own; /* of the kind; freed by destroy                                   */
};

struct layer_param {
    enum param_role role;
    int32_t rank;
    int64_t extent[4], fan_in, fan_out;
    const uint8_t *mask;
};

struct layer_kind {
    /* Learned tensors and running statistics; returns their number (at most PARAMS_PER_LAYER). NULL: none. */
    int (*params)(const struct net *net, const struct net_layer *layer, struct layer_param param[PARAMS_PER_LAYER]);
    /* Makes operations and memory. All members above but op and own are set. NULL: nothing to make. */
    convoy_status (*create)(struct layer *layer, struct convoy_error *err);
    convoy_status (*forward)(struct layer *layer, struct convoy_error *err);
    /* dout -> din and the gradients of param; may overwrite dout. */
    convoy_status (*backward)(struct layer *layer, struct convoy_error *err);
    void (*destroy)(struct layer *layer);
    bool backward_reads_in, backward_reads_out; /* decide how long activations live                          */
    bool takes_relu;                            /* can fold a ReLU that follows                               */
};
extern const struct layer_kind layer_table[NET_KIND_COUNT];

/* The operation of a posed layer in a pass, at its batch; problem may be changed from the layer's own before. */
convoy_status layer_op(struct layer *layer, const union problem *problem, enum problem_pass pass, struct convoy_error *err);

/* The layer's forward problem at its batch size. */
convoy_status layer_problem(const struct layer *layer, union problem *problem, struct convoy_error *err);

/* Memory for keep[place]; exec frees it. */
convoy_status layer_keep(struct layer *layer, int place, int64_t bytes, struct convoy_error *err);
void layer_keep_free(struct layer *layer);

/* Floats in an input and in the output, all samples. */
int64_t layer_in_count(const struct layer *layer, int32_t input);
int64_t layer_out_count(const struct layer *layer);

/* for (i = 0; i < n; i++) over the threads of the backends: task(context, i, worker). */
void layer_parallel(const struct layer *layer, void (*task)(void *context, size_t i, size_t worker), void *context, size_t n);

#endif
