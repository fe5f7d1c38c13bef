/* Krizhevsky, Sutskever & Hinton, "ImageNet classification with deep convolutional neural networks", 2012. The grouped form is
 * the paper's, with the 227 pixels that its first layer needs; the ungrouped one takes 224 and pads. The classifier reads 6x6
 * maps; larger ones are averaged down to that, as torchvision does. */
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
    const struct net_spec features[] = {
        {"conv1", .kind = NET_CONV, .k = net_width(net, 96, groups), .kernel = 11, .stride = 4, .pad = pad1, .bias = true},
        {"relu1", .kind = NET_ACT, .act = CONVOY_ELT_RELU},
        {"lrn1", .kind = NET_LRN, .window = 5, .alpha = 1e-4f, .beta = 0.75f, .bias_k = 2},
        {"pool1", .kind = NET_MAXPOOL, .kernel = 3, .stride = 2},
        {"conv2", .kind = NET_CONV, .k = net_width(net, 256, groups), .kernel = 5, .pad = 2, .groups = groups, .bias = true},
        {"relu2", .kind = NET_ACT, .act = CONVOY_ELT_RELU},
        {"lrn2", .kind = NET_LRN, .window = 5, .alpha = 1e-4f, .beta = 0.75f, .bias_k = 2},
        {"pool2", .kind = NET_MAXPOOL, .kernel = 3, .stride = 2},
        {"conv3", .kind = NET_CONV, .k = net_width(net, 384, groups), .kernel = 3, .pad = 1, .bias = true},
        {"relu3", .kind = NET_ACT, .act = CONVOY_ELT_RELU},
        {"conv4", .kind = NET_CONV, .k = net_width(net, 384, groups), .kernel = 3, .pad = 1, .groups = groups, .bias = true},
        {"relu4", .kind = NET_ACT, .act = CONVOY_ELT_RELU},
        {"conv5", .kind = NET_CONV, .k = net_width(net, 256, groups), .kernel = 3, .pad = 1, .groups = groups, .bias = true},
        {"relu5", .kind = NET_ACT, .act = CONVOY_ELT_RELU},
        {"pool5", .kind = NET_MAXPOOL, .kernel = 3, .stride = 2},
    };
    const int32_t hidden = net_width(net, 4096, 1);
    const struct net_spec classifier[] = {
        {"fc6", .kind = NET_FC, .k = hidden, .bias = true},
        {"relu6", .kind = NET_ACT, .act = CONVOY_ELT_RELU},
        {"drop6", .kind = NET_DROPOUT, .p = 0.5f},
        {"fc7", .kind = NET_FC, .k = hidden, .bias = true},
        {"relu7", .kind = NET_ACT, .act = CONVOY_ELT_RELU},
        {"drop7", .kind = NET_DROPOUT, .p = 0.5f},
        {"fc8", .kind = NET_FC, .k = net->classes, .bias = true},
    };
    int32_t at = NET_IMAGE;
    convoy_status status = net_append(net, "", features, sizeof features / sizeof *features, &at, err);
    if (!status)
        status = net_append_at_most(net, "avgpool", 6, &at, err);
    if (!status)
        status = net_append(net, "", classifier, sizeof classifier / sizeof *classifier, &at, err);
    return status ? status : net_finish(net, err);
}
