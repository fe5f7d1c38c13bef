/* LeCun, Bottou, Bengio & Haffner, "Gradient-based learning applied to document recognition", 1998, in today's form: every map
 * of conv2 sees all maps of pool1, pools have no weights, and the output is a fully connected layer. */
#include "nets/families.h"

struct lenet {
    int32_t conv1, conv2; /* maps                                      */
    int32_t hidden[2];    /* fully connected layers; 0: there is none  */
};

static const struct lenet variants[] = {
    [LENET_5] = {.conv1 = 6, .conv2 = 16, .hidden = {120, 84}},
    [LENET_CAFFE] = {.conv1 = 20, .conv2 = 50, .hidden = {500, 0}},
};

convoy_status lenet_build(struct net *net, int32_t variant, struct convoy_error *err)
{
    const struct lenet *lenet = &variants[variant];
    const struct net_spec features[] = {
        {"conv1", .kind = NET_CONV, .k = net_width(net, lenet->conv1, 1), .kernel = 5, .bias = true},
        {"relu1", .kind = NET_ACT, .act = CONVOY_ELT_RELU},
        {"pool1", .kind = NET_MAXPOOL, .kernel = 2, .stride = 2},
        {"conv2", .kind = NET_CONV, .k = net_width(net, lenet->conv2, 1), .kernel = 5, .bias = true},
        {"relu2", .kind = NET_ACT, .act = CONVOY_ELT_RELU},
        {"pool2", .kind = NET_MAXPOOL, .kernel = 2, .stride = 2},
        {"fc3", .kind = NET_FC, .k = net_width(net, lenet->hidden[0], 1), .bias = true},
        {"relu3", .kind = NET_ACT, .act = CONVOY_ELT_RELU},
    };
    const struct net_spec deep[] = {
        {"fc4", .kind = NET_FC, .k = net_width(net, lenet->hidden[1], 1), .bias = true},
        {"relu4", .kind = NET_ACT, .act = CONVOY_ELT_RELU},
        {"fc5", .kind = NET_FC, .k = net->classes, .bias = true},
    };
    const struct net_spec shallow[] = {{"fc4", .kind = NET_FC, .k = net->classes, .bias = true}};
    int32_t at = NET_IMAGE;
    convoy_status status = net_append(net, "", features, sizeof features / sizeof *features, &at, err);
    if (!status && lenet->hidden[1])
        status = net_append(net, "", deep, sizeof deep / sizeof *deep, &at, err);
    else if (!status)
        status = net_append(net, "", shallow, sizeof shallow / sizeof *shallow, &at, err);
    return status ? status : net_finish(net, err);
}
