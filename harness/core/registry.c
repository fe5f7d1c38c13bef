#include "core/registry.h"
#include "core/log.h"
#include "core/pluginname.h"
#include <convoy/plugin.h>
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct found {
    struct registry_entry entry;
    size_t order; /* of discovery */
    dev_t device;
    ino_t inode;
};

struct scan {
    struct found *found;
    size_t count, capacity;
};

static convoy_status no_memory(struct convoy_error *err)
{
    return convoy_fail(err, CONVOY_NO_MEMORY, CONVOY_WHY_MEMORY, "no memory for the list of plugins");
}

static void entry_free(struct registry_entry *entry)
{
    free(entry->name);
    free(entry->path);
}

/* 64-bit FNV-1a (Fowler, Noll, Vo; RFC 9923). */
static convoy_status hash_file(const char *path, char hash[17], struct convoy_error *err)
{
    unsigned char block[1 << 14];
    uint64_t value = 0xcbf29ce484222325u;
    FILE *file = fopen(path, "rbe");
    if (!file)
        return convoy_fail(err, CONVOY_FAILED, CONVOY_WHY_OTHER, "%s: %s", plugin_path_tail(path), strerror(errno));
    size_t got_bytes;
    while ((got_bytes = fread(block, 1, sizeof block, file)) > 0)
        for (size_t i = 0; i < got_bytes; i++)
            value = (value ^ block[i]) * 0x100000001b3u;
    const int failed = ferror(file);
    fclose(file);
    if (failed)
        return convoy_fail(err, CONVOY_FAILED, CONVOY_WHY_OTHER, "%s cannot be read", plugin_path_tail(path));
    snprintf(hash, 17, "%016" PRIx64, value);
    return CONVOY_OK;
}

static convoy_status add_file(struct scan *scan, const char *path, const char *name, const struct stat *about,
                              struct convoy_error *err)
{
    /* A folder may be searched twice, by hand and as a standard one: that shadows nothing. */
    for (size_t i = 0; i < scan->count; i++) {
        const struct found *known = &scan->found[i];
        if (known->device == about->st_dev && known->inode == about->st_ino && strcmp(known->entry.name, name) == 0)
            return CONVOY_OK;
    }
    struct found new = {.order = scan->count, .device = about->st_dev, .inode = about->st_ino};
    const convoy_status status = hash_file(path, new.entry.hash, err);
    if (status)
        return status;
    if (scan->count == scan->capacity) {
        const size_t capacity = scan->capacity ? 2 * scan->capacity : 16;
        struct found *larger = realloc(scan->found, capacity * sizeof *larger);
        if (!larger)
            return no_memory(err);
        scan->found = larger;
        scan->capacity = capacity;
    }
    new.entry.name = strdup(name);
    new.entry.path = strdup(path);
    if (!new.entry.name || !new.entry.path) {
        entry_free(&new.entry);
        return no_memory(err);
    }
    scan->found[scan->count++] = new;
    return CONVOY_OK;
}

/* CONVOY_FAILED, with errno kept, if the folder cannot be read. */
static convoy_status add_folder(struct scan *scan, const char *folder, struct convoy_error *err)
{
    DIR *stream = opendir(folder);
    if (!stream) {
        const int reason = errno;
        convoy_fail(err, CONVOY_FAILED, CONVOY_WHY_OTHER, "plugin folder %s: %s", plugin_path_tail(folder), strerror(reason));
        errno = reason;
        return CONVOY_FAILED;
    }
    convoy_status status = CONVOY_OK;
    const struct dirent *item;
    while (!status && (item = readdir(stream))) {
        char name[PLUGIN_NAME_BYTES];
        if (!plugin_name_of_path(item->d_name, name))
            continue;
        char *path = NULL;
        struct stat about;
        if (asprintf(&path, "%s%s%s", folder, folder[strlen(folder) - 1] == '/' ? "" : "/", item->d_name) < 0) {
            status = no_memory(err);
            break;
        }
        if (stat(path, &about) != 0)
            log_write(CONVOY_LOG_WARNING, "%s: %s", path, strerror(errno));
        else if (S_ISREG(about.st_mode)) {
            struct convoy_error trouble = {.struct_size = sizeof trouble};
            status = add_file(scan, path, name, &about, &trouble);
            if (status == CONVOY_NO_MEMORY) {
                no_memory(err);
            } else if (status) {
                log_text(CONVOY_LOG_WARNING, trouble.text);
                status = CONVOY_OK;
            }
        }
        free(path);
    }
    closedir(stream);
    return status;
}

