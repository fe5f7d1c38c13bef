#include "cli/opt.h"
#include "core/slots.h"
#include <convoy/plugin.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum kind {
    KIND_LIST,
    KIND_TEXT,
    KIND_FLAG,
    KIND_CACHE,
    KIND_GATE,
    KIND_PURPOSE,
    KIND_ACCURACY,
    KIND_COUNT,
    KIND_SECONDS,
    KIND_PERCENT,
    KIND_BYTES,
    KIND_FAMILY,
    KIND_PASS,
    KIND_THREADS
};

struct spec {
    const char *name;
    char letter;
    const char *value, *help;
    enum kind kind;
    size_t offset;
    uint32_t commands;
    int64_t least;
};

#define AT(member) offsetof(struct options, member)
enum {
    CMD_CASES = CMD_VERIFY | CMD_BENCH | CMD_COMPARE,
    CMD_TIMES = CMD_BENCH | CMD_COMPARE,
    CMD_LINEUP = CMD_VERIFY | CMD_BENCH,
    CMD_PLUGINS = CMD_CASES | CMD_LIST | CMD_RUN | CMD_CONFORM | CMD_SELECT | CMD_TUNE
};
static const struct spec specs[] = {
    {"backend", 'b', "NAME[:VARIANT]", "backend to use; repeatable (default: all, in all variants)", KIND_LIST, AT(backends),
     CMD_LINEUP | CMD_LIST | CMD_RUN | CMD_CONFORM | CMD_HISTORY | CMD_SELECT | CMD_TUNE, 0},
    {"first-variants", 0, NULL, "without -b: only the first variant of each backend, its default", KIND_FLAG, AT(first_variants),
     CMD_LINEUP, 0},
    {"device", 0, "INDEX-OR-NAME", "device of a backend with several: index, or a part of its name (`convoy list --devices`)",
     KIND_TEXT, AT(device), CMD_PLUGINS, 0},
    {"devices", 0, NULL, "list the devices of each backend that has some", KIND_FLAG, AT(devices), CMD_LIST, 0},
    {"table", 't', "NAME-OR-FILE", "layer table; repeatable (`convoy table` lists them)", KIND_LIST, AT(tables),
     CMD_CASES | CMD_REGRESS | CMD_SELECT | CMD_TUNE, 0},
    {"pass", 0, "PASS", "fwd, bwd-data, bwd-weights or all", KIND_PASS, AT(passes), CMD_CASES | CMD_SELECT | CMD_TUNE, 0},
    {"op", 0, "OP", "conv, pool, bn, eltwise or all", KIND_FAMILY, AT(families),
     CMD_CASES | CMD_TABLE | CMD_SELECT | CMD_TUNE, 0},
    {"batch", 0, "N", "batch size in place of the table's", KIND_COUNT, AT(batch), CMD_CASES | CMD_SELECT | CMD_TUNE, 1},
    {"threads", 0, "N[,N]", "thread counts (default: verify all cores, bench 1 and all cores, compare 1, select all cores)",
     KIND_THREADS, AT(threads), CMD_CASES | CMD_RUN | CMD_CONFORM | CMD_SELECT, 0},
    {"seed", 0, "N", "seed of the data (default 1)", KIND_COUNT, AT(seed),
     CMD_CASES | CMD_CONFORM | CMD_SELECT | CMD_TUNE, 0},
    {"timeout", 0, "SECONDS", "limit for one case; a plugin that hangs gets TIMEOUT (default 120)", KIND_COUNT, AT(timeout_s),
     CMD_PLUGINS, 1},
    {"mem-limit", 0, "BYTES", "most workspace and prepared weights a plan may ask for (suffix K, M, G)", KIND_BYTES,
     AT(mem_limit_bytes), CMD_CASES | CMD_RUN | CMD_SELECT | CMD_TUNE, 0},
    {"rounds", 0, "N", "exactly N interleaved rounds (default: 3 discarded, then 12 to 40 until the answer is clear)", KIND_COUNT,
     AT(rounds), CMD_TIMES, 1},
    {"budget", 0, "SECONDS", "a candidate gets no further round once its rounds took this long (default 4)", KIND_SECONDS,
     AT(budget_s), CMD_TIMES, 0},
    {"budget", 0, "SECONDS", "for one problem: no further candidate once they ran this long, compiling not counted (default 1)",
     KIND_SECONDS, AT(total_s), CMD_TUNE, 0},
    {"force", 0, NULL, "tune for software devices as well, where a CPU plays the device", KIND_FLAG, AT(force), CMD_TUNE, 0},
    {"budget", 0, "SECONDS", "measured now: about so long for all of it (default: no limit, with --quick 20)", KIND_SECONDS,
     AT(total_s), CMD_SELECT, 0},
    {"quick", 0, NULL, "measured now: short batches, few rounds, the most promising candidates first", KIND_FLAG, AT(quick),
     CMD_SELECT, 0},
    {"purpose", 0, "training|inference", "all passes with preparing, or forward alone without (default: by the passes there are)",
     KIND_PURPOSE, AT(purpose), CMD_SELECT, 0},
    {"accuracy", 0, "strict|any", "strict (default): no backend of the class fast is selected", KIND_ACCURACY, AT(any_accuracy),
     CMD_SELECT, 0},
    {"without", 0, "NAME[:VARIANT]", "never select this one; repeatable", KIND_LIST, AT(without), CMD_SELECT, 0},
    {"cache", 0, "hot|cold", "hot (default): always the same tensors; cold: sets of tensors in turn, three times the last cache",
     KIND_CACHE, AT(cold), CMD_TIMES | CMD_SELECT, 0},
    {"threshold", 0, "PERCENT", "changes below this do not count (default 3, between two files 10)", KIND_PERCENT,
     AT(threshold_pct), CMD_COMPARE, 0},
    {"gate", 0, "network|layers", "what makes exit code 2: the network as a whole (default), or any layer", KIND_GATE,
     AT(gate_layers), CMD_COMPARE, 0},
    {"variant", 0, "NAME", "variant of both builds (default: their first)", KIND_TEXT, AT(variant), CMD_COMPARE, 0},
    {"summary", 0, "FILE.md", "append the verdicts as Markdown, as for $GITHUB_STEP_SUMMARY", KIND_TEXT, AT(summary), CMD_COMPARE,
     0},
    {"verified", 0, "FILE.csv", "take verdicts from these rows of `verify` where plugin file, problem, threads and seed agree",
     KIND_TEXT, AT(verified), CMD_TIMES | CMD_SELECT, 0},
    {"strict", 0, NULL, "MARGINAL counts as a failure", KIND_FLAG, AT(strict), CMD_CASES | CMD_CONFORM | CMD_SELECT, 0},
    {"output", 'o', "FILE.csv", "append each row to this file as it is finished; a folder gets MACHINE/UTC-REVISION-COMMAND.csv",
     KIND_TEXT, AT(output), CMD_CASES, 0},
    {"output", 'o', "select.csv", "write the selection here; what it held keeps its winners until they are clearly beaten",
     KIND_TEXT, AT(output), CMD_SELECT, 0},
    {"output", 'o', "FILE.html", "where to write the page (default: report.html)", KIND_TEXT, AT(output), CMD_REPORT, 0},
    {"markdown", 0, "FILE.md", "also write the same content as Markdown", KIND_TEXT, AT(markdown), CMD_REPORT, 0},
    {"select", 0, "select.csv", "show what `convoy select` chose", KIND_TEXT, AT(selected), CMD_REPORT, 0},
    {"compare", 0, "FILE.csv", "show these verdicts of `convoy compare`", KIND_TEXT, AT(compared), CMD_REPORT, 0},
    {"training", 0, "FILE.csv", "show these loss curves of `convoy-train compare`", KIND_TEXT, AT(training), CMD_REPORT, 0},
    {"junit", 0, "FILE.xml", "also write the verdicts as JUnit XML", KIND_TEXT, AT(junit), CMD_VERIFY | CMD_COMPARE, 0},
    {"why", 0, "SENTENCE", "why the case is kept: what went wrong once", KIND_TEXT, AT(why), CMD_REGRESS, 0},
    {"name", 0, "NAME", "short name of the case, letters, digits and dashes", KIND_TEXT, AT(name), CMD_REGRESS, 0},
    {"resume", 0, NULL, "go on with the cases that FILE.csv does not hold yet", KIND_FLAG, AT(resume), CMD_LINEUP, 0},
    {"plugin", 0, "FILE-OR-DIR", "also look for plugins here, before all other places; repeatable", KIND_LIST, AT(plugins),
     CMD_PLUGINS, 0},
    {"in-process", 0, NULL, "load plugins into this process, for debuggers: a crash ends the run", KIND_FLAG, AT(in_process),
     CMD_PLUGINS, 0},
    {"quiet", 'q', NULL, "no progress, no matrices", KIND_FLAG, AT(quiet),
     CMD_CASES | CMD_SELECT | CMD_REPORT | CMD_TUNE, 0},
    {"help", 'h', NULL, "this text", KIND_FLAG, AT(help), ~0u, 0},
};
enum { SPEC_COUNT = sizeof specs / sizeof specs[0] };

