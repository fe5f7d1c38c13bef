/* Built for the ABI before the first. */
#include <convoy/convoy.h>

extern CONVOY_EXPORT const char convoy_plugin_v0[];
const char convoy_plugin_v0[] = "not to be read as a struct convoy_plugin";
