#include "tuning.h"
#include <convoy/plugin.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { FIELDS = 6, LINE_BYTES = 1024, FIELD_BYTES = 160, PROBLEM_BYTES = 256, WARNINGS_MOST = 3 };

struct choice {
    struct choice *next;
    char text[CONVOY_TUNE_TEXT_BYTES], key[]; /* key: "variant<tab>problem" */
};

struct gpu_tuning {
    pthread_mutex_t lock;
    char device[FIELD_BYTES], driver[FIELD_BYTES], plugin[64];
    char path[512];       /* "": there is no folder */
    struct choice *first; /* newest first; of this owner only */
};

/* ---- texts ---- */

/* A field of a line: nothing that ends a field or a line. */
static void copy_field(char *to, size_t size, const char *from)
{
    size_t length = 0;
    for (; *from && length + 1 < size; from++)
        to[length++] = (unsigned char)*from < ' ' ? ' ' : *from;
    to[length] = '\0';
}

/* Operation, flags and the members of its struct in convoy.h, as integers. */
static bool print_problem(const struct convoy_problem *problem, char *text, size_t size)
{
    const size_t head = sizeof *problem;
    int length = snprintf(text, size, "op %u flags %u:", problem->op, problem->flags);
    for (size_t at = head; at + sizeof(int32_t) <= problem->struct_size && length > 0 && (size_t)length < size;
         at += sizeof(int32_t)) {
        int32_t word;
        memcpy(&word, (const char *)problem + at, sizeof word);
        length += snprintf(text + length, size - (size_t)length, " %d", word);
    }
    return length > 0 && (size_t)length < size;
}

static bool print_key(enum gpu_variant variant, const struct convoy_problem *problem, char *key, size_t size)
{
    const int length = snprintf(key, size, "%s\t", gpu_variants[variant]);
    return print_problem(problem, key + length, size - (size_t)length);
}

/* ---- choices in memory ---- */

static struct choice *find(const struct gpu_tuning *tuning, const char *key)
{
    struct choice *choice = tuning->first;
    while (choice && strcmp(choice->key, key))
        choice = choice->next;
    return choice;
}

static bool remember(struct gpu_tuning *tuning, const char *key, const char *text)
{
    struct choice *choice = find(tuning, key);
    if (!choice) {
        choice = calloc(1, sizeof *choice + strlen(key) + 1);
        if (!choice)
            return false;
        memcpy(choice->key, key, strlen(key) + 1);
        choice->next = tuning->first;
        tuning->first = choice;
    }
    snprintf(choice->text, sizeof choice->text, "%s", text);
    return true;
}

bool gpu_tuning_find(struct gpu_tuning *tuning, enum gpu_variant variant, const struct convoy_problem *problem, char *text,
                     size_t size)
{
    char key[PROBLEM_BYTES];
    if (!tuning || !print_key(variant, problem, key, sizeof key))
        return false;
    pthread_mutex_lock(&tuning->lock);
    const struct choice *const choice = find(tuning, key);
    if (choice)
        snprintf(text, size, "%s", choice->text);
    pthread_mutex_unlock(&tuning->lock);
    return choice != NULL;
}

/* ---- the file ---- */

static void warn(const struct convoy_host *host, const char *path, uint32_t line, const char *what, bool last)
{
    char text[700];
    snprintf(text, sizeof text, "%s:%u: %s; the line is ignored%s", path, line, what, last ? ", and so are others like it" : "");
    if (host && host->log)
        host->log(host, CONVOY_LOG_WARNING, text);
}

/* What is wrong with the text of a configuration, NULL: nothing. */
static const char *text_fault(const char *text)
{
    if (!*text || strlen(text) >= CONVOY_TUNE_TEXT_BYTES)
        return "its configuration is empty or too long";
    for (; *text; text++) {
        if (*text <= ' ' || *text > '~')
            return "its configuration has characters that none has";
    }
    return NULL;
}

/* Takes a line; returns what is wrong with it, NULL: nothing. Lines of other owners are right as well. */
static const char *take_line(struct gpu_tuning *tuning, char *line)
{
    char *field[FIELDS];
    size_t fields = 0;
    for (char *at = line; at && fields < FIELDS; fields++) {
        field[fields] = at;
        at = strchr(at, '\t');
        if (at)
            *at++ = '\0';
        if (fields + 1 == FIELDS && at)
            return "it has more than 6 fields";
    }
    if (fields < FIELDS)
        return "it has fewer than 6 fields";
    const char *const fault = text_fault(field[FIELDS - 1]);
    if (fault)
        return fault;
    if (strcmp(field[0], tuning->device) || strcmp(field[1], tuning->driver) || strcmp(field[2], tuning->plugin))
        return NULL;
    char key[PROBLEM_BYTES];
    if (snprintf(key, sizeof key, "%s\t%s", field[3], field[4]) >= (int)sizeof key)
        return "its problem is too long";
    return remember(tuning, key, field[FIELDS - 1]) ? NULL : "there is no memory for it";
}

