#include "cli/commands.h"
#include "core/error.h"
#include <stdio.h>

static void print_backend(const struct backend *backend)
{
    if (!backend->usable) {
        printf("%-12s unavailable: %s\n             %s\n", backend->entry->name, backend->reason, backend->entry->path);
        return;
    }
    printf("%-12s %s, %s threads", backend->entry->name, backend->version, backend->threading);
    for (size_t v = 0; v < backend->variants && backend->variant[0][0]; v++)
        printf("%s%s", v ? " " : "; variants: ", backend->variant[v]);
    printf("\n             %s\n             %s (%s)\n", backend->summary, backend->entry->path, backend->entry->hash);
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
        if (lineup.backend[b].usable || lineup.backend[b].reason[0])
            print_backend(&lineup.backend[b]);
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
