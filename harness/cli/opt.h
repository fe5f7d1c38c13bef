/* opt: the command line, from one table of options. Options bind to the whole run; nothing depends on their order. */
#ifndef CONVOY_CLI_OPT_H
#define CONVOY_CLI_OPT_H

#include "core/problem.h"
#include <stdbool.h>

enum exit_code { EXIT_OK = 0, EXIT_INCORRECT = 1, EXIT_REGRESSION = 2, EXIT_INCONCLUSIVE = 3, EXIT_USAGE = 4 };

enum { OPT_MAX_LIST = 64, OPT_MAX_THREADS = 8 };
struct opt_list {
    const char *item[OPT_MAX_LIST];
    size_t count;
};

struct options {
    struct opt_list backends, tables, plugins;
    struct opt_list arguments; /* problem strings; names for `table` and `new-kernel`            */
    uint32_t families, passes; /* bit masks over problem_family and problem_pass; 0: the command's default */
    int64_t batch;             /* 0: as in the table                                             */
    int64_t threads[OPT_MAX_THREADS];
    size_t threads_count; /* 0: the command's default                                       */
    int64_t seed, timeout_s, rounds;
    double budget_s;
    uint64_t mem_limit_bytes;
    const char *output, *verified, *junit, *why, *name;
    const char *device; /* index or part of a name: CONVOY_DEVICE for the plugins that have devices */
    const char *slot_file[CONVOY_NSLOTS];
    bool resume, strict, in_process, first_variants, devices, quiet, help;
    bool cold;                         /* caches, not hot                                                 */
    bool gate_layers;                  /* compare: one layer that regressed is enough                     */
    double threshold_pct;              /* compare: smaller changes do not count; 0: the command's default */
    const char *summary, *variant;
    struct opt_list without;           /* select: backends that are only compared with                    */
    double total_s;                    /* select: seconds for the whole; 0: no limit                      */
    int64_t full_macs;                 /* larger problems are verified by a twin and samples              */
    const char *purpose;               /* select: "training" or "inference"; NULL: by the passes there are */
    bool quick, any_accuracy;
    bool force;                        /* tune: software devices too                                      */
    const char *markdown, *selected, *compared, *training; /* report */
};

/* Above this many multiply-adds a problem is checked by its small twin and by sampled outputs. */
#define OPT_FULL_MACS (INT64_C(1) << 24)

struct command {
    const char *name, *usage, *summary, *details; /* details: paragraphs and examples for --help                */
    uint32_t bit;                                 /* which options apply (enum command_bit)                     */
    int (*run)(const struct options *options);
};
enum command_bit {
    CMD_LIST = 1,
    CMD_TABLE = 2,
    CMD_VERIFY = 4,
    CMD_BENCH = 8,
    CMD_RUN = 16,
    CMD_NEW_KERNEL = 32,
    CMD_REGRESS = 64,
    CMD_CONFORM = 128,
    CMD_COMPARE = 256,
    CMD_HISTORY = 512,
    CMD_SELECT = 1024,
    CMD_REPORT = 2048,
    CMD_TUNE = 4096
};

/* argv after the command's name. On failure a sentence that names the option, and CONVOY_INVALID. Strings are borrowed. */
convoy_status opt_parse(const struct command *command, int argc, char **argv, struct options *options, struct convoy_error *err);

/* Usage, options and examples of one command to stdout. */
void opt_help(const struct command *command);

#endif
