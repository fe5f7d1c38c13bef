/* Huang, Liu, van der Maaten & Weinberger, "Densely connected convolutional networks", arXiv 1608.06993, table 1 and section 4.2:
 * a layer adds `growth` channels to all that the layers of its block before it gave. With bottlenecks and compression (BC) a 1x1
 * convolution to four times the growth comes first and transitions halve the channels. Layer names are those of PyTorch's
 * torchvision. */
#include "nets/families.h"

#include <stdio.h>

enum { BLOCKS = 4 };

#define RELU .kind = NET_ACT, .act = CONVOY_ELT_RELU
#define COUNT(array) (sizeof(array) / sizeof *(array))

struct densenet {
    int32_t layers[BLOCKS]; /* of each block; 0: there is no such block        */
    int32_t stem, growth;
    bool large;             /* the stem shrinks four times, as for 224 pixels  */
    bool bc;
};

static const struct densenet variants[] = {
    [DENSENET_121] = {.layers = {6, 12, 24, 16}, .stem = 64, .growth = 32, .large = true, .bc = true},
    [DENSENET_40] = {.layers = {12, 12, 12}, .stem = 16, .growth = 12},
    [DENSENET_BC_100] = {.layers = {16, 16, 16}, .stem = 24, .growth = 12, .bc = true},
};

static convoy_status append_stem(struct net *net, const struct densenet *densenet, int32_t *at, struct convoy_error *err)
{
    const int32_t k = net_width(net, densenet->stem, 1);
    const struct net_spec large[] = {
        {"conv0", .kind = NET_CONV, .k = k, .kernel = 7, .stride = 2, .pad = 3},
        {"norm0", .kind = NET_BN},
        {"relu0", RELU},
        {"pool0", .kind = NET_MAXPOOL, .kernel = 3, .stride = 2, .pad = 1},
    };
    const struct net_spec small = {"conv0", .kind = NET_CONV, .k = k, .kernel = 3, .pad = 1};
    return net_append(net, "features.", densenet->large ? large : &small, densenet->large ? COUNT(large) : 1, at, err);
}

static convoy_status append_layer(struct net *net, const struct densenet *densenet, int block, int place, int32_t *at,
                                  struct convoy_error *err)
{
    char prefix[NET_NAME_BYTES];
    snprintf(prefix, sizeof prefix, "features.denseblock%d.denselayer%d.", block + 1, place + 1);
    const int32_t growth = net_width(net, densenet->growth, 1);
    const struct net_spec before[] = {{"norm1", .kind = NET_BN}, {"relu1", RELU}};
    const struct net_spec narrow[] = {
        {"conv1", .kind = NET_CONV, .k = 4 * growth, .kernel = 1},
        {"norm2", .kind = NET_BN},
        {"relu2", RELU},
        {"conv2", .kind = NET_CONV, .k = growth, .kernel = 3, .pad = 1},
    };
    const struct net_spec plain = {"conv1", .kind = NET_CONV, .k = growth, .kernel = 3, .pad = 1};
    int32_t part[] = {*at, *at};
    convoy_status status = net_append(net, prefix, before, COUNT(before), &part[1], err);
    if (!status)
        status = net_append(net, prefix, densenet->bc ? narrow : &plain, densenet->bc ? COUNT(narrow) : 1, &part[1], err);
    return status ? status : net_join(net, prefix, "cat", NET_CAT, part, 2, at, err);
}

static convoy_status append_transition(struct net *net, const struct densenet *densenet, int block, int32_t *at,
                                       struct convoy_error *err)
{
    char prefix[NET_NAME_BYTES];
    snprintf(prefix, sizeof prefix, "features.transition%d.", block + 1);
    const int32_t c = net_output(net, *at).c;
    const struct net_spec spec[] = {
        {"norm", .kind = NET_BN},
        {"relu", RELU},
        {"conv", .kind = NET_CONV, .k = densenet->bc && c > 1 ? c / 2 : c, .kernel = 1},
        {"pool", .kind = NET_AVGPOOL, .kernel = 2, .stride = 2},
    };
    return net_append(net, prefix, spec, COUNT(spec), at, err);
}

convoy_status densenet_build(struct net *net, int32_t variant, struct convoy_error *err)
{
    const struct densenet *densenet = &variants[variant];
    const struct net_spec classifier[] = {
        {"features.norm5", .kind = NET_BN},
        {"relu", RELU},
        {"avgpool", .kind = NET_AVGPOOL_GLOBAL},
        {"classifier", .kind = NET_FC, .k = net->classes, .bias = true},
    };
    int32_t at = NET_IMAGE;
    convoy_status status = append_stem(net, densenet, &at, err);
    for (int block = 0; !status && block < BLOCKS && densenet->layers[block]; block++) {
        if (block > 0)
            status = append_transition(net, densenet, block - 1, &at, err);
        for (int place = 0; !status && place < densenet->layers[block]; place++)
            status = append_layer(net, densenet, block, place, &at, err);
    }
    if (!status)
        status = net_append(net, "", classifier, COUNT(classifier), &at, err);
    return status ? status : net_finish(net, err);
}
