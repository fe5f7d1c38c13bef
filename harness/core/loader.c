#include "core/loader.h"
#include "core/fpenv.h"
#include "core/log.h"
#include "core/pluginname.h"
#include <convoy/plugin.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* What the size of a struct must cover so that `member` can be read. */
#define LEAST(type, member) (offsetof(struct type, member) + sizeof(((struct type *)0)->member))

/* ---- the file ---- */

static convoy_status check_file(const char *path, struct convoy_error *err)
{
    static const char magic[4] = {0x7f, 'E', 'L', 'F'};
    const char *tail = plugin_path_tail(path);
    struct stat about;
    if (stat(path, &about) != 0)
        return errno == ENOENT || errno == ENOTDIR
                   ? convoy_fail(err, CONVOY_FAILED, CONVOY_WHY_OTHER, "%s: no such file", tail)
                   : convoy_fail(err, CONVOY_FAILED, CONVOY_WHY_OTHER, "%s: %s", tail, strerror(errno));
    if (!S_ISREG(about.st_mode))
        return convoy_fail(err, CONVOY_FAILED, CONVOY_WHY_OTHER, "%s is not a file", tail);
    const int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return convoy_fail(err, CONVOY_FAILED, CONVOY_WHY_OTHER, "%s: %s", tail, strerror(errno));
    char head[sizeof magic];
    const ssize_t got_bytes = read(file, head, sizeof head);
    close(file);
    if (got_bytes != (ssize_t)sizeof head || memcmp(head, magic, sizeof magic) != 0)
        return convoy_fail(err, CONVOY_FAILED, CONVOY_WHY_OTHER, "%s is not a shared object", tail);
    return CONVOY_OK;
}

/* dlopen with the linker's words on failure, and with the floating-point modes of before. */
static void *open_object(const char *path, int *fpenv_changed, struct convoy_error *err)
{
    /* Without a slash dlopen would look in the library path instead of the working folder. */
    char *here = NULL;
    if (!strchr(path, '/')) {
        if (asprintf(&here, "./%s", path) < 0) {
            convoy_fail(err, CONVOY_NO_MEMORY, CONVOY_WHY_MEMORY, "no memory to load %s", plugin_path_tail(path));
            return NULL;
        }
    }
    const char *name = here ? here : path;
    const uint64_t modes = fpenv_get();
    void *object = dlopen(name, RTLD_NOW | RTLD_LOCAL);
    const int changed = fpenv_get() != modes;
    if (changed)
        fpenv_set(modes);
    if (fpenv_changed)
        *fpenv_changed = changed;
    if (!object) {
        const char *words = dlerror();
        const size_t length = strlen(name);
        if (!words)
            words = "unknown reason";
        else if (strncmp(words, name, length) == 0 && strncmp(words + length, ": ", 2) == 0)
            words += length + 2;
        convoy_fail(err, CONVOY_FAILED, CONVOY_WHY_OTHER, "cannot load %s: %s", plugin_path_tail(path), words);
    }
    free(here);
    return object;
}

static convoy_status refuse_without_symbol(void *object, const char *path, struct convoy_error *err)
{
    for (unsigned major = 0; major <= 9; major++) {
        char symbol[32];
        snprintf(symbol, sizeof symbol, "convoy_plugin_v%u", major);
        if (dlsym(object, symbol))
            return convoy_fail(err, CONVOY_FAILED, CONVOY_WHY_OTHER, "%s: built for ABI %u, this harness speaks %u",
                               plugin_path_tail(path), major, CONVOY_ABI_MAJOR);
    }
    return convoy_fail(err, CONVOY_FAILED, CONVOY_WHY_OTHER, "%s does not export convoy_plugin_v%u", plugin_path_tail(path),
                       CONVOY_ABI_MAJOR);
}

/* ---- the plugin table ---- */

