/* Convolutions. Weights of groups are a tensor of five dimensions here: group, k/groups, c/groups, kh, kw. */
#include "onednn.h"
#include <string.h>

struct shapes {
    dnnl_memory_desc_t x, w, y, bias;                /* as the caller has them              */
    dnnl_memory_desc_t x_wanted, w_wanted, y_wanted; /* as oneDNN is asked                  */
    dnnl_dims_t stride, dilation, pad_first, pad_last;
    int has_bias;
};

static convoy_status check(const struct convoy_conv *p, struct convoy_error *err)
{
    if (p->n < 1 || p->c < 1 || p->h < 1 || p->w < 1 || p->k < 1 || p->kh < 1 || p->kw < 1 || p->oh < 1 || p->ow < 1)
        return convoy_fail(err, CONVOY_INVALID, CONVOY_WHY_SIZE, "every extent of a convolution is at least 1");
    if (p->stride_h < 1 || p->stride_w < 1 || p->dil_h < 1 || p->dil_w < 1)
        return convoy_fail(err, CONVOY_INVALID, CONVOY_WHY_STRIDE, "strides and dilations are at least 1");
    if (p->pad_t < 0 || p->pad_b < 0 || p->pad_l < 0 || p->pad_r < 0)
        return convoy_fail(err, CONVOY_INVALID, CONVOY_WHY_PAD, "paddings are not negative");
    if (p->groups < 1 || p->c % p->groups || p->k % p->groups)
        return convoy_fail(err, CONVOY_INVALID, CONVOY_WHY_GROUPS, "%d groups do not divide c = %d and k = %d", p->groups, p->c,
                           p->k);
    return CONVOY_OK;
}

static dnnl_memory_desc_t weights(struct pipeline *pipeline, const struct convoy_conv *p, int plain)
{
    const dnnl_dims_t whole = {p->k, p->c, p->kh, p->kw};
    const dnnl_dims_t grouped = {p->groups, p->k / p->groups, p->c / p->groups, p->kh, p->kw};
    const dnnl_format_tag_t tag = plain ? (p->groups > 1 ? dnnl_goihw : dnnl_oihw) : dnnl_format_tag_any;
    dnnl_memory_desc_t desc = {.ndims = 0};
    pipeline_check(pipeline,
                   dnnl_memory_desc_init_by_tag(&desc, p->groups > 1 ? 5 : 4, p->groups > 1 ? grouped : whole, dnnl_f32, tag),
                   "the weights");
    return desc;
}

static struct shapes shapes_of(const struct self *self, struct pipeline *pipeline, const struct convoy_conv *p)
{
    static const dnnl_format_tag_t asked[] = {
        [LAYOUT_NCHW] = dnnl_nchw, [LAYOUT_BLOCKED] = dnnl_format_tag_any, [LAYOUT_NHWC] = dnnl_nhwc};
    const dnnl_format_tag_t tag = asked[self->variant->layout];
    return (struct shapes){
        .x = onednn_activation(pipeline, p->n, p->c, p->h, p->w, dnnl_nchw),
        .y = onednn_activation(pipeline, p->n, p->k, p->oh, p->ow, dnnl_nchw),
        .w = weights(pipeline, p, 1),
        .bias = pipeline_vector(p->k),
        .x_wanted = onednn_activation(pipeline, p->n, p->c, p->h, p->w, tag),
        .y_wanted = onednn_activation(pipeline, p->n, p->k, p->oh, p->ow, tag),
        .w_wanted = weights(pipeline, p, self->variant->layout == LAYOUT_NCHW),
        .stride = {p->stride_h, p->stride_w},
        /* oneDNN counts dense as 0. A single tap has no dilation, and with one some implementations would decline. */
        .dilation = {p->kh > 1 ? p->dil_h - 1 : 0, p->kw > 1 ? p->dil_w - 1 : 0},
        .pad_first = {p->pad_t, p->pad_l},
        .pad_last = {p->pad_b, p->pad_r},
        .has_bias = (p->head.flags & CONVOY_WITH_BIAS) != 0,
    };
}

static dnnl_status_t describe(const struct variant *variant, convoy_op op, const struct shapes *s, dnnl_convolution_desc_t *desc)
{
    const dnnl_memory_desc_t *const bias = s->has_bias ? &s->bias : NULL;
    switch (op) {
    case CONVOY_CONV_FWD:
        return dnnl_dilated_convolution_forward_desc_init(desc, variant->forward, variant->algorithm, &s->x_wanted, &s->w_wanted,
                                                          bias, &s->y_wanted, s->stride, s->dilation, s->pad_first, s->pad_last);
    case CONVOY_CONV_BWD_DATA:
        return dnnl_dilated_convolution_backward_data_desc_init(desc, variant->algorithm, &s->x_wanted, &s->w_wanted,
                                                                &s->y_wanted, s->stride, s->dilation, s->pad_first, s->pad_last);
    default:
        return dnnl_dilated_convolution_backward_weights_desc_init(desc, variant->algorithm, &s->x_wanted, &s->w_wanted, bias,
                                                                   &s->y_wanted, s->stride, s->dilation, s->pad_first,
                                                                   s->pad_last);
    }
}

