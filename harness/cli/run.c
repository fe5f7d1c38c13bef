#include "cli/run.h"
#include "cli/commands.h"
#include "core/error.h"
#include <stdio.h>

convoy_status run_open(struct run *run, const char *command, const struct options *options, uint32_t default_passes,
                       struct convoy_error *err)
{
    *run = (struct run){0};
    convoy_status status = cases_build(options, default_passes, &run->cases, err);
    if (status == CONVOY_OK)
        status = lineup_open(options, &run->lineup, err);
    if (status == CONVOY_OK && !run->lineup.referee)
        status = convoy_fail(err, CONVOY_FAILED, CONVOY_WHY_OTHER, "the referee backend naive is not here; see `convoy list`");
    if (status == CONVOY_OK)
        status = journal_open(&run->journal, command, options, err);
    return status;
}

int run_close(struct run *run, convoy_status status, const struct convoy_error *err)
{
    struct convoy_error close_err = error_none();
    int code = command_interrupted() ? EXIT_INCONCLUSIVE : EXIT_OK;
    if (run->journal.count && run->journal.file)
        printf("rows: %s\n", run->journal.path);
    if (status != CONVOY_OK)
        code = command_failed(err);
    else if (run->failures)
        code = EXIT_INCORRECT;
    if (journal_close(&run->journal, &close_err) != CONVOY_OK)
        code = command_failed(&close_err);
    lineup_close(&run->lineup);
    table_free(&run->cases);
    return code;
}