/* A folder or file that somebody asked for: whatever is wrong with it is an error. */
static convoy_status add_by_hand(struct scan *scan, const char *path, struct convoy_error *err)
{
    char name[PLUGIN_NAME_BYTES];
    struct stat about;
    if (!*path)
        return convoy_fail(err, CONVOY_INVALID, CONVOY_WHY_OTHER, "a plugin folder with an empty name");
    if (stat(path, &about) != 0)
        return convoy_fail(err, CONVOY_FAILED, CONVOY_WHY_OTHER, "%s: %s", plugin_path_tail(path), strerror(errno));
    if (S_ISDIR(about.st_mode))
        return add_folder(scan, path, err);
    if (!S_ISREG(about.st_mode) || !plugin_name_of_path(path, name))
        return convoy_fail(err, CONVOY_INVALID, CONVOY_WHY_OTHER,
                           "%s is neither a folder nor a file convoy_NAME.so (NAME: lower case letters, digits, '_')",
                           plugin_path_tail(path));
    return add_file(scan, path, name, &about, err);
}

/* A folder that is searched always: it need not exist. */
static convoy_status add_standard(struct scan *scan, const char *folder, struct convoy_error *err)
{
    struct convoy_error trouble = {.struct_size = sizeof trouble};
    const convoy_status status = add_folder(scan, folder, &trouble);
    if (status == CONVOY_FAILED) {
        if (errno != ENOENT && errno != ENOTDIR)
            log_text(CONVOY_LOG_WARNING, trouble.text);
        return CONVOY_OK;
    }
    if (status && err)
        *err = trouble;
    return status;
}

/* The colon-separated folders of CONVOY_PLUGIN_PATH. They outlive what they name, so a missing one is worth a warning only. */
static convoy_status add_environment(struct scan *scan, struct convoy_error *err)
{
    const char *list = getenv("CONVOY_PLUGIN_PATH");
    if (!list)
        return CONVOY_OK;
    char *copy = strdup(list), *rest = copy;
    if (!copy)
        return no_memory(err);
    convoy_status status = CONVOY_OK;
    for (char *folder = strsep(&rest, ":"); folder && !status; folder = strsep(&rest, ":")) {
        struct convoy_error trouble = {.struct_size = sizeof trouble};
        if (!*folder)
            continue;
        status = add_folder(scan, folder, &trouble);
        if (status == CONVOY_FAILED) {
            log_write(CONVOY_LOG_WARNING, "CONVOY_PLUGIN_PATH: %s", trouble.text);
            status = CONVOY_OK;
        } else if (status && err) {
            *err = trouble;
        }
    }
    free(copy);
    return status;
}

/* plugins/ beside the folder of the executable: build/bin/convoy finds build/plugins. */
static convoy_status add_beside_executable(struct scan *scan, struct convoy_error *err)
{
    char program[PATH_MAX], folder[PATH_MAX + 16], real[PATH_MAX];
    const ssize_t length = readlink("/proc/self/exe", program, sizeof program - 1);
    if (length <= 0)
        return CONVOY_OK;
    program[length] = '\0';
    char *slash = strrchr(program, '/');
    if (!slash)
        return CONVOY_OK;
    *slash = '\0';
    snprintf(folder, sizeof folder, "%s/../plugins", program);
    return realpath(folder, real) ? add_standard(scan, real, err) : CONVOY_OK;
}

static int by_name_then_order(const void *left, const void *right)
{
    const struct found *a = left, *b = right;
    const int names = strcmp(a->entry.name, b->entry.name);
    return names ? names : (a->order > b->order) - (a->order < b->order);
}

convoy_status registry_scan(const char *const *extra, struct registry *registry, struct convoy_error *err)
{
    struct scan scan = {0};
    convoy_status status = CONVOY_OK;
    *registry = (struct registry){0};
    for (; extra && *extra && !status; extra++)
        status = add_by_hand(&scan, *extra, err);
    if (!status)
        status = add_environment(&scan, err);
    if (!status)
        status = add_beside_executable(&scan, err);
    if (!status)
        status = add_standard(&scan, CONVOY_PLUGINDIR, err);
    if (!status && scan.count > 0) {
        registry->entry = calloc(scan.count, sizeof *registry->entry);
        if (!registry->entry)
            status = no_memory(err);
    }
    if (!status && scan.count > 0) {
        qsort(scan.found, scan.count, sizeof *scan.found, by_name_then_order);
        for (size_t i = 0; i < scan.count; i++) {
            registry->entry[i] = scan.found[i].entry;
            registry->entry[i].shadowed = i > 0 && strcmp(scan.found[i].entry.name, scan.found[i - 1].entry.name) == 0;
        }
        registry->count = scan.count;
    } else {
        for (size_t i = 0; i < scan.count; i++)
            entry_free(&scan.found[i].entry);
    }
    free(scan.found);
    return status;
}

void registry_free(struct registry *registry)
{
    for (size_t i = 0; i < registry->count; i++)
        entry_free(&registry->entry[i]);
    free(registry->entry);
    *registry = (struct registry){0};
}

const struct registry_entry *registry_find(const struct registry *registry, const char *name)
{
    for (size_t i = 0; i < registry->count; i++)
        if (!registry->entry[i].shadowed && strcmp(registry->entry[i].name, name) == 0)
            return &registry->entry[i];
    return NULL;
}
