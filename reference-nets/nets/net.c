#include "nets/net.h"

#include <convoy/plugin.h>
#include <convoy/shape.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void net_init(struct net *net, const char *name, struct net_extent image)
{
    memset(net, 0, sizeof *net);
    snprintf(net->name, sizeof net->name, "%s", name);
    net->image = image;
}

void net_free(struct net *net)
{
    free(net->layer);
    net->layer = NULL;
    net->count = net->capacity = 0;
}

struct net_extent net_output(const struct net *net, int32_t layer)
{
    if (layer == NET_IMAGE)
        return net->image;
    const union problem *problem = &net->layer[layer].problem;
    switch (problem_family(problem)) {
    case FAMILY_CONV:
        return (struct net_extent){problem->conv.k, problem->conv.oh, problem->conv.ow};
    case FAMILY_POOL:
        return (struct net_extent){problem->pool.c, problem->pool.oh, problem->pool.ow};
    default:
        return (struct net_extent){problem->bn.c, problem->bn.h, problem->bn.w};
    }
}

/* One function per kind of layer turns a spec and the extents that it reads into a problem. */
typedef void pose_fn(const struct net_spec *spec, struct net_extent in, union problem *out);

static void pose_conv(const struct net_spec *spec, struct net_extent in, union problem *out)
{
    const int32_t stride = spec->stride ? spec->stride : 1;
    out->conv = (struct convoy_conv){
        .head = {.op = CONVOY_CONV_FWD, .flags = spec->bias ? CONVOY_WITH_BIAS : 0},
        .n = 1,
        .c = in.c,
        .h = in.h,
        .w = in.w,
        .k = spec->k,
        .kh = spec->kernel,
        .kw = spec->kernel,
        .groups = spec->groups ? spec->groups : 1,
        .stride_h = stride,
        .stride_w = stride,
        .dil_h = 1,
        .dil_w = 1,
        .pad_t = spec->pad,
        .pad_b = spec->pad,
        .pad_l = spec->pad,
        .pad_r = spec->pad,
    };
}

/* A fully connected layer is the convolution whose kernel equals its input. */
static void pose_fc(const struct net_spec *spec, struct net_extent in, union problem *out)
{
    pose_conv(spec, in, out);
    out->conv.kh = in.h;
    out->conv.kw = in.w;
}

static void pose_bn(const struct net_spec *spec, struct net_extent in, union problem *out)
{
    (void)spec;
    out->bn = (struct convoy_bn){
        .head = {.op = CONVOY_BN_TRAIN},
        .n = 1,
        .c = in.c,
        .h = in.h,
        .w = in.w,
        .eps = 1e-5f,
        .momentum = 0.1f,
    };
}

static void pose_maxpool(const struct net_spec *spec, struct net_extent in, union problem *out)
{
    const int32_t stride = spec->stride ? spec->stride : 1;
    out->pool = (struct convoy_pool){
        .head = {.op = CONVOY_POOL_FWD},
        .n = 1,
        .c = in.c,
        .h = in.h,
        .w = in.w,
        .kind = CONVOY_POOL_MAX,
        .kh = spec->kernel,
        .kw = spec->kernel,
        .stride_h = stride,
        .stride_w = stride,
        .dil_h = 1,
        .dil_w = 1,
        .pad_t = spec->pad,
        .pad_b = spec->pad,
        .pad_l = spec->pad,
        .pad_r = spec->pad,
    };
}

static void pose_avgpool_global(const struct net_spec *spec, struct net_extent in, union problem *out)
{
    (void)spec;
    out->pool = (struct convoy_pool){
        .head = {.op = CONVOY_POOL_FWD},
        .n = 1,
        .c = in.c,
        .h = in.h,
        .w = in.w,
        .kind = CONVOY_POOL_AVG_PAD,
        .kh = in.h,
        .kw = in.w,
        .stride_h = 1,
        .stride_w = 1,
        .dil_h = 1,
        .dil_w = 1,
    };
}

static pose_fn *const pose[NET_KIND_COUNT] = {
    [NET_CONV] = pose_conv,
    [NET_FC] = pose_fc,
    [NET_BN] = pose_bn,
    [NET_MAXPOOL] = pose_maxpool,
    [NET_AVGPOOL_GLOBAL] = pose_avgpool_global,
};

static convoy_status reserve(struct net *net, size_t more, struct convoy_error *err)
{
    const size_t needed = net->count + more;
    if (needed <= net->capacity)
        return CONVOY_OK;
    const size_t capacity = needed < 32 ? 32 : 2 * needed;
    struct net_layer *layer = realloc(net->layer, capacity * sizeof *layer);
    if (!layer)
        return convoy_fail(err, CONVOY_NO_MEMORY, CONVOY_WHY_MEMORY, "%s: no memory for %zu layers", net->name, capacity);
    net->layer = layer;
    net->capacity = capacity;
    return CONVOY_OK;
}

convoy_status net_append(struct net *net, const char *prefix, const struct net_spec *spec, size_t count, int32_t *at,
                         struct convoy_error *err)
{
    convoy_status status = reserve(net, count, err);
    if (status)
        return status;
    for (size_t index = 0; index < count; index++) {
        struct net_layer *layer = &net->layer[net->count];
        memset(layer, 0, sizeof *layer);
        const int length = snprintf(layer->name, sizeof layer->name, "%s%s", prefix, spec[index].name);
        if (length < 0 || (size_t)length >= sizeof layer->name)
            return convoy_fail(err, CONVOY_INVALID, CONVOY_WHY_SIZE, "%s: layer name %s%s is too long", net->name, prefix,
                               spec[index].name);
        layer->kind = spec[index].kind;
        layer->input = *at;
        pose[layer->kind](&spec[index], net_output(net, *at), &layer->problem);
        status = problem_complete(&layer->problem, err);
        if (status)
            return status;
        *at = (int32_t)net->count++;
    }
    return CONVOY_OK;
}

int64_t net_macs(const struct net *net)
{
    int64_t macs = 0;
    for (size_t index = 0; index < net->count; index++)
        if (problem_family(&net->layer[index].problem) == FAMILY_CONV)
            macs += convoy_conv_macs(&net->layer[index].problem.conv);
    return macs;
}

int64_t net_params(const struct net *net)
{
    int64_t params = 0;
    for (size_t index = 0; index < net->count; index++) {
        const union problem *problem = &net->layer[index].problem;
        if (problem_family(problem) == FAMILY_CONV)
            params += convoy_conv_params(&problem->conv);
        else if (problem_family(problem) == FAMILY_BN)
            params += 2 * (int64_t)problem->bn.c;
    }
    return params;
}

/* From the output back: a field of r outputs of a layer covers (r-1)*stride + span of what the layer reads. Batch norm is
 * element by element. Dumoulin & Visin, arXiv 1603.07285, section 2 (the size relation, solved for the input). */
int64_t net_receptive_field(const struct net *net, int32_t layer)
{
    int64_t field = 1;
    for (; layer != NET_IMAGE; layer = net->layer[layer].input) {
        const union problem *problem = &net->layer[layer].problem;
        if (problem_family(problem) == FAMILY_CONV)
            field = (field - 1) * problem->conv.stride_h + convoy_span(problem->conv.kh, problem->conv.dil_h);
        else if (problem_family(problem) == FAMILY_POOL)
            field = (field - 1) * problem->pool.stride_h + convoy_span(problem->pool.kh, problem->pool.dil_h);
    }
    return field;
}
