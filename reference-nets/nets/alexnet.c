/* Krizhevsky, Sutskever & Hinton, "ImageNet classification with deep convolutional neural networks", 2012. The grouped form is
 * the paper's, with the 227 pixels that its first layer needs; the ungrouped one takes 224 and pads. */
#include "nets/families.h"

struct alexnet {
    int32_t pad1, groups;
};

static const struct alexnet variants[] = {
    [ALEXNET_GROUPED] = {.pad1 = 0, .groups = 2},
    [ALEXNET_UNGROUPED] = {.pad1 = 2, .groups = 1},
};

convoy_status alexnet_build(struct net *net, int32_t variant, struct convoy_error *err)
{
    const int32_t pad1 = variants[variant].pad1, groups = variants[variant].groups;
    const struct net_spec spec[] = {
        {"conv1", .kind = NET_CONV, .k = 96, .kernel = 11, .stride = 4, .pad = pad1, .bias = true},
        {"pool1", .kind = NET_MAXPOOL, .kernel = 3, .stride = 2},
        {"conv2", .kind = NET_CONV, .k = 256, .kernel = 5, .pad = 2, .groups = groups, .bias = true},
        {"pool2", .kind = NET_MAXPOOL, .kernel = 3, .stride = 2},
        {"conv3", .kind = NET_CONV, .k = 384, .kernel = 3, .pad = 1, .bias = true},
        {"conv4", .kind = NET_CONV, .k = 384, .kernel = 3, .pad = 1, .groups = groups, .bias = true},
        {"conv5", .kind = NET_CONV, .k = 256, .kernel = 3, .pad = 1, .groups = groups, .bias = true},
        {"pool5", .kind = NET_MAXPOOL, .kernel = 3, .stride = 2},
        {"fc6", .kind = NET_FC, .k = 4096, .bias = true},
        {"fc7", .kind = NET_FC, .k = 4096, .bias = true},
        {"fc8", .kind = NET_FC, .k = 1000, .bias = true},
    };
    int32_t at = NET_IMAGE;
    return net_append(net, "", spec, sizeof spec / sizeof *spec, &at, err);
}
