/* Szegedy et al., "Going deeper with convolutions", arXiv 1409.4842, table 1 and section 5: modules of four branches whose channels
 * are put together, and two classifiers on the way whose losses count 0.3 in training. Convolutions have biases and no batch norm;
 * pools round sizes up. Layer names are those of PyTorch's torchvision, whose third branch has a 3x3 convolution in place of the
 * paper's 5x5 and whose convolutions have batch norm. */
#include "nets/families.h"

#include <convoy/shape.h>
#include <stdio.h>

enum { BRANCHES = 4, AUXILIARIES = 2 };

#define RELU .kind = NET_ACT, .act = CONVOY_ELT_RELU
#define LRN .kind = NET_LRN, .window = 5, .alpha = 1e-4f / 5, .beta = 0.75f, .bias_k = 1
#define COUNT(array) (sizeof(array) / sizeof *(array))

static const struct module {
    const char *name;
    int32_t one, three_reduce, three, five_reduce, five, pool;
    bool shrinks;   /* a pool of stride 2 follows              */
    int auxiliary;  /* number of the classifier that reads it  */
} modules[] = {
    {"3a", 64, 96, 128, 16, 32, .pool = 32},
    {"3b", 128, 128, 192, 32, 96, .pool = 64, .shrinks = true},
    {"4a", 192, 96, 208, 16, 48, .pool = 64, .auxiliary = 1},
    {"4b", 160, 112, 224, 24, 64, .pool = 64},
    {"4c", 128, 128, 256, 24, 64, .pool = 64},
    {"4d", 112, 144, 288, 32, 64, .pool = 64, .auxiliary = 2},
    {"4e", 256, 160, 320, 32, 128, .pool = 128, .shrinks = true},
    {"5a", 256, 160, 320, 32, 128, .pool = 128},
    {"5b", 384, 192, 384, 48, 128, .pool = 128},
};

/* On a map smaller than its window a pool takes what there is, so that the network takes small images. */
static convoy_status append_pool(struct net *net, const char *name, int32_t *at, struct convoy_error *err)
{
    const struct net_extent in = net_output(net, *at);
    const struct net_spec spec = {
        .name = name,
        .kind = NET_MAXPOOL,
        .kernel = in.h < 3 ? in.h : 3,
        .kernel_w = in.w < 3 ? in.w : 3,
        .stride = 2,
        .size_rule = CONVOY_SIZE_CEIL,
    };
    return net_append(net, "", &spec, 1, at, err);
}

static convoy_status append_stem(struct net *net, int32_t *at, struct convoy_error *err)
{
    const struct net_spec first[] = {
        {"conv1.conv", .kind = NET_CONV, .k = net_width(net, 64, 1), .kernel = 7, .stride = 2, .pad = 3, .bias = true},
        {"conv1.relu", RELU},
    };
    const struct net_spec second[] = {
        {"lrn1", LRN},
        {"conv2.conv", .kind = NET_CONV, .k = net_width(net, 64, 1), .kernel = 1, .bias = true},
        {"conv2.relu", RELU},
        {"conv3.conv", .kind = NET_CONV, .k = net_width(net, 192, 1), .kernel = 3, .pad = 1, .bias = true},
        {"conv3.relu", RELU},
        {"lrn2", LRN},
    };
    convoy_status status = net_append(net, "", first, COUNT(first), at, err);
    if (!status)
        status = append_pool(net, "maxpool1", at, err);
    if (!status)
        status = net_append(net, "", second, COUNT(second), at, err);
    return status ? status : append_pool(net, "maxpool2", at, err);
}

