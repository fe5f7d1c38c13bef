#include "core/machine.h"
#include "revision.h"
#include <ctype.h>
#include <inttypes.h>
#include <sched.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

/* Extensions that a convolution kernel may depend on, in the order of their report; the names are Linux's. */
static const char *const extensions[] = {
    "sse4_2",      "avx",         "avx2",        "fma",      "avx512f", "avx512bw", "avx512dq", "avx512vl",
    "avx512_vnni", "avx512_bf16", "avx512_fp16", "amx_tile", "asimd",   "sve",      "sve2",     "bf16",
};

/* What /proc/cpuinfo says about the first processor. x86 names a model; ARM has numbers only. */
struct cpuinfo {
    char model_name[96], vendor[32], family[16], model[16], stepping[16], implementer[16], part[16];
    char flags[4096];
};

static const struct {
    const char *key;
    size_t offset, size;
} cpuinfo_fields[] = {
#define FIELD(member) offsetof(struct cpuinfo, member), sizeof(((struct cpuinfo *)0)->member)
    {"model name", FIELD(model_name)}, {"vendor_id", FIELD(vendor)},  {"cpu family", FIELD(family)},
    {"model", FIELD(model)},           {"stepping", FIELD(stepping)}, {"CPU implementer", FIELD(implementer)},
    {"CPU part", FIELD(part)},         {"flags", FIELD(flags)},       {"Features", FIELD(flags)},
#undef FIELD
};

/* Copies text without space around it, and runs of space as one blank. */
static void copy_clean(char *to, size_t size, const char *from)
{
    size_t used = 0;
    for (; *from; from++) {
        const bool space = isspace((unsigned char)*from);
        if (space && (used == 0 || to[used - 1] == ' '))
            continue;
        if (used + 1 < size)
            to[used++] = space ? ' ' : *from;
    }
    while (used > 0 && to[used - 1] == ' ')
        used--;
    to[used] = '\0';
}

static void read_cpuinfo(struct cpuinfo *info)
{
    *info = (struct cpuinfo){0};
    FILE *file = fopen("/proc/cpuinfo", "re");
    if (!file)
        return;
    char *line = NULL;
    size_t capacity = 0;
    while (getline(&line, &capacity, file) > 0) {
        char *colon = strchr(line, ':');
        if (!colon)
            break; /* the empty line after the first processor */
        *colon = '\0';
        char key[32];
        copy_clean(key, sizeof key, line);
        for (size_t f = 0; f < sizeof cpuinfo_fields / sizeof cpuinfo_fields[0]; f++)
            if (strcmp(key, cpuinfo_fields[f].key) == 0)
                copy_clean((char *)info + cpuinfo_fields[f].offset, cpuinfo_fields[f].size, colon + 1);
    }
    free(line);
    fclose(file);
}

/* First line of a small file; empty if there is none. */
static void read_line(const char *path, char *text, size_t size)
{
    char line[256] = "";
    FILE *file = fopen(path, "re");
    if (file) {
        if (!fgets(line, sizeof line, file))
            line[0] = '\0';
        fclose(file);
    }
    copy_clean(text, size, line);
}

/* Removes every `word` from text. */
static void strike(char *text, const char *word)
{
    const size_t length = strlen(word);
    for (char *at; (at = strstr(text, word));)
        memmove(at, at + length, strlen(at + length) + 1);
}

/* "Intel(R) Xeon(R) Processor @ 2.60GHz" -> "Intel Xeon": what is left names the model, or it is vague. */
static void model_words(const char *model_name, char *words, size_t size)
{
    static const char *const noise[] = {"(R)", "(r)", "(TM)", "(tm)", "Processor", "CPU", "-Core"};
    char text[96];
    snprintf(text, sizeof text, "%s", model_name);
    text[strcspn(text, "@")] = '\0';
    for (size_t i = 0; i < sizeof noise / sizeof noise[0]; i++)
        strike(text, noise[i]);
    copy_clean(words, size, text);
}

static void describe_cpu(const struct cpuinfo *info, char *cpu, size_t size, char *words, size_t words_size)
{
    model_words(info->model_name, words, words_size);
    const bool vague = !strpbrk(words, "0123456789");
    if (!info->model_name[0] && info->part[0]) {
        snprintf(cpu, size, "implementer %s part %s", info->implementer, info->part);
        snprintf(words, words_size, "%s %s", info->implementer, info->part);
    } else if (vague && info->family[0]) {
        const char *name = info->model_name[0] ? info->model_name : info->vendor;
        char numbers[64];
        const int length =
            snprintf(numbers, sizeof numbers, " (family %s model %s stepping %s)", info->family, info->model, info->stepping);
        /* A long name is cut, never the numbers that tell it from others. */
        const int room = (int)size - 1 - length;
        snprintf(cpu, size, "%.*s%s", room, name, numbers);
    } else {
        snprintf(cpu, size, "%s", info->model_name);
    }
    if (!words[0])
        snprintf(words, words_size, "%s", info->vendor[0] ? info->vendor : "cpu");
}

static bool has_word(const char *list, const char *word)
{
    const size_t length = strlen(word);
    for (const char *at = list; (at = strstr(at, word)); at += length)
        if ((at == list || at[-1] == ' ') && (at[length] == ' ' || at[length] == '\0'))
            return true;
    return false;
}

