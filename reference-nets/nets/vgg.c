/* Simonyan & Zisserman, "Very deep convolutional networks for large-scale image recognition", arXiv 1409.1556, table 1.
 * The classifier reads 7x7 maps; larger ones are averaged down to that, as torchvision does. */
#include "nets/families.h"

#include <stdio.h>

enum { STAGES = 5 };

struct vgg {
    int32_t convs[STAGES]; /* 3x3 convolutions per stage                        */
    int32_t pointwise;     /* 1x1 convolutions that end each of stages 3 to 5   */
    bool lrn;              /* a response normalisation after conv1_1            */
};

static const struct vgg variants[] = {
    [VGG_A] = {.convs = {1, 1, 2, 2, 2}},
    [VGG_A_LRN] = {.convs = {1, 1, 2, 2, 2}, .lrn = true},
    [VGG_B] = {.convs = {2, 2, 2, 2, 2}},
    [VGG_C] = {.convs = {2, 2, 2, 2, 2}, .pointwise = 1},
    [VGG_D] = {.convs = {2, 2, 3, 3, 3}},
    [VGG_E] = {.convs = {2, 2, 4, 4, 4}},
};

static const int32_t channels[STAGES] = {64, 128, 256, 512, 512};

static convoy_status append_conv(struct net *net, int stage, int place, int32_t kernel, int32_t *at, struct convoy_error *err)
{
    char name[NET_NAME_BYTES], relu[NET_NAME_BYTES];
    snprintf(name, sizeof name, "conv%d_%d", stage + 1, place + 1);
    snprintf(relu, sizeof relu, "relu%d_%d", stage + 1, place + 1);
    const struct net_spec spec[] = {
        {name, .kind = NET_CONV, .k = net_width(net, channels[stage], 1), .kernel = kernel, .pad = kernel / 2, .bias = true},
        {relu, .kind = NET_ACT, .act = CONVOY_ELT_RELU},
    };
    return net_append(net, "", spec, sizeof spec / sizeof *spec, at, err);
}

/* The normalisation is AlexNet's: 5 channels, alpha divided by their number. */
static convoy_status append_lrn(struct net *net, int32_t *at, struct convoy_error *err)
{
    const struct net_spec lrn = {"lrn1", .kind = NET_LRN, .window = 5, .alpha = 1e-4f / 5, .beta = 0.75f, .bias_k = 2};
    return net_append(net, "", &lrn, 1, at, err);
}

static convoy_status append_classifier(struct net *net, int32_t *at, struct convoy_error *err)
{
    const int32_t hidden = net_width(net, 4096, 1);
    const struct net_spec spec[] = {
        {"fc6", .kind = NET_FC, .k = hidden, .bias = true},
        {"relu6", .kind = NET_ACT, .act = CONVOY_ELT_RELU},
        {"drop6", .kind = NET_DROPOUT, .p = 0.5f},
        {"fc7", .kind = NET_FC, .k = hidden, .bias = true},
        {"relu7", .kind = NET_ACT, .act = CONVOY_ELT_RELU},
        {"drop7", .kind = NET_DROPOUT, .p = 0.5f},
        {"fc8", .kind = NET_FC, .k = net->classes, .bias = true},
    };
    return net_append(net, "", spec, sizeof spec / sizeof *spec, at, err);
}

convoy_status vgg_build(struct net *net, int32_t variant, struct convoy_error *err)
{
    const struct vgg *vgg = &variants[variant];
    int32_t at = NET_IMAGE;
    convoy_status status = CONVOY_OK;
    for (int stage = 0; stage < STAGES; stage++) {
        const int32_t dense = vgg->convs[stage], all = dense + (stage >= 2 ? vgg->pointwise : 0);
        for (int place = 0; place < all; place++) {
            status = append_conv(net, stage, place, place < dense ? 3 : 1, &at, err);
            if (!status && vgg->lrn && stage == 0 && place == 0)
                status = append_lrn(net, &at, err);
            if (status)
                return status;
        }
        char name[NET_NAME_BYTES];
        snprintf(name, sizeof name, "pool%d", stage + 1);
        status = net_append(net, "", &(struct net_spec){name, .kind = NET_MAXPOOL, .kernel = 2, .stride = 2}, 1, &at, err);
        if (status)
            return status;
    }
    status = net_append_at_most(net, "avgpool", 7, &at, err);
    if (!status)
        status = append_classifier(net, &at, err);
    return status ? status : net_finish(net, err);
}
