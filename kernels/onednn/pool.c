/* Pooling: averages in both directions, and maxima backward. oneDNN's forward maximum starts from the lowest finite number and
 * compares with ">": a NaN never wins, and windows of -infinity give -FLT_MAX. That is not the maximum of convoy.h. */
#include "onednn.h"
#include <convoy/shape.h>

static convoy_status check(const struct convoy_pool *p, struct convoy_error *err)
{
    if (p->n < 1 || p->c < 1 || p->h < 1 || p->w < 1 || p->kh < 1 || p->kw < 1 || p->oh < 1 || p->ow < 1)
        return convoy_fail(err, CONVOY_INVALID, CONVOY_WHY_SIZE, "every extent of a pooling is at least 1");
    if (p->stride_h < 1 || p->stride_w < 1 || p->dil_h < 1 || p->dil_w < 1)
        return convoy_fail(err, CONVOY_INVALID, CONVOY_WHY_STRIDE, "strides and dilations are at least 1");
    if (p->pad_t < 0 || p->pad_b < 0 || p->pad_l < 0 || p->pad_r < 0)
        return convoy_fail(err, CONVOY_INVALID, CONVOY_WHY_PAD, "paddings are not negative");
    if (p->kind == CONVOY_POOL_MAX && p->head.op == CONVOY_POOL_FWD)
        return convoy_fail(err, CONVOY_UNSUPPORTED, CONVOY_WHY_OP, "oneDNN's maximum passes over NaN and -infinity");
    if (p->kind < CONVOY_POOL_MAX || p->kind > CONVOY_POOL_AVG_VALID)
        return convoy_fail(err, CONVOY_UNSUPPORTED, CONVOY_WHY_OP, "oneDNN has maximum and average pooling, kind %d is neither",
                           p->kind);
    return CONVOY_OK;
}

/* oneDNN derives the output extent by the floor rule, so the padding behind the image grows for windows of the ceil rule. */
static int64_t last_pad(int32_t in, int32_t out, int32_t pad_first, int32_t pad_last, int32_t kernel, int32_t stride,
                        int32_t dilation)
{
    if (convoy_out_extent(in, pad_first, pad_last, kernel, stride, dilation) == out)
        return pad_last;
    return (int64_t)(out - 1) * stride + convoy_span(kernel, dilation) - in - pad_first;
}

struct shapes {
    dnnl_memory_desc_t x, y, x_wanted, y_wanted;
    dnnl_dims_t kernel, stride, dilation, pad_first, pad_last;
};

/* Maxima backward: the index is one byte below 256 window elements for oneDNN, up to 256 in convoy.h; the reorder converts. */
static dnnl_memory_desc_t index_desc(struct pipeline *pipeline, const struct convoy_pool *p)
{
    const dnnl_dims_t extent = {p->n, p->c, p->oh, p->ow};
    dnnl_memory_desc_t desc = {.ndims = 0};
    pipeline_check(pipeline,
                   dnnl_memory_desc_init_by_tag(&desc, 4, extent, convoy_index_bytes(p) == 1 ? dnnl_u8 : dnnl_s32, dnnl_nchw),
                   "the index of maxima");
    return desc;
}

static dnnl_primitive_desc_t describe(struct pipeline *pipeline, const struct convoy_pool *p, const struct shapes *s)
{
    static const dnnl_alg_kind_t algorithms[] = {
        [CONVOY_POOL_MAX] = dnnl_pooling_max,
        [CONVOY_POOL_AVG_PAD] = dnnl_pooling_avg_include_padding,
        [CONVOY_POOL_AVG_VALID] = dnnl_pooling_avg_exclude_padding,
    };
    const dnnl_alg_kind_t algorithm = algorithms[p->kind];
    const int backward = p->head.op == CONVOY_POOL_BWD;
    dnnl_pooling_v2_desc_t operation;
    dnnl_primitive_attr_t attributes = pipeline_attributes();
    dnnl_primitive_desc_t forward = NULL, desc = NULL;
    pipeline_check(pipeline, attributes ? dnnl_success : dnnl_out_of_memory, "attributes");
    /* Backward needs the description of the forward pass, from which it takes the layout of the index. */
    if (pipeline->status == dnnl_success &&
        pipeline_check(pipeline,
                       dnnl_pooling_v2_forward_desc_init(&operation, backward ? dnnl_forward_training : dnnl_forward_inference,
                                                         algorithm, &s->x_wanted, &s->y_wanted, s->stride, s->kernel, s->dilation,
                                                         s->pad_first, s->pad_last),
                       "forward pooling"))
        forward = onednn_describe(pipeline, &operation, attributes, NULL, NULL, "forward pooling");
    if (!backward) {
        desc = forward;
        forward = NULL;
    } else if (forward &&
               pipeline_check(pipeline,
                              dnnl_pooling_v2_backward_desc_init(&operation, algorithm, &s->x_wanted, &s->y_wanted, s->stride,
                                                                 s->kernel, s->dilation, s->pad_first, s->pad_last),
                              "backward pooling")) {
        desc = onednn_describe(pipeline, &operation, attributes, forward, NULL, "backward pooling");
    }
    if (forward)
        dnnl_primitive_desc_destroy(forward);
    if (attributes)
        dnnl_primitive_attr_destroy(attributes);
    return desc;
}

