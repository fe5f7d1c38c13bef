/* A plugin with configurations to choose from (convoy.tune/1): a ReLU whose clock says what each of them takes, so that choosing needs
 * no real time. Some are what a tuner must never keep, however fast. What is kept stands in the file CONVOY_TUNABLE_FILE. */
#include <convoy/plugin.h>
#include <convoy/profile.h>
#include <convoy/tune.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum conduct { RIGHT, SCALED, NOT_FINITE, LAZY, REFUSES, ABORTS, WRONG_ON_INTEGERS };
static const struct configuration {
    const char *text;
    uint64_t ns;
    enum conduct conduct;
    uint32_t numerics;
} configuration[] = {
    {"default", 10000, RIGHT, CONVOY_NUM_EXACT},
    {"slow", 50000, RIGHT, CONVOY_NUM_EXACT},
    {"scaled", 900, SCALED, CONVOY_NUM_EXACT},
    {"not-finite", 800, NOT_FINITE, CONVOY_NUM_EXACT},
    {"lazy", 700, LAZY, CONVOY_NUM_EXACT},
    {"refuses", 600, REFUSES, CONVOY_NUM_EXACT},
    {"aborts", 500, ABORTS, CONVOY_NUM_EXACT},
    {"weaker", 400, RIGHT, CONVOY_NUM_STATS},
    {"quick", 5000, RIGHT, CONVOY_NUM_EXACT},
    {"quicker", 4000, RIGHT, CONVOY_NUM_EXACT},
    {"by-integers", 300, WRONG_ON_INTEGERS, CONVOY_NUM_EXACT},
};
enum { CONFIGURATIONS = sizeof configuration / sizeof *configuration };

struct self {
    struct convoy_instance base;
    int forced; /* -1: none */
};
struct plan {
    struct convoy_plan base;
    const struct configuration *as;
    int64_t count;
    int executes;
};

static int find(const char *text)
{
    for (int c = 0; c < CONFIGURATIONS; c++) {
        if (!strcmp(configuration[c].text, text))
            return c;
    }
    return -1;
}

static int kept(void)
{
    const char *const path = getenv("CONVOY_TUNABLE_FILE");
    FILE *const file = path ? fopen(path, "r") : NULL;
    char text[CONVOY_TUNE_TEXT_BYTES] = "";
    if (file && !fgets(text, sizeof text, file))
        text[0] = '\0';
    if (file)
        fclose(file);
    text[strcspn(text, "\n")] = '\0';
    return find(text);
}

static void info(const struct convoy_plan *base, struct convoy_plan_info *out)
{
    const struct plan *const plan = (const struct plan *)base;
    out->numerics = (struct convoy_numerics){.kind = plan->as->numerics, .flags = CONVOY_DETERMINISTIC};
    snprintf(out->algorithm, sizeof out->algorithm, "relu %s", plan->as->text);
}

static convoy_status execute(struct convoy_plan *base, const struct convoy_args *args, struct convoy_error *err)
{
    struct plan *const plan = (struct plan *)base;
    const float *const x = convoy_slot_f32(args, CONVOY_X);
    float *const y = convoy_slot_f32(args, CONVOY_Y);
    const enum conduct conduct = plan->as->conduct;
    (void)err;
    if (conduct == ABORTS)
        abort();
    if (conduct == LAZY && plan->executes++)
        return CONVOY_OK;
    for (int64_t e = 0; e < plan->count; e++) {
        const float v = x[e];
        y[e] = v > 0 ? v : v != v ? v : 0.0f;
        if (conduct == SCALED)
            y[e] *= 1.0001f;
        if (conduct == WRONG_ON_INTEGERS && v == floorf(v) && v > 1)
            y[e] = 1;
    }
    if (conduct == NOT_FINITE)
        y[plan->count - 1] = NAN;
    return CONVOY_OK;
}

static void destroy(struct convoy_plan *base)
{
    free(base);
}

static const struct convoy_plan_ops plan_ops = {
    .struct_size = sizeof plan_ops, .info = info, .execute = execute, .destroy = destroy};

static convoy_status supports(const struct convoy_instance *base, const struct convoy_problem *problem, struct convoy_error *err)
{
    (void)base;
    if (problem->op != CONVOY_ELTWISE || ((const struct convoy_eltwise *)problem)->kind != CONVOY_ELT_RELU)
        return convoy_fail(err, CONVOY_UNSUPPORTED, CONVOY_WHY_OP, "only ReLU");
    return CONVOY_OK;
}

