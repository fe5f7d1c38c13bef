/* Howard et al., "MobileNets: efficient convolutional neural networks for mobile vision applications", arXiv 1704.04861, table 1:
 * a depthwise 3x3 convolution, then a 1x1 one, each with batch norm and a ReLU. */
#include "nets/families.h"

#include <stdio.h>

#define RELU .kind = NET_ACT, .act = CONVOY_ELT_RELU

static const struct block {
    int32_t k, stride;
} blocks[] = {
    {64, 1}, {128, 2}, {128, 1}, {256, 2}, {256, 1}, {512, 2}, {512, 1}, {512, 1}, {512, 1}, {512, 1}, {512, 1}, {1024, 2}, {1024, 1},
};

static convoy_status append_block(struct net *net, size_t place, int32_t *at, struct convoy_error *err)
{
    char prefix[NET_NAME_BYTES];
    snprintf(prefix, sizeof prefix, "block%zu.", place + 1);
    const int32_t c = net_output(net, *at).c;
    const struct net_spec spec[] = {
        {"depthwise", .kind = NET_CONV, .k = c, .kernel = 3, .stride = blocks[place].stride, .pad = 1, .groups = c},
        {"bn1", .kind = NET_BN},
        {"relu1", RELU},
        {"pointwise", .kind = NET_CONV, .k = net_width(net, blocks[place].k, 1), .kernel = 1},
        {"bn2", .kind = NET_BN},
        {"relu2", RELU},
    };
    return net_append(net, prefix, spec, sizeof spec / sizeof *spec, at, err);
}

convoy_status mobilenet_build(struct net *net, int32_t variant, struct convoy_error *err)
{
    (void)variant;
    const struct net_spec stem[] = {
        {"conv1", .kind = NET_CONV, .k = net_width(net, 32, 1), .kernel = 3, .stride = 2, .pad = 1},
        {"bn1", .kind = NET_BN},
        {"relu1", RELU},
    };
    const struct net_spec classifier[] = {
        {"avgpool", .kind = NET_AVGPOOL_GLOBAL},
        {"fc", .kind = NET_FC, .k = net->classes, .bias = true},
    };
    int32_t at = NET_IMAGE;
    convoy_status status = net_append(net, "", stem, sizeof stem / sizeof *stem, &at, err);
    for (size_t place = 0; !status && place < sizeof blocks / sizeof *blocks; place++)
        status = append_block(net, place, &at, err);
    if (!status)
        status = net_append(net, "", classifier, sizeof classifier / sizeof *classifier, &at, err);
    return status ? status : net_finish(net, err);
}
