#include "train/assign.h"

#include "core/error.h"
#include "core/log.h"
#include "nets/layer_table.h"

#include <convoy/plugin.h>
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

enum { PATH_BYTES = 4096 };

/* One backend by name, or the winner and then the runner-up of the selection. */
static bool choose(const void *context, const union problem *problem, int rank, char name[BACKEND_NAME_BYTES])
{
    const struct assign *assign = context;
    const struct select_row *row = NULL;
    const char *choice = rank == 0 ? assign->name : "";
    if (!assign->name[0])
        row = select_find(&assign->selection, problem, assign->threads);
    if (row)
        choice = rank == 0 ? row->backend : rank == 1 ? row->runner_up : "";
    snprintf(name, BACKEND_NAME_BYTES, "%s", choice);
    return choice[0];
}

static convoy_status load(const char *path, struct assign *assign, struct convoy_error *err)
{
    struct registry registry;
    struct machine machine;
    convoy_status status = select_read(path, &assign->selection, err);
    if (status)
        return status;
    machine_describe(&machine);
    status = registry_scan(NULL, &registry, err);
    if (!status) {
        status = select_check(&assign->selection, &registry, &machine, err);
        registry_free(&registry);
    }
    if (status)
        select_free(&assign->selection);
    return status;
}

/* ---- auto ---- */

static convoy_status make_folders(char *path, struct convoy_error *err)
{
    for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        const bool made = !mkdir(path, 0777) || errno == EEXIST;
        if (!made)
            convoy_fail(err, CONVOY_FAILED, CONVOY_WHY_OTHER, "%.150s: %s", path, strerror(errno));
        *slash = '/';
        if (!made)
            return CONVOY_FAILED;
    }
    return CONVOY_OK;
}

/* $XDG_CACHE_HOME/convoy/select/MACHINE/NETWORK-CxHxW-kN-xW-nB-tT-PURPOSE.csv */
static convoy_status stored_path(const struct net *net, int32_t batch, uint32_t threads, bool training, char path[PATH_BYTES],
                                 struct convoy_error *err)
{
    struct machine machine;
    machine_describe(&machine);
    const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    char folder[PATH_BYTES / 2];
    if (cache && cache[0])
        snprintf(folder, sizeof folder, "%s", cache);
    else
        snprintf(folder, sizeof folder, "%s/.cache", home && home[0] ? home : "/tmp");
    const int length = snprintf(path, PATH_BYTES, "%s/convoy/select/%s/%s-%dx%dx%d-k%d-x%g-n%d-t%u-%s.csv", folder, machine.id,
                                net->name, net->image.c, net->image.h, net->image.w, net->classes, net->width, batch, threads,
                                training ? "training" : "inference");
    if (length < 0 || length >= PATH_BYTES)
        return convoy_fail(err, CONVOY_FAILED, CONVOY_WHY_SIZE, "the cache folder's path is too long");
    return make_folders(path, err);
}

static convoy_status write_table(const struct net *net, const char *path, struct convoy_error *err)
{
    FILE *out = fopen(path, "w");
    if (!out)
        return convoy_fail(err, CONVOY_FAILED, CONVOY_WHY_OTHER, "%.150s: %s", path, strerror(errno));
    convoy_status status = layer_table_write(net, out, err);
    if (fclose(out) && !status)
        status = convoy_fail(err, CONVOY_FAILED, CONVOY_WHY_OTHER, "%.150s: %s", path, strerror(errno));
    return status;
}

/* The program beside this one. */
static void sibling(const char *name, char path[PATH_BYTES])
{
    ssize_t length = readlink("/proc/self/exe", path, PATH_BYTES - 64);
    if (length < 0)
        length = 0;
    path[length] = '\0';
    char *slash = strrchr(path, '/');
    snprintf(slash ? slash + 1 : path, 64, "%s", name);
}

