/* pool: threads behind convoy_host.parallel, over pthreadpool. Knows no host and no plugin. */
#ifndef CONVOY_CORE_POOL_H
#define CONVOY_CORE_POOL_H

#include <stddef.h>

struct pool;

/* threads >= 1, the caller being one of them; NULL: out of memory or threads. */
struct pool *pool_open(unsigned threads);
void pool_close(struct pool *pool);

/* Whether workers spin for some milliseconds after a loop (awake 1), so that the next one starts at once, or sleep (0, the
 * default), which leaves the processor to others, other pools among them. Spinning begins with the next loop, so that a plugin with
 * threads of its own has the processors to itself; sleep begins at once. Ignored with more threads than processors. Not during a
 * loop. */
void pool_stay_awake(struct pool *pool, int awake);
unsigned pool_threads(const struct pool *pool);

/* task(context, i, worker) once for each i < n; worker < threads is never shared by two running tasks; returns when all
 * are done. Floating-point modes of the caller hold in every task. Not re-entrant. */
void pool_run(struct pool *pool, void (*task)(void *context, size_t i, size_t worker), void *context, size_t n);

#endif
