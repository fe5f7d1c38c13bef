/* registry: finds plugin files; opens none. A backend is a file convoy_NAME.so in one of the folders, in this order:
 * folders added by hand (--plugin-dir), CONVOY_PLUGIN_PATH (colon-separated), plugins/ beside the executable's folder
 * (build/bin/../plugins), PLUGINDIR compiled in. The first of a name wins; the others are listed as shadowed. */
#ifndef CONVOY_CORE_REGISTRY_H
#define CONVOY_CORE_REGISTRY_H

#include <convoy/convoy.h>
#include <stdbool.h>

struct registry_entry {
    char *name;      /* "im2col"                                              */
    char *path;
    bool shadowed;   /* an earlier folder has the name                        */
    char hash[17];   /* 64-bit FNV-1a of the file's bytes, hexadecimal        */
};

struct registry { struct registry_entry *entry; size_t count; };

/* Sorted by name, then by search order. extra: NULL-ended folders or single .so files, or NULL. */
convoy_status registry_scan(const char *const *extra, struct registry *registry, struct convoy_error *err);
void registry_free(struct registry *registry);
const struct registry_entry *registry_find(const struct registry *registry, const char *name); /* not shadowed; NULL: none */

#endif
