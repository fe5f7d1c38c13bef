/* net: a network as a list of layers in the order of execution, each with the forward problem that it poses at batch 1.
 * Layer tables and the totals of a network come from here. Knows problems; must not know tables, backends, weights or data. */
#ifndef CONVOY_NETS_NET_H
#define CONVOY_NETS_NET_H

#include "core/problem.h"

enum { NET_NAME_BYTES = 48, NET_IMAGE = -1 };

enum net_kind { NET_CONV, NET_FC, NET_BN, NET_MAXPOOL, NET_AVGPOOL_GLOBAL, NET_KIND_COUNT };

/* What a builder says of a layer; the rest follows from the layer that it reads. */
struct net_spec {
    const char *name;
    enum net_kind kind;
    int32_t k;                   /* NET_CONV, NET_FC: output channels                                  */
    int32_t kernel, stride, pad; /* NET_CONV, NET_MAXPOOL: square; stride 0 means 1                    */
    int32_t groups;              /* NET_CONV: 0 means 1                                                */
    bool bias;                   /* NET_CONV, NET_FC                                                   */
};

struct net_layer {
    char name[NET_NAME_BYTES];
    enum net_kind kind;
    int32_t input; /* index of the layer that is read, or NET_IMAGE; at a residual sum the main branch */
    union problem problem;
};

struct net_extent {
    int32_t c, h, w;
};

struct net {
    char name[NET_NAME_BYTES];
    struct net_extent image;
    struct net_layer *layer;
    size_t count, capacity;
};

/* An empty network; net_free releases what was added. [any] */
void net_init(struct net *net, const char *name, struct net_extent image);
void net_free(struct net *net);

/* Appends layers that read one another in a row; their names start with prefix. *at is the layer that the first one reads
 * (or NET_IMAGE) and becomes the last one. On failure the network keeps what was added before. */
convoy_status net_append(struct net *net, const char *prefix, const struct net_spec *spec, size_t count, int32_t *at,
                         struct convoy_error *err);

/* Channels and size of what a layer (or NET_IMAGE) hands on. [any] */
struct net_extent net_output(const struct net *net, int32_t layer);

/* Multiply-adds of convolutions and fully connected layers at batch 1; batch norm, pooling and sums are not counted. [any] */
int64_t net_macs(const struct net *net);

/* Learned parameters: weights and biases, and gamma and beta of batch norm. [any] */
int64_t net_params(const struct net *net);

/* Side of the square of image pixels that one output of the layer depends on, through the layers it reads. [any] */
int64_t net_receptive_field(const struct net *net, int32_t layer);

#endif
