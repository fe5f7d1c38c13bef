#include "cli/builds.h"
#include "core/pluginname.h"
#include <convoy/plugin.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct selection {
    char file[4096]; /* a path, or a backend's name */
    const char *variant;
    bool is_path;
};

static convoy_status parse_selection(const char *text, const char *variant, struct selection *selection, struct convoy_error *err)
{
    const char *slash = strrchr(text, '/'), *colon = strrchr(slash ? slash : text, ':');
    const size_t length = colon ? (size_t)(colon - text) : strlen(text);
    if (length >= sizeof selection->file)
        return convoy_fail(err, CONVOY_INVALID, CONVOY_WHY_OTHER, "the path of a plugin is too long");
    memcpy(selection->file, text, length);
    selection->file[length] = '\0';
    selection->variant = colon ? colon + 1 : variant;
    selection->is_path = slash || (length > 3 && !strcmp(selection->file + length - 3, ".so"));
    char name[PLUGIN_NAME_BYTES];
    if (selection->is_path && (access(selection->file, R_OK) || !plugin_name_of_path(selection->file, name)))
        return convoy_fail(err, CONVOY_INVALID, CONVOY_WHY_OTHER, "%s: not a readable file named convoy_NAME.so",
                           plugin_path_tail(selection->file));
    return CONVOY_OK;
}

static const struct registry_entry *find_entry(const struct registry *registry, const struct selection *selection)
{
    if (!selection->is_path)
        return registry_find(registry, selection->file);
    struct stat wanted, found;
    for (size_t e = 0; e < registry->count; e++) {
        if (!stat(selection->file, &wanted) && !stat(registry->entry[e].path, &found) && wanted.st_dev == found.st_dev &&
            wanted.st_ino == found.st_ino)
            return &registry->entry[e];
    }
    return NULL;
}

static convoy_status copy_file(const char *from, const char *to, struct convoy_error *err)
{
    char block[1 << 16];
    FILE *source = fopen(from, "rbe"), *target = source ? fopen(to, "wbe") : NULL;
    bool right = target != NULL;
    size_t got;
    while (right && (got = fread(block, 1, sizeof block, source)) > 0)
        right = fwrite(block, 1, got, target) == got;
    right = right && !ferror(source);
    int error = errno;
    if (source)
        fclose(source);
    if (target && fclose(target) != 0) {
        error = errno;
        right = false;
    }
    return right ? CONVOY_OK
                 : convoy_fail(err, CONVOY_FAILED, CONVOY_WHY_OTHER, "%s: cannot be copied: %s", plugin_path_tail(from),
                               strerror(error));
}

/* FOLDER/SIDE-COPY/convoy_NAME.so; with name NULL the folder alone. */
static void copy_path(const struct builds *builds, size_t side, size_t copy, const char *name, char *path, size_t size)
{
    static const char *const sides[] = {"old", "new"};
    snprintf(path, size, "%s/%s-%zu%s%s%s", builds->folder, sides[side], copy, name ? "/convoy_" : "", name ? name : "",
             name ? ".so" : "");
}

static convoy_status choose_variant(struct build *build, const struct selection *selection, size_t copy, struct convoy_error *err)
{
    struct backend *backend = &build->backend[copy];
    if (!backend->usable)
        return convoy_fail(err, CONVOY_FAILED, CONVOY_WHY_OTHER, "%s cannot be used: %s", plugin_path_tail(build->path),
                           backend->reason);
    const char *variant = backend->variant[0];
    for (size_t v = 0; selection->variant; v++) {
        if (v == backend->variants)
            return convoy_fail(err, CONVOY_INVALID, CONVOY_WHY_OTHER, "%s has no variant %s", plugin_path_tail(build->path),
                               selection->variant);
        variant = backend->variant[v];
        if (!strcmp(variant, selection->variant))
            break;
    }
    build->candidate[copy] = (struct candidate){backend, variant};
    return CONVOY_OK;
}