static convoy_status invalid(struct convoy_error *err, const char *name, const char *value, const char *want)
{
    return convoy_fail(err, CONVOY_INVALID, CONVOY_WHY_OTHER, "--%s %s: expected %s", name, value, want);
}

static bool parse_whole(const char *text, int64_t least, int64_t *out)
{
    char *end = NULL;
    errno = 0;
    const long long value = strtoll(text, &end, 10);
    if (errno || end == text || *end || value < least)
        return false;
    *out = value;
    return true;
}

static bool parse_bytes(const char *text, uint64_t *out)
{
    char *end = NULL;
    errno = 0;
    const unsigned long long value = strtoull(text, &end, 10);
    if (errno || end == text || text[0] == '-')
        return false;
    static const char suffixes[] = "KMGT";
    unsigned shift = 0;
    if (*end) {
        const char *found = strchr(suffixes, *end);
        if (!found || end[1])
            return false;
        shift = 10u * (unsigned)(found - suffixes + 1);
    }
    if (value > UINT64_MAX >> shift)
        return false;
    *out = (uint64_t)value << shift;
    return true;
}

static bool parse_threads(const char *text, struct options *options)
{
    options->threads_count = 0;
    char buf[128];
    if (strlen(text) >= sizeof buf)
        return false;
    memcpy(buf, text, strlen(text) + 1);
    char *save = NULL;
    for (char *word = strtok_r(buf, ",", &save); word; word = strtok_r(NULL, ",", &save)) {
        if (options->threads_count == OPT_MAX_THREADS)
            return false;
        int64_t *slot = &options->threads[options->threads_count];
        if (!parse_whole(word, 1, slot) || *slot > 1024)
            return false;
        options->threads_count++;
    }
    return options->threads_count > 0;
}

