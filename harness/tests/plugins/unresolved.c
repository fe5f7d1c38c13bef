/* Needs a function that no library has. */
#include <convoy/convoy.h>

extern int convoy_test_function_from_nowhere(void);

static convoy_status open_from_nowhere(const struct convoy_host *host, const char *variant, struct convoy_instance **instance,
                                       struct convoy_error *err)
{
    (void)host, (void)variant, (void)instance, (void)err;
    return convoy_test_function_from_nowhere();
}

CONVOY_EXPORT const struct convoy_plugin convoy_plugin_v1 = {
    .struct_size = sizeof(struct convoy_plugin),
    .abi_minor = CONVOY_ABI_MINOR,
    .name = "unresolved",
    .version = "1",
    .author = "Convoy",
    .summary = "a plugin with an unresolved symbol",
    .threading = CONVOY_THREADS_HOST,
    .open = open_from_nowhere,
};
