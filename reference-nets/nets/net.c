#include "nets/net.h"

#include "nets/style.h"

#include <assert.h>
#include <convoy/plugin.h>
#include <convoy/shape.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const kind_names[NET_KIND_COUNT] = {
    [NET_CONV] = "conv",           [NET_FC] = "fc",         [NET_BN] = "bn",
    [NET_MAXPOOL] = "maxpool",     [NET_AVGPOOL] = "avgpool", [NET_L2POOL] = "l2pool",
    [NET_AVGPOOL_GLOBAL] = "global avgpool", [NET_AVGPOOL_ADAPTIVE] = "adaptive pool",
    [NET_AVGPOOL_UNEVEN] = "uneven pool", [NET_ACT] = "activation", [NET_PRELU] = "prelu",
    [NET_RRELU] = "rrelu",         [NET_MAXOUT] = "maxout", [NET_AFFINE] = "affine",
    [NET_GROUPNORM] = "group norm", [NET_LRN] = "lrn",      [NET_LCN] = "lcn",
    [NET_L2FEATURES] = "l2 features", [NET_DROPOUT] = "dropout", [NET_NOISE] = "noise",
    [NET_SPARSITY] = "sparsity",
    [NET_ADD] = "add",             [NET_CAT] = "cat",       [NET_SUBSAMPLE] = "subsample",
    [NET_RBF] = "rbf",
};

const char *net_kind_name(enum net_kind kind)
{
    return kind_names[kind];
}

void net_init(struct net *net, const char *name, struct net_extent image, int32_t classes)
{
    memset(net, 0, sizeof *net);
    snprintf(net->name, sizeof net->name, "%s", name);
    net->image = image;
    net->classes = classes;
    net->width = 1;
}

void net_free(struct net *net)
{
    for (size_t place = 0; place < NET_KEPT; place++)
        free(net->kept[place]);
    memset(net->kept, 0, sizeof net->kept);
    free(net->layer);
    net->layer = NULL;
    net->count = net->capacity = 0;
}

void *net_keep(struct net *net, size_t bytes, struct convoy_error *err)
{
    size_t place = 0;
    while (place < NET_KEPT && net->kept[place])
        place++;
    assert(place < NET_KEPT);
    net->kept[place] = calloc(1, bytes);
    if (!net->kept[place])
        convoy_fail(err, CONVOY_NO_MEMORY, CONVOY_WHY_MEMORY, "%s: no memory for %zu bytes", net->name, bytes);
    return net->kept[place];
}

int32_t net_width(const struct net *net, int32_t channels, int32_t multiple)
{
    const int64_t steps = (int64_t)(net->width * channels / multiple + 0.5);
    return (int32_t)convoy_max(1, steps) * multiple;
}

struct net_extent net_output(const struct net *net, int32_t layer)
{
    return layer == NET_IMAGE ? net->image : net->layer[layer].out;
}

int64_t net_elements(struct net_extent extent)
{
    return (int64_t)extent.c * extent.h * extent.w;
}

/* One function per kind of layer turns a spec and the extents that it reads into a problem. */
typedef void pose_fn(const struct net_spec *spec, struct net_extent in, union problem *out);

static int32_t or_one(int32_t value)
{
    return value ? value : 1;
}

static int32_t width_of(int32_t wide, int32_t high)
{
    return wide < 0 ? 0 : wide ? wide : high;
}

