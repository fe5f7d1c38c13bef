/* gpu.h: what the GPU backends share. A problem becomes a program: a list of kernel launches with their constants, parameters,
 * grids and buffer ranges, and the bytes of workspace and prepared weights that they need. The texts of the kernels are shared
 * too (text/), so a backend brings only a device: memory, compiled modules, a queue.
 *
 * Nothing here calls an API, allocates device memory or knows which API runs the program. */
#ifndef CONVOY_GPU_GPU_H
#define CONVOY_GPU_GPU_H

#include "params.h"
#include <convoy/convoy.h>
#include <convoy/profile.h>
#include <convoy/tune.h>
#include <stdbool.h>
#include <stddef.h>

/* ---- modules: one compiled kernel text with its build options ---- */

enum gpu_module_id {
#define GPU_MODULE(id, text, options, params, binds, constants) GPU_##id,
#include "modules.def"
#undef GPU_MODULE
    GPU_MODULE_COUNT
};
enum { GPU_BINDS_MOST = 8, GPU_CONSTANTS_MOST = 8 };

struct gpu_module {
    const char *name;      /* "MAP": the id as text, and the kernel's name in reports */
    const char *text;      /* the file in text/ without its ending */
    const char *options;   /* "-DPASS=1": of its compilation */
    uint32_t params_bytes; /* of its parameter struct */
    uint32_t binds;        /* buffers, bound as 0..binds-1 */
    const char *constants; /* names after GROUP, which every module has, with a space between */
};
extern const struct gpu_module gpu_modules[GPU_MODULE_COUNT];

/* ---- the device as the planner sees it ---- */

/* What a tuner may decide in the planner's place; 0: the planner does. */
struct gpu_choice {
    int32_t tile;         /* GPU family: products by this tile, counted from 1 (conv_tiles.c) */
    int32_t parts;        /* gradients of that family: parts of the sum that a compute unit gets */
    int32_t row, vectors; /* CPU family: rows of a panel and vectors of another, multiplied in registers */
    int32_t group;        /* work-groups of kernels without tiles */
};

struct gpu_device {
    bool cpu_family;          /* kernels without shared memory and with wide vectors: for devices that are CPUs */
    bool specialise;          /* bake shapes into the code; off where a compilation costs more than it brings */
    uint32_t vector;          /* floats in a vector of the CPU family (WIDTH in the texts): 4 in GLSL, up to 16 in OpenCL C */
    uint32_t lanes;           /* work-group size of the CPU family's products: what one core runs at a time; 1: no lanes */
    uint32_t group_most;      /* invocations in a work-group */
    uint32_t grid_most;       /* work-groups along x, and along y */
    uint32_t shared_bytes;    /* of a work-group */
    uint32_t align_bytes;     /* of ranges inside the workspace and the prepared weights: a power of 2, at least 64 */
    uint32_t cores;           /* compute units; 0: unknown */
    uint64_t range_bytes;     /* the most that one bind may cover */
    uint64_t workspace_bytes; /* the most workspace and prepared weights together that a program may ask for */
    const struct gpu_choice *choice; /* NULL: the planner decides everything */
};

/* ---- programs ---- */

enum { GPU_READ = 1, GPU_WRITE = 2 };

/* A range of a tensor. `offset` counts from the tensor's own offset and is a multiple of 4 (of align_bytes in workspace and
 * prepared weights), as is `bytes`. Kernels address it in words from the backend's base[bind]. */
struct gpu_bind {
    uint32_t slot;   /* CONVOY_X ... */
    uint32_t access; /* GPU_READ | GPU_WRITE */
    uint64_t offset, bytes;
};

struct gpu_step {
    enum gpu_module_id module;
    uint32_t group;                       /* invocations in a work-group */
    uint32_t grid_x, grid_y;              /* work-groups */
    int32_t constant[GPU_CONSTANTS_MOST]; /* in the order of the module's names; the rest 0 */
    struct gpu_bind bind[GPU_BINDS_MOST]; /* unused ones have bytes 0 */
    union gpu_params params;              /* params_bytes of its module count */
    uint32_t phase;                       /* CONVOY_PHASE_... */
    double flops;                         /* of this launch; 0: moves data only */
};

