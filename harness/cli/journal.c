#include "cli/journal.h"
#include <convoy/plugin.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static uint64_t hash_text(uint64_t hash, const char *text)
{
    for (; *text; text++)
        hash = (hash ^ (unsigned char)*text) * UINT64_C(1099511628211);
    return (hash ^ 0xff) * UINT64_C(1099511628211);
}

/* Rows of one problem and candidate share a key; results_same_case tells them apart. */
static uint64_t key_of(const struct record *record)
{
    uint64_t hash = UINT64_C(14695981039346656037);
    hash = hash_text(hash, record->problem);
    hash = hash_text(hash, record->backend);
    return hash_text(hash, record->variant);
}

static void utc_now(char *buf, size_t size, const char *format)
{
    const time_t now = time(NULL);
    struct tm parts;
    if (!gmtime_r(&now, &parts) || !strftime(buf, size, format, &parts))
        snprintf(buf, size, "unknown");
}

static convoy_status keep(struct journal *journal, const struct record *record, struct convoy_error *err)
{
    if (journal->count == journal->capacity) {
        const size_t capacity = journal->capacity ? 2 * journal->capacity : 64;
        struct record *records = realloc(journal->record, capacity * sizeof *records);
        if (records)
            journal->record = records;
        uint64_t *keys = realloc(journal->key, capacity * sizeof *keys);
        if (keys)
            journal->key = keys;
        if (!records || !keys)
            return convoy_fail(err, CONVOY_NO_MEMORY, CONVOY_WHY_MEMORY, "no memory for more than %zu rows", journal->count);
        journal->capacity = capacity;
    }
    journal->record[journal->count] = *record;
    journal->key[journal->count++] = key_of(record);
    return CONVOY_OK;
}

static convoy_status load_earlier(struct journal *journal, struct convoy_error *err)
{
    struct record *records = NULL;
    size_t count = 0;
    convoy_status status = results_read(journal->path, &records, &count, err);
    for (size_t r = 0; r < count && status == CONVOY_OK; r++)
        status = keep(journal, &records[r], err);
    free(records);
    return status;
}

convoy_status journal_open(struct journal *journal, const char *command, const struct options *options, struct convoy_error *err)
{
    *journal = (struct journal){.command = command};
    machine_describe(&journal->machine);
    if (options->verified) {
        const convoy_status status = results_read(options->verified, &journal->trusted, &journal->trusted_count, err);
        if (status != CONVOY_OK)
            return status;
    }
    if (!options->output)
        return options->resume
                   ? convoy_fail(err, CONVOY_INVALID, CONVOY_WHY_OTHER, "--resume needs the file to go on with: -o FILE.csv")
                   : CONVOY_OK;
    const size_t length = strlen(options->output);
    int written;
    if (length && options->output[length - 1] == '/') {
        char stamp[32];
        utc_now(stamp, sizeof stamp, "%Y%m%dT%H%M%SZ");
        written = snprintf(journal->path, sizeof journal->path, "%s%s/%s-%s-%s.csv", options->output, journal->machine.id, stamp,
                           journal->machine.revision, command);
    } else {
        written = snprintf(journal->path, sizeof journal->path, "%s", options->output);
    }
    if (written < 0 || (size_t)written >= sizeof journal->path)
        return convoy_fail(err, CONVOY_INVALID, CONVOY_WHY_OTHER, "-o: the path is too long");
    convoy_status status = results_open(journal->path, options->resume, &journal->file, err);
    if (status == CONVOY_OK && options->resume)
        status = load_earlier(journal, err);
    if (status == CONVOY_OK && strcmp(command, "verify"))
        status = samples_open(journal->path, options->resume, &journal->samples, err);
    return status;
}

convoy_status journal_close(struct journal *journal, struct convoy_error *err)
{
    convoy_status status = journal->file ? results_close(journal->file, err) : CONVOY_OK;
    const convoy_status samples_status = samples_close(journal->samples, err);
    if (status == CONVOY_OK)
        status = samples_status;
    free(journal->record);
    free(journal->key);
    free(journal->trusted);
    *journal = (struct journal){0};
    return status;
}

#define COPY(to, from) snprintf((to), sizeof(to), "%s", (from))

void journal_start(const struct journal *journal, const struct options *options, const struct table_row *row,
                   const struct candidate *candidate, int64_t threads, struct record *record)
{
    const struct backend *backend = candidate->backend;
    char name[128];
    candidate_name(candidate, name, sizeof name);
    record_clear(record);
    COPY(record->command, journal->command);
    COPY(record->network, row->network);
    COPY(record->layer, row->layer);
    record->count = row->count;
    problem_print(&row->problem, record->problem, sizeof record->problem);
    COPY(record->op, problem_op_name(&row->problem));
    COPY(record->pass, pass_name(problem_pass(&row->problem)));
    COPY(record->backend, backend->entry->name);
    COPY(record->variant, candidate->variant);
    record->threads = threads;
    COPY(record->cache, options->cold ? "cold" : "hot");
    record->seed = options->seed;
    COPY(record->machine, journal->machine.id);
    COPY(record->cpu, journal->machine.cpu);
    COPY(record->revision, journal->machine.revision);
    COPY(record->plugin_version, backend->version);
    COPY(record->plugin_hash, backend->entry->hash);
    utc_now(record->utc, sizeof record->utc, "%Y-%m-%dT%H:%M:%SZ");
    snprintf(record->repro, sizeof record->repro, "convoy %s -b %s '%s' --seed %lld --threads %lld%s", journal->command, name,
             record->problem, (long long)options->seed, (long long)threads, options->cold ? " --cache cold" : "");
}

const struct record *journal_find(const struct journal *journal, const struct record *record)
{
    const uint64_t key = key_of(record);
    for (size_t r = 0; r < journal->count; r++) {
        if (journal->key[r] == key && results_same_case(&journal->record[r], record) &&
            !strcmp(journal->record[r].plugin_hash, record->plugin_hash))
            return &journal->record[r];
    }
    return NULL;
}

static bool same_verdict(const struct record *a, const struct record *b)
{
    return !strcmp(a->problem, b->problem) && !strcmp(a->backend, b->backend) && !strcmp(a->variant, b->variant) &&
           !strcmp(a->plugin_hash, b->plugin_hash) && a->threads == b->threads && a->seed == b->seed;
}

const struct record *journal_find_problem(const struct journal *journal, const struct record *record)
{
    const uint64_t key = key_of(record);
    for (size_t r = 0; r < journal->count; r++) {
        if (journal->key[r] == key && same_verdict(&journal->record[r], record))
            return &journal->record[r];
    }
    for (size_t r = 0; r < journal->trusted_count; r++) {
        if (!strcmp(journal->trusted[r].command, "verify") && same_verdict(&journal->trusted[r], record))
            return &journal->trusted[r];
    }
    return NULL;
}

convoy_status journal_add(struct journal *journal, const struct record *record, struct convoy_error *err)
{
    if (journal->file) {
        struct convoy_error cause = {.struct_size = sizeof cause};
        const convoy_status status = results_append(journal->file, record, &cause);
        if (status != CONVOY_OK)
            return convoy_fail(err, status, cause.why, "%.160s; %zu finished rows are safe, go on with --resume", cause.text,
                               journal->count);
    }
    return keep(journal, record, err);
}