static convoy_status make_plan(struct convoy_instance *base, const struct convoy_problem *problem, struct convoy_plan **out,
                               struct convoy_error *err)
{
    const struct self *const self = (const struct self *)base;
    const int chosen = self->forced >= 0 ? self->forced : kept();
    struct plan *const plan = calloc(1, sizeof *plan);
    if (!plan)
        return convoy_fail(err, CONVOY_NO_MEMORY, CONVOY_WHY_MEMORY, "no memory for a plan");
    plan->base.ops = &plan_ops;
    plan->as = &configuration[chosen < 0 ? 0 : chosen];
    plan->count = ((const struct convoy_eltwise *)problem)->count;
    if (plan->as->conduct == REFUSES) {
        free(plan);
        return convoy_fail(err, CONVOY_FAILED, CONVOY_WHY_HARDWARE, "the compiler gave up");
    }
    *out = &plan->base;
    return CONVOY_OK;
}

static void close_instance(struct convoy_instance *base)
{
    free(base);
}

static const struct convoy_instance_ops instance_ops = {
    .struct_size = sizeof instance_ops, .supports = supports, .plan = make_plan, .close = close_instance};

static convoy_status open_instance(const struct convoy_host *host, const char *variant, struct convoy_instance **out,
                                   struct convoy_error *err)
{
    (void)variant;
    struct self *const self = calloc(1, sizeof *self);
    if (!self)
        return convoy_fail(err, CONVOY_NO_MEMORY, CONVOY_WHY_MEMORY, "no memory for an instance");
    self->base = (struct convoy_instance){&instance_ops, host->memory};
    self->forced = -1;
    *out = &self->base;
    return CONVOY_OK;
}

/* ---- extensions ---- */

static void profile_enable(struct convoy_plan *plan, uint32_t on)
{
    (void)plan, (void)on;
}

static void profile_read(const struct convoy_plan *base, struct convoy_profile *out)
{
    out->phase_ns[CONVOY_PHASE_MULTIPLY] = ((const struct plan *)base)->as->ns;
}

static convoy_status target(const struct convoy_instance *base, struct convoy_tune_target *out, struct convoy_error *err)
{
    const char *const path = getenv("CONVOY_TUNABLE_FILE");
    (void)base, (void)err;
    out->software = getenv("CONVOY_TUNABLE_SOFTWARE") != NULL;
    snprintf(out->device, sizeof out->device, "a device");
    snprintf(out->driver, sizeof out->driver, "a driver");
    snprintf(out->path, sizeof out->path, "%s", path ? path : "");
    return CONVOY_OK;
}

static convoy_status candidate(const struct convoy_instance *base, const struct convoy_problem *problem, uint32_t index,
                               char *text, struct convoy_error *err)
{
    const convoy_status status = supports(base, problem, err);
    if (status != CONVOY_OK)
        return status;
    if (index >= CONFIGURATIONS)
        return convoy_fail(err, CONVOY_UNSUPPORTED, CONVOY_WHY_SIZE, "there are %d configurations", CONFIGURATIONS);
    snprintf(text, CONVOY_TUNE_TEXT_BYTES, "%s", configuration[index].text);
    return CONVOY_OK;
}

static convoy_status force(struct convoy_instance *base, const char *text, struct convoy_error *err)
{
    (void)err;
    ((struct self *)base)->forced = text ? find(text) : -1;
    return CONVOY_OK;
}

static convoy_status keep(struct convoy_instance *base, const struct convoy_problem *problem, const char *text,
                          struct convoy_error *err)
{
    const char *const path = getenv("CONVOY_TUNABLE_FILE");
    FILE *const file = path ? fopen(path, "w") : NULL;
    (void)base, (void)problem;
    if (!file)
        return convoy_fail(err, CONVOY_FAILED, CONVOY_WHY_OTHER, "there is no file to keep choices in");
    fprintf(file, "%s\n", text);
    fclose(file);
    return CONVOY_OK;
}

static const void *extension(const char *id)
{
    static const struct convoy_profiler profiler = {
        .struct_size = sizeof profiler, .enable = profile_enable, .read = profile_read};
    static const struct convoy_tuner tuner = {
        .struct_size = sizeof tuner, .target = target, .candidate = candidate, .force = force, .keep = keep};
    if (!strcmp(id, CONVOY_PROFILE_ID))
        return &profiler;
    return strcmp(id, CONVOY_TUNE_ID) ? NULL : &tuner;
}

CONVOY_EXPORT const struct convoy_plugin convoy_plugin_v1 = {
    .struct_size = sizeof convoy_plugin_v1,
    .abi_minor = CONVOY_ABI_MINOR,
    .name = "tunable",
    .version = "1.0",
    .author = "the Convoy authors",
    .summary = "a ReLU in several configurations, not all of them right",
    .threading = CONVOY_THREADS_HOST,
    .open = open_instance,
    .extension = extension,
};