static void describe_isa(const char *flags, char *isa, size_t size)
{
    size_t used = 0;
    isa[0] = '\0';
    for (size_t i = 0; i < sizeof extensions / sizeof extensions[0]; i++) {
        const size_t needed = strlen(extensions[i]) + 1;
        if (!has_word(flags, extensions[i]) || used + needed >= size)
            continue;
        used += (size_t)snprintf(isa + used, size - used, "%s%s", used ? " " : "", extensions[i]);
    }
}

/* Number of processors this process may use, and the first of them. */
static int32_t usable_cores(int *first)
{
    *first = 0;
    /* The kernel refuses sets smaller than its own, however many processors there are. */
    for (int slots = CPU_SETSIZE; slots <= 1 << 20; slots *= 2) {
        cpu_set_t *set = CPU_ALLOC((size_t)slots);
        if (!set)
            break;
        const size_t size = CPU_ALLOC_SIZE((size_t)slots);
        int count = 0;
        if (sched_getaffinity(0, size, set) == 0) {
            count = CPU_COUNT_S(size, set);
            while (count > 0 && !CPU_ISSET_S((size_t)*first, size, set))
                ++*first;
        }
        CPU_FREE(set);
        if (count > 0)
            return count;
    }
    const long online = sysconf(_SC_NPROCESSORS_ONLN);
    return online > 0 ? (int32_t)online : 1;
}

/* "96K", "1024K", "32M" */
static int64_t parse_size_bytes(const char *text)
{
    char *end;
    const long long number = strtoll(text, &end, 10);
    const int shift = *end == 'K' ? 10 : *end == 'M' ? 20 : *end == 'G' ? 30 : 0;
    return number > 0 && number < 1ll << 32 ? (int64_t)number << shift : 0;
}

/* Bytes of one data or unified cache as one core sees it. */
static int64_t cache_bytes(int cpu, int level)
{
    static const int fallback[] = {[1] = _SC_LEVEL1_DCACHE_SIZE, [2] = _SC_LEVEL2_CACHE_SIZE, [3] = _SC_LEVEL3_CACHE_SIZE};
    for (int index = 0; index < 8; index++) {
        char path[96], text[32];
        snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu%d/cache/index%d/level", cpu, index);
        read_line(path, text, sizeof text);
        if (!text[0])
            break;
        if (atoi(text) != level)
            continue;
        snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu%d/cache/index%d/type", cpu, index);
        read_line(path, text, sizeof text);
        if (strcmp(text, "Instruction") == 0)
            continue;
        snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu%d/cache/index%d/size", cpu, index);
        read_line(path, text, sizeof text);
        return parse_size_bytes(text);
    }
    const long bytes = sysconf(fallback[level]);
    return bytes > 0 ? bytes : 0;
}

/* Lower case letters and digits, everything else as single hyphens. */
static void slug(const char *text, char *out, size_t size)
{
    size_t used = 0;
    for (; *text && used + 1 < size; text++) {
        if (isalnum((unsigned char)*text))
            out[used++] = (char)tolower((unsigned char)*text);
        else if (used > 0 && out[used - 1] != '-')
            out[used++] = '-';
    }
    while (used > 0 && out[used - 1] == '-')
        used--;
    out[used] = '\0';
}

/* 32-bit FNV-1a (Fowler, Noll, Vo; RFC 9923). */
static uint32_t hash_text(const char *text)
{
    uint32_t value = 0x811c9dc5u;
    for (; *text; text++)
        value = (value ^ (unsigned char)*text) * 0x01000193u;
    return value;
}

static void make_id(struct machine *machine, const char *words)
{
    char facts[256], name[40];
    const int64_t memory_gib = (machine->memory_bytes + (1ll << 29)) >> 30;
    snprintf(facts, sizeof facts, "%s|%" PRId32 "|%" PRId64 "|%" PRId64 "|%" PRId64 "|%" PRId64, machine->cpu, machine->cores,
             machine->l1d_bytes, machine->l2_bytes, machine->l3_bytes, memory_gib);
    slug(words, name, sizeof name);
    snprintf(machine->id, sizeof machine->id, "%s-%" PRId32 "c-%08" PRIx32, name, machine->cores, hash_text(facts));
}

void machine_describe(struct machine *machine)
{
    struct cpuinfo info;
    struct utsname system;
    char words[96], path[96];
    int first;
    *machine = (struct machine){0};
    read_cpuinfo(&info);
    describe_cpu(&info, machine->cpu, sizeof machine->cpu, words, sizeof words);
    describe_isa(info.flags, machine->isa, sizeof machine->isa);
    machine->cores = usable_cores(&first);
    machine->l1d_bytes = cache_bytes(first, 1);
    machine->l2_bytes = cache_bytes(first, 2);
    machine->l3_bytes = cache_bytes(first, 3);
    const long pages = sysconf(_SC_PHYS_PAGES), page_bytes = sysconf(_SC_PAGESIZE);
    if (pages > 0 && page_bytes > 0)
        machine->memory_bytes = (int64_t)pages * page_bytes;
    snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu%d/cpufreq/scaling_governor", first);
    read_line(path, machine->governor, sizeof machine->governor);
    if (uname(&system) == 0)
        snprintf(machine->kernel, sizeof machine->kernel, "%.31s %.60s", system.sysname, system.release);
#if defined(__clang__)
    copy_clean(machine->compiler, sizeof machine->compiler, "clang " __clang_version__);
#else
    copy_clean(machine->compiler, sizeof machine->compiler, "gcc " __VERSION__);
#endif
    copy_clean(machine->revision, sizeof machine->revision, CONVOY_REVISION);
    make_id(machine, words);
}
