/* convoy-train: trains complete networks with the backends that win. */
#include "train/commands.h"
#include "train/ranks.h"

#include "core/error.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const struct train_command commands[] = {
    {"run", "run NETWORK [--data DIR] [options]", "Train a network.",
     "examples:\n"
     "  convoy-train run lenet5 --data mnist --epochs 10 --batch 64 --lr 0.05 --schedule cosine --out runs/lenet5\n"
     "  convoy-train run resnet20 --data cifar10 --epochs 40 --pad-crop 4 --flip --weight-decay 5e-4 --lr 0.1 --schedule "
     "cosine\n"
     "  convoy-train run resnet18 --input 3x64x64 --width 0.5 --load old.safetensors --load-exclude fc. --freeze conv1\n"
     "  mpirun -n 2 convoy-train run lenet5 --data mnist --batch 32\n\n"
     "exit code: 0 done, 1 target accuracy missed, 4 command line, files or environment, 130 interrupted with the state saved\n",
     FOR_RUN, command_run},
    {"eval", "eval NETWORK --load FILE [--load FILE ...] [--data DIR]",
     "Judge saved weights on the test set; several are an ensemble.",
     "example:\n  convoy-train eval lenet5 --data mnist --load runs/lenet5/best.safetensors\n", FOR_EVAL, command_eval},
    {"summary", "summary NETWORK [options]",
     "Print layers, shapes, parameters, multiply-adds, receptive fields and chosen backends.",
     "example:\n  convoy-train summary resnet50 --batch 16 --backend im2col\n", FOR_SUMMARY, command_summary},
    {"compare", "compare NETWORK --backends a,b [options]",
     "Train with the naive reference and with each backend from the same seed, side by side.",
     "example:\n  convoy-train compare lenet5 --data mnist --backends im2col,winograd:f4 --steps 50\n", FOR_COMPARE,
     command_compare},
    {"check", "check NETWORK [options]", "Compare the gradients with central differences.",
     "example:\n  convoy-train check resnet18 --input 3x32x32 --width 0.125 --batch 4 --backend naive\n", FOR_CHECK,
     command_check},
    {"time", "time NETWORK [options]",
     "Time training steps on a batch in memory: images per second, where the time goes, peak memory.",
     "example:\n  convoy-train time resnet18 --batch 16 --steps 20\n", FOR_TIME, command_time},
    {"list", "list", "Name the networks, with their images and classes.", "example:\n  convoy-train list\n", FOR_LIST,
     command_list},
};
enum { COMMANDS = sizeof commands / sizeof *commands };

int command_list(const struct settings *settings)
{
    (void)settings;
    for (size_t i = 0; i < catalog_count; i++)
        printf("%-22s %dx%dx%d, %d classes\n", catalog[i].name, catalog[i].image.c, catalog[i].image.h, catalog[i].image.w,
               catalog[i].classes);
    return TRAIN_OK;
}

static int usage(FILE *out)
{
    fprintf(out, "usage: convoy-train COMMAND [NETWORK] [options]\n\n");
    for (int c = 0; c < COMMANDS; c++)
        fprintf(out, "  %-9s %s\n", commands[c].name, commands[c].summary);
    fprintf(out, "\nconvoy-train COMMAND --help tells the options and examples of a command.\n");
    return out == stdout ? TRAIN_OK : TRAIN_USAGE;
}

static int run_command(const struct train_command *command, int argc, char **argv)
{
    struct settings settings;
    struct convoy_error err = error_none();
    const convoy_status status = settings_parse(command, argc, argv, &settings, &err);
    if (status)
        return train_failed(status, &err);
    if (settings.help) {
        settings_help(command);
        return TRAIN_OK;
    }
    return command->run(&settings);
}

int main(int argc, char **argv)
{
    struct convoy_error err = error_none();
    if (argc < 2 || !strcmp(argv[1], "--help") || !strcmp(argv[1], "help"))
        return usage(argc < 2 ? stderr : stdout);
    const convoy_status status = ranks_open(&argc, &argv, &err);
    if (status)
        return train_failed(status, &err);
    int code = TRAIN_USAGE;
    int c = 0;
    while (c < COMMANDS && strcmp(commands[c].name, argv[1]))
        c++;
    if (c < COMMANDS)
        code = run_command(&commands[c], argc - 2, argv + 2);
    else
        fprintf(stderr, "convoy-train: no command is named %s; see convoy-train --help\n", argv[1]);
    ranks_close();
    if ((fflush(stdout) || ferror(stdout)) && code == TRAIN_OK) {
        fprintf(stderr, "convoy-train: standard output: %s\n", strerror(errno));
        code = TRAIN_USAGE;
    }
    return code;
}
