#include "runtime/backends.h"

#include "core/accuracy.h"
#include "core/error.h"
#include "core/host.h"
#include "core/hostmem.h"
#include "core/loader.h"
#include "core/registry.h"

#include <convoy/plugin.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* One variant of a plugin. instance NULL: it could not be opened, and why is in text; it is not tried again. */
struct opened {
    struct opened *next;
    char name[BACKEND_NAME_BYTES];
    struct convoy_instance *instance;
    struct convoy_error err;
};

/* Equal problems on one backend share a plan. */
struct planned {
    struct planned *next;
    const struct opened *opened;
    union problem problem;
    struct convoy_plan *plan;
    struct convoy_plan_info info;
};

/* Memory that operations of a domain take turns with, as large as the largest of them needs. */
enum turn { TURN_WORKSPACE, TURN_PREPARED, TURN_COUNT };
struct shared {
    struct shared *next;
    struct convoy_memory *memory;
    struct turns {
        struct convoy_buffer *buffer;
        uint64_t bytes;
    } turn[TURN_COUNT];
};

struct backends {
    struct host *host;
    struct registry registry;
    struct chooser chooser;
    struct opened *opened;
    struct planned *planned;
    struct shared *shared;
    const struct exchange *exchange;
    int64_t spent_ns[SPENT_COUNT];
};

struct op {
    struct backends *backends;
    const struct planned *planned;
    struct shared *shared;
    struct convoy_buffer *prepared; /* NULL: in shared memory, prepared anew in every run                   */
    const struct tensor *prepared_from;
    uint64_t prepared_version; /* of those weights                                                          */
    struct slot_info slot[CONVOY_NSLOTS];
    enum spent spent;
};

static int64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

struct backends *backends_open(uint32_t threads, const char *const *folders, struct chooser chooser, struct convoy_error *err)
{
    struct backends *backends = calloc(1, sizeof *backends);
    if (!backends) {
        convoy_fail(err, CONVOY_NO_MEMORY, CONVOY_WHY_MEMORY, "no memory for the list of backends");
        return NULL;
    }
    backends->chooser = chooser;
    backends->host = host_open(threads, err);
    if (!backends->host || registry_scan(folders, &backends->registry, err)) {
        backends_close(backends);
        return NULL;
    }
    host_stay_awake(backends->host, 1);
    return backends;
}

void backends_close(struct backends *backends)
{
    if (!backends)
        return;
    while (backends->planned) {
        struct planned *planned = backends->planned;
        backends->planned = planned->next;
        planned->plan->ops->destroy(planned->plan);
        free(planned);
    }
    while (backends->shared) {
        struct shared *shared = backends->shared;
        backends->shared = shared->next;
        for (int turn = 0; turn < TURN_COUNT; turn++)
            if (shared->turn[turn].buffer)
                shared->memory->free(shared->memory, shared->turn[turn].buffer);
        free(shared);
    }
    while (backends->opened) {
        struct opened *opened = backends->opened;
        backends->opened = opened->next;
        if (opened->instance)
            opened->instance->ops->close(opened->instance);
        free(opened);
    }
    registry_free(&backends->registry);
    if (backends->host)
        host_close(backends->host);
    free(backends);
}

void backends_set_exchange(struct backends *backends, const struct exchange *exchange)
{
    backends->exchange = exchange;
}

const struct exchange *backends_exchange(const struct backends *backends)
{
    return backends->exchange;
}

const struct convoy_host *backends_host(const struct backends *backends)
{
    return host_table(backends->host);
}

uint32_t backends_threads(const struct backends *backends)
{
    return host_table(backends->host)->threads;
}

void backends_spend(struct backends *backends, enum spent spent, int64_t ns)
{
    backends->spent_ns[spent] += ns;
}

const int64_t *backends_spent_ns(const struct backends *backends)
{
    return backends->spent_ns;
}

void backends_spent_reset(struct backends *backends)
{
    memset(backends->spent_ns, 0, sizeof backends->spent_ns);
}

static convoy_status open_variant(struct backends *backends, const char *name, struct convoy_instance **instance,
                                  struct convoy_error *err)
{
    char plugin_name[BACKEND_NAME_BYTES];
    const char *colon = strchr(name, ':');
    snprintf(plugin_name, sizeof plugin_name, "%.*s", colon ? (int)(colon - name) : (int)strlen(name), name);
    const struct registry_entry *entry = registry_find(&backends->registry, plugin_name);
    if (!entry)
        return convoy_fail(err, CONVOY_INVALID, CONVOY_WHY_OTHER, "no backend is named %s", plugin_name);
    const struct convoy_plugin *plugin;
    int fpenv_changed = 0;
    const convoy_status status = loader_open(entry->path, &plugin, &fpenv_changed, err);
    if (status)
        return status;
    return loader_instance(plugin, host_table(backends->host), colon ? colon + 1 : NULL, instance, err);
}

