/* Built for the next ABI: only the name of its symbol tells, and the harness must not look behind it. */
#include <convoy/convoy.h>

extern CONVOY_EXPORT const char convoy_plugin_v2[];
const char convoy_plugin_v2[] = "not to be read as a struct convoy_plugin";
