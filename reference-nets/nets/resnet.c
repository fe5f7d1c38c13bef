/* He, Zhang, Ren & Sun, "Deep residual learning for image recognition", arXiv 1512.03385: table 1 for 224 pixels, section 4.2 for
 * 32. Where a block changes its extents its shortcut is option B, a 1x1 convolution; or A, every second pixel and channels of
 * zeros; with C every shortcut is a convolution. Xie et al., "Aggregated residual transformations for deep neural networks",
 * arXiv 1611.05431: ResNeXt, whose 3x3 convolutions are grouped. Layer names are those of PyTorch's torchvision. */
#include "nets/families.h"

#include <stdio.h>

enum { STAGES = 4 };

enum shortcut { SHORTCUT_B, SHORTCUT_A, SHORTCUT_C };

struct resnet {
    int32_t blocks[STAGES]; /* 0: there is no such stage                                                       */
    bool bottleneck;
    bool v1;                /* a bottleneck's stride is in its first 1x1, as in the paper, not in its 3x3 (v1.5) */
    bool small;             /* for 32 pixels: the stem is one 3x3 convolution to 16 channels                    */
    enum shortcut shortcut;
    int32_t groups, group_width; /* of the 3x3 of a bottleneck in the first stage; 0: not grouped               */
};

static const struct resnet variants[] = {
    [RESNET_18] = {.blocks = {2, 2, 2, 2}},
    [RESNET_18_A] = {.blocks = {2, 2, 2, 2}, .shortcut = SHORTCUT_A},
    [RESNET_18_C] = {.blocks = {2, 2, 2, 2}, .shortcut = SHORTCUT_C},
    [RESNET_34] = {.blocks = {3, 4, 6, 3}},
    [RESNET_34_A] = {.blocks = {3, 4, 6, 3}, .shortcut = SHORTCUT_A},
    [RESNET_34_C] = {.blocks = {3, 4, 6, 3}, .shortcut = SHORTCUT_C},
    [RESNET_50] = {.blocks = {3, 4, 6, 3}, .bottleneck = true},
    [RESNET_101] = {.blocks = {3, 4, 23, 3}, .bottleneck = true},
    [RESNET_152] = {.blocks = {3, 8, 36, 3}, .bottleneck = true},
    [RESNET_50_V1] = {.blocks = {3, 4, 6, 3}, .bottleneck = true, .v1 = true},
    [RESNET_101_V1] = {.blocks = {3, 4, 23, 3}, .bottleneck = true, .v1 = true},
    [RESNET_152_V1] = {.blocks = {3, 8, 36, 3}, .bottleneck = true, .v1 = true},
    [RESNEXT_50] = {.blocks = {3, 4, 6, 3}, .bottleneck = true, .groups = 32, .group_width = 4},
    [RESNET_20] = {.blocks = {3, 3, 3}, .small = true, .shortcut = SHORTCUT_A},
    [RESNET_20_B] = {.blocks = {3, 3, 3}, .small = true},
    [RESNET_32] = {.blocks = {5, 5, 5}, .small = true, .shortcut = SHORTCUT_A},
    [RESNET_44] = {.blocks = {7, 7, 7}, .small = true, .shortcut = SHORTCUT_A},
    [RESNET_56] = {.blocks = {9, 9, 9}, .small = true, .shortcut = SHORTCUT_A},
    [RESNET_110] = {.blocks = {18, 18, 18}, .small = true, .shortcut = SHORTCUT_A},
};

