/* Cannot be opened. */
#include <convoy/convoy.h>

CONVOY_EXPORT const struct convoy_plugin convoy_plugin_v1 = {
    .struct_size = sizeof(struct convoy_plugin),
    .abi_minor = CONVOY_ABI_MINOR,
    .name = "no_open",
    .version = "1",
    .author = "Convoy",
    .summary = "a plugin without an open function",
    .threading = CONVOY_THREADS_HOST,
};
