#include "report/junit.h"
#include <convoy/plugin.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* XML 1.0 text: five characters need names, and control characters may not appear at all. */
static void put_text(FILE *file, const char *text)
{
    static const char *const names[] = {['&'] = "&amp;", ['<'] = "&lt;", ['>'] = "&gt;", ['"'] = "&quot;", ['\''] = "&apos;"};
    for (; *text; text++) {
        const unsigned char c = (unsigned char)*text;
        if (c < sizeof names / sizeof names[0] && names[c])
            fputs(names[c], file);
        else if (c >= 0x20 || c == '\t')
            fputc(c, file);
        else
            fputc('?', file);
    }
}

static void put_attribute(FILE *file, const char *name, const char *text)
{
    fprintf(file, " %s=\"", name);
    put_text(file, text);
    fputc('"', file);
}

static void put_case(FILE *file, const struct record *record, enum junit_outcome outcome)
{
    char name[sizeof record->problem + 96], group[sizeof record->network + sizeof record->layer + 2];
    snprintf(name, sizeof name, "%s threads=%lld seed=%lld", record->problem, (long long)record->threads,
             (long long)record->seed);
    snprintf(group, sizeof group, "%s%s%s", record->network, record->layer[0] ? "." : "", record->layer);
    fputs("    <testcase", file);
    put_attribute(file, "classname", group[0] ? group : "problem");
    put_attribute(file, "name", name);
    if (outcome == JUNIT_PASSED) {
        fputs("/>\n", file);
        return;
    }
    fputs(outcome == JUNIT_FAILED ? ">\n      <failure" : ">\n      <skipped", file);
    if (outcome == JUNIT_FAILED)
        put_attribute(file, "type", record->verdict);
    char message[sizeof record->verdict + sizeof record->reason + 2];
    snprintf(message, sizeof message, "%s: %s", record->verdict, record->reason);
    put_attribute(file, "message", message);
    if (outcome == JUNIT_FAILED) {
        fputc('>', file);
        put_text(file, record->repro);
        fputs("</failure>\n    </testcase>\n", file);
    } else {
        fputs("/>\n    </testcase>\n", file);
    }
}

static int same_suite(const struct record *a, const struct record *b)
{
    return !strcmp(a->backend, b->backend) && !strcmp(a->variant, b->variant);
}

static void put_suite(FILE *file, const struct record *records, size_t count, const struct record *first,
                      enum junit_outcome (*outcome)(const struct record *record))
{
    size_t tests = 0, failures = 0, skipped = 0;
    for (size_t r = 0; r < count; r++) {
        if (!same_suite(&records[r], first))
            continue;
        const enum junit_outcome how = outcome(&records[r]);
        tests++;
        failures += how == JUNIT_FAILED;
        skipped += how == JUNIT_SKIPPED;
    }
    char name[sizeof first->backend + sizeof first->variant + 1];
    snprintf(name, sizeof name, "%s%s%s", first->backend, first->variant[0] ? ":" : "", first->variant);
    fputs("  <testsuite", file);
    put_attribute(file, "name", name);
    put_attribute(file, "hostname", first->machine);
    fprintf(file, " tests=\"%zu\" failures=\"%zu\" errors=\"0\" skipped=\"%zu\">\n", tests, failures, skipped);
    for (size_t r = 0; r < count; r++) {
        if (same_suite(&records[r], first))
            put_case(file, &records[r], outcome(&records[r]));
    }
    fputs("  </testsuite>\n", file);
}

convoy_status junit_write(const char *path, const struct record *records, size_t count,
                          enum junit_outcome (*outcome)(const struct record *record), struct convoy_error *err)
{
    char *temporary = NULL;
    if (asprintf(&temporary, "%s.%ld.tmp", path, (long)getpid()) < 0)
        return convoy_fail(err, CONVOY_NO_MEMORY, CONVOY_WHY_MEMORY, "%s: out of memory", path);
    FILE *file = fopen(temporary, "w");
    int error = errno;
    if (file) {
        fputs("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"convoy\">\n", file);
        for (size_t r = 0; r < count; r++) {
            size_t earlier = 0;
            while (earlier < r && !same_suite(&records[earlier], &records[r]))
                earlier++;
            if (earlier == r)
                put_suite(file, records, count, &records[r], outcome);
        }
        fputs("</testsuites>\n", file);
        error = 0;
        if (ferror(file))
            error = EIO;
        if (fclose(file) != 0 || (!error && rename(temporary, path) != 0))
            error = errno;
        if (error)
            unlink(temporary);
    }
    free(temporary);
    return error ? convoy_fail(err, CONVOY_FAILED, CONVOY_WHY_OTHER, "%s: %s", path, strerror(error)) : CONVOY_OK;
}
