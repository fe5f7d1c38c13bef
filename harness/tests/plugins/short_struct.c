/* Its table ends, as it says itself, before open: the pointer behind must not be called. */
#include <convoy/convoy.h>
#include <stdlib.h>

static convoy_status open_beyond_the_end(const struct convoy_host *host, const char *variant, struct convoy_instance **instance,
                                         struct convoy_error *err)
{
    (void)host, (void)variant, (void)instance, (void)err;
    abort();
}

CONVOY_EXPORT const struct convoy_plugin convoy_plugin_v1 = {
    .struct_size = offsetof(struct convoy_plugin, open),
    .abi_minor = CONVOY_ABI_MINOR,
    .name = "short_struct",
    .version = "1",
    .author = "Convoy",
    .summary = "a table that is too short",
    .threading = CONVOY_THREADS_HOST,
    .open = open_beyond_the_end,
};