static convoy_status open_side(struct builds *builds, size_t side, const struct registry_entry *entry,
                               const struct selection *selection, const struct options *options, struct convoy_error *err)
{
    struct build *build = &builds->build[side];
    convoy_status status = CONVOY_OK;
    snprintf(build->path, sizeof build->path, "%s", entry->path);
    for (size_t copy = 0; copy < BUILDS_COPIES && status == CONVOY_OK; copy++) {
        struct registry_entry *own = &build->entry[copy];
        char path[256];
        copy_path(builds, side, copy, NULL, path, sizeof path);
        if (mkdir(path, 0700) != 0)
            return convoy_fail(err, CONVOY_FAILED, CONVOY_WHY_OTHER, "%s: %s", path, strerror(errno));
        copy_path(builds, side, copy, entry->name, path, sizeof path);
        *own = *entry;
        own->name = strdup(entry->name);
        own->path = strdup(path);
        if (!own->name || !own->path)
            return convoy_fail(err, CONVOY_NO_MEMORY, CONVOY_WHY_MEMORY, "out of memory");
        status = copy_file(entry->path, path, err);
        build->backend[copy].entry = own;
        session_init(&build->backend[copy].session, own->path, builds->referee, options->in_process);
        if (status == CONVOY_OK) {
            lineup_introduce(&build->backend[copy], options->timeout_s);
            status = choose_variant(build, selection, copy, err);
        }
        session_pause(&build->backend[copy].session);
    }
    return status;
}

convoy_status builds_open(const struct options *options, const char *const name[2], const char *variant, struct builds *builds,
                          struct convoy_error *err)
{
    struct selection selection[2] = {0};
    const char *extra[OPT_MAX_LIST + 3] = {NULL};
    size_t extras = 0;
    struct registry registry = {0};
    *builds = (struct builds){0};
    convoy_status status = CONVOY_OK;
    for (size_t side = 0; side < 2 && status == CONVOY_OK; side++) {
        status = parse_selection(name[side], variant, &selection[side], err);
        if (selection[side].is_path)
            extra[extras++] = selection[side].file;
    }
    for (size_t p = 0; p < options->plugins.count; p++)
        extra[extras++] = options->plugins.item[p];
    if (status == CONVOY_OK)
        status = registry_scan(extra, &registry, err);
    if (status != CONVOY_OK)
        return status;
    const struct registry_entry *naive = registry_find(&registry, "naive");
    builds->referee = naive ? strdup(naive->path) : NULL;
    if (!builds->referee)
        status = convoy_fail(err, CONVOY_FAILED, CONVOY_WHY_OTHER, "the referee backend naive is not here; see `convoy list`");
    const char *temporary = getenv("TMPDIR");
    snprintf(builds->folder, sizeof builds->folder, "%.40s/convoy-XXXXXX", temporary && *temporary ? temporary : "/tmp");
    if (status == CONVOY_OK && !mkdtemp(builds->folder)) {
        status = convoy_fail(err, CONVOY_FAILED, CONVOY_WHY_OTHER, "%s: %s", builds->folder, strerror(errno));
        builds->folder[0] = '\0';
    }
    for (size_t side = 0; side < 2 && status == CONVOY_OK; side++) {
        const struct registry_entry *entry = find_entry(&registry, &selection[side]);
        status = entry ? open_side(builds, side, entry, &selection[side], options, err)
                       : convoy_fail(err, CONVOY_INVALID, CONVOY_WHY_OTHER, "no such backend: %.100s", selection[side].file);
    }
    registry_free(&registry);
    return status;
}

void builds_restart(struct builds *builds)
{
    for (size_t side = 0; side < 2; side++)
        for (size_t copy = 0; copy < BUILDS_COPIES; copy++)
            session_close(&builds->build[side].backend[copy].session);
}

void builds_close(struct builds *builds)
{
    char path[256];
    builds_restart(builds);
    for (size_t side = 0; side < 2; side++) {
        for (size_t copy = 0; copy < BUILDS_COPIES; copy++) {
            struct registry_entry *own = &builds->build[side].entry[copy];
            if (own->path)
                unlink(own->path);
            free(own->path);
            free(own->name);
            copy_path(builds, side, copy, NULL, path, sizeof path);
            if (builds->folder[0])
                rmdir(path);
        }
    }
    if (builds->folder[0])
        rmdir(builds->folder);
    free(builds->referee);
    *builds = (struct builds){0};
}
