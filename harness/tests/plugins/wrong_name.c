/* Calls itself something else than its file. */
#include <convoy/convoy.h>

static convoy_status open_nothing(const struct convoy_host *host, const char *variant, struct convoy_instance **instance,
                                  struct convoy_error *err)
{
    (void)host, (void)variant, (void)instance, (void)err;
    return CONVOY_FAILED;
}

CONVOY_EXPORT const struct convoy_plugin convoy_plugin_v1 = {
    .struct_size = sizeof(struct convoy_plugin),
    .abi_minor = CONVOY_ABI_MINOR,
    .name = "right_name",
    .version = "1",
    .author = "Convoy",
    .summary = "a plugin in another's file",
    .threading = CONVOY_THREADS_HOST,
    .open = open_nothing,
};