static void pose_conv(const struct net_spec *spec, struct net_extent in, union problem *out)
{
    const int32_t stride = or_one(spec->stride), pad_w = width_of(spec->pad_w, spec->pad);
    out->conv = (struct convoy_conv){
        .head = {.op = CONVOY_CONV_FWD, .flags = spec->bias ? CONVOY_WITH_BIAS : 0},
        .n = 1,
        .c = in.c,
        .h = in.h,
        .w = in.w,
        .k = spec->k,
        .kh = spec->kernel,
        .kw = width_of(spec->kernel_w, spec->kernel),
        .groups = or_one(spec->groups),
        .stride_h = stride,
        .stride_w = stride,
        .dil_h = or_one(spec->dilation),
        .dil_w = or_one(spec->dilation),
        .pad_t = spec->pad,
        .pad_b = spec->pad,
        .pad_l = pad_w,
        .pad_r = pad_w,
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

static void pose_pool(const struct net_spec *spec, struct net_extent in, union problem *out)
{
    static const int32_t kinds[] = {
        [NET_MAXPOOL] = CONVOY_POOL_MAX, [NET_AVGPOOL] = CONVOY_POOL_AVG_PAD, [NET_L2POOL] = CONVOY_POOL_L2};
    const int32_t stride = or_one(spec->stride), dilation = or_one(spec->dilation);
    const int32_t kernel_w = width_of(spec->kernel_w, spec->kernel), pad_w = width_of(spec->pad_w, spec->pad);
    out->pool = (struct convoy_pool){
        .head = {.op = CONVOY_POOL_FWD},
        .n = 1,
        .c = in.c,
        .h = in.h,
        .w = in.w,
        .kind = spec->valid_only ? CONVOY_POOL_AVG_VALID : kinds[spec->kind],
        .kh = spec->kernel,
        .kw = kernel_w,
        .stride_h = stride,
        .stride_w = stride,
        .dil_h = dilation,
        .dil_w = dilation,
        .pad_t = spec->pad,
        .pad_b = spec->pad,
        .pad_l = pad_w,
        .pad_r = pad_w,
        .oh = (int32_t)convoy_pool_extent(in.h, spec->pad, spec->pad, spec->kernel, stride, dilation, spec->size_rule),
        .ow = (int32_t)convoy_pool_extent(in.w, pad_w, pad_w, kernel_w, stride, dilation, spec->size_rule),
    };
}

struct net_window net_adaptive_window(int32_t in, int32_t out, int32_t i)
{
    return (struct net_window){(int32_t)((int64_t)i * in / out), (int32_t)convoy_ceil_div((int64_t)(i + 1) * in, out)};
}

static bool is_uneven(const struct net_spec *spec, struct net_extent in)
{
    return spec->kind == NET_AVGPOOL_ADAPTIVE && (in.h % spec->kernel || in.w % width_of(spec->kernel_w, spec->kernel));
}

/* To one pixel, or to several where their windows are equal and side by side. */
static void pose_avgpool_adaptive(const struct net_spec *spec, struct net_extent in, union problem *out)
{
    const int32_t oh = or_one(spec->kernel), ow = or_one(width_of(spec->kernel_w, spec->kernel));
    out->pool = (struct convoy_pool){
        .head = {.op = CONVOY_POOL_FWD},
        .n = 1,
        .c = in.c,
        .h = in.h,
        .w = in.w,
        .kind = CONVOY_POOL_AVG_PAD,
        .kh = in.h / oh,
        .kw = in.w / ow,
        .stride_h = oh > 1 ? in.h / oh : 1,
        .stride_w = ow > 1 ? in.w / ow : 1,
        .dil_h = 1,
        .dil_w = 1,
    };
}

static void pose_act(const struct net_spec *spec, struct net_extent in, union problem *out)
{
    out->eltwise = (struct convoy_eltwise){
        .head = {.op = CONVOY_ELTWISE},
        .count = net_elements(in),
        .kind = spec->act,
        .alpha = spec->alpha != 0 ? spec->alpha : 1,
        .beta = spec->beta != 0 ? spec->beta : 1,
    };
}

/* Kinds without an entry are computed by the runtime. */
static pose_fn *const pose[NET_KIND_COUNT] = {
    [NET_CONV] = pose_conv,
    [NET_FC] = pose_fc,
    [NET_BN] = pose_bn,
    [NET_MAXPOOL] = pose_pool,
    [NET_AVGPOOL] = pose_pool,
    [NET_L2POOL] = pose_pool,
    [NET_AVGPOOL_GLOBAL] = pose_avgpool_adaptive,
    [NET_AVGPOOL_ADAPTIVE] = pose_avgpool_adaptive,
    [NET_ACT] = pose_act,
};

static struct net_extent posed_extent(const union problem *problem, struct net_extent in)
{
    switch (problem_family(problem)) {
    case FAMILY_CONV:
        return (struct net_extent){problem->conv.k, problem->conv.oh, problem->conv.ow};
    case FAMILY_POOL:
        return (struct net_extent){problem->pool.c, problem->pool.oh, problem->pool.ow};
    default:
        return in;
    }
}

static struct net_extent unposed_extent(const struct net_spec *spec, struct net_extent in)
{
    const int32_t stride = or_one(spec->stride), window = or_one(spec->window);
    switch (spec->kind) {
    case NET_AVGPOOL_ADAPTIVE:
        return (struct net_extent){in.c, spec->kernel, width_of(spec->kernel_w, spec->kernel)};
    case NET_MAXOUT:
    case NET_L2FEATURES:
        return (struct net_extent){in.c / window, in.h, in.w};
    case NET_SUBSAMPLE:
        return (struct net_extent){spec->k, (in.h - 1) / stride + 1, (in.w - 1) / stride + 1};
    case NET_RBF:
        return (struct net_extent){spec->k, 1, 1};
    default:
        return in;
    }
}

static const char *complaint(const struct net_spec *spec, struct net_extent in)
{
    if ((spec->kind == NET_MAXOUT || spec->kind == NET_L2FEATURES || spec->kind == NET_GROUPNORM) &&
        (spec->window < 1 || in.c % spec->window))
        return "its window does not divide the channels";
    if (spec->kind == NET_AVGPOOL_ADAPTIVE && (spec->kernel < 1 || spec->kernel_w < 0))
        return "it has no size to pool to";
    if (spec->kind == NET_SUBSAMPLE && spec->k < in.c)
        return "it has fewer channels than it reads";
    if (spec->kind == NET_RBF && (in.h != 1 || in.w != 1 || !spec->codes))
        return "it reads single pixels and needs codes";
    if ((spec->kind == NET_DROPOUT) && !(spec->p >= 0 && spec->p < 1))
        return "the dropped share must be in [0, 1)";
    return NULL;
}

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

static convoy_status name_layer(const struct net *net, struct net_layer *layer, const char *prefix, const char *name,
                                struct convoy_error *err)
{
    const int length = snprintf(layer->name, sizeof layer->name, "%s%s", prefix, name);
    if (length < 0 || (size_t)length >= sizeof layer->name)
        return convoy_fail(err, CONVOY_INVALID, CONVOY_WHY_SIZE, "%s: layer name %s%s is too long", net->name, prefix, name);
    return CONVOY_OK;
}

static convoy_status append_one(struct net *net, const char *prefix, const struct net_spec *spec, int32_t *at,
                                struct convoy_error *err)
{
    struct net_layer *layer = &net->layer[net->count];
    memset(layer, 0, sizeof *layer);
    convoy_status status = name_layer(net, layer, prefix, spec->name, err);
    if (status)
        return status;
    const struct net_extent in = net_output(net, *at);
    const char *wrong = complaint(spec, in);
    if (wrong)
        return convoy_fail(err, CONVOY_INVALID, CONVOY_WHY_SIZE, "%s: layer %s: %s", net->name, layer->name, wrong);
    layer->kind = is_uneven(spec, in) ? NET_AVGPOOL_UNEVEN : spec->kind;
    layer->spec = *spec;
    layer->spec.name = NULL;
    layer->input[0] = *at;
    layer->inputs = 1;
    layer->posed = pose[layer->kind] != NULL;
    if (layer->posed) {
        struct convoy_error inner = {.struct_size = sizeof inner};
        pose[layer->kind](spec, in, &layer->problem);
        status = problem_complete(&layer->problem, &inner);
        if (status)
            return convoy_fail(err, status, inner.why, "%s: layer %s on %dx%dx%d: %.150s", net->name, layer->name, in.c, in.h, in.w,
                               inner.text);
        layer->out = posed_extent(&layer->problem, in);
    } else {
        layer->out = unposed_extent(spec, in);
    }
    *at = (int32_t)net->count++;
    return CONVOY_OK;
}

convoy_status net_append(struct net *net, const char *prefix, const struct net_spec *spec, size_t count, int32_t *at,
                         struct convoy_error *err)
{
    convoy_status status = reserve(net, STYLE_MOST * count, err);
    for (size_t index = 0, taken; !status && index < count; index += taken) {
        struct net_spec made[STYLE_MOST];
        struct style_names names;
        const size_t makes = style_apply(net, &spec[index], count - index, &taken, made, &names);
        for (size_t place = 0; !status && place < makes; place++)
            status = append_one(net, prefix, &made[place], at, err);
    }
    return status;
}

convoy_status net_append_at_most(struct net *net, const char *name, int32_t side, int32_t *at, struct convoy_error *err)
{
    const struct net_extent in = net_output(net, *at);
    const struct net_spec pool = {name, .kind = NET_AVGPOOL_ADAPTIVE, .kernel = (int32_t)convoy_min(in.h, side),
                                  .kernel_w = (int32_t)convoy_min(in.w, side)};
    return in.h > side || in.w > side ? net_append(net, "", &pool, 1, at, err) : CONVOY_OK;
}

convoy_status net_join(struct net *net, const char *prefix, const char *name, enum net_kind kind, const int32_t *input, int32_t inputs,
                       int32_t *at, struct convoy_error *err)
{
    convoy_status status = reserve(net, 1, err);
    if (status)
        return status;
    struct net_layer *layer = &net->layer[net->count];
    memset(layer, 0, sizeof *layer);
    status = name_layer(net, layer, prefix, name, err);
    if (status)
        return status;
    layer->kind = kind;
    layer->spec.kind = kind;
    layer->out = net_output(net, input[0]);
    for (layer->inputs = 0; layer->inputs < inputs; layer->inputs++) {
        const struct net_extent in = net_output(net, input[layer->inputs]);
        if (in.h != layer->out.h || in.w != layer->out.w || (kind == NET_ADD && in.c != layer->out.c))
            return convoy_fail(err, CONVOY_INVALID, CONVOY_WHY_SIZE, "%s: %s joins %dx%dx%d and %dx%dx%d", net->name, layer->name,
                               layer->out.c, layer->out.h, layer->out.w, in.c, in.h, in.w);
        layer->input[layer->inputs] = input[layer->inputs];
        if (kind == NET_CAT && layer->inputs > 0)
            layer->out.c += in.c;
    }
    *at = (int32_t)net->count++;
    return CONVOY_OK;
}

convoy_status net_head_add(struct net *net, int32_t layer, float weight, struct convoy_error *err)
{
    if (net->heads == NET_HEADS)
        return convoy_fail(err, CONVOY_INVALID, CONVOY_WHY_SIZE, "%s: more than %d heads", net->name, NET_HEADS);
    net->head[net->heads++] = (struct net_head){.layer = layer, .weight = weight};
    return CONVOY_OK;
}

convoy_status net_finish(struct net *net, struct convoy_error *err)
{
    if (!net->count)
        return convoy_fail(err, CONVOY_INVALID, CONVOY_WHY_SIZE, "%s: no layers", net->name);
    return net->heads ? CONVOY_OK : net_head_add(net, (int32_t)net->count - 1, 1, err);
}

int64_t net_layer_macs(const struct net_layer *layer)
{
    return layer->posed && problem_family(&layer->problem) == FAMILY_CONV ? convoy_conv_macs(&layer->problem.conv) : 0;
}

int64_t net_macs(const struct net *net)
{
    int64_t macs = 0;
    for (size_t index = 0; index < net->count; index++)
        macs += net_layer_macs(&net->layer[index]);
    return macs;
}

static int64_t connections(const struct net_layer *layer)
{
    const struct convoy_conv *conv = &layer->problem.conv;
    int64_t count = 0;
    for (int64_t kc = 0; kc < (int64_t)conv->k * conv->c; kc++)
        count += layer->spec.mask[kc] != 0;
    return count;
}

int64_t net_layer_params(const struct net *net, const struct net_layer *layer)
{
    const int64_t channels = net_output(net, layer->input[0]).c;
    switch (layer->kind) {
    case NET_CONV:
    case NET_FC:
        if (!layer->spec.mask)
            return convoy_conv_params(&layer->problem.conv);
        return connections(layer) * layer->problem.conv.kh * layer->problem.conv.kw + (layer->spec.bias ? layer->problem.conv.k : 0);
    case NET_BN:
    case NET_GROUPNORM:
    case NET_AFFINE:
        return 2 * channels;
    case NET_PRELU:
        return channels;
    default:
        return 0;
    }
}

int64_t net_params(const struct net *net)
{
    int64_t params = 0;
    for (size_t index = 0; index < net->count; index++)
        params += net_layer_params(net, &net->layer[index]);
    return params;
}

bool net_main_totals(const struct net *net, int64_t *macs, int64_t *params)
{
    bool *needed = calloc(net->count, sizeof *needed);
    if (!needed)
        return false;
    *macs = *params = 0;
    needed[net->head[0].layer] = true;
    for (size_t at = net->count; at-- > 0;) {
        const struct net_layer *layer = &net->layer[at];
        if (!needed[at])
            continue;
        *macs += net_layer_macs(layer);
        *params += net_layer_params(net, layer);
        for (int32_t input = 0; input < layer->inputs; input++)
            if (layer->input[input] != NET_IMAGE)
                needed[layer->input[input]] = true;
    }
    free(needed);
    return true;
}

/* A layer of span s and stride t widens the field of its input, whose neighbouring outputs are `jump` image pixels apart, by
 * (s-1)*jump. A layer that reads several takes the widest. Dumoulin & Visin, arXiv 1603.07285, section 2. Of uneven windows the
 * largest counts, and the longest way from one to the next: it is a bound. */
struct field {
    int64_t side, jump;
};

static struct field widen(const struct net *net, const struct net_layer *layer, struct field in)
{
    int64_t span = 1, stride = 1;
    if (layer->posed && problem_family(&layer->problem) == FAMILY_CONV) {
        span = convoy_span(layer->problem.conv.kh, layer->problem.conv.dil_h);
        stride = layer->problem.conv.stride_h;
    } else if (layer->posed && problem_family(&layer->problem) == FAMILY_POOL) {
        span = convoy_span(layer->problem.pool.kh, layer->problem.pool.dil_h);
        stride = layer->problem.pool.stride_h;
    } else if (layer->kind == NET_AVGPOOL_UNEVEN) {
        const int32_t rows = net_output(net, layer->input[0]).h;
        for (int32_t oh = 0; oh < layer->out.h; oh++) {
            const struct net_window window = net_adaptive_window(rows, layer->out.h, oh);
            span = convoy_max(span, window.end - window.first);
        }
        stride = convoy_ceil_div(rows, layer->out.h);
    } else if (layer->kind == NET_LCN) {
        span = 2 * (int64_t)layer->spec.kernel - 1;
    } else if (layer->kind == NET_SUBSAMPLE) {
        stride = or_one(layer->spec.stride);
    }
    return (struct field){in.side + (span - 1) * in.jump, in.jump * stride};
}

int64_t net_receptive_field(const struct net *net, int32_t layer)
{
    if (layer == NET_IMAGE)
        return 1;
    struct field *field = malloc(((size_t)layer + 1) * sizeof *field);
    if (!field)
        return 0;
    for (int32_t at = 0; at <= layer; at++) {
        struct field widest = {1, 1};
        for (int32_t input = 0; input < net->layer[at].inputs; input++) {
            const int32_t from = net->layer[at].input[input];
            if (from != NET_IMAGE && field[from].side >= widest.side)
                widest = field[from];
        }
        field[at] = widen(net, &net->layer[at], widest);
    }
    const int64_t side = field[layer].side;
    free(field);
    return side;
}
