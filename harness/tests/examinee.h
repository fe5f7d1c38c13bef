/* examinee: runs verify_run in a child process, as a worker does, so that a test survives what the plugin does. For test
 * programs. */
#ifndef CONVOY_TESTS_EXAMINEE_H
#define CONVOY_TESTS_EXAMINEE_H

#include "core/error.h"
#include "core/host.h"
#include "core/loader.h"
#include "verify/guard.h"
#include "verify/verify.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

struct examinee_plugins {
    const struct convoy_plugin *subject, *reference;
};

/* Whether both plugins could be loaded; else the error says why. */
static inline bool examinee_load(const char *subject, struct examinee_plugins *plugins, struct convoy_error *err)
{
    return loader_open(BUILD_DIR "/plugins/convoy_naive.so", &plugins->reference, NULL, err) == CONVOY_OK &&
           loader_open(subject, &plugins->subject, NULL, err) == CONVOY_OK;
}

/* The child: one line "case\tVERDICT\treason\n" to fd, unless a fault writes its own. */
static inline void examinee_child(const struct examinee_plugins *plugins, const char *variant, const union problem *problem,
                                  const struct verify_options *options, int fd)
{
    struct convoy_error err = error_none();
    struct convoy_instance *instance = NULL;
    struct record record;
    struct host *const host = host_open(2, &err);
    record_clear(&record);
    if (!host || !guard_install(fd) ||
        loader_instance(plugins->subject, host_table(host), variant, &instance, &err) != CONVOY_OK) {
        dprintf(fd, "case\tNOT_RUN\t%s\n", err.text);
        _exit(1);
    }
    const struct verify_subject subject = {.plugin = plugins->subject,
                                           .instance = instance,
                                           .host = host_table(host),
                                           .referee = plugins->reference->extension(CONVOY_REFEREE_ID),
                                           .variant = variant};
    const enum verdict verdict = verify_run(&subject, problem, options, &record);
    dprintf(fd, "case\t%s\t%s\n", verdict_name(verdict), record.reason);
    _exit(0);
}

/* What the case ends with; a child that ends without a word has crashed. */
static inline struct finding examinee_run(const struct examinee_plugins *plugins, const char *variant, const char *text,
                                          const struct verify_options *options)
{
    struct finding finding = finding_none();
    struct convoy_error err = error_none();
    union problem problem;
    int ends[2];
    char line[GUARD_LINE_BYTES + 64] = "";
    if (problem_parse(text, &problem, &err) != CONVOY_OK || pipe(ends) != 0) {
        finding_set(&finding, VERDICT_NOT_RUN, "%s", err.text);
        return finding;
    }
    fflush(NULL);
    const pid_t child = fork();
    if (child == 0) {
        close(ends[0]);
        alarm(60);
        examinee_child(plugins, variant, &problem, options, ends[1]);
    }
    close(ends[1]);
    size_t length = 0;
    for (ssize_t got = 1; got > 0 && length<sizeof line - 1; length += got> 0 ? (size_t)got : 0)
        got = read(ends[0], line + length, sizeof line - 1 - length);
    close(ends[0]);
    waitpid(child, NULL, 0);
    if (guard_parse(line, &finding))
        return finding;
    char *const verdict = strchr(line, '\t'), *const reason = verdict ? strchr(verdict + 1, '\t') : NULL;
    if (!reason) {
        finding_set(&finding, VERDICT_CRASH, "the child ended without a verdict");
        return finding;
    }
    *reason = '\0';
    finding.verdict = verdict_by_name(verdict + 1);
    snprintf(finding.reason, sizeof finding.reason, "%.*s", (int)strcspn(reason + 1, "\n"), reason + 1);
    return finding;
}

#endif
