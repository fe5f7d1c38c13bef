#include "core/host.h"
#include "core/hostmem.h"
#include "core/log.h"
#include "core/pool.h"
#include <convoy/plugin.h>
#include <stdlib.h>

struct host {
    struct convoy_host table; /* first: plugins hand back a pointer to it */
    struct pool *pool;
};

static void host_log(const struct convoy_host *table, uint32_t level, const char *text)
{
    (void)table;
    log_text(level, text);
}

static void host_parallel(const struct convoy_host *table, void (*task)(void *context, size_t i, size_t worker), void *context,
                          size_t n)
{
    const struct host *host = (const struct host *)table;
    pool_run(host->pool, task, context, n);
}

/* The harness offers no extension yet; every id is unknown to it. */
static const void *host_extension(const struct convoy_host *table, const char *id)
{
    (void)table;
    (void)id;
    return NULL;
}

struct host *host_open(uint32_t threads, struct convoy_error *err)
{
    if (threads == 0) {
        convoy_fail(err, CONVOY_INVALID, CONVOY_WHY_OTHER, "a host needs at least one thread");
        return NULL;
    }
    struct host *host = calloc(1, sizeof *host);
    if (!host) {
        convoy_fail(err, CONVOY_NO_MEMORY, CONVOY_WHY_MEMORY, "no memory for the host table");
        return NULL;
    }
    host->pool = pool_open(threads);
    if (!host->pool) {
        convoy_fail(err, CONVOY_NO_MEMORY, CONVOY_WHY_MEMORY, "cannot start %u threads", (unsigned)threads);
        free(host);
        return NULL;
    }
    host->table = (struct convoy_host){
        .struct_size = sizeof(struct convoy_host),
        .abi_minor = CONVOY_ABI_MINOR,
        .threads = threads,
        .memory = hostmem(),
        .log = host_log,
        .parallel = host_parallel,
        .extension = host_extension,
    };
    return host;
}

void host_close(struct host *host)
{
    if (!host)
        return;
    pool_close(host->pool);
    free(host);
}

const struct convoy_host *host_table(const struct host *host)
{
    return &host->table;
}

void host_stay_awake(struct host *host, int awake)
{
    pool_stay_awake(host->pool, awake);
}