/* The backend by name, opened at its first use; NULL where there is no memory. */
static struct opened *opened_find(struct backends *backends, const char *name)
{
    for (struct opened *opened = backends->opened; opened; opened = opened->next)
        if (!strcmp(opened->name, name))
            return opened;
    struct opened *opened = calloc(1, sizeof *opened);
    if (!opened)
        return NULL;
    snprintf(opened->name, sizeof opened->name, "%s", name);
    opened->err = error_none();
    if (open_variant(backends, name, &opened->instance, &opened->err))
        opened->instance = NULL;
    opened->next = backends->opened;
    backends->opened = opened;
    return opened;
}

/* CONVOY_UNSUPPORTED: the backend declines the problem or cannot be opened. */
static convoy_status planned_find(struct backends *backends, const char *name, const union problem *problem,
                                  const struct planned **found, struct convoy_error *err)
{
    struct opened *opened = opened_find(backends, name);
    if (!opened)
        return convoy_fail(err, CONVOY_NO_MEMORY, CONVOY_WHY_MEMORY, "no memory for backend %s", name);
    if (!opened->instance)
        return convoy_fail(err, CONVOY_UNSUPPORTED, opened->err.why, "%s: %.200s", name, opened->err.text);
    for (const struct planned *planned = backends->planned; planned; planned = planned->next) {
        if (planned->opened == opened && problem_equal(&planned->problem, problem)) {
            *found = planned;
            return CONVOY_OK;
        }
    }
    convoy_status status = opened->instance->ops->supports(opened->instance, &problem->head, err);
    if (status)
        return status;
    struct planned *planned = calloc(1, sizeof *planned);
    if (!planned)
        return convoy_fail(err, CONVOY_NO_MEMORY, CONVOY_WHY_MEMORY, "no memory for a plan of %s", name);
    planned->opened = opened;
    planned->problem = *problem;
    planned->info.struct_size = sizeof planned->info;
    status = loader_plan(opened->instance, &problem->head, &planned->plan, &planned->info, err);
    if (status) {
        free(planned);
        return status;
    }
    planned->next = backends->planned;
    backends->planned = planned;
    *found = planned;
    return CONVOY_OK;
}

/* What can always compute, where nothing that was chosen takes the problem. */
static const char *const fallbacks[] = {"im2col", "naive"};

static convoy_status choose(struct backends *backends, const union problem *problem, const struct planned **planned,
                            struct convoy_error *err)
{
    char name[BACKEND_NAME_BYTES];
    convoy_status status = CONVOY_UNSUPPORTED;
    for (int rank = 0; status == CONVOY_UNSUPPORTED && backends->chooser.choose &&
                       backends->chooser.choose(backends->chooser.context, problem, rank, name);
         rank++)
        status = planned_find(backends, name, problem, planned, err);
    for (size_t rank = 0; status == CONVOY_UNSUPPORTED && rank < sizeof fallbacks / sizeof *fallbacks; rank++)
        status = planned_find(backends, fallbacks[rank], problem, planned, err);
    return status;
}

bool backends_first_takes(struct backends *backends, const union problem *problem)
{
    char name[BACKEND_NAME_BYTES];
    if (!backends->chooser.choose || !backends->chooser.choose(backends->chooser.context, problem, 0, name))
        return false;
    const struct opened *opened = opened_find(backends, name);
    return opened && opened->instance && opened->instance->ops->supports(opened->instance, &problem->head, NULL) == CONVOY_OK;
}

static struct shared *shared_of(struct backends *backends, struct convoy_memory *memory)
{
    for (struct shared *shared = backends->shared; shared; shared = shared->next)
        if (shared->memory == memory)
            return shared;
    struct shared *shared = calloc(1, sizeof *shared);
    if (!shared)
        return NULL;
    shared->memory = memory;
    shared->next = backends->shared;
    backends->shared = shared;
    return shared;
}

/* Grown here, outside of any step. */
static convoy_status turns_reserve(struct turns *turns, struct convoy_memory *memory, uint64_t bytes, struct convoy_error *err)
{
    if (turns->bytes >= bytes)
        return CONVOY_OK;
    if (turns->buffer)
        memory->free(memory, turns->buffer);
    turns->buffer = NULL;
    turns->bytes = 0;
    const convoy_status status = memory->alloc(memory, bytes, &turns->buffer, err);
    if (!status)
        turns->bytes = bytes;
    return status;
}

