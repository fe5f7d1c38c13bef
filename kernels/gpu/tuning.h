/* tuning.h: configurations of programs to choose from, and the file of those that were chosen. Which of them is fast and right is
 * for `convoy tune` to find out (convoy/tune.h); nothing here measures. */
#ifndef CONVOY_GPU_TUNING_H
#define CONVOY_GPU_TUNING_H

#include "gpu.h"

/* ---- configurations (choices.c) ---- */

enum { GPU_CANDIDATES_MOST = 20 };
struct gpu_candidate {
    struct gpu_choice choice;
    char text[CONVOY_TUNE_TEXT_BYTES];
};
/* Fills `list` with the configurations of a problem that keep to the device's limits and differ in their programs, the planner's own
 * first as "default". 0: the problem is declined, and err says why. [any] */
uint32_t gpu_candidates(const struct gpu_device *device, enum gpu_variant variant, const struct convoy_problem *problem,
                        struct gpu_candidate list[GPU_CANDIDATES_MOST], struct convoy_error *err);

/* ---- what was chosen (tuning.c) ---- */

/* One text file for a plugin, a line per choice: device, driver, plugin with version, variant, problem, configuration, with tabs
 * between. Lines of other devices, drivers and versions are passed over. Lines are only ever added, and the last one of a key counts;
 * a line that is none is named in a warning and passed over, so nothing that stands in the file is lost. */
struct gpu_tuning;
struct gpu_tuning_owner {
    const char *plugin, *version; /* "vulkan", "1.0" */
    const char *device, *driver;  /* with whatever tells one driver from another */
};
/* Reads the file; one that is not there, or no folder for it, is no failure. NULL: no memory. `host` hears the warnings. [any] */
struct gpu_tuning *gpu_tuning_open(const struct gpu_tuning_owner *owner, const struct convoy_host *host);
void gpu_tuning_close(struct gpu_tuning *tuning); /* NULL: nothing to do */
void gpu_tuning_describe(const struct gpu_tuning *tuning, struct convoy_tune_target *target);
/* The configuration kept for a problem: its text, or false. [any] */
bool gpu_tuning_find(struct gpu_tuning *tuning, enum gpu_variant variant, const struct convoy_problem *problem, char *text,
                     size_t size);
/* Writes a line, and finds it from now on. [any] */
convoy_status gpu_tuning_keep(struct gpu_tuning *tuning, enum gpu_variant variant, const struct convoy_problem *problem,
                              const char *text, struct convoy_error *err);

/* ---- instances that can be tuned (tuner.c) ---- */

/* First member of a backend's instance. */
struct gpu_instance {
    struct convoy_instance base;
    const struct convoy_host *host;
    const struct gpu_device *device;
    struct gpu_tuning *tuning; /* of the device; NULL: no choice is kept */
    enum gpu_variant variant;
    bool software;
    char forced[CONVOY_TUNE_TEXT_BYTES]; /* "": none */
};
/* The program of a problem as forced, else as kept, else as the planner likes. [any] */
convoy_status gpu_instance_program(struct gpu_instance *instance, const struct convoy_problem *problem,
                                   struct gpu_program *program, struct convoy_error *err);
/* What a plan tells as its algorithm: with the configuration where there is one, "tuned" where it was kept, and that a CPU plays
 * the device. */
enum { GPU_LABEL_BYTES = 40 };
void gpu_program_label(const struct gpu_program *program, bool software, char label[GPU_LABEL_BYTES]);

extern const struct convoy_tuner gpu_tuner; /* of plugins whose instances begin with struct gpu_instance */

#endif
