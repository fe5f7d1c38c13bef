/* Configurations of a problem: every knob of the planner that applies, as long as the program keeps to the device's limits and is
 * another one than those before. */
#include "conv.h"
#include "tuning.h"
#include <string.h>

struct collection {
    const struct gpu_device *device;
    enum gpu_variant variant;
    const struct convoy_problem *problem;
    struct gpu_candidate *list;
    uint64_t hash[GPU_CANDIDATES_MOST]; /* of their programs */
    uint32_t count;
};

/* FNV-1a, 64 bits (Fowler, Noll, Vo). Steps are zero where nothing was set, so equal programs have equal bytes. */
static uint64_t hash_of(const struct gpu_program *program)
{
    uint64_t hash = 0xcbf29ce484222325u;
    const struct gpu_step *const steps[] = {program->prepare, program->step};
    const uint32_t counts[] = {program->prepare_count, program->step_count};
    for (int list = 0; list < 2; list++) {
        const unsigned char *const byte = (const unsigned char *)steps[list];
        for (size_t b = 0; b < counts[list] * sizeof(struct gpu_step); b++)
            hash = (hash ^ byte[b]) * 0x100000001b3u;
    }
    return hash;
}

static convoy_status add(struct collection *all, const struct gpu_choice *choice, const char *text, struct convoy_error *err)
{
    struct gpu_device device = *all->device;
    struct gpu_program program;
    if (all->count == GPU_CANDIDATES_MOST)
        return CONVOY_OK;
    device.choice = choice;
    const convoy_status status = gpu_program_make(&device, all->variant, all->problem, &program, err);
    if (status != CONVOY_OK)
        return status;
    all->hash[all->count] = hash_of(&program);
    gpu_program_free(&program);
    for (uint32_t c = 0; c < all->count; c++) {
        if (all->hash[c] == all->hash[all->count])
            return CONVOY_OK;
    }
    struct gpu_candidate *const next = &all->list[all->count++];
    next->choice = *choice;
    snprintf(next->text, sizeof next->text, "%s", text);
    return CONVOY_OK;
}

/* Forward and backward-data: all tiles. Gradients: the first ones with the sum in few, some and many parts. */
static void add_tiles(struct collection *all)
{
    enum { GRADIENT_TILES = 8 };
    static const int32_t parts[] = {0, 1, 16};
    const bool gradient = all->problem->op == CONVOY_CONV_BWD_WEIGHTS;
    char name[CONVOY_TUNE_TEXT_BYTES - 8], text[CONVOY_TUNE_TEXT_BYTES];
    for (size_t p = 0; p < (gradient ? sizeof parts / sizeof *parts : 1); p++) {
        const int32_t most = gradient ? GRADIENT_TILES : tiles_count();
        for (int32_t tile = 1; tile <= most; tile++) {
            const struct gpu_choice choice = {.tile = tile, .parts = parts[p]};
            if (!tiles_name(all->device, tile, name, sizeof name))
                continue;
            if (parts[p])
                snprintf(text, sizeof text, "%s/s%d", name, parts[p]);
            else
                snprintf(text, sizeof text, "%s", name);
            add(all, &choice, text, NULL);
        }
    }
}

/* Products from registers: up to 32 vectors of sums. */
static void add_panels(struct collection *all)
{
    static const int32_t sizes[][2] = {{4, 1}, {4, 2}, {4, 4}, {8, 1}, {8, 2}, {8, 4}, {12, 1}, {12, 2}, {16, 1}, {16, 2}};
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        const struct gpu_choice choice = {.row = sizes[s][0], .vectors = sizes[s][1]};
        char text[CONVOY_TUNE_TEXT_BYTES];
        snprintf(text, sizeof text, "p%dx%d", choice.row, choice.vectors);
        add(all, &choice, text, NULL);
    }
}

static void add_groups(struct collection *all)
{
    for (int32_t group = 16; group <= 1024 && (uint32_t)group <= all->device->group_most; group *= 2) {
        const struct gpu_choice choice = {.group = group};
        char text[CONVOY_TUNE_TEXT_BYTES];
        snprintf(text, sizeof text, "g%d", group);
        add(all, &choice, text, NULL);
    }
}

uint32_t gpu_candidates(const struct gpu_device *device, enum gpu_variant variant, const struct convoy_problem *problem,
                        struct gpu_candidate list[GPU_CANDIDATES_MOST], struct convoy_error *err)
{
    static const struct gpu_choice own = {0};
    struct collection all = {.device = device, .variant = variant, .problem = problem, .list = list};
    if (add(&all, &own, "default", err) != CONVOY_OK)
        return 0;
    if (device->cpu_family)
        add_panels(&all);
    else
        add_tiles(&all);
    if (all.count == 1) /* no products here */
        add_groups(&all);
    return all.count;
}