static convoy_status run_select(const char *table, int32_t batch, uint32_t threads, double budget_s, bool training,
                                const char *path, struct convoy_error *err)
{
    char program[PATH_BYTES], n[16], t[16], budget[32];
    sibling("convoy", program);
    snprintf(n, sizeof n, "%d", batch);
    snprintf(t, sizeof t, "%u", threads);
    snprintf(budget, sizeof budget, "%g", budget_s);
    char *const arguments[] = {program,     "select",
                               "--table",   (char *)table,
                               "--batch",   n,
                               "--threads", t,
                               "--purpose", training ? "training" : "inference",
                               "--budget",  budget,
                               "--quick",   "--quiet",
                               "-o",        (char *)path,
                               NULL};
    pid_t child;
    int answer;
    if (posix_spawn(&child, program, NULL, NULL, arguments, environ))
        return convoy_fail(err, CONVOY_FAILED, CONVOY_WHY_OTHER, "%.150s cannot be started", program);
    while (waitpid(child, &answer, 0) < 0)
        if (errno != EINTR)
            return convoy_fail(err, CONVOY_FAILED, CONVOY_WHY_OTHER, "waiting for convoy select: %s", strerror(errno));
    if (!WIFEXITED(answer) || WEXITSTATUS(answer))
        return convoy_fail(err, CONVOY_FAILED, CONVOY_WHY_OTHER, "convoy select failed (%d)", answer);
    return CONVOY_OK;
}

static convoy_status measure(const struct net *net, int32_t batch, uint32_t threads, double budget_s, bool training,
                             const char *path, struct assign *assign, struct convoy_error *err)
{
    char table[] = "/tmp/convoy-table-XXXXXX.csv";
    const int file = mkstemps(table, 4);
    if (file < 0)
        return convoy_fail(err, CONVOY_FAILED, CONVOY_WHY_OTHER, "%s: %s", table, strerror(errno));
    close(file);
    log_write(CONVOY_LOG_INFO, "measuring the backends on %s at batch %d, %u threads, for %g s; kept in %s", net->name, batch,
              threads, budget_s, path);
    convoy_status status = write_table(net, table, err);
    if (!status)
        status = run_select(table, batch, threads, budget_s, training, path, err);
    unlink(table);
    return status ? status : load(path, assign, err);
}

static convoy_status open_auto(const struct net *net, int32_t batch, uint32_t threads, double budget_s, bool training,
                               struct assign *assign, struct convoy_error *err)
{
    char path[PATH_BYTES];
    struct convoy_error inner = error_none();
    convoy_status status = stored_path(net, batch, threads, training, path, err);
    if (status)
        return status;
    if (!access(path, R_OK) && !load(path, assign, &inner))
        return CONVOY_OK;
    if (!measure(net, batch, threads, budget_s, training, path, assign, &inner))
        return CONVOY_OK;
    log_write(CONVOY_LOG_WARNING, "no measured winners, im2col computes everything: %s", inner.text);
    snprintf(assign->name, sizeof assign->name, "im2col");
    return CONVOY_OK;
}

/* A name that no plugin has would fall back on another one in silence. */
static convoy_status check_name(const char *backend, const char *const *folders, struct convoy_error *err)
{
    struct registry registry;
    char plugin[BACKEND_NAME_BYTES];
    convoy_status status = registry_scan(folders, &registry, err);
    if (status)
        return status;
    snprintf(plugin, sizeof plugin, "%.*s", (int)strcspn(backend, ":"), backend);
    if (!registry_find(&registry, plugin))
        status = convoy_fail(err, CONVOY_INVALID, CONVOY_WHY_OTHER, "no backend is named %s; convoy list shows them", plugin);
    registry_free(&registry);
    return status;
}

convoy_status assign_open(const char *backend, const char *const *folders, const struct net *net, int32_t batch, uint32_t threads,
                          double budget_s, bool training, struct assign *assign, struct convoy_error *err)
{
    memset(assign, 0, sizeof *assign);
    assign->threads = threads;
    assign->chooser = (struct chooser){choose, assign};
    const size_t length = strlen(backend);
    if (!strcmp(backend, "auto"))
        return open_auto(net, batch, threads, budget_s, training, assign, err);
    if (length > 4 && !strcmp(backend + length - 4, ".csv"))
        return load(backend, assign, err);
    if (length >= sizeof assign->name)
        return convoy_fail(err, CONVOY_INVALID, CONVOY_WHY_OTHER, "--backend: '%.60s' is too long", backend);
    snprintf(assign->name, sizeof assign->name, "%s", backend);
    return check_name(backend, folders, err);
}

void assign_close(struct assign *assign)
{
    select_free(&assign->selection);
}