static convoy_status append_module(struct net *net, const struct module *module, int32_t *at, struct convoy_error *err)
{
    char prefix[NET_NAME_BYTES];
    snprintf(prefix, sizeof prefix, "inception%s.", module->name);
    const struct net_spec one[] = {
        {"branch1.conv", .kind = NET_CONV, .k = net_width(net, module->one, 1), .kernel = 1, .bias = true},
        {"branch1.relu", RELU},
    };
    const struct net_spec three[] = {
        {"branch2.0.conv", .kind = NET_CONV, .k = net_width(net, module->three_reduce, 1), .kernel = 1, .bias = true},
        {"branch2.0.relu", RELU},
        {"branch2.1.conv", .kind = NET_CONV, .k = net_width(net, module->three, 1), .kernel = 3, .pad = 1, .bias = true},
        {"branch2.1.relu", RELU},
    };
    const struct net_spec five[] = {
        {"branch3.0.conv", .kind = NET_CONV, .k = net_width(net, module->five_reduce, 1), .kernel = 1, .bias = true},
        {"branch3.0.relu", RELU},
        {"branch3.1.conv", .kind = NET_CONV, .k = net_width(net, module->five, 1), .kernel = 5, .pad = 2, .bias = true},
        {"branch3.1.relu", RELU},
    };
    const struct net_spec pool[] = {
        {"branch4.0", .kind = NET_MAXPOOL, .kernel = 3, .stride = 1, .pad = 1},
        {"branch4.1.conv", .kind = NET_CONV, .k = net_width(net, module->pool, 1), .kernel = 1, .bias = true},
        {"branch4.1.relu", RELU},
    };
    const struct {
        const struct net_spec *spec;
        size_t count;
    } branch[BRANCHES] = {{one, COUNT(one)}, {three, COUNT(three)}, {five, COUNT(five)}, {pool, COUNT(pool)}};
    int32_t end[BRANCHES];
    convoy_status status = CONVOY_OK;
    for (size_t b = 0; !status && b < BRANCHES; b++) {
        end[b] = *at;
        status = net_append(net, prefix, branch[b].spec, branch[b].count, &end[b], err);
    }
    return status ? status : net_join(net, prefix, "cat", NET_CAT, end, BRANCHES, at, err);
}

/* Its pool makes 4x4 of the 14x14 of a 224 pixel image; maps smaller than its window are averaged whole. */
static convoy_status append_auxiliary(struct net *net, int number, int32_t *at, struct convoy_error *err)
{
    char prefix[NET_NAME_BYTES];
    snprintf(prefix, sizeof prefix, "aux%d.", number);
    const struct net_extent in = net_output(net, *at);
    const struct net_spec windows = {"avgpool", .kind = NET_AVGPOOL, .kernel = 5, .stride = 3};
    const struct net_spec whole = {"avgpool", .kind = NET_AVGPOOL_GLOBAL};
    const struct net_spec spec[] = {
        {"conv.conv", .kind = NET_CONV, .k = net_width(net, 128, 1), .kernel = 1, .bias = true},
        {"conv.relu", RELU},
        {"fc1", .kind = NET_FC, .k = net_width(net, 1024, 1), .bias = true},
        {"relu", RELU},
        {"dropout", .kind = NET_DROPOUT, .p = 0.7f},
        {"fc2", .kind = NET_FC, .k = net->classes, .bias = true},
    };
    const convoy_status status = net_append(net, prefix, in.h < 5 || in.w < 5 ? &whole : &windows, 1, at, err);
    return status ? status : net_append(net, prefix, spec, COUNT(spec), at, err);
}

static convoy_status append_classifier(struct net *net, int32_t *at, struct convoy_error *err)
{
    const struct net_spec spec[] = {
        {"avgpool", .kind = NET_AVGPOOL_GLOBAL},
        {"dropout", .kind = NET_DROPOUT, .p = 0.4f},
        {"fc", .kind = NET_FC, .k = net->classes, .bias = true},
    };
    return net_append(net, "", spec, COUNT(spec), at, err);
}

convoy_status googlenet_build(struct net *net, int32_t variant, struct convoy_error *err)
{
    (void)variant;
    int32_t at = NET_IMAGE, auxiliary[AUXILIARIES] = {0};
    convoy_status status = append_stem(net, &at, err);
    for (size_t m = 0; !status && m < COUNT(modules); m++) {
        status = append_module(net, &modules[m], &at, err);
        if (!status && modules[m].auxiliary) {
            int32_t *end = &auxiliary[modules[m].auxiliary - 1];
            *end = at;
            status = append_auxiliary(net, modules[m].auxiliary, end, err);
        }
        if (!status && modules[m].shrinks) {
            char name[NET_NAME_BYTES];
            snprintf(name, sizeof name, "maxpool%c", modules[m].name[0]);
            status = append_pool(net, name, &at, err);
        }
    }
    if (!status)
        status = append_classifier(net, &at, err);
    if (!status)
        status = net_head_add(net, at, 1, err);
    for (int32_t number = 0; !status && number < AUXILIARIES; number++)
        status = net_head_add(net, auxiliary[number], 0.3f, err);
    return status ? status : net_finish(net, err);
}
