#include "report/table.h"

#include "core/error.h"
#include "report/csv.h"
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum column { COLUMN_NETWORK, COLUMN_LAYER, COLUMN_COUNT, COLUMN_PROBLEM, COLUMNS };
static const char *const column_name[COLUMNS] = {
    [COLUMN_NETWORK] = "network", [COLUMN_LAYER] = "layer", [COLUMN_COUNT] = "count", [COLUMN_PROBLEM] = "problem"};

struct loading {
    const char *path;
    struct table *table;
    bool have_header;
    size_t fields;
    size_t at[COLUMNS]; /* the column's place in the rows of this file */
};

convoy_status table_add(struct table *table, const char *network, const char *layer, int64_t count, const union problem *problem,
                        struct convoy_error *err)
{
    struct table_row row = {.count = count, .problem = *problem};
    if (snprintf(row.network, sizeof row.network, "%s", network) >= (int)sizeof row.network)
        return convoy_fail(err, CONVOY_INVALID, CONVOY_WHY_OTHER, "column network: longer than %zu characters",
                           sizeof row.network - 1);
    if (snprintf(row.layer, sizeof row.layer, "%s", layer) >= (int)sizeof row.layer)
        return convoy_fail(err, CONVOY_INVALID, CONVOY_WHY_OTHER, "column layer: longer than %zu characters",
                           sizeof row.layer - 1);
    if (count < 1)
        return convoy_fail(err, CONVOY_INVALID, CONVOY_WHY_OTHER, "column count: is %lld, and must be at least 1",
                           (long long)count);
    if ((table->count & (table->count - 1)) == 0) { /* the capacity is the next power of two */
        const size_t capacity = table->count ? 2 * table->count : 1;
        struct table_row *larger = realloc(table->row, capacity * sizeof *larger);
        if (!larger)
            return convoy_fail(err, CONVOY_NO_MEMORY, CONVOY_WHY_MEMORY, "out of memory for a table of %zu rows", capacity);
        table->row = larger;
    }
    table->row[table->count++] = row;
    return CONVOY_OK;
}

void table_free(struct table *table)
{
    free(table->row);
    *table = (struct table){0};
}

static bool take_header(struct loading *l, int64_t line, size_t fields, char *const *field, struct convoy_error *err)
{
    for (size_t c = 0; c < COLUMNS; c++) {
        l->at[c] = fields;
        for (size_t f = 0; f < fields; f++) {
            if (strcmp(field[f], column_name[c]) != 0)
                continue;
            if (l->at[c] != fields) {
                convoy_fail(err, CONVOY_INVALID, CONVOY_WHY_OTHER, "%s:%lld: column %s: stands twice in the header", l->path,
                            (long long)line, column_name[c]);
                return false;
            }
            l->at[c] = f;
        }
        if (l->at[c] == fields) {
            convoy_fail(err, CONVOY_INVALID, CONVOY_WHY_OTHER,
                        "%s:%lld: column %s: missing in the header (a table has the columns network,layer,count,problem)",
                        l->path, (long long)line, column_name[c]);
            return false;
        }
    }
    l->fields = fields;
    l->have_header = true;
    return true;
}

static bool take_row(void *context, int64_t line, size_t fields, char *const *field, struct convoy_error *err)
{
    struct loading *l = context;
    if (!l->have_header)
        return take_header(l, line, fields, field, err);
    if (fields != l->fields) {
        convoy_fail(err, CONVOY_INVALID, CONVOY_WHY_OTHER, "%s:%lld: has %zu fields, the header has %zu", l->path,
                    (long long)line, fields, l->fields);
        return false;
    }
    for (size_t c = 0; c < COLUMNS; c++)
        if (!*field[l->at[c]]) {
            convoy_fail(err, CONVOY_INVALID, CONVOY_WHY_OTHER, "%s:%lld: column %s: is empty", l->path, (long long)line,
                        column_name[c]);
            return false;
        }
    const char *count_text = field[l->at[COLUMN_COUNT]];
    char *end;
    errno = 0;
    const long long count = strtoll(count_text, &end, 10);
    if (errno || end == count_text || *end || count < 1) {
        convoy_fail(err, CONVOY_INVALID, CONVOY_WHY_OTHER, "%s:%lld: column count: '%.40s' is not a number of at least 1",
                    l->path, (long long)line, count_text);
        return false;
    }
    union problem problem;
    struct convoy_error inner = error_none();
    convoy_status status = problem_parse(field[l->at[COLUMN_PROBLEM]], &problem, &inner);
    if (status != CONVOY_OK) {
        convoy_fail(err, status, inner.why, "%s:%lld: column problem: %s", l->path, (long long)line, inner.text);
        return false;
    }
    status = table_add(l->table, field[l->at[COLUMN_NETWORK]], field[l->at[COLUMN_LAYER]], count, &problem, &inner);
    if (status != CONVOY_OK) {
        convoy_fail(err, status, inner.why, "%s:%lld: %s", l->path, (long long)line, inner.text);
        return false;
    }
    return true;
}

