/* The plugin table of the backend onednn: variants, the operations it has, and what every plan does alike. */
#include "onednn.h"
#include <stdlib.h>
#include <string.h>

#define TEXT_OF(number) #number
#define TEXT(number) TEXT_OF(number)

static const struct variant variants[] = {
    {.name = "nchw", .layout = LAYOUT_NCHW, .algorithm = dnnl_convolution_direct, .forward = dnnl_forward_training},
    /* Asked for any layout, 2.6.3 takes blocks of channels for training and for inference NHWC, which is the next variant. */
    {.name = "blocked", .layout = LAYOUT_BLOCKED, .algorithm = dnnl_convolution_direct, .forward = dnnl_forward_training},
    {.name = "nhwc", .layout = LAYOUT_NHWC, .algorithm = dnnl_convolution_direct, .forward = dnnl_forward_inference},
    {.name = "winograd",
     .layout = LAYOUT_BLOCKED,
     .algorithm = dnnl_convolution_winograd,
     .forward = dnnl_forward_inference,
     .implementation = "wino_4x3",
     .convolution_only = 1},
    {.name = "winograd_f2",
     .layout = LAYOUT_BLOCKED,
     .algorithm = dnnl_convolution_winograd,
     .forward = dnnl_forward_inference,
     .implementation = "wino_2x3",
     .convolution_only = 1},
    {.name = "auto",
     .layout = LAYOUT_BLOCKED,
     .algorithm = dnnl_convolution_auto,
     .forward = dnnl_forward_training,
     .convolution_only = 1},
};
enum { VARIANT_COUNT = sizeof variants / sizeof *variants };
static const char *const variant_names[] = {"nchw", "blocked", "nhwc", "winograd", "winograd_f2", "auto", NULL};
_Static_assert(sizeof variant_names / sizeof *variant_names == VARIANT_COUNT + 1, "every variant has its name in both tables");

static const struct operation {
    size_t problem_bytes;
    uint32_t flags;
    builder *build;
    int convolution;
} operations[CONVOY_OP_COUNT] = {
    [CONVOY_CONV_FWD] = {sizeof(struct convoy_conv), CONVOY_WITH_BIAS | CONVOY_WITH_RELU, conv_build, 1},
    [CONVOY_CONV_BWD_DATA] = {sizeof(struct convoy_conv), 0, conv_build, 1},
    [CONVOY_CONV_BWD_WEIGHTS] = {sizeof(struct convoy_conv), CONVOY_WITH_BIAS, conv_build, 1},
    [CONVOY_POOL_FWD] = {sizeof(struct convoy_pool), CONVOY_NO_INDEX, pool_build, 0},
    [CONVOY_POOL_BWD] = {sizeof(struct convoy_pool), 0, pool_build, 0},
    [CONVOY_BN_TRAIN] = {sizeof(struct convoy_bn), CONVOY_WITH_RELU, bn_build, 0},
    [CONVOY_BN_INFER] = {sizeof(struct convoy_bn), CONVOY_WITH_RELU, bn_build, 0},
    [CONVOY_BN_BWD] = {sizeof(struct convoy_bn), 0, bn_build, 0},
};

dnnl_memory_desc_t onednn_activation(struct pipeline *pipeline, int64_t n, int64_t c, int64_t h, int64_t w, dnnl_format_tag_t tag)
{
    const dnnl_dims_t extent = {n, c, h, w};
    dnnl_memory_desc_t desc = {.ndims = 0};
    pipeline_check(pipeline, dnnl_memory_desc_init_by_tag(&desc, 4, extent, dnnl_f32, tag), "an activation tensor");
    return desc;
}

dnnl_format_tag_t onednn_tag(const struct self *self)
{
    if (self->variant->layout == LAYOUT_BLOCKED)
        return library_block() == 16 ? dnnl_nChw16c : dnnl_nChw8c;
    return self->variant->layout == LAYOUT_NHWC ? dnnl_nhwc : dnnl_nchw;
}

const char *onednn_implementation(dnnl_primitive_desc_t desc)
{
    const char *name = NULL;
    return dnnl_primitive_desc_query(desc, dnnl_query_impl_info_str, 0, &name) == dnnl_success && name ? name : "unknown";
}

dnnl_primitive_desc_t onednn_describe(struct pipeline *pipeline, const void *operation, dnnl_primitive_attr_t attributes,
                                      dnnl_primitive_desc_t forward, const char *wanted, const char *what)
{
    dnnl_primitive_desc_iterator_t iterator = NULL;
    dnnl_primitive_desc_t desc = NULL;
    dnnl_status_t status = dnnl_primitive_desc_iterator_create(&iterator, operation, attributes, pipeline->engine, forward);
    while (status == dnnl_success && !desc) {
        desc = dnnl_primitive_desc_iterator_fetch(iterator);
        if (!desc) {
            status = dnnl_out_of_memory;
        } else if (wanted && !strstr(onednn_implementation(desc), wanted)) {
            dnnl_primitive_desc_destroy(desc);
            desc = NULL;
            status = dnnl_primitive_desc_iterator_next(iterator);
        }
    }
    if (iterator)
        dnnl_primitive_desc_iterator_destroy(iterator);
    pipeline_check(pipeline, status == dnnl_iterator_ends ? dnnl_unimplemented : status, what);
    return desc;
}

