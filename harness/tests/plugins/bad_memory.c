/* A device plugin with a memory domain of its own that lacks something: the variant says what. "whole" lacks nothing. */
#include <convoy/plugin.h>
#include <stdlib.h>
#include <string.h>

static convoy_status device_alloc(struct convoy_memory *memory, uint64_t bytes, struct convoy_buffer **out, struct convoy_error *err)
{
    (void)memory, (void)bytes, (void)out;
    return convoy_fail(err, CONVOY_NO_MEMORY, CONVOY_WHY_MEMORY, "this device has no memory");
}

static void device_free(struct convoy_memory *memory, struct convoy_buffer *buffer)
{
    (void)memory, (void)buffer;
}

static convoy_status device_fill(struct convoy_memory *memory, struct convoy_tensor tensor, uint64_t bytes, uint32_t word,
                                 struct convoy_error *err)
{
    (void)memory, (void)tensor, (void)bytes, (void)word;
    return convoy_fail(err, CONVOY_FAILED, CONVOY_WHY_MEMORY, "this device has no memory");
}

static convoy_status device_upload(struct convoy_memory *memory, struct convoy_tensor to, const void *from, uint64_t bytes,
                                   struct convoy_error *err)
{
    (void)from;
    return device_fill(memory, to, bytes, 0, err);
}

static convoy_status device_download(struct convoy_memory *memory, void *to, struct convoy_tensor from, uint64_t bytes,
                                     struct convoy_error *err)
{
    (void)to;
    return device_fill(memory, from, bytes, 0, err);
}

static convoy_status supports(const struct convoy_instance *instance, const struct convoy_problem *problem, struct convoy_error *err)
{
    (void)instance, (void)problem;
    return convoy_fail(err, CONVOY_UNSUPPORTED, CONVOY_WHY_OP, "bad_memory computes nothing");
}

static convoy_status plan(struct convoy_instance *instance, const struct convoy_problem *problem, struct convoy_plan **out,
                          struct convoy_error *err)
{
    (void)out;
    return supports(instance, problem, err);
}

struct self {
    struct convoy_instance instance;
    struct convoy_memory memory;
};

static void close_instance(struct convoy_instance *instance)
{
    free(instance);
}

static const struct convoy_instance_ops instance_ops = {
    .struct_size = sizeof instance_ops,
    .supports = supports,
    .plan = plan,
    .close = close_instance,
};

static const char *const variants[] = {"whole", "short", "align", "name", "upload", NULL};

static convoy_status open_instance(const struct convoy_host *host, const char *variant, struct convoy_instance **out,
                                   struct convoy_error *err)
{
    (void)host;
    struct self *self = malloc(sizeof *self);
    if (!self)
        return convoy_fail(err, CONVOY_NO_MEMORY, CONVOY_WHY_MEMORY, "no memory for an instance of bad_memory");
    *self = (struct self){
        .instance = {.ops = &instance_ops, .memory = &self->memory},
        .memory = {sizeof self->memory, 64, "device", device_alloc, device_free, device_fill, device_upload, device_download},
    };
    if (variant && strcmp(variant, "short") == 0)
        self->memory.struct_size = offsetof(struct convoy_memory, download);
    else if (variant && strcmp(variant, "align") == 0)
        self->memory.align = 96;
    else if (variant && strcmp(variant, "name") == 0)
        self->memory.name = NULL;
    else if (variant && strcmp(variant, "upload") == 0)
        self->memory.upload = NULL;
    *out = &self->instance;
    return CONVOY_OK;
}

CONVOY_EXPORT const struct convoy_plugin convoy_plugin_v1 = {
    .struct_size = sizeof(struct convoy_plugin),
    .abi_minor = CONVOY_ABI_MINOR,
    .name = "bad_memory",
    .version = "1",
    .author = "Convoy",
    .summary = "memory domains that lack something",
    .variants = variants,
    .threading = CONVOY_THREADS_DEVICE,
    .open = open_instance,
};
