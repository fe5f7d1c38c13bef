/* Batch norm. oneDNN normalises; it knows variances and no running statistics, so those few values per channel are ours. */
#include "onednn.h"
#include <math.h>
#include <string.h>

static convoy_status check(const struct convoy_bn *p, struct convoy_error *err)
{
    if (p->n < 1 || p->c < 1 || p->h < 1 || p->w < 1)
        return convoy_fail(err, CONVOY_INVALID, CONVOY_WHY_SIZE, "every extent of a batch norm is at least 1");
    return CONVOY_OK;
}

/* After training: variance, SAVE_MEAN -> SAVE_ISTD, RUN_MEAN, RUN_VAR by the formulas of convoy.h. */
static void update_statistics(const union problem *problem, void *const *address)
{
    const struct convoy_bn *const p = &problem->bn;
    const float *const variance = address[0], *const mean = address[1];
    float *const istd = address[2], *const run_mean = address[3], *const run_var = address[4];
    const double count = (double)p->n * p->h * p->w, unbiased = count > 1 ? count / (count - 1) : 1;
    const double momentum = p->momentum;
    for (int32_t c = 0; c < p->c; c++) {
        istd[c] = (float)(1 / sqrt((double)variance[c] + p->eps));
        run_mean[c] = (float)((1 - momentum) * run_mean[c] + momentum * mean[c]);
        run_var[c] = (float)((1 - momentum) * run_var[c] + momentum * (variance[c] * unbiased));
    }
}

/* Before backward: the variance of which SAVE_ISTD is the root, istd = 1/sqrt(variance + eps). */
static void recover_variance(const union problem *problem, void *const *address)
{
    const struct convoy_bn *const p = &problem->bn;
    const float *const istd = address[0];
    float *const variance = address[1];
    for (int32_t c = 0; c < p->c; c++)
        variance[c] = (float)(1 / ((double)istd[c] * istd[c]) - p->eps);
}

static void add_forward(struct pipeline *pipeline, dnnl_primitive_desc_t desc, const dnnl_memory_desc_t *x,
                        const dnnl_memory_desc_t *wanted)
{
    const struct convoy_bn *const p = &pipeline->problem->bn;
    const int training = p->head.op == CONVOY_BN_TRAIN;
    const dnnl_memory_desc_t channels = pipeline_vector(p->c);
    const int input = pipeline_input(pipeline, CONVOY_X, x, wanted);
    const int output = pipeline_output(pipeline, CONVOY_Y, x, wanted);
    const int mean = pipeline_slot(pipeline, training ? CONVOY_SAVE_MEAN : CONVOY_RUN_MEAN, &channels);
    const int variance = training ? pipeline_buffer(pipeline, &channels) : pipeline_slot(pipeline, CONVOY_RUN_VAR, &channels);
    struct step *const step = pipeline_primitive(pipeline, desc, CONVOY_PHASE_MULTIPLY);
    pipeline_use(pipeline, step, DNNL_ARG_SRC, input);
    pipeline_use(pipeline, step, DNNL_ARG_MEAN, mean);
    pipeline_use(pipeline, step, DNNL_ARG_VARIANCE, variance);
    pipeline_use(pipeline, step, DNNL_ARG_SCALE, pipeline_slot(pipeline, CONVOY_GAMMA, &channels));
    pipeline_use(pipeline, step, DNNL_ARG_SHIFT, pipeline_slot(pipeline, CONVOY_BETA, &channels));
    pipeline_use(pipeline, step, DNNL_ARG_DST, output);
    if (training && (p->head.flags & CONVOY_WITH_RELU)) {
        /* Which outputs the ReLU passed, for oneDNN's own backward pass; ours takes y, so it is written and forgotten. */
        const dnnl_memory_desc_t mask = pipeline_desc(pipeline, desc, dnnl_query_workspace_md);
        pipeline_use(pipeline, step, DNNL_ARG_WORKSPACE, pipeline_buffer(pipeline, &mask));
    }
    pipeline_deliver(pipeline, output, CONVOY_Y, x);
    if (training) {
        struct step *const update = pipeline_call(pipeline, update_statistics, CONVOY_PHASE_MULTIPLY);
        pipeline_use(pipeline, update, 0, variance);
        pipeline_use(pipeline, update, 0, mean);
        pipeline_use(pipeline, update, 0, pipeline_slot(pipeline, CONVOY_SAVE_ISTD, &channels));
        pipeline_use(pipeline, update, 0, pipeline_slot(pipeline, CONVOY_RUN_MEAN, &channels));
        pipeline_use(pipeline, update, 0, pipeline_slot(pipeline, CONVOY_RUN_VAR, &channels));
    }
}

