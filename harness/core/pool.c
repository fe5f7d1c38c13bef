#include "core/pool.h"
#include "core/fpenv.h"
#include "core/log.h"
#include <convoy/convoy.h>
#include <pthread.h>
#include <pthreadpool.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/sysinfo.h>

/* The loop that runs now. */
struct loop {
    void (*task)(void *context, size_t i, size_t worker);
    void *context;
    size_t n, chunk;
    uint64_t modes; /* of the caller */
};

/* The loop lives here, not on the caller's stack, so that `next` is written atomically only: pthreadpool's own
 * synchronisation is invisible to a thread sanitizer, ours is not. */
struct pool {
    pthread_mutex_t running; /* plans of one instance may execute at the same time; their loops take turns */
    pthreadpool_t workers;   /* NULL: one thread */
    unsigned threads;
    uint32_t flags; /* pthreadpool's */
    struct loop loop;
    _Alignas(64) atomic_size_t next; /* all lanes write here: a cache line of its own */
};

/* What this thread runs tasks for; pool NULL outside of tasks. */
static _Thread_local struct {
    const struct pool *pool;
    size_t lane;
} busy;

/* pthreadpool starts threads without looking whether it got them and then waits for those it did not get. So see first
 * whether this process may have that many at once. */
static void *wait_for_gate(void *gate)
{
    pthread_mutex_lock(gate);
    pthread_mutex_unlock(gate);
    return NULL;
}

static int threads_available(unsigned count)
{
    pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
    pthread_t *thread = malloc(count * sizeof *thread);
    if (!thread)
        return 0;
    unsigned started = 0;
    pthread_mutex_lock(&gate);
    while (started < count && pthread_create(&thread[started], NULL, wait_for_gate, &gate) == 0)
        started++;
    pthread_mutex_unlock(&gate);
    for (unsigned i = 0; i < started; i++)
        pthread_join(thread[i], NULL);
    free(thread);
    return started == count;
}

struct pool *pool_open(unsigned threads)
{
    if (threads == 0)
        return NULL;
    struct pool *pool = aligned_alloc(_Alignof(struct pool), sizeof *pool);
    if (!pool)
        return NULL;
    *pool = (struct pool){.threads = threads, .flags = PTHREADPOOL_FLAG_YIELD_WORKERS};
    if (pthread_mutex_init(&pool->running, NULL) != 0)
        goto free_pool;
    if (threads > 1) {
        if (threads_available(threads - 1))
            pool->workers = pthreadpool_create(threads);
        if (!pool->workers)
            goto destroy_mutex;
    }
    return pool;

destroy_mutex:
    pthread_mutex_destroy(&pool->running);
free_pool:
    free(pool);
    return NULL;
}

void pool_close(struct pool *pool)
{
    if (!pool)
        return;
    if (pool->workers)
        pthreadpool_destroy(pool->workers);
    pthread_mutex_destroy(&pool->running);
    free(pool);
}

unsigned pool_threads(const struct pool *pool)
{
    return pool->threads;
}

static void run_here(const struct pool *pool, void (*task)(void *context, size_t i, size_t worker), void *context, size_t n)
{
    busy.pool = pool;
    busy.lane = 0;
    for (size_t i = 0; i < n; i++)
        task(context, i, 0);
    busy.pool = NULL;
}

/* A lane takes the next tasks until none is left. pthreadpool calls each lane once, from whichever thread is free, so no two
 * running tasks have the same lane number; a thread that comes late finds nothing to do. */
static void run_lane(void *pool_of_all, size_t lane)
{
    struct pool *pool = pool_of_all;
    /* Acquire sees the loop that the caller wrote. Each claim releases the results of the tasks before it; after the last
     * one, which finds nothing, the caller may write the next loop, so this one is copied. */
    (void)atomic_load_explicit(&pool->next, memory_order_acquire);
    const struct loop loop = pool->loop;
    size_t i;
    /* Left as they are afterwards: between loops a worker computes nothing, and the caller's own are these. */
    if (fpenv_get() != loop.modes)
        fpenv_set(loop.modes);
    busy.pool = pool;
    busy.lane = lane;
    while ((i = atomic_fetch_add_explicit(&pool->next, loop.chunk, memory_order_acq_rel)) < loop.n) {
        const size_t end = loop.n - i < loop.chunk ? loop.n : i + loop.chunk;
        for (; i < end; i++)
            loop.task(loop.context, i, lane);
    }
    busy.pool = NULL;
}

void pool_run(struct pool *pool, void (*task)(void *context, size_t i, size_t worker), void *context, size_t n)
{
    if (n == 0)
        return;
    if (busy.pool == pool) {
        /* A task that waits for its own pool would wait forever. Its lane is its own, so it may do the work there. */
        log_text(CONVOY_LOG_ERROR, "parallel was called from inside one of its tasks; the inner loop runs on one thread");
        for (size_t i = 0; i < n; i++)
            task(context, i, busy.lane);
        return;
    }
    pthread_mutex_lock(&pool->running);
    if (!pool->workers || n == 1) {
        run_here(pool, task, context, n);
    } else {
        const size_t lanes = n < pool->threads ? n : pool->threads;
        /* Claims of 1/64 of a lane's share keep the lanes within about 1.5 % of each other, and a loop of very many very
         * short tasks does not spend its time on the counter. */
        const size_t chunk = n / (lanes * 64) + 1;
        pool->loop = (struct loop){.task = task, .context = context, .n = n, .chunk = chunk, .modes = fpenv_get()};
        atomic_store_explicit(&pool->next, 0, memory_order_release);
        pthreadpool_parallelize_1d(pool->workers, run_lane, pool, lanes, pool->flags);
        (void)atomic_load_explicit(&pool->next, memory_order_acquire);
    }
    pthread_mutex_unlock(&pool->running);
}

static void do_nothing(void *context, size_t i, size_t worker)
{
    (void)context;
    (void)i;
    (void)worker;
}

void pool_stay_awake(struct pool *pool, int awake)
{
    pool->flags = awake && pool->threads <= (unsigned)get_nprocs() ? 0 : PTHREADPOOL_FLAG_YIELD_WORKERS;
    if (!awake) /* workers wait as the last loop told them to */
        pool_run(pool, do_nothing, NULL, pool->threads);
}