static void read_file(struct gpu_tuning *tuning, const struct convoy_host *host)
{
    char line[LINE_BYTES];
    FILE *const file = fopen(tuning->path, "r");
    uint32_t faults = 0;
    if (!file)
        return;
    for (uint32_t number = 1; fgets(line, sizeof line, file); number++) {
        const size_t length = strcspn(line, "\n");
        const char *fault = NULL;
        if (length + 1 == sizeof line) { /* too long: the rest of it too */
            fault = "it is too long";
            for (int c = fgetc(file); c != EOF && c != '\n';)
                c = fgetc(file);
        } else if (line[length] != '\n') {
            fault = "it does not end";
        }
        line[length] = '\0';
        if (!fault && length && line[0] != '#')
            fault = take_line(tuning, line);
        if (fault && ++faults <= WARNINGS_MOST)
            warn(host, tuning->path, number, fault, faults == WARNINGS_MOST);
    }
    fclose(file);
}

/* One write at the end, so that lines of other processes stay whole. After a line that was cut a new one begins. */
static bool append_line(const char *path, const char *line)
{
    static const char head[] =
        "# Chosen by `convoy tune`: device, driver, plugin, variant, problem, configuration; of equal ones the "
        "last counts.\n";
    char all[sizeof head + LINE_BYTES];
    const int file = open(path, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
    if (file < 0)
        return false;
    const off_t end = lseek(file, 0, SEEK_END);
    char last = '\n';
    const bool cut = end > 0 && pread(file, &last, 1, end - 1) == 1 && last != '\n';
    const int length = snprintf(all, sizeof all, "%s%s%s\n", end == 0 ? head : "", cut ? "\n" : "", line);
    const bool written = length > 0 && (size_t)length < sizeof all && write(file, all, (size_t)length) == length;
    return close(file) == 0 && written;
}

convoy_status gpu_tuning_keep(struct gpu_tuning *tuning, enum gpu_variant variant, const struct convoy_problem *problem,
                              const char *text, struct convoy_error *err)
{
    char key[PROBLEM_BYTES], line[LINE_BYTES];
    if (text_fault(text) || !print_key(variant, problem, key, sizeof key))
        return convoy_fail(err, CONVOY_INVALID, CONVOY_WHY_OTHER, "no configuration is called \"%.40s\"", text);
    if (!tuning || !tuning->path[0])
        return convoy_fail(err, CONVOY_FAILED, CONVOY_WHY_OTHER,
                           "there is no folder to keep choices in; CONVOY_CACHE_PATH names one");
    const int length =
        snprintf(line, sizeof line, "%s\t%s\t%s\t%s\t%s", tuning->device, tuning->driver, tuning->plugin, key, text);
    pthread_mutex_lock(&tuning->lock);
    convoy_status status = CONVOY_OK;
    if (length < 0 || (size_t)length >= sizeof line || !append_line(tuning->path, line))
        status = convoy_fail(err, CONVOY_FAILED, CONVOY_WHY_OTHER, "%.160s: %s", tuning->path, strerror(errno));
    else if (!remember(tuning, key, text))
        status = convoy_fail(err, CONVOY_NO_MEMORY, CONVOY_WHY_MEMORY, "no memory for a choice");
    pthread_mutex_unlock(&tuning->lock);
    return status;
}

/* ---- open and close ---- */

struct gpu_tuning *gpu_tuning_open(const struct gpu_tuning_owner *owner, const struct convoy_host *host)
{
    struct gpu_tuning *const tuning = calloc(1, sizeof *tuning);
    char folder[400], plugin[96];
    if (!tuning)
        return NULL;
    pthread_mutex_init(&tuning->lock, NULL);
    snprintf(plugin, sizeof plugin, "%s %s", owner->plugin, owner->version);
    copy_field(tuning->plugin, sizeof tuning->plugin, plugin);
    copy_field(tuning->device, sizeof tuning->device, owner->device);
    copy_field(tuning->driver, sizeof tuning->driver, owner->driver);
    if (gpu_cache_folder(folder, sizeof folder)) {
        snprintf(tuning->path, sizeof tuning->path, "%s/tuning-%.40s.txt", folder, owner->plugin);
        read_file(tuning, host);
    }
    return tuning;
}

void gpu_tuning_close(struct gpu_tuning *tuning)
{
    while (tuning && tuning->first) {
        struct choice *const choice = tuning->first;
        tuning->first = choice->next;
        free(choice);
    }
    if (tuning)
        pthread_mutex_destroy(&tuning->lock);
    free(tuning);
}

void gpu_tuning_describe(const struct gpu_tuning *tuning, struct convoy_tune_target *target)
{
    snprintf(target->device, sizeof target->device, "%s", tuning->device);
    snprintf(target->driver, sizeof target->driver, "%s", tuning->driver);
    snprintf(target->path, sizeof target->path, "%s", tuning->path);
}