/* Sets the bit of the name that matches; "all" sets every bit. */
static bool parse_bit(const char *text, const char *(*name_of)(int), int count, uint32_t *mask)
{
    if (!strcmp(text, "all")) {
        *mask = (1u << count) - 1;
        return true;
    }
    for (int i = 0; i < count; i++) {
        if (!strcmp(text, name_of(i))) {
            *mask |= 1u << i;
            return true;
        }
    }
    return false;
}
static const char *family_at(int i)
{
    return family_name((enum problem_family)i);
}
static const char *pass_at(int i)
{
    return pass_name((enum problem_pass)i);
}

static convoy_status assign(const struct spec *spec, const char *value, struct options *options, struct convoy_error *err)
{
    void *member = (char *)options + spec->offset;
    switch (spec->kind) {
    case KIND_FLAG:
        *(bool *)member = true;
        return CONVOY_OK;
    case KIND_CACHE:
        if (strcmp(value, "hot") && strcmp(value, "cold"))
            return invalid(err, spec->name, value, "hot or cold");
        *(bool *)member = !strcmp(value, "cold");
        return CONVOY_OK;
    case KIND_GATE:
        if (strcmp(value, "network") && strcmp(value, "layers"))
            return invalid(err, spec->name, value, "network or layers");
        *(bool *)member = !strcmp(value, "layers");
        return CONVOY_OK;
    case KIND_PURPOSE:
        if (strcmp(value, "training") && strcmp(value, "inference"))
            return invalid(err, spec->name, value, "training or inference");
        *(const char **)member = value;
        return CONVOY_OK;
    case KIND_ACCURACY:
        if (strcmp(value, "strict") && strcmp(value, "any"))
            return invalid(err, spec->name, value, "strict or any");
        *(bool *)member = !strcmp(value, "any");
        return CONVOY_OK;
    case KIND_PERCENT: {
        char *end = NULL;
        const double percent = strtod(value, &end);
        if (end == value || *end || !(percent > 0) || percent > 1000)
            return invalid(err, spec->name, value, "a positive percentage");
        *(double *)member = percent;
        return CONVOY_OK;
    }
    case KIND_TEXT:
        *(const char **)member = value;
        return CONVOY_OK;
    case KIND_LIST: {
        struct opt_list *list = member;
        if (list->count == OPT_MAX_LIST)
            return convoy_fail(err, CONVOY_INVALID, CONVOY_WHY_OTHER, "--%s: more than %d", spec->name, OPT_MAX_LIST);
        list->item[list->count++] = value;
        return CONVOY_OK;
    }
    case KIND_COUNT: {
        char want[64];
        snprintf(want, sizeof want, "a whole number from %lld up", (long long)spec->least);
        if (parse_whole(value, spec->least, member) && *(int64_t *)member <= INT32_MAX)
            return CONVOY_OK;
        return invalid(err, spec->name, value, want);
    }
    case KIND_SECONDS: {
        char *end = NULL;
        const double seconds = strtod(value, &end);
        if (end == value || *end || !(seconds > 0) || seconds > 1e6)
            return invalid(err, spec->name, value, "a positive number of seconds");
        *(double *)member = seconds;
        return CONVOY_OK;
    }
    case KIND_BYTES:
        return parse_bytes(value, member) ? CONVOY_OK
                                          : invalid(err, spec->name, value, "bytes, with suffix K, M, G or T if you like");
    case KIND_FAMILY:
        return parse_bit(value, family_at, FAMILY_COUNT, member)
                   ? CONVOY_OK
                   : invalid(err, spec->name, value, "conv, pool, bn, eltwise or all");
    case KIND_PASS:
        return parse_bit(value, pass_at, PASS_COUNT, member)
                   ? CONVOY_OK
                   : invalid(err, spec->name, value, "fwd, bwd-data, bwd-weights or all");
    case KIND_THREADS:
        return parse_threads(value, options) ? CONVOY_OK
                                             : invalid(err, spec->name, value, "thread counts from 1 up, separated by commas");
    }
    return CONVOY_INVALID;
}

