#include "cli/verdicts.h"
#include "cli/commands.h"
#include "report/changes.h"
#include "report/junit.h"
#include <convoy/plugin.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

static bool is(const struct record *record, enum diff_verdict verdict)
{
    return !strcmp(record->verdict, diff_verdict_name(verdict));
}

static bool is_network(const struct record *record)
{
    return !strcmp(record->layer, CHANGES_NETWORK);
}

static enum junit_outcome outcome_of(const struct record *record, bool gates)
{
    const enum verdict verdict = verdict_by_name(record->verdict);
    if (is(record, DIFF_EQUIVALENT) || is(record, DIFF_IMPROVED))
        return JUNIT_PASSED;
    if (is(record, DIFF_REGRESSED))
        return gates ? JUNIT_FAILED : JUNIT_SKIPPED;
    return verdict < VERDICT_COUNT && verdict_is_failure(verdict, false) ? JUNIT_FAILED : JUNIT_SKIPPED;
}
static enum junit_outcome layers_gate(const struct record *record)
{
    return outcome_of(record, true);
}
static enum junit_outcome networks_gate(const struct record *record)
{
    return outcome_of(record, is_network(record) || !record->rounds || record->rounds == INT64_MIN);
}

static convoy_status write_summary(const char *path, const char *title, const char *note, const struct record *records,
                                   size_t count, struct convoy_error *err)
{
    FILE *file = fopen(path, "ae");
    if (!file)
        return convoy_fail(err, CONVOY_FAILED, CONVOY_WHY_OTHER, "--summary %s: %s", path, strerror(errno));
    fprintf(file, "## Convoy: %s\n\n%s\n\n", title, note);
    changes_print(file, "### ", records, count);
    const int error = ferror(file);
    if (fclose(file) != 0 || error)
        return convoy_fail(err, CONVOY_FAILED, CONVOY_WHY_OTHER, "--summary %s: cannot be written", path);
    return CONVOY_OK;
}

int verdicts_report(const struct options *options, const char *title, const char *note, const struct record *records,
                    size_t count, size_t failures, size_t losses, struct convoy_error *err)
{
    size_t tally[2][DIFF_COUNT] = {0}; /* [is a network] */
    for (size_t r = 0; r < count; r++) {
        for (size_t verdict = 0; verdict < DIFF_COUNT; verdict++)
            tally[is_network(&records[r])][verdict] += is(&records[r], (enum diff_verdict)verdict);
    }
    if (!options->quiet) {
        printf("%s\n%s\n\n", title, note);
        changes_print(stdout, "", records, count);
    }
    for (int network = 1; network >= 0; network--)
        printf("%s: %zu regressed, %zu improved, %zu equivalent, %zu inconclusive\n", network ? "networks" : "layers",
               tally[network][DIFF_REGRESSED], tally[network][DIFF_IMPROVED], tally[network][DIFF_EQUIVALENT],
               tally[network][DIFF_INCONCLUSIVE]);
    if (failures || losses)
        printf("%zu cases where the new build is wrong, %zu that it declines and the old one does not\n", failures, losses);
    convoy_status status = CONVOY_OK;
    if (options->summary)
        status = write_summary(options->summary, title, note, records, count, err);
    if (status == CONVOY_OK && options->junit)
        status = junit_write(options->junit, records, count, options->gate_layers ? layers_gate : networks_gate, err);
    if (status != CONVOY_OK)
        return command_failed(err);
    if (failures)
        return EXIT_INCORRECT;
    if (tally[1][DIFF_REGRESSED] || losses || (options->gate_layers && tally[0][DIFF_REGRESSED]))
        return EXIT_REGRESSION;
    if (command_interrupted() || tally[1][DIFF_INCONCLUSIVE] || (options->gate_layers && tally[0][DIFF_INCONCLUSIVE]))
        return EXIT_INCONCLUSIVE;
    return EXIT_OK;
}
