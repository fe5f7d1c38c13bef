/* loader: one shared object -> a checked plugin table. The only file that knows dlopen.
 * Every refusal is explained: no such file, not a shared object, unresolved library or symbol (the linker's words), no
 * convoy_plugin_v1 (or one of another major: "built for ABI 2, this harness speaks 1"), struct_size too short (says the size
 * and the least), missing or malformed name, a name that is not the file's, unknown threading, missing open. Constructors that
 * change the floating-point environment are reported, not refused: what that means is the caller's decision. */
#ifndef CONVOY_CORE_LOADER_H
#define CONVOY_CORE_LOADER_H

#include <convoy/convoy.h>

/* RTLD_NOW | RTLD_LOCAL, never closed. Runs the object's constructors: call it in a worker. *fpenv_changed tells whether they left
 * rounding or flush modes changed (they are put back); only the first load of a file in a process can tell. [any] */
convoy_status loader_open(const char *path, const struct convoy_plugin **plugin, int *fpenv_changed, struct convoy_error *err);

/* Opens an instance and checks the table that comes back (struct_size, required functions, memory). A variant that is not in the
 * plugin's list is CONVOY_INVALID without asking the plugin. What breaks the contract is CONVOY_FAILED, "contract: ...". [any] */
convoy_status loader_instance(const struct convoy_plugin *plugin, const struct convoy_host *host, const char *variant,
                              struct convoy_instance **instance, struct convoy_error *err);

/* plan() with the checks of its table; OK means a plan with info, execute and destroy, and *info (may be NULL) filled with sane
 * values: prepared_bytes > 0 exactly where there is a prepare. [instance] */
convoy_status loader_plan(struct convoy_instance *instance, const struct convoy_problem *problem, struct convoy_plan **plan,
                          struct convoy_plan_info *info, struct convoy_error *err);

#endif
