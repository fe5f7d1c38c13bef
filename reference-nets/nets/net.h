/* net: a network as a directed graph of layers in an order of execution. Builders fill it; layer tables, summaries and totals
 * are read from it, and the runtime instantiates it at a batch size. Layers that a plugin computes carry the forward problem
 * that they pose at batch 1. Knows problems and extents; must not know tables, backends, weights or data. */
#ifndef CONVOY_NETS_NET_H
#define CONVOY_NETS_NET_H

#include "core/problem.h"

enum { NET_NAME_BYTES = 48, NET_IMAGE = -1, NET_INPUTS = 4, NET_HEADS = 3, NET_KEPT = 2 };

enum net_kind {
    /* posed to plugins */
    NET_CONV, NET_FC, NET_BN, NET_MAXPOOL, NET_AVGPOOL, NET_L2POOL, NET_AVGPOOL_GLOBAL,
    NET_AVGPOOL_ADAPTIVE, /* to kernel x kernel_w outputs, whatever the input: net_adaptive_window     */
    NET_ACT,      /* one of the element-wise functions of convoy.h                                         */
    /* computed by the runtime */
    NET_AVGPOOL_UNEVEN, /* what an adaptive pool becomes where its windows differ                         */
    NET_PRELU,    /* x > 0 ? x : a[c]*x, a learned per channel (arXiv 1502.01852)                          */
    NET_RRELU,    /* the same with a drawn from [alpha, beta) in training, their mean else (arXiv 1505.00853) */
    NET_MAXOUT,   /* the largest of `window` neighbouring channels (arXiv 1302.4389)                       */
    NET_AFFINE,   /* a[c]*x + b[c], learned: the trainable pooling of LeNet-5                              */
    NET_GROUPNORM,/* `window` groups of channels per sample (arXiv 1803.08494)                             */
    NET_LRN,      /* across `window` channels (Krizhevsky et al. 2012): x/(bias_k + alpha*sum x^2)^beta    */
    NET_LCN,      /* local contrast normalisation in windows of kernel x kernel, across features           */
    NET_L2FEATURES, /* sqrt of the sum of squares over `window` neighbouring channels                      */
    NET_DROPOUT,  /* p dropped, 1/(1-p) in training                                                        */
    NET_NOISE,    /* adds N(0, p^2) in training                                                            */
    NET_SPARSITY, /* pulls the mean of each channel towards p in training, with weight alpha               */
    NET_ADD,      /* sum of the inputs                                                                     */
    NET_CAT,      /* channels of the inputs, one after another                                             */
    NET_SUBSAMPLE,/* every stride-th pixel, zero channels appended up to k: shortcut option A              */
    NET_RBF,      /* squared distances to fixed codes: the output of LeNet-5                               */
    NET_KIND_COUNT
};
const char *net_kind_name(enum net_kind kind);

/* What a builder says of a layer; the rest follows from the layer that it reads. Zero means the default. */
struct net_spec {
    const char *name;
    enum net_kind kind;
    int32_t k;                   /* CONV, FC, SUBSAMPLE, RBF: output channels                              */
    int32_t kernel, stride, pad; /* CONV, pools, LCN: square unless kernel_w, pad_w; stride 0 means 1      */
    int32_t groups;              /* CONV: 0 means 1                                                        */
    bool bias;                   /* CONV, FC                                                               */
    int32_t kernel_w, pad_w;     /* 0: kernel, pad; pad_w -1: none                                         */
    int32_t dilation;            /* 0 means 1                                                              */
    int32_t size_rule;           /* pools: CONVOY_SIZE_*                                                   */
    bool valid_only;             /* AVGPOOL: divide by the elements inside the image                       */
    int32_t act;                 /* ACT: CONVOY_ELT_RELU ...                                               */
    float alpha, beta;           /* ACT: as convoy.h (0: 1); LRN, RRELU, SPARSITY                          */
    float bias_k;                /* LRN                                                                    */
    float p;                     /* DROPOUT: probability dropped; NOISE: deviation; SPARSITY: mean wanted  */
    int32_t window;              /* LRN, MAXOUT, L2FEATURES: channels; GROUPNORM: groups                   */
    const uint8_t *mask;         /* CONV: [k][c], 0 where there is no connection (LeNet-5); net_keep       */
    const float *codes;          /* RBF: [k][c]; net_keep                                                  */
};

