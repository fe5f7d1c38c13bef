#include "report/batches.h"

#include "report/csv.h"
#include <convoy/plugin.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum wanted { NETWORK, LAYER, PROBLEM, BACKEND, VARIANT, HASH, THREADS, CACHE, ROLE, ROUND, MEAN, WANTED };
static const char *const wanted_names[WANTED] = {"network", "layer", "problem", "backend", "variant", "plugin_hash",
                                                 "threads", "cache", "role",    "round",   "mean_ns"};
enum { KEY_BYTES = 640 };

struct entry {
    char *key;
    size_t record;
};
struct reading {
    struct batches *batches;
    struct entry *entry; /* sorted by key */
    size_t entries;
    long long *round; /* of each record: the last one taken */
    int column[WANTED];
    bool header;
    const char *path;
};

static int by_key(const void *left, const void *right)
{
    return strcmp(((const struct entry *)left)->key, ((const struct entry *)right)->key);
}

static int by_key_and_row(const void *left, const void *right)
{
    const struct entry *a = left, *b = right;
    const int order = strcmp(a->key, b->key);
    return order ? order : (a->record > b->record) - (a->record < b->record);
}

static void make_key(char key[KEY_BYTES], const char *const part[ROLE])
{
    snprintf(key, KEY_BYTES, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s", part[NETWORK], part[LAYER], part[PROBLEM], part[BACKEND],
             part[VARIANT], part[HASH], part[THREADS], part[CACHE]);
}

/* One entry for each case; of a repeated one the last row's. */
static bool make_entries(struct reading *reading, const struct record *records, size_t count)
{
    reading->entry = calloc(count ? count : 1, sizeof *reading->entry);
    if (!reading->entry)
        return false;
    for (size_t r = 0; r < count; r++) {
        const struct record *record = &records[r];
        if (strcmp(record->command, "bench") || record->median_ns <= 0)
            continue;
        char threads[24], key[KEY_BYTES];
        snprintf(threads, sizeof threads, "%" PRId64, record->threads);
        const char *const part[ROLE] = {record->network, record->layer,       record->problem, record->backend,
                                        record->variant, record->plugin_hash, threads,         record->cache};
        make_key(key, part);
        reading->entry[reading->entries].record = r;
        reading->entry[reading->entries].key = strdup(key);
        if (!reading->entry[reading->entries].key)
            return false;
        reading->entries++;
    }
    qsort(reading->entry, reading->entries, sizeof *reading->entry, by_key_and_row);
    size_t kept = 0;
    for (size_t e = 0; e < reading->entries; e++) {
        if (e + 1 < reading->entries && !strcmp(reading->entry[e].key, reading->entry[e + 1].key))
            free(reading->entry[e].key);
        else
            reading->entry[kept++] = reading->entry[e];
    }
    reading->entries = kept;
    return true;
}

static bool read_header(struct reading *reading, size_t fields, char *const *field, struct convoy_error *err)
{
    for (size_t w = 0; w < WANTED; w++) {
        reading->column[w] = -1;
        for (size_t f = 0; f < fields; f++) {
            if (!strcmp(field[f], wanted_names[w]))
                reading->column[w] = (int)f;
        }
        if (reading->column[w] < 0) {
            convoy_fail(err, CONVOY_INVALID, CONVOY_WHY_OTHER, "%s: column %s is missing", reading->path, wanted_names[w]);
            return false;
        }
    }
    reading->header = true;
    return true;
}

static bool take_batch(void *context, int64_t line, size_t fields, char *const *field, struct convoy_error *err)
{
    struct reading *reading = context;
    if (!reading->header)
        return read_header(reading, fields, field, err);
    const char *part[WANTED];
    for (size_t w = 0; w < WANTED; w++) {
        if ((size_t)reading->column[w] >= fields) {
            convoy_fail(err, CONVOY_INVALID, CONVOY_WHY_OTHER, "%s:%lld: a row of %zu fields", reading->path, (long long)line,
                        fields);
            return false;
        }
        part[w] = field[reading->column[w]];
    }
    const long long round = strtoll(part[ROUND], NULL, 10);
    if (*part[ROLE] || round < 0 || strspn(part[MEAN], "0123456789.e+-") != strlen(part[MEAN]))
        return true;
    char key[KEY_BYTES];
    make_key(key, part);
    const struct entry *entry =
        bsearch(&(struct entry){.key = key}, reading->entry, reading->entries, sizeof *reading->entry, by_key);
    if (!entry)
        return true;
    char **text = &reading->batches->text[entry->record];
    if (*text && round <= reading->round[entry->record])
        **text = '\0'; /* the case begins anew */
    const size_t used = *text ? strlen(*text) : 0, more = strlen(part[MEAN]) + 2;
    char *longer = realloc(*text, used + more);
    if (!longer) {
        convoy_fail(err, CONVOY_NO_MEMORY, CONVOY_WHY_MEMORY, "%s: out of memory", reading->path);
        return false;
    }
    snprintf(longer + used, more, "%s%s", used ? "," : "", part[MEAN]);
    *text = longer;
    reading->round[entry->record] = round;
    return true;
}

convoy_status batches_read(const char *results_path, const struct record *records, size_t count, struct batches *batches,
                           struct convoy_error *err)
{
    char path[PATH_MAX];
    const size_t length = strlen(results_path);
    const size_t stem = length > 4 && !strcmp(results_path + length - 4, ".csv") ? length - 4 : length;
    struct reading reading = {.batches = batches, .path = path};
    convoy_status status = CONVOY_OK;
    *batches = (struct batches){.text = calloc(count ? count : 1, sizeof *batches->text), .count = count};
    reading.round = calloc(count ? count : 1, sizeof *reading.round);
    if (!batches->text || !reading.round || !make_entries(&reading, records, count)) {
        status = convoy_fail(err, CONVOY_NO_MEMORY, CONVOY_WHY_MEMORY, "%s: out of memory", results_path);
        goto out;
    }
    const int written = snprintf(path, sizeof path, "%.*s.samples.csv", (int)stem, results_path);
    if (written > 0 && (size_t)written < sizeof path && access(path, R_OK) == 0)
        status = csv_read(path, false, take_batch, &reading, err);
out:
    for (size_t e = 0; e < reading.entries; e++)
        free(reading.entry[e].key);
    free(reading.entry);
    free(reading.round);
    if (status != CONVOY_OK)
        batches_free(batches);
    return status;
}

void batches_free(struct batches *batches)
{
    for (size_t r = 0; batches->text && r < batches->count; r++)
        free(batches->text[r]);
    free(batches->text);
    *batches = (struct batches){0};
}
