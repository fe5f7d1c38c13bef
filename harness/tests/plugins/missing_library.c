/* Depends on a library that is not installed (as a filter, since linking to a missing one is refused). link: -Wl,-F,libconvoy_nowhere.so.1 */
#include <convoy/convoy.h>

static convoy_status open_without_library(const struct convoy_host *host, const char *variant, struct convoy_instance **instance,
                                          struct convoy_error *err)
{
    (void)host, (void)variant, (void)instance, (void)err;
    return CONVOY_FAILED;
}

CONVOY_EXPORT const struct convoy_plugin convoy_plugin_v1 = {
    .struct_size = sizeof(struct convoy_plugin),
    .abi_minor = CONVOY_ABI_MINOR,
    .name = "missing_library",
    .version = "1",
    .author = "Convoy",
    .summary = "a plugin whose library is missing",
    .threading = CONVOY_THREADS_HOST,
    .open = open_without_library,
};