struct gpu_program {
    struct gpu_step *prepare, *step;
    uint32_t prepare_count, step_count;
    uint64_t workspace_bytes, prepared_bytes;
    uint32_t reads, writes; /* bit 1u << slot: what execute needs, workspace and prepared apart */
    struct convoy_numerics numerics;
    char algorithm[40];                  /* what runs, at most 22 characters, so that a backend can add where it runs */
    bool replaced;                       /* another algorithm than the variant's, which has no room */
    char choice[CONVOY_TUNE_TEXT_BYTES]; /* the configuration that it was made from; "": none */
    bool tuned;                          /* that was found by tuning and kept */
};

/* Algorithms by name, the default first, NULL-ended: the plugin's list of variants. */
extern const char *const gpu_variants[];
enum gpu_variant { GPU_GEMM, GPU_WINOGRAD, GPU_DIRECT, GPU_IM2COL, GPU_VARIANT_COUNT };
/* Variant of that name (NULL or "": the default), or GPU_VARIANT_COUNT. [any] */
enum gpu_variant gpu_variant_find(const char *name);

/* Plans `problem` for `device`. What does not fit its limits is planned with smaller chunks, then as an algorithm that needs less
 * ("direct, no room"). CONVOY_OK fills *program, which gpu_program_free empties; otherwise nothing is held. With a NULL program
 * only says whether it could. [any] */
convoy_status gpu_program_make(const struct gpu_device *device, enum gpu_variant variant, const struct convoy_problem *problem,
                               struct gpu_program *program, struct convoy_error *err);
void gpu_program_free(struct gpu_program *program);
/* The same, and tries whether `memory` (NULL: nobody asks) has room for workspace and prepared weights at present; where it has
 * none, plans for less. [instance] */
convoy_status gpu_program_fit(const struct gpu_device *device, enum gpu_variant variant, const struct convoy_problem *problem,
                              struct convoy_memory *memory, struct gpu_program *program, struct convoy_error *err);

/* ---- how long launches take ---- */

/* A guess at the device's speed, by kernel, that measurements correct. Launches beyond launch_ns are cut into parts, since
 * drivers give up on what takes seconds (watchdogs). */
struct gpu_pace {
    double speed[GPU_MODULE_COUNT]; /* operations per ns, or bytes per ns of what only moves data */
    double least;                   /* no speed falls below */
    double launch_ns;               /* half a second, or CONVOY_GPU_LAUNCH_S */
    double batch_ns;                /* of work to hand over at a time */
};
void gpu_pace_open(struct gpu_pace *pace, double first, double least);
double gpu_pace_ns(const struct gpu_pace *pace, const struct gpu_step *step);

struct gpu_batch { /* launches that are measured together */
    double ns;     /* expected */
    uint64_t modules;
};
void gpu_batch_add(struct gpu_batch *batch, const struct gpu_pace *pace, const struct gpu_step *step, double share);
/* The batch took `ns`. Speeds double at most, so that one odd measurement does not let a launch run for seconds. */
void gpu_pace_learn(struct gpu_pace *pace, const struct gpu_batch *batch, double ns);

/* Work-groups first.. of a step, grid_x * grid_y of them; kernels add `first` to their number. */
struct gpu_part {
    uint32_t first, grid_x, grid_y;
};
/* The part after *part, from {0} on; false: that was the last. */
bool gpu_part_next(const struct gpu_pace *pace, const struct gpu_step *step, struct gpu_part *part);
double gpu_part_share(const struct gpu_step *step, const struct gpu_part *part);

/* The folder of files that spare work in later runs: CONVOY_CACHE_PATH, else "convoy" in XDG_CACHE_HOME or in ~/.cache; made if
 * need be. False: there is none, and folder is "". [any] */
bool gpu_cache_folder(char *folder, size_t size);

/* Whether two launches need a barrier between them: ranges that overlap, one of them written. The tracker of a backend asks. */
struct gpu_hazards;
struct gpu_hazards *gpu_hazards_open(void); /* NULL: no memory */
void gpu_hazards_close(struct gpu_hazards *hazards);
/* Notes an access to bytes offset..offset+bytes-1 of `buffer` by the launch that is being recorded; true: a barrier must come
 * before that launch. Accesses of one launch do not conflict with each other. */
bool gpu_hazards_note(struct gpu_hazards *hazards, const void *buffer, uint64_t offset, uint64_t bytes, uint32_t access);
/* The launch is recorded: later ones may conflict with it. */
void gpu_hazards_launched(struct gpu_hazards *hazards);
/* A barrier: nothing before it can conflict any more; what is noted for the launch being recorded stays. */
void gpu_hazards_barrier(struct gpu_hazards *hazards);

#endif
