#include "core/pluginname.h"
#include <string.h>

bool plugin_name_valid(const char *name, size_t length)
{
    if (length == 0 || length >= PLUGIN_NAME_BYTES)
        return false;
    return strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_") >= length;
}

bool plugin_name_of_path(const char *path, char name[PLUGIN_NAME_BYTES])
{
    static const char prefix[] = "convoy_", suffix[] = ".so";
    const char *slash = strrchr(path, '/');
    const char *file = slash ? slash + 1 : path;
    const size_t length = strlen(file), around = sizeof prefix - 1 + sizeof suffix - 1;
    if (length <= around || strncmp(file, prefix, sizeof prefix - 1) != 0 ||
        strcmp(file + length - (sizeof suffix - 1), suffix) != 0)
        return false;
    const char *first = file + sizeof prefix - 1;
    if (!plugin_name_valid(first, length - around))
        return false;
    memcpy(name, first, length - around);
    name[length - around] = '\0';
    return true;
}

const char *plugin_path_tail(const char *path)
{
    enum { TAIL_BYTES = 120 };
    const size_t length = strlen(path);
    return length <= TAIL_BYTES ? path : path + length - TAIL_BYTES;
}
