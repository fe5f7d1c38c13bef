#include "nets/catalog.h"
#include "nets/families.h"

#include <convoy/plugin.h>
#include <string.h>

const struct catalog_entry catalog[] = {
    {"lenet5", {1, 32, 32}, 10, lenet_build, LENET_5, .tabled = true},
    {"lenet-caffe", {1, 28, 28}, 10, lenet_build, LENET_CAFFE, .tabled = false},
    {"alexnet", {3, 227, 227}, 1000, alexnet_build, ALEXNET_GROUPED, .tabled = true},
    {"alexnet-ungrouped", {3, 224, 224}, 1000, alexnet_build, ALEXNET_UNGROUPED, .tabled = false},
    {"vgg-a", {3, 224, 224}, 1000, vgg_build, VGG_A, .tabled = true},
    {"vgg-a-lrn", {3, 224, 224}, 1000, vgg_build, VGG_A_LRN, .tabled = true},
    {"vgg-b", {3, 224, 224}, 1000, vgg_build, VGG_B, .tabled = true},
    {"vgg-c", {3, 224, 224}, 1000, vgg_build, VGG_C, .tabled = true},
    {"vgg-d", {3, 224, 224}, 1000, vgg_build, VGG_D, .tabled = true},
    {"vgg-e", {3, 224, 224}, 1000, vgg_build, VGG_E, .tabled = true},
    {"resnet18", {3, 224, 224}, 1000, resnet_build, RESNET_18, .tabled = true},
    {"resnet34", {3, 224, 224}, 1000, resnet_build, RESNET_34, .tabled = true},
    {"resnet50", {3, 224, 224}, 1000, resnet_build, RESNET_50, .tabled = true},
    {"resnet101", {3, 224, 224}, 1000, resnet_build, RESNET_101, .tabled = true},
    {"resnet152", {3, 224, 224}, 1000, resnet_build, RESNET_152, .tabled = true},
    {"resnet50-v1", {3, 224, 224}, 1000, resnet_build, RESNET_50_V1, .tabled = false},
    {"resnet101-v1", {3, 224, 224}, 1000, resnet_build, RESNET_101_V1, .tabled = false},
    {"resnet152-v1", {3, 224, 224}, 1000, resnet_build, RESNET_152_V1, .tabled = false},
    {"lenet5-original", {1, 32, 32}, 10, lenet_original_build, 0, .tabled = false},
    {"perceptron", {1, 28, 28}, 10, lecture_build, LECTURE_PERCEPTRON, .tabled = false},
    {"simplenet", {1, 64, 64}, 15, lecture_build, LECTURE_SIMPLENET, .tabled = false},
    {"convnet", {3, 12, 12}, 60, lecture_build, LECTURE_CONVNET, .tabled = false},
    {"zfnet", {3, 225, 225}, 1000, zfnet_build, 0, .tabled = false},
    {"googlenet", {3, 224, 224}, 1000, googlenet_build, 0, .tabled = false},
    {"mobilenet", {3, 224, 224}, 1000, mobilenet_build, 0, .tabled = false},
    {"resnet18-a", {3, 224, 224}, 1000, resnet_build, RESNET_18_A, .tabled = false},
    {"resnet18-c", {3, 224, 224}, 1000, resnet_build, RESNET_18_C, .tabled = false},
    {"resnet34-a", {3, 224, 224}, 1000, resnet_build, RESNET_34_A, .tabled = false},
    {"resnet34-c", {3, 224, 224}, 1000, resnet_build, RESNET_34_C, .tabled = false},
    {"resnext50-32x4d", {3, 224, 224}, 1000, resnet_build, RESNEXT_50, .tabled = false},
    {"densenet121", {3, 224, 224}, 1000, densenet_build, DENSENET_121, .tabled = false},
    {"resnet20", {3, 32, 32}, 10, resnet_build, RESNET_20, .tabled = false},
    {"resnet20-b", {3, 32, 32}, 10, resnet_build, RESNET_20_B, .tabled = false},
    {"resnet32", {3, 32, 32}, 10, resnet_build, RESNET_32, .tabled = false},
    {"resnet44", {3, 32, 32}, 10, resnet_build, RESNET_44, .tabled = false},
    {"resnet56", {3, 32, 32}, 10, resnet_build, RESNET_56, .tabled = false},
    {"resnet110", {3, 32, 32}, 10, resnet_build, RESNET_110, .tabled = false},
    {"preact-resnet20", {3, 32, 32}, 10, preact_build, PREACT_20, .tabled = false},
    {"preact-resnet110", {3, 32, 32}, 10, preact_build, PREACT_110, .tabled = false},
    {"preact-resnet164", {3, 32, 32}, 10, preact_build, PREACT_164, .tabled = false},
    {"wrn-28-10", {3, 32, 32}, 10, preact_build, WIDE_28_10, .tabled = false},
    {"wrn-28-2", {3, 32, 32}, 10, preact_build, WIDE_28_2, .tabled = false},
    {"wrn-16-4", {3, 32, 32}, 10, preact_build, WIDE_16_4, .tabled = false},
    {"densenet-40", {3, 32, 32}, 10, densenet_build, DENSENET_40, .tabled = false},
    {"densenet-bc-100", {3, 32, 32}, 10, densenet_build, DENSENET_BC_100, .tabled = false},
};
const size_t catalog_count = sizeof catalog / sizeof *catalog;

static int32_t or_else(int32_t value, int32_t otherwise)
{
    return value ? value : otherwise;
}

static bool has(const struct net *net, enum net_kind kind)
{
    for (size_t l = 0; l < net->count; l++)
        if (net->layer[l].kind == kind)
            return true;
    return false;
}

convoy_status catalog_build(const char *name, const struct catalog_options *options, struct net *net, struct convoy_error *err)
{
    static const struct catalog_options none;
    if (!options)
        options = &none;
    for (size_t index = 0; index < catalog_count; index++) {
        const struct catalog_entry *entry = &catalog[index];
        if (strcmp(entry->name, name))
            continue;
        const struct net_extent image = {
            .c = or_else(options->image.c, entry->image.c),
            .h = or_else(options->image.h, entry->image.h),
            .w = or_else(options->image.w, entry->image.w),
        };
        net_init(net, entry->name, image, or_else(options->classes, entry->classes));
        if (options->width > 0)
            net->width = options->width;
        net->bn_place = options->bn_place;
        net->activation = options->activation;
        net->sparsity = options->sparsity;
        net->sparsity_weight = options->sparsity_weight;
        convoy_status status = entry->build(net, entry->variant, err);
        if (!status && net->bn_place != NET_BN_AS_BUILT && !has(net, NET_BN))
            status = convoy_fail(err, CONVOY_INVALID, CONVOY_WHY_OTHER,
                                 "%s: no activation follows a convolution, to put a batch norm there", name);
        if (!status && net->sparsity_weight > 0 && !has(net, NET_SPARSITY))
            status = convoy_fail(err, CONVOY_INVALID, CONVOY_WHY_OTHER, "%s: no sigmoids to make sparse; --activation sigmoid has them",
                                 name);
        if (status)
            net_free(net);
        return status;
    }
    return convoy_fail(err, CONVOY_INVALID, CONVOY_WHY_OTHER, "no network is named %s", name);
}