/* "16c": channels in blocks of 16. The layouts of a tensor of one pixel or one channel are the same; it is called nchw. */
static void name_layout(const dnnl_memory_desc_t *desc, char *name, size_t size)
{
    const dnnl_blocking_desc_t *const blocking = &desc->format_desc.blocking;
    if (blocking->inner_nblks > 0)
        snprintf(name, size, "%dc", (int)blocking->inner_blks[0]);
    else if (blocking->strides[1] == 1 && desc->dims[1] > 1 && desc->dims[2] * desc->dims[3] > 1)
        snprintf(name, size, "nhwc");
    else
        snprintf(name, size, "nchw");
}

void onednn_name_algorithm(struct plan *plan, dnnl_primitive_desc_t desc, const dnnl_memory_desc_t *x,
                           const dnnl_memory_desc_t *y)
{
    char x_layout[6], y_layout[6];
    name_layout(x, x_layout, sizeof x_layout);
    name_layout(y, y_layout, sizeof y_layout);
    if (!strcmp(x_layout, y_layout))
        snprintf(plan->algorithm, sizeof plan->algorithm, "%.32s %s", onednn_implementation(desc), x_layout);
    else
        snprintf(plan->algorithm, sizeof plan->algorithm, "%.26s %s/%s", onednn_implementation(desc), x_layout, y_layout);
}

/* Fills `plan` up to the descriptions. The caller closes its pipeline in any case. */
static convoy_status build(const struct self *self, const struct convoy_problem *problem, struct plan *plan,
                           struct convoy_error *err)
{
    pipeline_open(&plan->pipeline, self->engine, &plan->problem);
    if (problem->op >= CONVOY_OP_COUNT || !operations[problem->op].build)
        return convoy_fail(err, CONVOY_UNSUPPORTED, CONVOY_WHY_OP, "operation %u is not offered here", problem->op);
    const struct operation *const operation = &operations[problem->op];
    if (problem->struct_size < operation->problem_bytes)
        return convoy_fail(err, CONVOY_INVALID, CONVOY_WHY_OTHER, "the problem has %u bytes, operation %u needs %zu",
                           problem->struct_size, problem->op, operation->problem_bytes);
    if (problem->dtype != CONVOY_F32)
        return convoy_fail(err, CONVOY_UNSUPPORTED, CONVOY_WHY_DTYPE, "only f32 is offered, got data type %u", problem->dtype);
    if (problem->layout != CONVOY_NCHW)
        return convoy_fail(err, CONVOY_UNSUPPORTED, CONVOY_WHY_LAYOUT, "only NCHW tensors are taken, got layout %u",
                           problem->layout);
    if (problem->flags & ~operation->flags)
        return convoy_fail(err, CONVOY_UNSUPPORTED, CONVOY_WHY_FLAGS, "operation %u takes flags %#x here, got %#x", problem->op,
                           operation->flags, problem->flags);
    if (self->variant->convolution_only && !operation->convolution)
        return convoy_fail(err, CONVOY_UNSUPPORTED, CONVOY_WHY_OP, "variant %s is about convolutions", self->variant->name);
    memcpy(&plan->problem, problem, operation->problem_bytes);
    const int before = library_enter_team(self->host->threads);
    const convoy_status status = operation->build(self, plan, err);
    library_leave_team(before);
    return status;
}

static convoy_status supports(const struct convoy_instance *instance, const struct convoy_problem *problem,
                              struct convoy_error *err)
{
    struct plan plan = {.numerics = {0}};
    const convoy_status status = build((const struct self *)instance, problem, &plan, err);
    pipeline_close(&plan.pipeline);
    return status;
}

static void info(const struct convoy_plan *base, struct convoy_plan_info *out)
{
    const struct plan *const plan = (const struct plan *)base;
    struct convoy_plan_info mine = {
        .struct_size = out->struct_size,
        .workspace_bytes = pipeline_workspace_bytes(&plan->pipeline),
        .prepared_bytes = plan->pipeline.prepared_bytes,
        .numerics = plan->numerics,
    };
    memcpy(mine.algorithm, plan->algorithm, sizeof mine.algorithm);
    memcpy(out, &mine, out->struct_size < sizeof mine ? out->struct_size : sizeof mine);
}

static convoy_status run(struct convoy_plan *base, const struct convoy_args *args, int prepares, struct convoy_error *err)
{
    struct plan *const plan = (struct plan *)base;
    const int before = library_enter_team(plan->host->threads);
    const convoy_status status = pipeline_run(&plan->pipeline, args, prepares, err);
    library_leave_team(before);
    return status;
}

static convoy_status prepare(struct convoy_plan *plan, const struct convoy_args *args, struct convoy_error *err)
{
    return run(plan, args, 1, err);
}

static convoy_status execute(struct convoy_plan *plan, const struct convoy_args *args, struct convoy_error *err)
{
    return run(plan, args, 0, err);
}

