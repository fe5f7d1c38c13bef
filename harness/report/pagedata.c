#include "report/pagedata.h"

#include "core/problem.h"
#include "core/slots.h"
#include "report/pack.h"
#include "report/rank.h"
#include <convoy/plugin.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

enum { FIELD_BYTES = 1024 };

/* A string that is no UTF-8 comes from a damaged file; its foreign bytes become '?'. */
static json_t *text_value(const char *text)
{
    json_t *value = json_string(text);
    if (value)
        return value;
    char *plain = strdup(text);
    if (!plain)
        return NULL;
    for (char *c = plain; *c; c++) {
        if ((unsigned char)*c >= 0x80)
            *c = '?';
    }
    value = json_string(plain);
    free(plain);
    return value;
}

/* Row number of a record, from 0; -1 for none. */
static json_t *row_value(const struct report *report, const struct record *record)
{
    return json_integer(record ? record - report->records : -1);
}

/* ---- columns ---- */

/* The distinct texts of a column, in the order of their first appearance; open addressing over their indices. */
struct dictionary {
    char **text;
    size_t count, capacity;
    size_t *slot; /* index + 1; 0: free */
    size_t slots;
};

static size_t hash_text(const char *text)
{
    uint64_t hash = UINT64_C(14695981039346656037);
    for (; *text; text++)
        hash = (hash ^ (unsigned char)*text) * UINT64_C(1099511628211);
    return (size_t)hash;
}

/* SIZE_MAX: out of memory. slots is a power of two larger than twice what comes in. */
static size_t dictionary_index(struct dictionary *dictionary, const char *text)
{
    size_t at = hash_text(text) & (dictionary->slots - 1);
    for (; dictionary->slot[at]; at = (at + 1) & (dictionary->slots - 1)) {
        if (!strcmp(dictionary->text[dictionary->slot[at] - 1], text))
            return dictionary->slot[at] - 1;
    }
    if (dictionary->count == dictionary->capacity) {
        const size_t capacity = 2 * dictionary->capacity + 16;
        char **larger = realloc(dictionary->text, capacity * sizeof *larger);
        if (!larger)
            return SIZE_MAX;
        dictionary->text = larger;
        dictionary->capacity = capacity;
    }
    dictionary->text[dictionary->count] = strdup(text);
    if (!dictionary->text[dictionary->count])
        return SIZE_MAX;
    dictionary->slot[at] = ++dictionary->count;
    return dictionary->count - 1;
}

static void dictionary_free(struct dictionary *dictionary)
{
    for (size_t at = 0; at < dictionary->count; at++)
        free(dictionary->text[at]);
    free(dictionary->text);
    free(dictionary->slot);
}

/* {"name", "values", "packed"}: packed holds indices into values, or the texts themselves where values is absent. NULL: out of
 * memory; *empty: no record has the column. */
static json_t *column_value(const struct report *report, size_t column, bool *empty)
{
    const bool number = record_columns[column].type != RECORD_TEXT;
    struct dictionary dictionary = {.slots = 64};
    struct pack index = {0}, plain = {0};
    json_t *value = NULL, *values = NULL;
    while (dictionary.slots < 2 * report->count + 2)
        dictionary.slots *= 2;
    dictionary.slot = calloc(dictionary.slots, sizeof *dictionary.slot);
    *empty = true;
    if (!dictionary.slot)
        goto out;
    for (size_t r = 0; r < report->count; r++) {
        char text[FIELD_BYTES], number_text[24];
        record_get(&report->records[r], column, text, sizeof text);
        *empty = *empty && !*text;
        const size_t at = dictionary_index(&dictionary, text);
        if (at == SIZE_MAX)
            goto out;
        snprintf(number_text, sizeof number_text, "%zu", at);
        pack_add(&index, number_text);
        if (number)
            pack_add(&plain, text);
    }
    size_t value_bytes = 0;
    for (size_t at = 0; at < dictionary.count; at++)
        value_bytes += strlen(dictionary.text[at]) + 3;
    if (!pack_end(&index) || !pack_end(&plain))
        goto out;
    const bool whole = number && plain.used < index.used + value_bytes;
    if (!whole) {
        values = json_array();
        for (size_t at = 0; values && at < dictionary.count; at++)
            json_array_append_new(values, text_value(dictionary.text[at]));
    }
    value = json_pack("{s:s, s:b, s:s, s:o*}", "name", record_columns[column].name, "number", number, "packed",
                      whole ? plain.text : index.text, "values", values);
out:
    dictionary_free(&dictionary);
    pack_free(&index);
    pack_free(&plain);
    return value;
}