/* What oneDNN's refusal of Winograd is most likely about; of the direct algorithm nothing of the kind is known. */
static convoy_why why_declined(const struct variant *variant, const struct convoy_conv *p)
{
    if (variant->algorithm != dnnl_convolution_winograd)
        return CONVOY_WHY_OTHER;
    if (p->kh != 3 || p->kw != 3)
        return CONVOY_WHY_KERNEL;
    if (p->stride_h != 1 || p->stride_w != 1)
        return CONVOY_WHY_STRIDE;
    if (p->dil_h != 1 || p->dil_w != 1)
        return CONVOY_WHY_DILATION;
    return p->groups > 1 ? CONVOY_WHY_GROUPS : CONVOY_WHY_OTHER;
}

/* Points of F(4,3) here: 0, +-5/8, +-3/2 and infinity (its transform multiplies by 0.625, 1.5 and their powers), which err less
 * than the textbook's 0, +-1, +-2. */
static struct convoy_numerics numerics_of(const char *implementation)
{
    struct convoy_numerics numerics = {.kind = CONVOY_NUM_DIRECT, .flags = CONVOY_DETERMINISTIC};
    if (strstr(implementation, "wino")) {
        numerics.kind = CONVOY_NUM_WINOGRAD;
        numerics.m = strstr(implementation, "wino_2x3") ? 2 : 4;
        numerics.r = 3;
        numerics.points = CONVOY_POINTS_GOOD;
    } else if (strstr(implementation, "gemm")) {
        numerics.kind = CONVOY_NUM_GEMM;
    }
    return numerics;
}

static dnnl_primitive_attr_t attributes_of(struct pipeline *pipeline, const struct convoy_conv *p)
{
    dnnl_primitive_attr_t attributes = pipeline_attributes();
    if (!pipeline_check(pipeline, attributes ? dnnl_success : dnnl_out_of_memory, "attributes") ||
        !(p->head.flags & CONVOY_WITH_RELU))
        return attributes;
    dnnl_post_ops_t after = NULL;
    if (pipeline_check(pipeline, dnnl_post_ops_create(&after), "a fused ReLU") &&
        pipeline_check(pipeline, dnnl_post_ops_append_eltwise(after, 1.0f, dnnl_eltwise_relu, 0.0f, 0.0f), "a fused ReLU"))
        pipeline_check(pipeline, dnnl_primitive_attr_set_post_ops(attributes, after), "a fused ReLU");
    if (after)
        dnnl_post_ops_destroy(after);
    return attributes;
}

static void add_forward(struct pipeline *pipeline, dnnl_primitive_desc_t desc, const struct shapes *s)
{
    const dnnl_memory_desc_t x_wanted = pipeline_desc(pipeline, desc, dnnl_query_src_md);
    const dnnl_memory_desc_t w_wanted = pipeline_desc(pipeline, desc, dnnl_query_weights_md);
    const dnnl_memory_desc_t y_made = pipeline_desc(pipeline, desc, dnnl_query_dst_md);
    const int x = pipeline_input(pipeline, CONVOY_X, &s->x, &x_wanted);
    const int w = pipeline_weights(pipeline, &s->w, &w_wanted);
    const int y = pipeline_output(pipeline, CONVOY_Y, &s->y, &y_made);
    struct step *const step = pipeline_primitive(pipeline, desc, CONVOY_PHASE_MULTIPLY);
    pipeline_use(pipeline, step, DNNL_ARG_SRC, x);
    pipeline_use(pipeline, step, DNNL_ARG_WEIGHTS, w);
    if (s->has_bias)
        pipeline_use(pipeline, step, DNNL_ARG_BIAS, pipeline_slot(pipeline, CONVOY_BIAS, &s->bias));
    pipeline_use(pipeline, step, DNNL_ARG_DST, y);
    pipeline_deliver(pipeline, y, CONVOY_Y, &s->y);
}

static void add_backward_data(struct pipeline *pipeline, dnnl_primitive_desc_t desc, const struct shapes *s)
{
    const dnnl_memory_desc_t dy_wanted = pipeline_desc(pipeline, desc, dnnl_query_diff_dst_md);
    const dnnl_memory_desc_t w_wanted = pipeline_desc(pipeline, desc, dnnl_query_weights_md);
    const dnnl_memory_desc_t dx_made = pipeline_desc(pipeline, desc, dnnl_query_diff_src_md);
    const int dy = pipeline_input(pipeline, CONVOY_DY, &s->y, &dy_wanted);
    const int w = pipeline_weights(pipeline, &s->w, &w_wanted);
    const int dx = pipeline_output(pipeline, CONVOY_DX, &s->x, &dx_made);
    struct step *const step = pipeline_primitive(pipeline, desc, CONVOY_PHASE_MULTIPLY);
    pipeline_use(pipeline, step, DNNL_ARG_DIFF_DST, dy);
    pipeline_use(pipeline, step, DNNL_ARG_WEIGHTS, w);
    pipeline_use(pipeline, step, DNNL_ARG_DIFF_SRC, dx);
    pipeline_deliver(pipeline, dx, CONVOY_DX, &s->x);
}