static void add_backward(struct pipeline *pipeline, dnnl_primitive_desc_t desc, const dnnl_memory_desc_t *x,
                         const dnnl_memory_desc_t *wanted)
{
    const dnnl_memory_desc_t channels = pipeline_vector(pipeline->problem->bn.c);
    const int variance = pipeline_buffer(pipeline, &channels);
    struct step *const recover = pipeline_call(pipeline, recover_variance, CONVOY_PHASE_MULTIPLY);
    pipeline_use(pipeline, recover, 0, pipeline_slot(pipeline, CONVOY_SAVE_ISTD, &channels));
    pipeline_use(pipeline, recover, 0, variance);
    const int input = pipeline_input(pipeline, CONVOY_X, x, wanted);
    const int dy = pipeline_input(pipeline, CONVOY_DY, x, wanted);
    const int dx = pipeline_output(pipeline, CONVOY_DX, x, wanted);
    struct step *const step = pipeline_primitive(pipeline, desc, CONVOY_PHASE_MULTIPLY);
    pipeline_use(pipeline, step, DNNL_ARG_SRC, input);
    pipeline_use(pipeline, step, DNNL_ARG_DIFF_DST, dy);
    pipeline_use(pipeline, step, DNNL_ARG_MEAN, pipeline_slot(pipeline, CONVOY_SAVE_MEAN, &channels));
    pipeline_use(pipeline, step, DNNL_ARG_VARIANCE, variance);
    const int gamma = pipeline_slot(pipeline, CONVOY_GAMMA, &channels);
    pipeline_use(pipeline, step, DNNL_ARG_SCALE, gamma);
    /* 2.6.3 counts a shift among the inputs and does not read it: any vector of this length will do. */
    pipeline_use(pipeline, step, DNNL_ARG_SHIFT, gamma);
    pipeline_use(pipeline, step, DNNL_ARG_DIFF_SRC, dx);
    pipeline_use(pipeline, step, DNNL_ARG_DIFF_SCALE, pipeline_slot(pipeline, CONVOY_DGAMMA, &channels));
    pipeline_use(pipeline, step, DNNL_ARG_DIFF_SHIFT, pipeline_slot(pipeline, CONVOY_DBETA, &channels));
    pipeline_deliver(pipeline, dx, CONVOY_DX, x);
}

static dnnl_primitive_desc_t describe(struct pipeline *pipeline, const struct convoy_bn *p, const dnnl_memory_desc_t *wanted)
{
    static const struct {
        dnnl_prop_kind_t kind;
        unsigned flags;
        const char *name;
    } passes[CONVOY_OP_COUNT] = {
        [CONVOY_BN_TRAIN] = {dnnl_forward_training, 0, "batch norm for training"},
        [CONVOY_BN_INFER] = {dnnl_forward_inference, dnnl_use_global_stats, "batch norm for inference"},
        [CONVOY_BN_BWD] = {dnnl_backward, 0, "backward batch norm"},
    };
    const unsigned scales = dnnl_use_scale | dnnl_use_shift;
    const unsigned flags = passes[p->head.op].flags | scales | (p->head.flags & CONVOY_WITH_RELU ? dnnl_fuse_norm_relu : 0);
    dnnl_primitive_attr_t attributes = pipeline_attributes();
    dnnl_primitive_desc_t forward = NULL, desc = NULL;
    dnnl_batch_normalization_desc_t operation;
    pipeline_check(pipeline, attributes ? dnnl_success : dnnl_out_of_memory, "attributes");
    const int backward = p->head.op == CONVOY_BN_BWD;
    const dnnl_prop_kind_t kind = backward ? dnnl_forward_training : passes[p->head.op].kind;
    if (pipeline->status == dnnl_success &&
        pipeline_check(pipeline, dnnl_batch_normalization_forward_desc_init(&operation, kind, wanted, p->eps, flags),
                       passes[p->head.op].name))
        forward = onednn_describe(pipeline, &operation, attributes, NULL, NULL, passes[p->head.op].name);
    if (!backward) {
        desc = forward;
        forward = NULL;
    } else if (forward && pipeline_check(pipeline,
                                         dnnl_batch_normalization_backward_desc_init(&operation, dnnl_backward, wanted, wanted,
                                                                                     p->eps, flags),
                                         passes[p->head.op].name)) {
        desc = onednn_describe(pipeline, &operation, attributes, forward, NULL, passes[p->head.op].name);
    }
    if (forward)
        dnnl_primitive_desc_destroy(forward);
    if (attributes)
        dnnl_primitive_attr_destroy(attributes);
    return desc;
}

convoy_status bn_build(const struct self *self, struct plan *plan, struct convoy_error *err)
{
    const struct convoy_bn *const p = &plan->problem.bn;
    struct pipeline *const pipeline = &plan->pipeline;
    const convoy_status status = check(p, err);
    if (status != CONVOY_OK)
        return status;
    const dnnl_memory_desc_t x = onednn_activation(pipeline, p->n, p->c, p->h, p->w, dnnl_nchw);
    const dnnl_memory_desc_t wanted = onednn_activation(pipeline, p->n, p->c, p->h, p->w, onednn_tag(self));
    dnnl_primitive_desc_t desc = describe(pipeline, p, &wanted);
    if (!desc)
        return library_fail(pipeline->status, CONVOY_WHY_OTHER, pipeline->failed, err);
    /* Measured on 2.6.3: the ReLU of the vector implementations turns NaN into 0, and in convoy.h NaN stays NaN. */
    if ((p->head.flags & CONVOY_WITH_RELU) && strstr(onednn_implementation(desc), "jit")) {
        const convoy_status refusal = convoy_fail(err, CONVOY_UNSUPPORTED, CONVOY_WHY_FLAGS,
                                                  "the ReLU fused into oneDNN's %s loses NaN", onednn_implementation(desc));
        dnnl_primitive_desc_destroy(desc);
        return refusal;
    }
    plan->numerics = (struct convoy_numerics){
        .kind = CONVOY_NUM_STATS,
        .flags = CONVOY_DETERMINISTIC | (p->head.op == CONVOY_BN_INFER ? CONVOY_THREAD_INVARIANT : 0u),
    };
    onednn_name_algorithm(plan, desc, &wanted, &wanted);
    if (p->head.op == CONVOY_BN_BWD)
        add_backward(pipeline, desc, &x, &wanted);
    else
        add_forward(pipeline, desc, &x, &wanted);
    if (pipeline->status != dnnl_success)
        return library_fail(pipeline->status, CONVOY_WHY_OTHER, pipeline->failed, err);
    return CONVOY_OK;
}