static convoy_status check_plugin(const struct convoy_plugin *plugin, const char *path, struct convoy_error *err)
{
    const char *tail = plugin_path_tail(path);
    char expected[PLUGIN_NAME_BYTES];
    if (plugin->struct_size < LEAST(convoy_plugin, extension))
        return convoy_fail(err, CONVOY_FAILED, CONVOY_WHY_OTHER,
                           "%s: struct_size of convoy_plugin_v1 is %" PRIu32 ", the least for ABI 1 is %zu", tail,
                           plugin->struct_size, LEAST(convoy_plugin, extension));
    if (!plugin->name)
        return convoy_fail(err, CONVOY_FAILED, CONVOY_WHY_OTHER, "%s: the plugin has no name", tail);
    if (!plugin_name_valid(plugin->name, strlen(plugin->name)))
        return convoy_fail(err, CONVOY_FAILED, CONVOY_WHY_OTHER,
                           "%s: the plugin's name \"%.60s\" is not made of 1 to %d lower case letters, digits and '_'", tail,
                           plugin->name, PLUGIN_NAME_BYTES - 1);
    if (!plugin_name_of_path(path, expected) || strcmp(plugin->name, expected) != 0)
        return convoy_fail(err, CONVOY_FAILED, CONVOY_WHY_OTHER,
                           "%s: the plugin calls itself \"%s\", so its file must be convoy_%s.so", tail, plugin->name,
                           plugin->name);
    if (plugin->threading < CONVOY_THREADS_HOST || plugin->threading > CONVOY_THREADS_DEVICE)
        return convoy_fail(err, CONVOY_FAILED, CONVOY_WHY_OTHER, "%s: threading %" PRIu32 " is none of CONVOY_THREADS_*", tail,
                           plugin->threading);
    if (!plugin->open)
        return convoy_fail(err, CONVOY_FAILED, CONVOY_WHY_OTHER, "%s: the plugin has no open function", tail);
    return CONVOY_OK;
}

convoy_status loader_open(const char *path, const struct convoy_plugin **out, int *fpenv_changed, struct convoy_error *err)
{
    *out = NULL;
    if (fpenv_changed)
        *fpenv_changed = 0;
    convoy_status status = check_file(path, err);
    if (status)
        return status;
    void *object = open_object(path, fpenv_changed, err);
    if (!object)
        return CONVOY_FAILED;
    /* From here on the object stays loaded, also if it is refused: closing runs destructors of libraries that may have
     * started threads. */
    const struct convoy_plugin *plugin = dlsym(object, "convoy_plugin_v1");
    if (!plugin)
        return refuse_without_symbol(object, path, err);
    status = check_plugin(plugin, path, err);
    if (status)
        return status;
    *out = plugin;
    return CONVOY_OK;
}

/* ---- the tables that the plugin's functions hand out ---- */

/* Makes a status that a plugin returned, and what it wrote with it, safe to pass on. */
static convoy_status settle(convoy_status status, const char *name, const char *function, struct convoy_error *err)
{
    const int known =
        status == CONVOY_UNSUPPORTED || status == CONVOY_INVALID || status == CONVOY_FAILED || status == CONVOY_NO_MEMORY;
    if (!known)
        return convoy_fail(err, CONVOY_FAILED, CONVOY_WHY_OTHER, "contract: %s of %s returned the unknown status %" PRId32,
                           function, name, status);
    if (err) {
        err->status = status;
        err->text[sizeof err->text - 1] = '\0';
        if (!err->text[0])
            convoy_fail(err, status, CONVOY_WHY_OTHER, "%s of %s gives no reason", function, name);
    }
    return status;
}

static void clear(struct convoy_error *err)
{
    if (err)
        *err = (struct convoy_error){.struct_size = sizeof *err};
}

/* What is wrong with a memory domain, NULL if nothing is. */
static const char *memory_fault(const struct convoy_memory *memory)
{
    if (memory->struct_size < LEAST(convoy_memory, download))
        return "struct_size of its memory is too short";
    if (memory->align < 64 || (memory->align & (memory->align - 1)) != 0)
        return "the alignment of its memory is no power of two from 64 up";
    if (!memory->name)
        return "its memory has no name";
    if (!memory->alloc || !memory->free || !memory->fill || !memory->upload || !memory->download)
        return "its memory lacks a function";
    return NULL;
}

static convoy_status check_instance(const struct convoy_plugin *plugin, const struct convoy_host *host,
                                    const struct convoy_instance *instance, struct convoy_error *err)
{
    const char *fault = NULL;
    const struct convoy_instance_ops *ops = instance->ops;
    if (!ops)
        fault = "the instance has no ops";
    else if (ops->struct_size < LEAST(convoy_instance_ops, close))
        return convoy_fail(err, CONVOY_FAILED, CONVOY_WHY_OTHER,
                           "contract: open of %s: struct_size of the instance's ops is %" PRIu32 ", the least is %zu",
                           plugin->name, ops->struct_size, LEAST(convoy_instance_ops, close));
    else if (!ops->supports)
        fault = "the instance has no supports function";
    else if (!ops->plan)
        fault = "the instance has no plan function";
    else if (!ops->close)
        fault = "the instance has no close function";
    else if (!instance->memory)
        fault = "the instance has no memory";
    else if (instance->memory != host->memory)
        fault = plugin->threading == CONVOY_THREADS_DEVICE ? memory_fault(instance->memory)
                                                           : "a plugin that runs on the host must use host->memory";
    if (fault)
        return convoy_fail(err, CONVOY_FAILED, CONVOY_WHY_OTHER, "contract: open of %s: %s", plugin->name, fault);
    return CONVOY_OK;
}

