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

/* A bottleneck has its stride in the 3x3 (v1.5), in a _V1 variant in the first 1x1. */
enum { RESNET_18, RESNET_34, RESNET_50, RESNET_101, RESNET_152, RESNET_50_V1, RESNET_101_V1, RESNET_152_V1 };
convoy_status resnet_build(struct net *net, int32_t variant, struct convoy_error *err);

#endif
