/* Small networks of lectures: SimpleNet for scenes (grey, 64x64, 15 of them), the ConvNet on 3x12x12, and the perceptron with
 * one hidden layer. */
#include "nets/families.h"

#define RELU .kind = NET_ACT, .act = CONVOY_ELT_RELU

static convoy_status append_simplenet(struct net *net, int32_t *at, struct convoy_error *err)
{
    const struct net_spec spec[] = {
        {"conv1", .kind = NET_CONV, .k = net_width(net, 10, 1), .kernel = 5, .bias = true},
        {"pool1", .kind = NET_MAXPOOL, .kernel = 3, .stride = 3},
        {"relu1", RELU},
        {"conv2", .kind = NET_CONV, .k = net_width(net, 20, 1), .kernel = 5, .bias = true},
        {"pool2", .kind = NET_MAXPOOL, .kernel = 3, .stride = 3},
        {"relu2", RELU},
        {"fc1", .kind = NET_FC, .k = net_width(net, 100, 1), .bias = true},
        {"relu3", RELU},
        {"fc2", .kind = NET_FC, .k = net->classes, .bias = true},
    };
    return net_append(net, "", spec, sizeof spec / sizeof *spec, at, err);
}

static convoy_status append_convnet(struct net *net, int32_t *at, struct convoy_error *err)
{
    const struct net_spec spec[] = {
        {"conv1", .kind = NET_CONV, .k = net_width(net, 16, 1), .kernel = 3, .bias = true},
        {"relu1", RELU},
        {"pool1", .kind = NET_AVGPOOL, .kernel = 2, .stride = 2},
        {"fc1", .kind = NET_FC, .k = net->classes, .bias = true},
    };
    return net_append(net, "", spec, sizeof spec / sizeof *spec, at, err);
}

static convoy_status append_perceptron(struct net *net, int32_t *at, struct convoy_error *err)
{
    const struct net_spec spec[] = {
        {"fc1", .kind = NET_FC, .k = net_width(net, 128, 1), .bias = true},
        {"relu1", RELU},
        {"fc2", .kind = NET_FC, .k = net->classes, .bias = true},
    };
    return net_append(net, "", spec, sizeof spec / sizeof *spec, at, err);
}

convoy_status lecture_build(struct net *net, int32_t variant, struct convoy_error *err)
{
    static convoy_status (*const append[])(struct net *, int32_t *, struct convoy_error *) = {
        [LECTURE_SIMPLENET] = append_simplenet, [LECTURE_CONVNET] = append_convnet, [LECTURE_PERCEPTRON] = append_perceptron};
    int32_t at = NET_IMAGE;
    const convoy_status status = append[variant](net, &at, err);
    return status ? status : net_finish(net, err);
}