static void add_forward(struct pipeline *pipeline, dnnl_primitive_desc_t desc, const struct shapes *s)
{
    const int x = pipeline_input(pipeline, CONVOY_X, &s->x, &s->x_wanted);
    const int y = pipeline_output(pipeline, CONVOY_Y, &s->y, &s->y_wanted);
    struct step *const step = pipeline_primitive(pipeline, desc, CONVOY_PHASE_MULTIPLY);
    pipeline_use(pipeline, step, DNNL_ARG_SRC, x);
    pipeline_use(pipeline, step, DNNL_ARG_DST, y);
    pipeline_deliver(pipeline, y, CONVOY_Y, &s->y);
}

static void add_backward(struct pipeline *pipeline, dnnl_primitive_desc_t desc, const struct shapes *s)
{
    const struct convoy_pool *const p = &pipeline->problem->pool;
    const int dy = pipeline_input(pipeline, CONVOY_DY, &s->y, &s->y_wanted);
    int index = -1;
    if (p->kind == CONVOY_POOL_MAX) {
        const dnnl_memory_desc_t given = index_desc(pipeline, p);
        const dnnl_memory_desc_t wanted = pipeline_desc(pipeline, desc, dnnl_query_workspace_md);
        index = pipeline_input(pipeline, CONVOY_INDEX, &given, &wanted);
    }
    const int dx = pipeline_output(pipeline, CONVOY_DX, &s->x, &s->x_wanted);
    struct step *const step = pipeline_primitive(pipeline, desc, CONVOY_PHASE_MULTIPLY);
    pipeline_use(pipeline, step, DNNL_ARG_DIFF_DST, dy);
    if (index >= 0)
        pipeline_use(pipeline, step, DNNL_ARG_WORKSPACE, index);
    pipeline_use(pipeline, step, DNNL_ARG_DIFF_SRC, dx);
    pipeline_deliver(pipeline, dx, CONVOY_DX, &s->x);
}

convoy_status pool_build(const struct self *self, struct plan *plan, struct convoy_error *err)
{
    const struct convoy_pool *const p = &plan->problem.pool;
    struct pipeline *const pipeline = &plan->pipeline;
    const convoy_status status = check(p, err);
    if (status != CONVOY_OK)
        return status;
    const dnnl_format_tag_t tag = onednn_tag(self);
    const struct shapes shapes = {
        .x = onednn_activation(pipeline, p->n, p->c, p->h, p->w, dnnl_nchw),
        .y = onednn_activation(pipeline, p->n, p->c, p->oh, p->ow, dnnl_nchw),
        .x_wanted = onednn_activation(pipeline, p->n, p->c, p->h, p->w, tag),
        .y_wanted = onednn_activation(pipeline, p->n, p->c, p->oh, p->ow, tag),
        .kernel = {p->kh, p->kw},
        .stride = {p->stride_h, p->stride_w},
        .dilation = {p->kh > 1 ? p->dil_h - 1 : 0, p->kw > 1 ? p->dil_w - 1 : 0},
        .pad_first = {p->pad_t, p->pad_l},
        .pad_last = {last_pad(p->h, p->oh, p->pad_t, p->pad_b, p->kh, p->stride_h, p->dil_h),
                     last_pad(p->w, p->ow, p->pad_l, p->pad_r, p->kw, p->stride_w, p->dil_w)},
    };
    if (p->kind == CONVOY_POOL_AVG_PAD && (shapes.pad_last[0] > p->pad_b || shapes.pad_last[1] > p->pad_r))
        return convoy_fail(err, CONVOY_UNSUPPORTED, CONVOY_WHY_PAD,
                           "oneDNN divides by the whole window, here one reaches past the padded image");
    dnnl_primitive_desc_t desc = describe(pipeline, p, &shapes);
    if (!desc)
        return library_fail(pipeline->status, CONVOY_WHY_OTHER, pipeline->failed, err);
    /* Backward in NHWC the threads share out rows, so the order in which overlapping windows add up depends on their number. */
    const int shares_rows = p->head.op == CONVOY_POOL_BWD && self->variant->layout == LAYOUT_NHWC;
    plan->numerics = (struct convoy_numerics){
        .kind = CONVOY_NUM_STATS,
        .flags = CONVOY_DETERMINISTIC | (shares_rows ? 0u : CONVOY_THREAD_INVARIANT),
    };
    onednn_name_algorithm(plan, desc, &shapes.x_wanted, &shapes.y_wanted);
    if (p->head.op == CONVOY_POOL_FWD)
        add_forward(pipeline, desc, &shapes);
    else
        add_backward(pipeline, desc, &shapes);
    if (pipeline->status != dnnl_success)
        return library_fail(pipeline->status, CONVOY_WHY_OTHER, pipeline->failed, err);
    return CONVOY_OK;
}