static convoy_status append_stem(struct net *net, bool small, int32_t *at, struct convoy_error *err)
{
    const struct net_spec large_conv = {"conv1", .kind = NET_CONV, .k = net_width(net, 64, 1), .kernel = 7, .stride = 2, .pad = 3};
    const struct net_spec small_conv = {"conv1", .kind = NET_CONV, .k = net_width(net, 16, 1), .kernel = 3, .pad = 1};
    const struct net_spec spec[] = {
        small ? small_conv : large_conv,
        {"bn1", .kind = NET_BN},
        {"relu", .kind = NET_ACT, .act = CONVOY_ELT_RELU},
        {"maxpool", .kind = NET_MAXPOOL, .kernel = 3, .stride = 2, .pad = 1},
    };
    return net_append(net, "", spec, sizeof spec / sizeof *spec - (small ? 1 : 0), at, err);
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

/* `width` channels inside, `out` outside. */
static convoy_status append_bottleneck(struct net *net, const char *prefix, const struct resnet *resnet, int32_t width, int32_t out,
                                       int32_t stride, int32_t *at, struct convoy_error *err)
{
    const struct net_spec spec[] = {
        {"conv1", .kind = NET_CONV, .k = width, .kernel = 1, .stride = resnet->v1 ? stride : 1},
        {"bn1", .kind = NET_BN},
        {"relu1", .kind = NET_ACT, .act = CONVOY_ELT_RELU},
        {"conv2", .kind = NET_CONV, .k = width, .kernel = 3, .stride = resnet->v1 ? 1 : stride, .pad = 1, .groups = resnet->groups},
        {"bn2", .kind = NET_BN},
        {"relu2", .kind = NET_ACT, .act = CONVOY_ELT_RELU},
        {"conv3", .kind = NET_CONV, .k = out, .kernel = 1},
        {"bn3", .kind = NET_BN},
    };
    return net_append(net, prefix, spec, sizeof spec / sizeof *spec, at, err);
}

/* An identity adds no layer. */
static convoy_status append_shortcut(struct net *net, const char *prefix, enum shortcut shortcut, int32_t k, int32_t stride, int32_t *at,
                                     struct convoy_error *err)
{
    const struct net_spec projection[] = {
        {"downsample.0", .kind = NET_CONV, .k = k, .kernel = 1, .stride = stride},
        {"downsample.1", .kind = NET_BN},
    };
    const struct net_spec subsample = {"downsample", .kind = NET_SUBSAMPLE, .k = k, .stride = stride};
    const bool changes = stride != 1 || net_output(net, *at).c != k;
    if (!changes && shortcut != SHORTCUT_C)
        return CONVOY_OK;
    if (shortcut == SHORTCUT_A)
        return net_append(net, prefix, &subsample, 1, at, err);
    return net_append(net, prefix, projection, sizeof projection / sizeof *projection, at, err);
}

/* Both branches read *at; their sum, rectified, becomes it. */
static convoy_status append_block(struct net *net, const struct resnet *resnet, int stage, int block, int32_t *at,
                                  struct convoy_error *err)
{
    char prefix[NET_NAME_BYTES];
    snprintf(prefix, sizeof prefix, "layer%d.%d.", stage + 1, block);
    const int32_t plain = net_width(net, (resnet->small ? 16 : 64) << stage, 1), out = resnet->bottleneck ? 4 * plain : plain;
    const int32_t width = resnet->groups ? net_width(net, resnet->groups * resnet->group_width << stage, resnet->groups) : plain;
    const int32_t stride = stage > 0 && block == 0 ? 2 : 1;
    int32_t branch[] = {*at, *at};
    convoy_status status = resnet->bottleneck ? append_bottleneck(net, prefix, resnet, width, out, stride, &branch[0], err)
                                              : append_basic(net, prefix, width, stride, &branch[0], err);
    if (!status)
        status = append_shortcut(net, prefix, resnet->shortcut, out, stride, &branch[1], err);
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
    convoy_status status = append_stem(net, resnet->small, &at, err);
    for (int stage = 0; !status && stage < STAGES; stage++)
        for (int block = 0; !status && block < resnet->blocks[stage]; block++)
            status = append_block(net, resnet, stage, block, &at, err);
    if (!status)
        status = append_classifier(net, &at, err);
    return status ? status : net_finish(net, err);
}