static void add_backward_weights(struct pipeline *pipeline, dnnl_primitive_desc_t desc, const struct shapes *s)
{
    const dnnl_memory_desc_t x_wanted = pipeline_desc(pipeline, desc, dnnl_query_src_md);
    const dnnl_memory_desc_t dy_wanted = pipeline_desc(pipeline, desc, dnnl_query_diff_dst_md);
    const dnnl_memory_desc_t dw_made = pipeline_desc(pipeline, desc, dnnl_query_diff_weights_md);
    const int x = pipeline_input(pipeline, CONVOY_X, &s->x, &x_wanted);
    const int dy = pipeline_input(pipeline, CONVOY_DY, &s->y, &dy_wanted);
    const int dw = pipeline_output(pipeline, CONVOY_DW, &s->w, &dw_made);
    struct step *const step = pipeline_primitive(pipeline, desc, CONVOY_PHASE_MULTIPLY);
    pipeline_use(pipeline, step, DNNL_ARG_SRC, x);
    pipeline_use(pipeline, step, DNNL_ARG_DIFF_DST, dy);
    pipeline_use(pipeline, step, DNNL_ARG_DIFF_WEIGHTS, dw);
    if (s->has_bias)
        pipeline_use(pipeline, step, DNNL_ARG_DIFF_BIAS, pipeline_slot(pipeline, CONVOY_DBIAS, &s->bias));
    pipeline_deliver(pipeline, dw, CONVOY_DW, &s->w);
}

static const struct pass {
    const char *name;
    dnnl_query_t x, y; /* the images of either side, whose layouts name the plan */
    void (*add)(struct pipeline *, dnnl_primitive_desc_t, const struct shapes *);
} passes[] = {
    [CONVOY_CONV_FWD] = {"forward convolution", dnnl_query_src_md, dnnl_query_dst_md, add_forward},
    [CONVOY_CONV_BWD_DATA] = {"backward-data convolution", dnnl_query_diff_src_md, dnnl_query_diff_dst_md, add_backward_data},
    [CONVOY_CONV_BWD_WEIGHTS] = {"backward-weights convolution", dnnl_query_src_md, dnnl_query_diff_dst_md, add_backward_weights},
};

convoy_status conv_build(const struct self *self, struct plan *plan, struct convoy_error *err)
{
    const struct convoy_conv *const p = &plan->problem.conv;
    struct pipeline *const pipeline = &plan->pipeline;
    const struct pass *const pass = &passes[p->head.op];
    const convoy_status status = check(p, err);
    if (status != CONVOY_OK)
        return status;
    const struct shapes shapes = shapes_of(self, pipeline, p);
    dnnl_convolution_desc_t operation;
    dnnl_primitive_desc_t desc = NULL;
    dnnl_primitive_attr_t attributes = attributes_of(pipeline, p);
    if (pipeline->status == dnnl_success &&
        pipeline_check(pipeline, describe(self->variant, p->head.op, &shapes, &operation), pass->name))
        desc = onednn_describe(pipeline, &operation, attributes, NULL, self->variant->implementation, pass->name);
    if (attributes)
        dnnl_primitive_attr_destroy(attributes);
    if (!desc)
        return library_fail(pipeline->status, why_declined(self->variant, p), pipeline->failed, err);

    /* The contract is y = max(0, y) with NaN staying NaN. Measured on 2.6.3: the vector implementations turn NaN into 0, those
     * that multiply by the slope turn -infinity into NaN; in F(2,3) alone neither happens. */
    if ((p->head.flags & CONVOY_WITH_RELU) && !strstr(onednn_implementation(desc), "wino_2x3")) {
        const convoy_status refusal = convoy_fail(err, CONVOY_UNSUPPORTED, CONVOY_WHY_FLAGS,
                                                  "the ReLU fused into oneDNN's %s loses NaN or "
                                                  "turns -infinity into NaN",
                                                  onednn_implementation(desc));
        dnnl_primitive_desc_destroy(desc);
        return refusal;
    }
    plan->numerics = numerics_of(onednn_implementation(desc));
    const dnnl_memory_desc_t x = pipeline_desc(pipeline, desc, pass->x), y = pipeline_desc(pipeline, desc, pass->y);
    onednn_name_algorithm(plan, desc, &x, &y);
    pass->add(pipeline, desc, &shapes);
    if (pipeline->status != dnnl_success)
        return library_fail(pipeline->status, CONVOY_WHY_OTHER, pipeline->failed, err);
    return CONVOY_OK;
}
