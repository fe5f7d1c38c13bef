#include "cli/commands.h"
#include "core/error.h"
#include "core/machine.h"
#include "core/pluginname.h"
#include "report/digest.h"
#include "report/html.h"
#include "report/results.h"
#include <convoy/plugin.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BATCHES_BYTES = 1 << 20 }; /* of raw batches in a page, so that a full run stays below 5 MB */

struct input {
    struct record *records;
    size_t count;
    struct report_source source[OPT_MAX_LIST + 1];
    size_t sources;
    char **batches; /* of each record */
    struct sheet select, training;
};

static convoy_status no_memory(struct convoy_error *err)
{
    return convoy_fail(err, CONVOY_NO_MEMORY, CONVOY_WHY_MEMORY, "out of memory for the report");
}

static convoy_status add_file(struct input *input, const char *path, struct convoy_error *err)
{
    struct record *records = NULL;
    struct batches batches = {0};
    size_t count = 0;
    convoy_status status = results_read(path, &records, &count, err);
    if (status != CONVOY_OK)
        return status;
    status = batches_read(path, records, count, &batches, err);
    if (status != CONVOY_OK)
        goto out;
    struct record *more = realloc(input->records, (input->count + count + 1) * sizeof *more);
    if (more)
        input->records = more;
    char **longer = realloc(input->batches, (input->count + count + 1) * sizeof *longer);
    if (longer)
        input->batches = longer;
    if (!more || !longer) {
        status = no_memory(err);
        goto out;
    }
    if (count) {
        memcpy(&input->records[input->count], records, count * sizeof *records);
        memcpy(&input->batches[input->count], batches.text, count * sizeof *batches.text);
        memset(batches.text, 0, count * sizeof *batches.text); /* they moved */
    }
    input->source[input->sources++] = (struct report_source){plugin_path_tail(path), input->count, count};
    input->count += count;
out:
    batches_free(&batches);
    free(records);
    return status;
}

static void free_input(struct input *input)
{
    for (size_t r = 0; r < input->count; r++)
        free(input->batches[r]);
    free(input->batches);
    free(input->records);
    sheet_free(&input->select);
    sheet_free(&input->training);
}

static convoy_status read_all(const struct options *options, struct input *input, struct convoy_error *err)
{
    convoy_status status = CONVOY_OK;
    for (size_t a = 0; a < options->arguments.count && status == CONVOY_OK; a++)
        status = add_file(input, options->arguments.item[a], err);
    if (status == CONVOY_OK && options->compared)
        status = add_file(input, options->compared, err);
    if (status == CONVOY_OK && options->selected)
        status = sheet_read(options->selected, &input->select, err);
    if (status == CONVOY_OK && options->training)
        status = sheet_read(options->training, &input->training, err);
    return status;
}

static convoy_status write_markdown(const char *path, const struct report *report, struct convoy_error *err)
{
    FILE *out = fopen(path, "w");
    if (!out)
        return convoy_fail(err, CONVOY_FAILED, CONVOY_WHY_OTHER, "%s: %s", path, strerror(errno));
    const bool printed = digest_print(out, "## ", report);
    if (fclose(out) != 0 || !printed)
        return convoy_fail(err, CONVOY_FAILED, CONVOY_WHY_OTHER, "%s: cannot write: %s", path, strerror(errno));
    return CONVOY_OK;
}

int cmd_report(const struct options *options)
{
    struct convoy_error err = error_none();
    struct input input = {0};
    struct machine machine;
    char harness[96];
    const char *path = options->output ? options->output : "report.html";
    bool charts = false;
    if (!options->arguments.count && !options->compared) {
        convoy_fail(&err, CONVOY_INVALID, CONVOY_WHY_OTHER, "no result file was named; see `convoy report --help`");
        return command_failed(&err);
    }
    convoy_status status = read_all(options, &input, &err);
    if (status != CONVOY_OK)
        goto out;
    machine_describe(&machine);
    snprintf(harness, sizeof harness, "convoy %s (%s)", CONVOY_VERSION, machine.revision);
    const struct report report = {.records = input.records,
                                  .count = input.count,
                                  .source = input.source,
                                  .sources = input.sources,
                                  .batches = (const char *const *)input.batches,
                                  .select = input.select.columns ? &input.select : NULL,
                                  .training = input.training.columns ? &input.training : NULL,
                                  .harness = harness,
                                  .batches_bytes = BATCHES_BYTES};
    status = html_write(path, &report, &charts, &err);
    if (status == CONVOY_OK && options->markdown)
        status = write_markdown(options->markdown, &report, &err);
    if (status != CONVOY_OK)
        goto out;
    if (!options->quiet && !digest_print(stdout, "", &report)) {
        status = no_memory(&err);
        goto out;
    }
    if (!charts)
        fprintf(stderr, "convoy: Chart.js is not here (Debian: libjs-chart.js), so the page has tables and no charts\n");
    printf("report: %s\n", path);
out:
    free_input(&input);
    return status == CONVOY_OK ? EXIT_OK : command_failed(&err);
}
