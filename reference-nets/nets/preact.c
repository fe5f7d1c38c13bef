/* He, Zhang, Ren & Sun, "Identity mappings in deep residual networks", arXiv 1603.05027: batch norm and ReLU come before each
 * convolution and nothing after the sum. Zagoruyko & Komodakis, "Wide residual networks", arXiv 1605.07146: the same with `factor`
 * times the channels. Where a block changes its extents, a 1x1 convolution reads what its first ReLU gives. A bottleneck has its
 * stride in the first 1x1. */
#include "nets/families.h"

#include <stdio.h>

enum { STAGES = 3 };

#define RELU .kind = NET_ACT, .act = CONVOY_ELT_RELU
#define COUNT(array) (sizeof(array) / sizeof *(array))

struct preact {
    int32_t blocks, factor; /* per stage; on the 16, 32 and 64 channels of the stages */
    bool bottleneck;
};

static const struct preact variants[] = {
    [PREACT_20] = {.blocks = 3, .factor = 1},   [PREACT_110] = {.blocks = 18, .factor = 1},
    [PREACT_164] = {.blocks = 18, .factor = 1, .bottleneck = true},
    [WIDE_28_10] = {.blocks = 4, .factor = 10}, [WIDE_28_2] = {.blocks = 4, .factor = 2},
    [WIDE_16_4] = {.blocks = 2, .factor = 4},
};

static convoy_status append_basic(struct net *net, const char *prefix, int32_t width, int32_t stride, int32_t *at,
                                  struct convoy_error *err)
{
    const struct net_spec spec[] = {
        {"conv1", .kind = NET_CONV, .k = width, .kernel = 3, .stride = stride, .pad = 1},
        {"bn2", .kind = NET_BN},
        {"relu2", RELU},
        {"conv2", .kind = NET_CONV, .k = width, .kernel = 3, .pad = 1},
    };
    return net_append(net, prefix, spec, COUNT(spec), at, err);
}

static convoy_status append_bottleneck(struct net *net, const char *prefix, int32_t width, int32_t stride, int32_t *at,
                                       struct convoy_error *err)
{
    const struct net_spec spec[] = {
        {"conv1", .kind = NET_CONV, .k = width, .kernel = 1, .stride = stride},
        {"bn2", .kind = NET_BN},
        {"relu2", RELU},
        {"conv2", .kind = NET_CONV, .k = width, .kernel = 3, .pad = 1},
        {"bn3", .kind = NET_BN},
        {"relu3", RELU},
        {"conv3", .kind = NET_CONV, .k = 4 * width, .kernel = 1},
    };
    return net_append(net, prefix, spec, COUNT(spec), at, err);
}

static convoy_status append_block(struct net *net, const struct preact *preact, int stage, int block, int32_t *at,
                                  struct convoy_error *err)
{
    char prefix[NET_NAME_BYTES];
    snprintf(prefix, sizeof prefix, "layer%d.%d.", stage + 1, block);
    const int32_t width = net_width(net, preact->factor * (16 << stage), 1), out = preact->bottleneck ? 4 * width : width;
    const int32_t stride = stage > 0 && block == 0 ? 2 : 1;
    const bool project = stride != 1 || net_output(net, *at).c != out;
    const struct net_spec before[] = {{"bn1", .kind = NET_BN}, {"relu1", RELU}};
    const struct net_spec projection = {"shortcut", .kind = NET_CONV, .k = out, .kernel = 1, .stride = stride};
    int32_t branch[] = {*at, *at};
    convoy_status status = net_append(net, prefix, before, COUNT(before), &branch[0], err);
    if (!status && project) {
        branch[1] = branch[0];
        status = net_append(net, prefix, &projection, 1, &branch[1], err);
    }
    if (!status)
        status = preact->bottleneck ? append_bottleneck(net, prefix, width, stride, &branch[0], err)
                                    : append_basic(net, prefix, width, stride, &branch[0], err);
    return status ? status : net_join(net, prefix, "add", NET_ADD, branch, 2, at, err);
}

convoy_status preact_build(struct net *net, int32_t variant, struct convoy_error *err)
{
    const struct preact *preact = &variants[variant];
    const struct net_spec stem = {"conv1", .kind = NET_CONV, .k = net_width(net, 16, 1), .kernel = 3, .pad = 1};
    const struct net_spec classifier[] = {
        {"bn", .kind = NET_BN},
        {"relu", RELU},
        {"avgpool", .kind = NET_AVGPOOL_GLOBAL},
        {"fc", .kind = NET_FC, .k = net->classes, .bias = true},
    };
    int32_t at = NET_IMAGE;
    convoy_status status = net_append(net, "", &stem, 1, &at, err);
    for (int stage = 0; !status && stage < STAGES; stage++)
        for (int block = 0; !status && block < preact->blocks; block++)
            status = append_block(net, preact, stage, block, &at, err);
    if (!status)
        status = net_append(net, "", classifier, COUNT(classifier), &at, err);
    return status ? status : net_finish(net, err);
}
