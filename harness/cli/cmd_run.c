#include "cli/commands.h"
#include "core/error.h"
#include "core/slots.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static convoy_status build_request(const struct options *options, const struct candidate *candidate, char *request, size_t size,
                                   struct convoy_error *err)
{
    const int64_t threads = options->threads_count ? options->threads[0] : 1;
    size_t used = (size_t)snprintf(request, size, "run\t%s\t%" PRId64 "\t%" PRIu64 "\t%s", candidate->variant, threads,
                                   options->mem_limit_bytes, options->arguments.item[0]);
    for (uint32_t s = 0; s < CONVOY_NSLOTS && used < size; s++) {
        const char *file = options->slot_file[s];
        if (!file)
            continue;
        if (strpbrk(file, "\t\n"))
            return convoy_fail(err, CONVOY_INVALID, CONVOY_WHY_OTHER, "--%s: a path with a tab or a newline cannot be used",
                               slot_name(s));
        used += (size_t)snprintf(request + used, size - used, "\t%s=%s", slot_name(s), file);
    }
    return used < size ? CONVOY_OK : convoy_fail(err, CONVOY_INVALID, CONVOY_WHY_OTHER, "the paths are too long");
}

int cmd_run(const struct options *options)
{
    struct convoy_error err = error_none();
    struct lineup lineup = {0};
    struct session_end end;
    char request[SESSION_LINE_BYTES - 2], *field[3];
    int code = EXIT_USAGE;
    if (options->arguments.count != 1) {
        convoy_fail(&err, CONVOY_INVALID, CONVOY_WHY_OTHER, "run needs exactly one problem string, got %zu",
                    options->arguments.count);
        return command_failed(&err);
    }
    if (options->backends.count != 1) {
        convoy_fail(&err, CONVOY_INVALID, CONVOY_WHY_OTHER, "run needs exactly one backend: -b NAME[:VARIANT]");
        return command_failed(&err);
    }
    if (options->threads_count > 1) {
        convoy_fail(&err, CONVOY_INVALID, CONVOY_WHY_OTHER, "run takes one thread count");
        return command_failed(&err);
    }
    if (lineup_open(options, &lineup, &err) != CONVOY_OK)
        return command_failed(&err);
    const struct candidate *candidate = &lineup.candidate[0];
    struct session *session = &candidate->backend->session;
    if (build_request(options, candidate, request, sizeof request, &err) != CONVOY_OK) {
        code = command_failed(&err);
    } else if (session_call(session, request, options->timeout_s, &end) == SESSION_ENDED) {
        fprintf(stderr, "convoy: %s: %s: %s\n", candidate->backend->entry->name, verdict_name(end.verdict), end.reason);
        code = EXIT_INCORRECT;
    } else {
        const size_t fields = session_split(session->line, field, 3);
        if (fields == 2 && !strcmp(field[0], "ok")) {
            printf("%s: %s\n", candidate->backend->entry->name, field[1]);
            code = EXIT_OK;
        } else {
            convoy_fail(&err, CONVOY_FAILED, CONVOY_WHY_OTHER, "%s",
                        fields == 3 ? field[2] : "the worker's answer makes no sense");
            code = command_failed(&err);
        }
    }
    lineup_close(&lineup);
    return code;
}