static void destroy(struct convoy_plan *base)
{
    struct plan *const plan = (struct plan *)base;
    pipeline_close(&plan->pipeline);
    free(plan);
}

static const struct convoy_plan_ops plain_ops = {
    .struct_size = sizeof plain_ops,
    .info = info,
    .execute = execute,
    .destroy = destroy,
};
static const struct convoy_plan_ops prepared_ops = {
    .struct_size = sizeof prepared_ops,
    .info = info,
    .prepare = prepare,
    .execute = execute,
    .destroy = destroy,
};

static convoy_status make_plan(struct convoy_instance *instance, const struct convoy_problem *problem, struct convoy_plan **out,
                               struct convoy_error *err)
{
    const struct self *const self = (const struct self *)instance;
    struct plan *const plan = calloc(1, sizeof *plan);
    if (!plan)
        return convoy_fail(err, CONVOY_NO_MEMORY, CONVOY_WHY_MEMORY, "no memory for a plan of %zu bytes", sizeof *plan);
    plan->host = self->host;
    convoy_status status = build(self, problem, plan, err);
    if (status == CONVOY_OK) {
        /* The number of threads is part of the generated code. */
        const int before = library_enter_team(self->host->threads);
        pipeline_create(&plan->pipeline);
        library_leave_team(before);
        if (plan->pipeline.status == dnnl_out_of_memory)
            status = library_fail(dnnl_out_of_memory, CONVOY_WHY_MEMORY, plan->pipeline.failed, err);
        else if (plan->pipeline.status != dnnl_success)
            status = convoy_fail(err, CONVOY_FAILED, CONVOY_WHY_OTHER, "oneDNN says %s: %s",
                                 library_status_name(plan->pipeline.status), plan->pipeline.failed);
    }
    if (status != CONVOY_OK) {
        destroy(&plan->base);
        return status;
    }
    plan->base.ops = plan->pipeline.prepared_bytes > 0 ? &prepared_ops : &plain_ops;
    *out = &plan->base;
    return CONVOY_OK;
}

static void close_instance(struct convoy_instance *instance)
{
    struct self *const self = (struct self *)instance;
    dnnl_engine_destroy(self->engine);
    free(self);
}

static const struct convoy_instance_ops instance_ops = {
    .struct_size = sizeof instance_ops,
    .supports = supports,
    .plan = make_plan,
    .close = close_instance,
};

static convoy_status open_instance(const struct convoy_host *host, const char *name, struct convoy_instance **out,
                                   struct convoy_error *err)
{
    const struct variant *variant = name && name[0] ? NULL : &variants[0];
    for (size_t at = 0; at < VARIANT_COUNT && !variant; at++) {
        if (!strcmp(variants[at].name, name))
            variant = &variants[at];
    }
    if (!variant)
        return convoy_fail(err, CONVOY_INVALID, CONVOY_WHY_OTHER, "there is no variant \"%s\"", name);
    library_limit_isa();
    struct self *const self = malloc(sizeof *self);
    if (!self)
        return convoy_fail(err, CONVOY_NO_MEMORY, CONVOY_WHY_MEMORY, "no memory for an instance of %zu bytes", sizeof *self);
    *self = (struct self){.base = {.ops = &instance_ops, .memory = host->memory}, .host = host, .variant = variant};
    const dnnl_status_t status = dnnl_engine_create(&self->engine, dnnl_cpu, 0);
    if (status != dnnl_success) {
        free(self);
        return convoy_fail(err, CONVOY_FAILED, CONVOY_WHY_OTHER, "oneDNN says %s: its engine for the processor",
                           library_status_name(status));
    }
    *out = &self->base;
    return CONVOY_OK;
}

static void enable_profile(struct convoy_plan *plan, uint32_t on)
{
    ((struct plan *)plan)->pipeline.profiling = on != 0;
}

static void read_profile(const struct convoy_plan *plan, struct convoy_profile *out)
{
    struct convoy_profile mine = {.struct_size = out->struct_size};
    memcpy(mine.phase_ns, ((const struct plan *)plan)->pipeline.phase_ns, sizeof mine.phase_ns);
    memcpy(out, &mine, out->struct_size < sizeof mine ? out->struct_size : sizeof mine);
}

static const struct convoy_profiler profiler = {
    .struct_size = sizeof profiler,
    .enable = enable_profile,
    .read = read_profile,
};

static const void *extension(const char *id)
{
    return strcmp(id, CONVOY_PROFILE_ID) == 0 ? &profiler : NULL;
}

const struct convoy_plugin convoy_plugin_v1 = {
    .struct_size = sizeof convoy_plugin_v1,
    .abi_minor = CONVOY_ABI_MINOR,
    .name = "onednn",
    .version = TEXT(DNNL_VERSION_MAJOR) "." TEXT(DNNL_VERSION_MINOR) "." TEXT(DNNL_VERSION_PATCH),
    .author = "Convoy contributors",
    .summary = "the peer oneDNN (libdnnl): convolution, average pooling, batch norm",
    .variants = variant_names,
    .threading = CONVOY_THREADS_OWN,
    .open = open_instance,
    .extension = extension,
};
