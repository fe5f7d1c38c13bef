/* pluginname: the rule that ties a plugin's name to its file: convoy_NAME.so, NAME of lower case letters, digits and '_'.
 * Looks at text only, never at files. All functions [any]. */
#ifndef CONVOY_CORE_PLUGINNAME_H
#define CONVOY_CORE_PLUGINNAME_H

#include <stdbool.h>
#include <stddef.h>

enum { PLUGIN_NAME_BYTES = 48 }; /* with the NUL; as wide as the column of the results */

bool plugin_name_valid(const char *name, size_t length);

/* The NAME of a path that ends in convoy_NAME.so; false if it does not. */
bool plugin_name_of_path(const char *path, char name[PLUGIN_NAME_BYTES]);

/* The end of a path, short enough to leave room for a reason in the text of a convoy_error. */
const char *plugin_path_tail(const char *path);

#endif