struct net_extent {
    int32_t c, h, w;
};

struct net_layer {
    char name[NET_NAME_BYTES];
    enum net_kind kind;
    int32_t input[NET_INPUTS]; /* layers that are read, or NET_IMAGE                                       */
    int32_t inputs;
    struct net_extent out;
    struct net_spec spec;      /* spec.name is not used                                                    */
    bool posed;                /* a plugin computes it: problem holds                                      */
    union problem problem;
};

/* What training minimises at a layer: its loss counts `weight` times. Auxiliary heads are left out when not training. */
struct net_head {
    int32_t layer;
    float weight;
};

/* Where batch norm stands: as the builder has it, or on this side of every activation that follows a convolution. */
enum net_bn_place { NET_BN_AS_BUILT, NET_BN_BEFORE, NET_BN_AFTER };

struct net {
    char name[NET_NAME_BYTES];
    struct net_extent image;
    int32_t classes; /* of the classifier                                                                  */
    double width;    /* factor on channels                                                                 */
    enum net_bn_place bn_place;
    const struct net_spec *activation; /* in place of every ReLU; NULL: none                               */
    float sparsity, sparsity_weight;   /* after every sigmoid; weight 0: none                              */
    struct net_layer *layer;
    size_t count, capacity;
    struct net_head head[NET_HEADS]; /* the main one first                                                 */
    int32_t heads;
    void *kept[NET_KEPT];
};

/* An empty network of width 1; net_free releases what was added. [any] */
void net_init(struct net *net, const char *name, struct net_extent image, int32_t classes);
void net_free(struct net *net);

/* Zeroed memory that lives as long as the network, for masks and codes; NULL and err where there is none. */
void *net_keep(struct net *net, size_t bytes, struct convoy_error *err);

/* A number of channels times the width, at least 1, rounded to a multiple of `multiple`. [any] */
int32_t net_width(const struct net *net, int32_t channels, int32_t multiple);

/* Appends layers that read one another in a row; their names start with prefix. *at is the layer that the first one reads
 * (or NET_IMAGE) and becomes the last one. On failure the network keeps what was added before. */
convoy_status net_append(struct net *net, const char *prefix, const struct net_spec *spec, size_t count, int32_t *at,
                         struct convoy_error *err);

/* Appends an adaptive average pool where *at hands on more than side rows or columns, and nothing where it does not. */
convoy_status net_append_at_most(struct net *net, const char *name, int32_t side, int32_t *at, struct convoy_error *err);

/* Appends NET_ADD or NET_CAT over 2 to NET_INPUTS layers of fitting extents; *at becomes it. */
convoy_status net_join(struct net *net, const char *prefix, const char *name, enum net_kind kind, const int32_t *input, int32_t inputs,
                       int32_t *at, struct convoy_error *err);

/* Adds a head at a layer; a network without any gets one at its last layer by net_finish, which every builder ends with. */
convoy_status net_head_add(struct net *net, int32_t layer, float weight, struct convoy_error *err);
convoy_status net_finish(struct net *net, struct convoy_error *err);

/* Which of `in` rows or columns the i-th of `out` averages in an adaptive pool: from floor(i*in/out) to below ceil((i+1)*in/out),
 * as PyTorch's AdaptiveAvgPool2d. [any] */
struct net_window {
    int32_t first, end;
};
struct net_window net_adaptive_window(int32_t in, int32_t out, int32_t i);

/* Channels and size of what a layer (or NET_IMAGE) hands on. [any] */
struct net_extent net_output(const struct net *net, int32_t layer);
int64_t net_elements(struct net_extent extent);

/* Multiply-adds of convolutions and fully connected layers at batch 1; batch norm, pooling and sums are not counted. [any] */
int64_t net_layer_macs(const struct net_layer *layer);
int64_t net_macs(const struct net *net);

/* Learned parameters. [any] */
int64_t net_layer_params(const struct net *net, const struct net_layer *layer);
int64_t net_params(const struct net *net);

/* Both totals of the layers that the main head depends on, without auxiliary heads: what papers print. False: no memory. */
bool net_main_totals(const struct net *net, int64_t *macs, int64_t *params);

/* Side of the square of image pixels that one output of the layer depends on; 0 where there is no memory. [any] */
int64_t net_receptive_field(const struct net *net, int32_t layer);

#endif