/* The command that repeats a case is left out: it is long, differs in each row, and stands in the file. */
static json_t *columns_value(const struct report *report)
{
    json_t *columns = json_array();
    for (size_t column = 0; columns && column < record_column_count; column++) {
        if (!strcmp(record_columns[column].name, "repro"))
            continue;
        bool empty;
        json_t *value = column_value(report, column, &empty);
        if (!value) {
            json_decref(columns);
            return NULL;
        }
        if (empty)
            json_decref(value);
        else
            json_array_append_new(columns, value);
    }
    return columns;
}

static json_t *meanings_value(void)
{
    json_t *meanings = json_object();
    for (size_t column = 0; meanings && column < record_column_count; column++)
        json_object_set_new(meanings, record_columns[column].name, json_string(record_columns[column].meaning));
    return meanings;
}

/* ---- what is derived ---- */

static json_t *shape_value(const union problem *problem)
{
    if (problem_family(problem) != FAMILY_CONV)
        return json_null();
    const struct convoy_conv *conv = &problem->conv;
    return json_pack("{s:i, s:i, s:i, s:i, s:i, s:i, s:i, s:i, s:i}", "n", conv->n, "c", conv->c, "h", conv->h, "w", conv->w, "k",
                     conv->k, "kh", conv->kh, "kw", conv->kw, "s", conv->stride_h, "g", conv->groups);
}

static json_t *layer_value(const struct report *report, const struct group *group, size_t layer)
{
    const struct group_layer *here = &group->layer[layer];
    struct rank_layer rank;
    union problem problem;
    rank_layer(group, layer, &rank);
    const bool parsed = problem_parse(here->first->problem, &problem, NULL) == CONVOY_OK;
    json_t *times = json_array();
    for (size_t candidate = 0; candidate < group->candidates; candidate++)
        json_array_append_new(times, row_value(report, group->timing[layer * group->candidates + candidate]));
    return json_pack("{s:o, s:I, s:I, s:I, s:o, s:o, s:o, s:o, s:b, s:s}", "row", row_value(report, here->first), "count",
                     (json_int_t)here->count, "flops", (json_int_t)here->flops, "bytes",
                     (json_int_t)(parsed ? slots_traffic_bytes(&problem) : 0), "shape",
                     parsed ? shape_value(&problem) : json_null(), "times", times, "best", row_value(report, rank.best), "second",
                     row_value(report, rank.second), "tie", rank.tie, "family", rank.best ? rank_family(rank.best) : "");
}

static json_t *candidate_value(const struct group *group, const struct rank *rank, size_t candidate)
{
    const struct record *first = group->candidate[candidate];
    const struct rank_total *total = &rank->total[candidate];
    char name[sizeof first->backend + sizeof first->variant];
    bool software = false;
    const char *family = "";
    snprintf(name, sizeof name, "%s%s%s", first->backend, *first->variant ? ":" : "", first->variant);
    for (size_t layer = 0; layer < group->layers; layer++) {
        const struct record *timing = group->timing[layer * group->candidates + candidate];
        if (timing) {
            software = software || rank_is_software(timing);
            family = *family ? family : rank_family(timing);
        }
    }
    return json_pack("{s:o, s:b, s:s, s:I, s:I, s:I, s:I, s:I}", "name", text_value(name), "software", software, "family", family,
                     "covered", (json_int_t)total->covered, "ns", (json_int_t)total->ns, "filled_ns",
                     (json_int_t)total->filled_ns, "workspace_bytes", (json_int_t)total->workspace_bytes, "prepared_bytes",
                     (json_int_t)total->prepared_bytes);
}

static json_t *group_value(const struct report *report, const struct group *group)
{
    struct rank rank;
    if (!rank_make(group, &rank))
        return NULL;
    json_t *layers = json_array(), *candidates = json_array();
    for (size_t layer = 0; layer < group->layers; layer++)
        json_array_append_new(layers, layer_value(report, group, layer));
    for (size_t candidate = 0; candidate < group->candidates; candidate++)
        json_array_append_new(candidates, candidate_value(group, &rank, candidate));
    json_t *value = json_pack("{s:o, s:i, s:o, s:o, s:I, s:I, s:i}", "row", row_value(report, group->first), "batch",
                              (int)group->batch, "layers", layers, "candidates", candidates, "timed", (json_int_t)rank.timed,
                              "best_ns", (json_int_t)rank.best_ns, "single", rank.single);
    rank_free(&rank);
    return value;
}

/* ---- raw batches ---- */

