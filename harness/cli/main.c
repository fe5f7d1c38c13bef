/* The program convoy: picks the command and runs it. Nobody but main exits; nobody but the commands prints. */
#include "cli/commands.h"
#include "cli/worker.h"
#include "core/error.h"
#include <convoy/devices.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct command commands[] = {
    {"list", "[options]", "Lists the backends: found where, which variants, or why they cannot be used.",
     "Plugins are files convoy_NAME.so, looked for in this order: --plugin, CONVOY_PLUGIN_PATH, the folder plugins beside the\n"
     "program's own, the installed folder. The first of a name wins. In brackets: the accuracy classes of a variant's convolutions\n"
     "(exact, strict, fast; strict/fast: it depends on the problem), from plans of three of them.\n\nexamples:\n"
     "  convoy list\n  convoy list --plugin ./convoy_mine.so\n",
     CMD_LIST, cmd_list},
    {"table", "[NAME-OR-FILE...]", "Lists the layer tables, or the rows of some with their multiply-adds and parameters.",
     "examples:\n  convoy table\n  convoy table vgg-d --op conv\n", CMD_TABLE, cmd_table},
    {"verify", "[options] [PROBLEM...]",
     "Checks backends against the referee: exact integers, identities, bounds by numerics class.",
     "Without a table or a problem the table smoke is taken; rows of tables are checked in all passes, a problem string in the "
     "pass\n"
     "that it names. Exit code: 0 all right, 1 a failure, 3 interrupted, 4 usage or environment.\n\nexamples:\n"
     "  convoy verify\n"
     "  convoy verify -b im2col:panel --table vgg-d --table resnet50 -o verify.csv\n"
     "  convoy verify -b im2col 'conv_fwd:n2c16h13k16kh3p1' --seed 7\n",
     CMD_VERIFY, cmd_verify},
    {"bench", "[options] [PROBLEM...]",
     "Times backends in interleaved rounds, after each has passed verification on the very shape.",
     "Rows of tables are timed forward unless --pass says otherwise. A round is one batch of each, of 5 ms or more; 3 rounds "
     "are\n"
     "discarded and 12 to 40 kept, until the lead of the fastest is clear; one candidate runs twice, as the noise floor. "
     "--rounds N is a\n"
     "quick look without either. The batches themselves go to FILE.samples.csv beside -o FILE.csv. GFLOP/s are effective: the\n"
     "operations of the direct algorithm, whatever was computed, over the median. Exit code: 0 done, 1 a backend failed "
     "verification, 3 interrupted, 4 "
     "usage.\n\nexamples:\n"
     "  convoy bench --table vgg-d --op conv --threads 1 -o results/\n"
     "  convoy bench -b im2col:panel -b im2col:whole 'conv_fwd:n1c256h56k256kh3p1'\n"
     "  convoy bench --table resnet50 -o bench.csv --resume\n",
     CMD_BENCH, cmd_bench},
    {"compare", "[options] OLD NEW [PROBLEM...]",
     "Has a new build of a plugin become slower? One interleaved run, or two result files.",
     "OLD and NEW are files convoy_NAME.so or names of backends, either with :VARIANT; both run in two workers each, so that a "
     "build is\n"
     "also compared with itself: that is the noise floor. A change is called where the exact 95 % interval excludes none, the "
     "p-value\n"
     "holds after Holm's correction, the effect is 3 % and twice the noise floor, and a second run in new workers finds it "
     "again.\n"
     "Else: equivalent (the interval is within 3 %), or inconclusive. Without a table or a problem the table lecture is taken.\n"
     "OLD.csv NEW.csv compares two files of `bench`: weaker evidence, from 10 %.\n"
     "Exit code: 0 no regression, 1 NEW is wrong somewhere, 2 a network regressed or NEW declines what OLD does, 3 "
     "inconclusive,\n"
     "4 usage.\n\nexamples:\n"
     "  convoy compare old/convoy_direct.so build/plugins/convoy_direct.so --table resnet50 --summary summary.md --junit "
     "compare.xml\n"
     "  convoy compare winograd:f4 winograd:f6 --table vgg-d --op conv --gate layers\n"
     "  convoy compare results/m/monday-bench.csv results/m/tuesday-bench.csv\n",
     CMD_COMPARE, cmd_compare},
    {"conform", "[options] PLUGIN.so",
     "Judges one plugin against the contract of the ABI, as a report that its author can act on.",
     "Contract rules, what it can do and why not the rest, errors in units of the bound, and its speed beside im2col. A backend "
     "that\n"
     "is found by name is taken with -b instead of a file.\n\nexamples:\n"
     "  convoy conform ./convoy_mine.so\n  convoy conform -b template\n",
     CMD_CONFORM, cmd_conform},
    {"run", "-b NAME PROBLEM --SLOT FILE.npy ...", "Runs one problem on tensors from NPY files.",
     "Slots: x w bias y dx dw dbias dy index gamma beta run_mean run_var save_mean save_istd dgamma dbeta x2 scalars. Inputs\n"
     "must be there with the exact type and shape; the outputs that are named are written.\n\nexamples:\n"
     "  convoy run -b im2col 'conv_fwd:n1c3h32k8kh3p1' --x x.npy --w w.npy --y y.npy\n"
     "  convoy run -b naive 'maxpool_fwd:n1c8h32kh2s2' --x x.npy --y y.npy --index i.npy\n",
     CMD_RUN, cmd_run},
    {"regress", "PROBLEM --name NAME --why SENTENCE",
     "Keeps a failing case: appends it to the table regress, which every verification can run.",
     "A problem that is there already is not added twice. --table FILE.csv keeps it in another table. For regressions of speed "
     "see\n"
     "`convoy compare`.\n\nexample:\n"
     "  convoy regress 'conv_fwd:c3h9k4kh3s2p1' --name odd-stride-2 --why \"The last row was dropped where h is odd.\"\n",
     CMD_REGRESS, cmd_regress},
    {"select", "[options] RESULTS.csv... | --table NAME-OR-FILE",
     "Which backend computes each layer? From result files, or measured now.",
     "Writes the winners to -o select.csv, for convoy-train, and prints them with the best single backend and the whole "
     "network's\n"
     "time with each. The choice is the cheapest path through the network: execution, preparing where the purpose is training, "
     "and\n"
     "measured transfers where neighbours work in different memories. Backends that failed verification never take part. Ties "
     "within\n"
     "the 95 % interval and 3 % go to the deterministic one, then the smaller workspace, then the name. The file holds for this\n"
     "machine and these plugin files only. From files, -b and --without narrow who may win; the others stay in the comparison.\n"
     "Exit code: 0 done, 3 interrupted or nothing to select from, 4 usage.\n\nexamples:\n"
     "  convoy select results/m/verify.csv results/m/bench.csv -o select.csv\n"
     "  convoy select --table resnet50 --batch 16 --purpose training --quick --budget 20 -o select.csv\n"
     "  convoy select bench.csv --op conv --pass fwd --threads 1 --without onednn\n",
     CMD_SELECT, cmd_select},
    {"tune", "[options] PROBLEM... | --table NAME-OR-FILE",
     "Finds the fastest configuration of a backend for each problem, and lets the backend keep it.",
     "For backends that can compute a problem in several ways (tile sizes, splits of a sum) and keep what was found: vulkan, opencl.\n"
     "Each configuration within the device's limits is timed by the device's clock, 3 to 5 executions, fewer where it is twice as\n"
     "slow as the best. A faster one counts only if its result agrees with the default's within what the class of its arithmetic\n"
     "allows, and is kept only after it passed verification against the referee and beat the default by 3 % once more. The backend\n"
     "writes it to its file in CONVOY_CACHE_PATH (or ~/.cache/convoy), by device, driver, plugin version, variant and problem; with\n"
     "another driver or version it does not count. Later plans take it, and say \"tuned\" in the column algorithm. To undo it, delete\n"
     "its line or the file. Devices that a CPU plays are left alone, unless --force. Rows of tables are tuned forward unless --pass\n"
     "says otherwise.\n"
     "Exit code: 0 every backend that can be tuned was, 1 a default failed or gave a wrong result, 3 interrupted or nothing could be "
     "tuned (software\n"
     "devices), 4 usage.\n\nexamples:\n"
     "  convoy tune -b vulkan --table resnet50 --batch 64 --pass all\n"
     "  convoy tune -b opencl:winograd --device NVIDIA 'conv_fwd:n64c256h14k256kh3p1' --budget 3\n"
     "  CONVOY_CACHE_PATH=/tmp/try convoy tune -b vulkan:gemm --force conv_fwd:c64h14k64kh1\n",
     CMD_TUNE, cmd_tune},
    {"history", "[options] [FILE-OR-FOLDER...]", "Shows how network totals went over time, per machine, from result files.",
     "Reads the bench rows of all .csv files (default: below results) and prints trends. They gate nothing: between two days "
     "the\n"
     "machine changes too; `convoy compare` measures two builds in one run.\n\nexamples:\n"
     "  convoy history\n  convoy history -b direct results/amd-epyc-2c-1a2b3c4d\n",
     CMD_HISTORY, cmd_history},
    {"report", "[options] FILE.csv...",
     "Writes one HTML page, needing nothing else, from result files; also as text and Markdown.",
     "Files of verify, bench and compare, of one machine or of several. The page shows who is right, how fast, how far from the\n"
     "roof, what each network costs, who wins where, how accurate and how large; each number names its file and row. The raw\n"
     "batches are taken from FILE.samples.csv beside FILE.csv. Charts need Chart.js (Debian: libjs-chart.js) when the page is\n"
     "written, and CONVOY_CHART_JS names another place for it.\n\nexamples:\n"
     "  convoy report results/m/monday-verify.csv results/m/monday-bench.csv\n"
     "  convoy report here.csv there.csv -o both.html --markdown both.md --select select.csv\n",
     CMD_REPORT, cmd_report},
    {"new-kernel", "NAME", "Makes a working kernel folder from the template.", "example:\n  convoy new-kernel direct7\n",
     CMD_NEW_KERNEL, cmd_new_kernel},
};
enum { COMMAND_COUNT = sizeof commands / sizeof commands[0] };

