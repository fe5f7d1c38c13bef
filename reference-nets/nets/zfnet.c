/* Zeiler & Fergus, "Visualizing and understanding convolutional networks", arXiv 1311.2901, figure 3: AlexNet on one device with a
 * 7x7 first layer of stride 2. On 225 pixels with sizes of pools rounded up its maps are the paper's 110, 55, 26, 13 and 6. The
 * normalisation is AlexNet's, behind the pools. */
#include "nets/families.h"

#include <convoy/shape.h>

convoy_status zfnet_build(struct net *net, int32_t variant, struct convoy_error *err)
{
    (void)variant;
    const int32_t ceil = CONVOY_SIZE_CEIL, hidden = net_width(net, 4096, 1);
    const struct net_spec spec[] = {
        {"conv1", .kind = NET_CONV, .k = net_width(net, 96, 1), .kernel = 7, .stride = 2, .bias = true},
        {"relu1", .kind = NET_ACT, .act = CONVOY_ELT_RELU},
        {"pool1", .kind = NET_MAXPOOL, .kernel = 3, .stride = 2, .size_rule = ceil},
        {"lrn1", .kind = NET_LRN, .window = 5, .alpha = 1e-4f, .beta = 0.75f, .bias_k = 2},
        {"conv2", .kind = NET_CONV, .k = net_width(net, 256, 1), .kernel = 5, .stride = 2, .bias = true},
        {"relu2", .kind = NET_ACT, .act = CONVOY_ELT_RELU},
        {"pool2", .kind = NET_MAXPOOL, .kernel = 3, .stride = 2, .size_rule = ceil},
        {"lrn2", .kind = NET_LRN, .window = 5, .alpha = 1e-4f, .beta = 0.75f, .bias_k = 2},
        {"conv3", .kind = NET_CONV, .k = net_width(net, 384, 1), .kernel = 3, .pad = 1, .bias = true},
        {"relu3", .kind = NET_ACT, .act = CONVOY_ELT_RELU},
        {"conv4", .kind = NET_CONV, .k = net_width(net, 384, 1), .kernel = 3, .pad = 1, .bias = true},
        {"relu4", .kind = NET_ACT, .act = CONVOY_ELT_RELU},
        {"conv5", .kind = NET_CONV, .k = net_width(net, 256, 1), .kernel = 3, .pad = 1, .bias = true},
        {"relu5", .kind = NET_ACT, .act = CONVOY_ELT_RELU},
        {"pool5", .kind = NET_MAXPOOL, .kernel = 3, .stride = 2, .size_rule = ceil},
        {"fc6", .kind = NET_FC, .k = hidden, .bias = true},
        {"relu6", .kind = NET_ACT, .act = CONVOY_ELT_RELU},
        {"drop6", .kind = NET_DROPOUT, .p = 0.5f},
        {"fc7", .kind = NET_FC, .k = hidden, .bias = true},
        {"relu7", .kind = NET_ACT, .act = CONVOY_ELT_RELU},
        {"drop7", .kind = NET_DROPOUT, .p = 0.5f},
        {"fc8", .kind = NET_FC, .k = net->classes, .bias = true},
    };
    int32_t at = NET_IMAGE;
    const convoy_status status = net_append(net, "", spec, sizeof spec / sizeof *spec, &at, err);
    return status ? status : net_finish(net, err);
}
