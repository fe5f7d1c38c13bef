#include "cli/commands.h"
#include "core/error.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* " (strict/fast)": the accuracy classes of a variant's convolutions; nothing where it has none, or does not tell. */
static void print_classes(struct backend *backend, const char *variant, int64_t timeout_s)
{
    enum { PATIENCE_S = 20 }; /* a list is not worth more */
    char request[64], *field[2];
    struct session_end end;
    snprintf(request, sizeof request, "classes\t%s", variant);
    if (session_call(&backend->session, request, timeout_s < PATIENCE_S ? timeout_s : PATIENCE_S, &end) == SESSION_ENDED)
        return;
    if (session_split(backend->session.line, field, 2) == 2 && !strcmp(field[0], "ok") && strcmp(field[1], "-"))
        printf(" (%s)", field[1]);
}

static void print_backend(struct backend *backend, int64_t timeout_s)
{
    if (!backend->usable) {
        printf("%-12s unavailable: %s\n             %s\n", backend->entry->name, backend->reason, backend->entry->path);
        return;
    }
    printf("%-12s %s, %s threads", backend->entry->name, backend->version, backend->threading);
    for (size_t v = 0; v < backend->variants; v++) {
        if (backend->variant[0][0])
            printf("%s%s", v ? ", " : "; variants: ", backend->variant[v]);
        print_classes(backend, backend->variant[v], timeout_s);
    }
    printf("\n             %s\n             %s (%s)\n", backend->summary, backend->entry->path, backend->entry->hash);
}

static void print_devices(struct backend *backend, int64_t timeout_s)
{
    enum { NAME = 1, TYPE, DRIVER, SOFTWARE, MEMORY, RANGE, GROUP, SHARED, SUBGROUP, FIELDS };
    char request[32], *field[FIELDS];
    struct session_end end;
    for (unsigned index = 0;; index++) {
        snprintf(request, sizeof request, "device\t%u", index);
        if (session_call(&backend->session, request, timeout_s, &end) == SESSION_ENDED ||
            session_split(backend->session.line, field, FIELDS) != FIELDS)
            return;
        printf("%-12s %u: %s%s\n             %s, %s; %.1f GiB, %llu MiB to a buffer, %s invocations and %llu KiB to a "
               "work-group, subgroups of %s\n",
               backend->entry->name, index, field[NAME], strcmp(field[SOFTWARE], "0") ? " [software: a CPU, not a GPU]" : "",
               field[TYPE], field[DRIVER], strtod(field[MEMORY], NULL) / (1 << 30), strtoull(field[RANGE], NULL, 10) >> 20,
               field[GROUP], strtoull(field[SHARED], NULL, 10) >> 10, strcmp(field[SUBGROUP], "0") ? field[SUBGROUP] : "no size");
    }
}

int cmd_list(const struct options *options)
{
    struct convoy_error err = error_none();
    struct lineup lineup = {0};
    if (options->arguments.count) {
        convoy_fail(&err, CONVOY_INVALID, CONVOY_WHY_OTHER, "list takes no argument: %s", options->arguments.item[0]);
        return command_failed(&err);
    }
    if (lineup_open(options, &lineup, &err) != CONVOY_OK)
        return command_failed(&err);
    for (size_t b = 0; b < lineup.backends; b++) {
        struct backend *const backend = &lineup.backend[b];
        if (options->devices && backend->usable)
            print_devices(backend, options->timeout_s);
        else if (backend->usable || backend->reason[0])
            print_backend(backend, options->timeout_s);
    }
    for (size_t e = 0; e < lineup.registry.count; e++) {
        if (lineup.registry.entry[e].shadowed)
            printf("%-12s shadowed by an earlier folder: %s\n", lineup.registry.entry[e].name, lineup.registry.entry[e].path);
    }
    if (!lineup.backends)
        printf("no plugin found; see `convoy list --help` for where they are looked for\n");
    lineup_close(&lineup);
    return EXIT_OK;
}