static volatile sig_atomic_t interrupted;
static void interrupt(int number)
{
    (void)number;
    interrupted = 1;
}
bool command_interrupted(void)
{
    return interrupted != 0;
}

int command_failed(const struct convoy_error *err)
{
    fprintf(stderr, "convoy: %s\n", err->text[0] ? err->text : status_sentence(err->status));
    return EXIT_USAGE;
}

static void usage(FILE *out)
{
    fprintf(out, "usage: convoy COMMAND [options]\n\nConvoy compares convolution, pooling and batch-norm kernels: is it right, "
                 "how fast, how far from the limit?\n\n");
    for (size_t c = 0; c < COMMAND_COUNT; c++)
        fprintf(out, "  %-11s %s\n", commands[c].name, commands[c].summary);
    fprintf(out,
            "\n`convoy COMMAND --help` shows options and examples.\n"
            "exit codes: 0 ok, 1 a correctness failure, 2 a regression, 3 inconclusive or interrupted, 4 usage or environment\n");
}

int main(int argc, char **argv)
{
    if (argc == 5 && !strcmp(argv[1], "--worker")) {
        worker_serve(atoi(argv[2]), argv[3], argv[4]);
        return EXIT_OK;
    }
    if (argc < 2 || !strcmp(argv[1], "--help") || !strcmp(argv[1], "-h") || !strcmp(argv[1], "help")) {
        usage(argc < 2 ? stderr : stdout);
        return argc < 2 ? EXIT_USAGE : EXIT_OK;
    }
    if (!strcmp(argv[1], "--version")) {
        printf("convoy %s, plugin ABI %u.%u\n", CONVOY_VERSION, CONVOY_ABI_MAJOR, CONVOY_ABI_MINOR);
        return EXIT_OK;
    }
    for (size_t c = 0; c < COMMAND_COUNT; c++) {
        if (strcmp(argv[1], commands[c].name))
            continue;
        struct convoy_error err = error_none();
        struct options options;
        if (opt_parse(&commands[c], argc - 2, argv + 2, &options, &err) != CONVOY_OK)
            return command_failed(&err);
        if (options.help) {
            opt_help(&commands[c]);
            return EXIT_OK;
        }
        /* Workers inherit it; a plugin reads it when it opens a device. */
        if (options.device && setenv(CONVOY_DEVICE_VARIABLE, options.device, 1) != 0)
            return EXIT_USAGE;
        const struct sigaction action = {.sa_handler = interrupt};
        sigaction(SIGINT, &action, NULL);
        sigaction(SIGTERM, &action, NULL);
        return commands[c].run(&options);
    }
    fprintf(stderr, "convoy: no such command: %s\n\n", argv[1]);
    usage(stderr);
    return EXIT_USAGE;
}
