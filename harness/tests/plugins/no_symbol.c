/* A shared object that is no plugin at all. */
#include <convoy/convoy.h>

CONVOY_EXPORT const char convoy_no_symbol_version[] = "1";
