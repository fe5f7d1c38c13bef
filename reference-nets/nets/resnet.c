/* He, Zhang, Ren & Sun, "Deep residual learning for image recognition", arXiv 1512.03385, table 1, with shortcut option B: a
 * 1x1 convolution where a block changes its extents. Layer names are those of PyTorch's torchvision. */
#include "nets/families.h"

#include <stdio.h>

enum { STAGES = 4 };

struct resnet {
    int32_t blocks[STAGES];
    bool bottleneck;
    bool v1; /* a bottleneck's stride is in its first 1x1, as in the paper, not in its 3x3 (v1.5) */
};

static const struct resnet variants[] = {
    [RESNET_18] = {.blocks = {2, 2, 2, 2}},
    [RESNET_34] = {.blocks = {3, 4, 6, 3}},
    [RESNET_50] = {.blocks = {3, 4, 6, 3}, .bottleneck = true},
    [RESNET_101] = {.blocks = {3, 4, 23, 3}, .bottleneck = true},
    [RESNET_152] = {.blocks = {3, 8, 36, 3}, .bottleneck = true},
    [RESNET_50_V1] = {.blocks = {3, 4, 6, 3}, .bottleneck = true, .v1 = true},
    [RESNET_101_V1] = {.blocks = {3, 4, 23, 3}, .bottleneck = true, .v1 = true},
    [RESNET_152_V1] = {.blocks = {3, 8, 36, 3}, .bottleneck = true, .v1 = true},
};

static convoy_status append_stem(struct net *net, int32_t *at, struct convoy_error *err)
{
    const struct net_spec spec[] = {
        {"conv1", .kind = NET_CONV, .k = net_width(net, 64, 1), .kernel = 7, .stride = 2, .pad = 3},
        {"bn1", .kind = NET_BN},
        {"relu", .kind = NET_ACT, .act = CONVOY_ELT_RELU},
        {"maxpool", .kind = NET_MAXPOOL, .kernel = 3, .stride = 2, .pad = 1},
    };
    return net_append(net, "", spec, sizeof spec / sizeof *spec, at, err);
}

static convoy_status append_classifier(struct net *net, int32_t *at, struct convoy_error *err)
{
    const struct net_spec spec[] = {
        {"avgpool", .kind = NET_AVGPOOL_GLOBAL},
        {"fc", .kind = NET_FC, .k = net->classes, .bias = true},
    };
    return net_append(net, "", spec, sizeof spec / sizeof *spec, at, err);
}

static convoy_status append_basic(struct net *net, const char *prefix, int32_t width, int32_t stride, int32_t *at,
                                  struct convoy_error *err)
{
    const struct net_spec spec[] = {
        {"conv1", .kind = NET_CONV, .k = width, .kernel = 3, .stride = stride, .pad = 1},
        {"bn1", .kind = NET_BN},
        {"relu1", .kind = NET_ACT, .act = CONVOY_ELT_RELU},
        {"conv2", .kind = NET_CONV, .k = width, .kernel = 3, .pad = 1},
        {"bn2", .kind = NET_BN},
    };
    return net_append(net, prefix, spec, sizeof spec / sizeof *spec, at, err);
}

static convoy_status append_bottleneck(struct net *net, const char *prefix, int32_t width, int32_t stride, bool v1, int32_t *at,
                                       struct convoy_error *err)
{
    const struct net_spec spec[] = {
        {"conv1", .kind = NET_CONV, .k = width, .kernel = 1, .stride = v1 ? stride : 1},
        {"bn1", .kind = NET_BN},
        {"relu1", .kind = NET_ACT, .act = CONVOY_ELT_RELU},
        {"conv2", .kind = NET_CONV, .k = width, .kernel = 3, .stride = v1 ? 1 : stride, .pad = 1},
        {"bn2", .kind = NET_BN},
        {"relu2", .kind = NET_ACT, .act = CONVOY_ELT_RELU},
        {"conv3", .kind = NET_CONV, .k = 4 * width, .kernel = 1},
        {"bn3", .kind = NET_BN},
    };
    return net_append(net, prefix, spec, sizeof spec / sizeof *spec, at, err);
}

static convoy_status append_projection(struct net *net, const char *prefix, int32_t k, int32_t stride, int32_t *at,
                                       struct convoy_error *err)
{
    const struct net_spec spec[] = {
        {"downsample.0", .kind = NET_CONV, .k = k, .kernel = 1, .stride = stride},
        {"downsample.1", .kind = NET_BN},
    };
    return net_append(net, prefix, spec, sizeof spec / sizeof *spec, at, err);
}

/* Both branches read *at; their sum, rectified, becomes it. */
static convoy_status append_block(struct net *net, const struct resnet *resnet, int stage, int block, int32_t *at,
                                  struct convoy_error *err)
{
    char prefix[NET_NAME_BYTES];
    snprintf(prefix, sizeof prefix, "layer%d.%d.", stage + 1, block);
    const int32_t width = net_width(net, 64 << stage, 1), out = resnet->bottleneck ? 4 * width : width;
    const int32_t stride = stage > 0 && block == 0 ? 2 : 1;
    int32_t branch[] = {*at, *at};
    const bool project = stride != 1 || net_output(net, *at).c != out;
    convoy_status status = resnet->bottleneck ? append_bottleneck(net, prefix, width, stride, resnet->v1, &branch[0], err)
                                              : append_basic(net, prefix, width, stride, &branch[0], err);
    if (!status && project)
        status = append_projection(net, prefix, out, stride, &branch[1], err);
    if (!status)
        status = net_join(net, prefix, "add", NET_ADD, branch, 2, at, err);
    if (status)
        return status;
    return net_append(net, prefix, &(struct net_spec){"relu", .kind = NET_ACT, .act = CONVOY_ELT_RELU}, 1, at, err);
}

convoy_status resnet_build(struct net *net, int32_t variant, struct convoy_error *err)
{
    const struct resnet *resnet = &variants[variant];
    int32_t at = NET_IMAGE;
    convoy_status status = append_stem(net, &at, err);
    for (int stage = 0; !status && stage < STAGES; stage++)
        for (int block = 0; !status && block < resnet->blocks[stage]; block++)
            status = append_block(net, resnet, stage, block, &at, err);
    if (!status)
        status = append_classifier(net, &at, err);
    return status ? status : net_finish(net, err);
}