/* How many candidates of its layer are faster than a record; SIZE_MAX: it is in no layer. */
static void order_records(const struct report *report, const struct groups *groups, size_t *order)
{
    for (size_t r = 0; r < report->count; r++)
        order[r] = SIZE_MAX;
    for (size_t g = 0; g < groups->count; g++) {
        const struct group *group = &groups->group[g];
        for (size_t layer = 0; layer < group->layers; layer++) {
            const struct record *const *timing = &group->timing[layer * group->candidates];
            for (size_t c = 0; c < group->candidates; c++) {
                size_t faster = 0;
                for (size_t other = 0; timing[c] && other < group->candidates; other++)
                    faster += timing[other] && (timing[other]->median_ns < timing[c]->median_ns ||
                                                (timing[other]->median_ns == timing[c]->median_ns && other < c));
                if (timing[c])
                    order[timing[c] - report->records] = faster;
            }
        }
    }
}

/* The batches of the fastest candidates of each layer, as many as there is room for: {"most", "rows", "text"}. */
static json_t *batches_value(const struct report *report, const struct groups *groups)
{
    json_t *rows = json_array(), *text = json_array();
    size_t *order = calloc(report->count ? report->count : 1, sizeof *order);
    size_t most = 0, used = 0;
    bool more = report->batches != NULL;
    if (!order || !rows || !text) {
        free(order);
        json_decref(rows);
        json_decref(text);
        return NULL;
    }
    order_records(report, groups, order);
    for (; more; most++) {
        more = false;
        size_t bytes = 0;
        for (size_t r = 0; r < report->count; r++) {
            if (report->batches[r] && order[r] == most)
                bytes += strlen(report->batches[r]) + 12;
            more = more || (report->batches[r] && order[r] != SIZE_MAX && order[r] >= most);
        }
        if (!more || used + bytes > report->batches_bytes)
            break;
        used += bytes;
        for (size_t r = 0; r < report->count; r++) {
            if (report->batches[r] && order[r] == most) {
                json_array_append_new(rows, json_integer((json_int_t)r));
                json_array_append_new(text, text_value(report->batches[r]));
            }
        }
    }
    free(order);
    return json_pack("{s:I, s:b, s:o, s:o}", "most", (json_int_t)most, "all", !more, "rows", rows, "text", text);
}

/* ---- files ---- */

static json_t *sheet_value(const struct sheet *sheet)
{
    if (!sheet)
        return json_null();
    json_t *columns = json_array(), *rows = json_array();
    for (size_t column = 0; column < sheet->columns; column++)
        json_array_append_new(columns, text_value(sheet->cell[column]));
    for (size_t row = 0; row < sheet->rows; row++) {
        json_t *cells = json_array();
        for (size_t column = 0; column < sheet->columns; column++)
            json_array_append_new(cells, text_value(sheet_cell(sheet, row, column)));
        json_array_append_new(rows, cells);
    }
    return json_pack("{s:o, s:o}", "columns", columns, "rows", rows);
}

static json_t *sources_value(const struct report *report)
{
    json_t *sources = json_array();
    for (size_t s = 0; s < report->sources; s++) {
        const struct report_source *source = &report->source[s];
        json_array_append_new(sources, json_pack("{s:o, s:I, s:I}", "name", text_value(source->name), "first",
                                                 (json_int_t)source->first, "count", (json_int_t)source->count));
    }
    return sources;
}

static int put_chunk(const char *chunk, size_t bytes, void *context)
{
    FILE *out = context;
    for (size_t at = 0; at < bytes; at++) {
        if ((chunk[at] == '<' ? fputs("\\u003c", out) : fputc(chunk[at], out)) == EOF)
            return -1;
    }
    return 0;
}

convoy_status pagedata_write(FILE *out, const struct report *report, struct convoy_error *err)
{
    struct groups groups;
    if (!groups_make(report->records, report->count, &groups))
        return convoy_fail(err, CONVOY_NO_MEMORY, CONVOY_WHY_MEMORY, "out of memory for the report");
    json_t *group_list = json_array();
    for (size_t g = 0; g < groups.count; g++)
        json_array_append_new(group_list, group_value(report, &groups.group[g]));
    json_t *root = json_pack("{s:o, s:I, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "harness", text_value(report->harness), "rows",
                             (json_int_t)report->count, "sources", sources_value(report), "columns", columns_value(report),
                             "meanings", meanings_value(), "groups", group_list, "batches", batches_value(report, &groups),
                             "select", sheet_value(report->select), "training", sheet_value(report->training));
    convoy_status status = CONVOY_OK;
    if (!root || json_array_size(group_list) != groups.count)
        status = convoy_fail(err, CONVOY_NO_MEMORY, CONVOY_WHY_MEMORY, "out of memory for the report");
    else if (json_dump_callback(root, put_chunk, out, JSON_COMPACT | JSON_ENSURE_ASCII) != 0)
        status = convoy_fail(err, CONVOY_FAILED, CONVOY_WHY_OTHER, "the report's data cannot be written");
    json_decref(root);
    groups_free(&groups);
    return status;
}