static convoy_status load_path(const char *path, struct table *table, struct convoy_error *err)
{
    struct loading l = {.path = path, .table = table};
    const convoy_status status = csv_read(path, true, take_row, &l, err);
    if (status == CONVOY_OK && !l.have_header)
        return convoy_fail(err, CONVOY_INVALID, CONVOY_WHY_OTHER, "%s:1: no header row (network,layer,count,problem)", path);
    return status;
}

/* <folder of the executable>/../../harness/tables: the tables of the tree that holds build/bin/convoy. */
static bool tree_folder(char *folder, size_t size)
{
    char exe[PATH_MAX];
    const ssize_t length = readlink("/proc/self/exe", exe, sizeof exe - 1);
    if (length <= 0)
        return false;
    exe[length] = '\0';
    char *slash = strrchr(exe, '/');
    if (!slash)
        return false;
    *slash = '\0';
    return snprintf(folder, size, "%s/../../harness/tables", exe) < (int)size;
}

/* Calls visit for each folder of the search path, in order, until it returns true. */
static bool each_folder(bool (*visit)(void *context, const char *folder), void *context)
{
    char folder[PATH_MAX];
    for (const char *path = getenv("CONVOY_TABLE_PATH"); path && *path;) {
        const size_t length = strcspn(path, ":");
        if (length && length < sizeof folder) {
            memcpy(folder, path, length);
            folder[length] = '\0';
            if (visit(context, folder))
                return true;
        }
        path += length + (path[length] == ':');
    }
    if (tree_folder(folder, sizeof folder) && visit(context, folder))
        return true;
    return visit(context, CONVOY_SHAREDIR "/tables");
}

struct lookup {
    const char *name;
    char path[PATH_MAX];
};

static bool holds_table(void *context, const char *folder)
{
    struct lookup *lookup = context;
    return snprintf(lookup->path, sizeof lookup->path, "%s/%s.csv", folder, lookup->name) < (int)sizeof lookup->path &&
           access(lookup->path, F_OK) == 0;
}

static convoy_status unknown_table(const char *name, struct convoy_error *err)
{
    char known[160] = "";
    size_t used = 0;
    char **names = table_names();
    for (char **each = names; each && *each; each++) {
        const int length = snprintf(known + used, sizeof known - used, " %s", *each);
        if (length < 0 || (size_t)length >= sizeof known - used - 4) {
            snprintf(known + used, sizeof known - used, " ...");
            break;
        }
        used += (size_t)length;
    }
    table_names_free(names);
    if (!*known)
        return convoy_fail(err, CONVOY_INVALID, CONVOY_WHY_OTHER,
                           "no table '%.40s', and no tables were found (CONVOY_TABLE_PATH)", name);
    return convoy_fail(err, CONVOY_INVALID, CONVOY_WHY_OTHER, "no table '%.40s'; there are:%s", name, known);
}

convoy_status table_path(const char *name, char *path, size_t size, struct convoy_error *err)
{
    const size_t length = strlen(name);
    struct lookup lookup = {.name = name};
    const char *found = name;
    if (!strchr(name, '/') && !(length > 4 && strcmp(name + length - 4, ".csv") == 0)) {
        if (!length || !each_folder(holds_table, &lookup))
            return unknown_table(name, err);
        found = lookup.path;
    }
    if (snprintf(path, size, "%s", found) >= (int)size)
        return convoy_fail(err, CONVOY_INVALID, CONVOY_WHY_OTHER, "the path of table '%.40s...' is too long", name);
    return CONVOY_OK;
}

convoy_status table_load(const char *name, struct table *table, struct convoy_error *err)
{
    char path[PATH_MAX];
    const convoy_status status = table_path(name, path, sizeof path, err);
    return status == CONVOY_OK ? load_path(path, table, err) : status;
}

struct names {
    char **name;
    size_t count;
    bool failed;
};

static void add_name(struct names *names, const char *file, size_t length)
{
    for (size_t k = 0; k < names->count; k++)
        if (strlen(names->name[k]) == length && memcmp(names->name[k], file, length) == 0)
            return;
    char **larger = realloc(names->name, (names->count + 2) * sizeof *larger);
    if (!larger) {
        names->failed = true;
        return;
    }
    names->name = larger;
    char *copy = strndup(file, length);
    larger[names->count] = copy;
    if (!copy) {
        names->failed = true;
        return;
    }
    larger[++names->count] = NULL;
}

static bool list_folder(void *context, const char *folder)
{
    struct names *names = context;
    DIR *dir = opendir(folder);
    if (!dir)
        return false;
    for (struct dirent *entry; !names->failed && (entry = readdir(dir));) {
        const size_t length = strlen(entry->d_name);
        if (length > 4 && entry->d_name[0] != '.' && strcmp(entry->d_name + length - 4, ".csv") == 0)
            add_name(names, entry->d_name, length - 4);
    }
    closedir(dir);
    return names->failed;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

char **table_names(void)
{
    struct names names = {.name = calloc(1, sizeof *names.name)};
    if (!names.name)
        return NULL;
    each_folder(list_folder, &names);
    if (names.failed) {
        table_names_free(names.name);
        return NULL;
    }
    qsort(names.name, names.count, sizeof *names.name, by_name);
    return names.name;
}

void table_names_free(char **names)
{
    for (char **each = names; each && *each; each++)
        free(*each);
    free(names);
}