static convoy_status op_reserve(struct op *op, struct convoy_memory *memory, enum op_weights weights, struct convoy_error *err)
{
    const struct convoy_plan_info *info = &op->planned->info;
    op->shared = shared_of(op->backends, memory);
    if (!op->shared)
        return convoy_fail(err, CONVOY_NO_MEMORY, CONVOY_WHY_MEMORY, "no memory for a workspace");
    const convoy_status status = turns_reserve(&op->shared->turn[TURN_WORKSPACE], memory, info->workspace_bytes, err);
    if (status || !info->prepared_bytes)
        return status;
    if (weights == OP_WEIGHTS_CHANGE)
        return turns_reserve(&op->shared->turn[TURN_PREPARED], memory, info->prepared_bytes, err);
    return memory->alloc(memory, info->prepared_bytes, &op->prepared, err);
}

static enum spent spent_on(const union problem *problem)
{
    static const enum spent by_family[FAMILY_COUNT] = {
        [FAMILY_CONV] = SPENT_CONV, [FAMILY_POOL] = SPENT_POOL, [FAMILY_BN] = SPENT_BN, [FAMILY_ELTWISE] = SPENT_REST};
    return by_family[problem_family(problem)];
}

convoy_status op_open(struct backends *backends, const union problem *problem, enum op_weights weights, struct op **op,
                      struct convoy_error *err)
{
    struct op *made = calloc(1, sizeof *made);
    if (!made)
        return convoy_fail(err, CONVOY_NO_MEMORY, CONVOY_WHY_MEMORY, "no memory for an operation");
    made->backends = backends;
    made->spent = spent_on(problem);
    slots_describe(problem, made->slot);
    convoy_status status = choose(backends, problem, &made->planned, err);
    if (!status)
        status = op_reserve(made, made->planned->opened->instance->memory, weights, err);
    if (status) {
        free(made);
        return status;
    }
    *op = made;
    return CONVOY_OK;
}

void op_close(struct op *op)
{
    if (!op)
        return;
    if (op->prepared)
        op->prepared->memory->free(op->prepared->memory, op->prepared);
    free(op);
}

const char *op_backend(const struct op *op)
{
    return op->planned->opened->name;
}

const char *op_class(const struct op *op)
{
    return accuracy_class(&op->planned->problem, &op->planned->info.numerics);
}

static const enum tensor_access access_of[] = {
    [SLOT_INPUT] = TENSOR_READ, [SLOT_OUTPUT] = TENSOR_WRITE, [SLOT_INOUT] = TENSOR_UPDATE};

static convoy_status prepare(struct op *op, struct tensor *weights, struct convoy_tensor slot[CONVOY_NSLOTS],
                             struct convoy_error *err)
{
    const struct convoy_args args = {.struct_size = sizeof args, .nslots = CONVOY_NSLOTS, .slot = slot};
    struct convoy_plan *plan = op->planned->plan;
    const convoy_status status = plan->ops->prepare(plan, &args, err);
    op->prepared_version = weights->version;
    op->prepared_from = status ? NULL : weights;
    return status;
}

/* Where the slots are. A tensor that is read and overwritten in place is brought over before the write makes that needless. */
static convoy_status locate(const struct op *op, struct tensor *const slot[CONVOY_NSLOTS], struct convoy_tensor at[CONVOY_NSLOTS],
                            struct convoy_error *err)
{
    struct convoy_memory *memory = op->planned->opened->instance->memory;
    convoy_status status = CONVOY_OK;
    for (int writes = 0; writes < 2; writes++)
        for (uint32_t s = 0; !status && s < CONVOY_NSLOTS; s++)
            if (slot[s] && op->slot[s].role != SLOT_UNUSED && (op->slot[s].role == SLOT_OUTPUT) == writes)
                status = tensor_in(slot[s], memory, access_of[op->slot[s].role], &at[s], err);
    return status;
}

convoy_status op_run(struct op *op, struct tensor *const slot[CONVOY_NSLOTS], struct convoy_error *err)
{
    struct convoy_plan *plan = op->planned->plan;
    struct convoy_tensor at[CONVOY_NSLOTS] = {{0}};
    const int64_t start_ns = now_ns();
    convoy_status status = locate(op, slot, at, err);
    if (status)
        return status;
    if (op->planned->info.workspace_bytes)
        at[CONVOY_WORKSPACE] = (struct convoy_tensor){.buffer = op->shared->turn[TURN_WORKSPACE].buffer};
    if (op->planned->info.prepared_bytes) {
        at[CONVOY_PREPARED] =
            (struct convoy_tensor){.buffer = op->prepared ? op->prepared : op->shared->turn[TURN_PREPARED].buffer};
        struct tensor *weights = slot[CONVOY_W];
        if (!op->prepared || op->prepared_from != weights || op->prepared_version != weights->version) {
            status = prepare(op, weights, at, err);
            if (status)
                return status;
        }
    }
    const struct convoy_args args = {.struct_size = sizeof args, .nslots = CONVOY_NSLOTS, .slot = at};
    status = plan->ops->execute(plan, &args, err);
    op->backends->spent_ns[op->spent] += now_ns() - start_ns;
    return status;
}