static const struct spec *find(const struct command *command, const char *name, size_t length)
{
    for (size_t i = 0; i < SPEC_COUNT; i++) {
        if ((specs[i].commands & command->bit) && strlen(specs[i].name) == length && !memcmp(specs[i].name, name, length))
            return &specs[i];
    }
    return NULL;
}

static const struct spec *find_letter(const struct command *command, char letter)
{
    for (size_t i = 0; i < SPEC_COUNT; i++) {
        if ((specs[i].commands & command->bit) && specs[i].letter == letter)
            return &specs[i];
    }
    return NULL;
}

convoy_status opt_parse(const struct command *command, int argc, char **argv, struct options *options, struct convoy_error *err)
{
    *options = (struct options){.seed = 1, .timeout_s = 120, .budget_s = 4, .full_macs = OPT_FULL_MACS};
    bool only_arguments = false;
    for (int a = 0; a < argc; a++) {
        const char *word = argv[a];
        if (only_arguments || word[0] != '-' || !word[1]) {
            struct opt_list *list = &options->arguments;
            if (list->count == OPT_MAX_LIST)
                return convoy_fail(err, CONVOY_INVALID, CONVOY_WHY_OTHER, "more than %d arguments", OPT_MAX_LIST);
            list->item[list->count++] = word;
            continue;
        }
        if (!strcmp(word, "--")) {
            only_arguments = true;
            continue;
        }
        const char *value = NULL;
        const struct spec *spec = NULL;
        int slot = -1;
        if (word[1] == '-') {
            const char *name = word + 2;
            const char *equals = strchr(name, '=');
            const size_t length = equals ? (size_t)(equals - name) : strlen(name);
            value = equals ? equals + 1 : NULL;
            spec = find(command, name, length);
            char lower[32];
            if (!spec && (command->bit & CMD_RUN) && length < sizeof lower) {
                memcpy(lower, name, length);
                lower[length] = '\0';
                slot = slot_by_name(lower);
            }
        } else {
            spec = find_letter(command, word[1]);
            value = word[2] ? word + 2 : NULL;
        }
        if (!spec && slot < 0)
            return convoy_fail(err, CONVOY_INVALID, CONVOY_WHY_OTHER, "unknown option %s for `convoy %s`; see `convoy %s --help`",
                               word, command->name, command->name);
        if (spec && spec->kind == KIND_FLAG) {
            if (value)
                return convoy_fail(err, CONVOY_INVALID, CONVOY_WHY_OTHER, "--%s takes no value", spec->name);
        } else if (!value) {
            if (++a == argc)
                return convoy_fail(err, CONVOY_INVALID, CONVOY_WHY_OTHER, "%s needs a value", word);
            value = argv[a];
        }
        if (slot >= 0) {
            options->slot_file[slot] = value;
            continue;
        }
        const convoy_status status = assign(spec, value, options, err);
        if (status != CONVOY_OK)
            return status;
    }
    return CONVOY_OK;
}

void opt_help(const struct command *command)
{
    printf("usage: convoy %s %s\n\n%s\n\noptions:\n", command->name, command->usage, command->summary);
    for (size_t i = 0; i < SPEC_COUNT; i++) {
        if (!(specs[i].commands & command->bit))
            continue;
        char left[64];
        const char *gap = specs[i].value ? " " : "", *value = specs[i].value ? specs[i].value : "";
        if (specs[i].letter)
            snprintf(left, sizeof left, "-%c, --%s%s%s", specs[i].letter, specs[i].name, gap, value);
        else
            snprintf(left, sizeof left, "    --%s%s%s", specs[i].name, gap, value);
        printf("  %-30s %s\n", left, specs[i].help);
    }
    printf("\n%s", command->details);
}
