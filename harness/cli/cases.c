#include "cli/cases.h"
#include <convoy/plugin.h>
#include <stdio.h>
#include <string.h>

static convoy_status add_passes(const struct table_row *row, uint32_t passes, struct table *cases, struct convoy_error *err)
{
    const enum problem_pass own = problem_pass(&row->problem);
    for (int pass = 0; pass < PASS_COUNT; pass++) {
        union problem problem = row->problem;
        if (!(passes & 1u << pass))
            continue;
        if ((int)own != pass && (own != PASS_FWD || !problem_other_pass(&row->problem, (enum problem_pass)pass, &problem)))
            continue;
        const convoy_status status = table_add(cases, row->network, row->layer, row->count, &problem, err);
        if (status != CONVOY_OK)
            return status;
    }
    return CONVOY_OK;
}

static convoy_status load_rows(const struct options *options, struct table *rows, struct convoy_error *err)
{
    convoy_status status = CONVOY_OK;
    for (size_t t = 0; t < options->tables.count && status == CONVOY_OK; t++)
        status = table_load(options->tables.item[t], rows, err);
    for (size_t p = 0; p < options->arguments.count && status == CONVOY_OK; p++) {
        union problem problem;
        struct convoy_error cause = {.struct_size = sizeof cause};
        status = problem_parse(options->arguments.item[p], &problem, &cause);
        if (status != CONVOY_OK)
            return convoy_fail(err, status, cause.why, "%s: %s", options->arguments.item[p], cause.text);
        status = table_add(rows, "", "", 1, &problem, err);
    }
    if (status == CONVOY_OK && !options->tables.count && !options->arguments.count)
        status = table_load("smoke", rows, err);
    return status;
}

convoy_status cases_build(const struct options *options, uint32_t default_passes, struct table *cases, struct convoy_error *err)
{
    struct table rows = {0};
    *cases = (struct table){0};
    convoy_status status = load_rows(options, &rows, err);
    /* A problem given on the command line names its own pass; --pass asks for others. */
    const uint32_t argument_passes = options->passes;
    for (size_t r = 0; r < rows.count && status == CONVOY_OK; r++) {
        struct table_row *row = &rows.row[r];
        if (options->families && !(options->families & 1u << problem_family(&row->problem)))
            continue;
        if (options->batch)
            status = problem_with_batch(&row->problem, (int32_t)options->batch, &row->problem, err);
        const bool is_argument = !row->network[0] && !row->layer[0];
        uint32_t passes = options->passes ? options->passes : default_passes;
        if (is_argument)
            passes = argument_passes ? argument_passes : 1u << problem_pass(&row->problem);
        if (status == CONVOY_OK)
            status = add_passes(row, passes, cases, err);
    }
    table_free(&rows);
    if (status == CONVOY_OK && !cases->count)
        status = convoy_fail(err, CONVOY_INVALID, CONVOY_WHY_OTHER,
                             "no case is left: the tables hold nothing for this --op and --pass");
    if (status != CONVOY_OK)
        table_free(cases);
    return status;
}