static convoy_status check_variant(const struct convoy_plugin *plugin, const char *variant, struct convoy_error *err)
{
    if (!variant || !*variant || !plugin->variants)
        return CONVOY_OK;
    char list[120] = "";
    size_t used = 0;
    for (const char *const *known = plugin->variants; *known; known++) {
        if (strcmp(*known, variant) == 0)
            return CONVOY_OK;
        if (used < sizeof list)
            used += (size_t)snprintf(list + used, sizeof list - used, " %s", *known);
    }
    return convoy_fail(err, CONVOY_INVALID, CONVOY_WHY_OTHER, "%s has no variant \"%.40s\", only%s", plugin->name, variant, list);
}

convoy_status loader_instance(const struct convoy_plugin *plugin, const struct convoy_host *host, const char *variant,
                              struct convoy_instance **out, struct convoy_error *err)
{
    struct convoy_instance *instance = NULL;
    *out = NULL;
    convoy_status status = check_variant(plugin, variant, err);
    if (status)
        return status;
    clear(err);
    status = plugin->open(host, variant, &instance, err);
    if (status)
        return settle(status, plugin->name, "open", err);
    if (!instance)
        return convoy_fail(err, CONVOY_FAILED, CONVOY_WHY_OTHER, "contract: open of %s succeeds without an instance",
                           plugin->name);
    status = check_instance(plugin, host, instance, err);
    if (status) {
        if (instance->ops && convoy_has(instance->ops, close) && instance->ops->close)
            instance->ops->close(instance);
        return status;
    }
    *out = instance;
    return CONVOY_OK;
}

/* What is wrong with what a plan says about itself, NULL if nothing is. */
static const char *info_fault(const struct convoy_plan_ops *ops, const struct convoy_plan_info *info)
{
    if (!memchr(info->algorithm, '\0', sizeof info->algorithm))
        return "the algorithm's name does not end";
    if (info->workspace_bytes > (uint64_t)1 << 62 || info->prepared_bytes > (uint64_t)1 << 62)
        return "it asks for more memory than there can be";
    if (info->prepared_bytes > 0 && !ops->prepare)
        return "prepared_bytes is not 0, but there is no prepare function";
    if (info->prepared_bytes == 0 && ops->prepare)
        return "prepared_bytes is 0, but there is a prepare function";
    if (info->numerics.kind < CONVOY_NUM_EXACT || info->numerics.kind > CONVOY_NUM_STATS)
        return "its numerics are of no known kind";
    return NULL;
}

/* CONVOY_OK, with *info filled, if the plan can be used. */
static convoy_status check_plan(const struct convoy_plan *plan, struct convoy_plan_info *info, struct convoy_error *err)
{
    const char *fault = NULL;
    const struct convoy_plan_ops *ops = plan->ops;
    if (!ops)
        fault = "the plan has no ops";
    else if (ops->struct_size < LEAST(convoy_plan_ops, destroy))
        return convoy_fail(err, CONVOY_FAILED, CONVOY_WHY_OTHER,
                           "contract: plan: struct_size of the plan's ops is %" PRIu32 ", the least is %zu", ops->struct_size,
                           LEAST(convoy_plan_ops, destroy));
    else if (!ops->info)
        fault = "the plan has no info function";
    else if (!ops->execute)
        fault = "the plan has no execute function";
    else if (!ops->destroy)
        fault = "the plan has no destroy function";
    if (!fault) {
        *info = (struct convoy_plan_info){.struct_size = sizeof *info};
        ops->info(plan, info);
        fault = info_fault(ops, info);
    }
    if (fault)
        return convoy_fail(err, CONVOY_FAILED, CONVOY_WHY_OTHER, "contract: plan: %s", fault);
    return CONVOY_OK;
}

convoy_status loader_plan(struct convoy_instance *instance, const struct convoy_problem *problem, struct convoy_plan **out,
                          struct convoy_plan_info *info, struct convoy_error *err)
{
    struct convoy_plan_info own_info;
    struct convoy_plan *plan = NULL;
    *out = NULL;
    clear(err);
    convoy_status status = instance->ops->plan(instance, problem, &plan, err);
    if (status)
        return settle(status, "the plugin", "plan", err);
    if (!plan)
        return convoy_fail(err, CONVOY_FAILED, CONVOY_WHY_OTHER, "contract: plan: it succeeds without a plan");
    status = check_plan(plan, info ? info : &own_info, err);
    if (status) {
        if (plan->ops && convoy_has(plan->ops, destroy) && plan->ops->destroy)
            plan->ops->destroy(plan);
        return status;
    }
    *out = plan;
    return CONVOY_OK;
}
