/* families: one builder per family of networks. A builder appends the layers of one variant, a row of the family's table, to
 * a network that has its image and no layers. Callers go through catalog.h, which knows names and images. */
#ifndef CONVOY_NETS_FAMILIES_H
#define CONVOY_NETS_FAMILIES_H

#include "nets/net.h"

enum { LENET_5, LENET_CAFFE };
convoy_status lenet_build(struct net *net, int32_t variant, struct convoy_error *err);

enum { ALEXNET_GROUPED, ALEXNET_UNGROUPED };
convoy_status alexnet_build(struct net *net, int32_t variant, struct convoy_error *err);

enum { VGG_A, VGG_A_LRN, VGG_B, VGG_C, VGG_D, VGG_E };
convoy_status vgg_build(struct net *net, int32_t variant, struct convoy_error *err);

/* A bottleneck has its stride in the 3x3 (v1.5), in a _V1 variant in the first 1x1. Shortcuts are option B, those of a network for
 * 32 pixels A, where the name does not say. */
enum {
    RESNET_18, RESNET_34, RESNET_50, RESNET_101, RESNET_152, RESNET_50_V1, RESNET_101_V1, RESNET_152_V1,
    RESNET_18_A, RESNET_18_C, RESNET_34_A, RESNET_34_C, RESNEXT_50,
    RESNET_20, RESNET_20_B, RESNET_32, RESNET_44, RESNET_56, RESNET_110
};
convoy_status resnet_build(struct net *net, int32_t variant, struct convoy_error *err);

enum { PREACT_20, PREACT_110, PREACT_164, WIDE_28_10, WIDE_28_2, WIDE_16_4 };
convoy_status preact_build(struct net *net, int32_t variant, struct convoy_error *err);

enum { DENSENET_121, DENSENET_40, DENSENET_BC_100 };
convoy_status densenet_build(struct net *net, int32_t variant, struct convoy_error *err);

enum { LECTURE_SIMPLENET, LECTURE_CONVNET, LECTURE_PERCEPTRON };
convoy_status lecture_build(struct net *net, int32_t variant, struct convoy_error *err);

/* One variant each. */
convoy_status lenet_original_build(struct net *net, int32_t variant, struct convoy_error *err);
convoy_status zfnet_build(struct net *net, int32_t variant, struct convoy_error *err);
convoy_status googlenet_build(struct net *net, int32_t variant, struct convoy_error *err);
convoy_status mobilenet_build(struct net *net, int32_t variant, struct convoy_error *err);

#endif
