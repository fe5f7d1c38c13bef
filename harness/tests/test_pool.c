#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include "core/fpenv.h"
#include "core/host.h"
#include "core/hostmem.h"
#include "core/log.h"
#include "core/pool.h"
#include <fenv.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MAX_THREADS = 8, MAX_TASKS = 100003 };

struct tally {
    atomic_uint *runs;               /* of each task */
    atomic_int in_lane[MAX_THREADS]; /* tasks that run there now */
    atomic_int trouble;
    size_t threads;
};

static void count_run(void *context, size_t i, size_t worker)
{
    struct tally *tally = context;
    if (worker >= tally->threads) {
        atomic_fetch_add(&tally->trouble, 1);
        return;
    }
    if (atomic_fetch_add(&tally->in_lane[worker], 1) != 0)
        atomic_fetch_add(&tally->trouble, 1);
    atomic_fetch_add(&tally->runs[i], 1);
    atomic_fetch_sub(&tally->in_lane[worker], 1);
}

static void every_task_runs_once(void **state)
{
    (void)state;
    static const size_t sizes[] = {0, 1, 2, 3, 5, 64, 127, 128, 129, 1000, MAX_TASKS};
    static atomic_uint runs[MAX_TASKS + 1];
    for (unsigned threads = 1; threads <= MAX_THREADS; threads++) {
        struct pool *pool = pool_open(threads);
        assert_non_null(pool);
        assert_int_equal(pool_threads(pool), threads);
        for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
            struct tally tally = {.runs = runs, .threads = threads};
            memset(runs, 0, sizeof runs);
            pool_run(pool, count_run, &tally, sizes[s]);
            for (size_t i = 0; i <= MAX_TASKS; i++)
                assert_int_equal(runs[i], i < sizes[s] ? 1 : 0);
            assert_int_equal(tally.trouble, 0);
        }
        pool_close(pool);
    }
}

struct meeting {
    pthread_barrier_t barrier;
    atomic_uint lanes;
};

static void meet(void *context, size_t i, size_t worker)
{
    (void)i;
    struct meeting *meeting = context;
    atomic_fetch_or(&meeting->lanes, 1u << worker);
    pthread_barrier_wait(&meeting->barrier);
}

/* As many tasks as threads can all wait for each other only if they really run at the same time, each in its own lane. */
static void tasks_run_at_the_same_time(void **state)
{
    (void)state;
    for (unsigned threads = 2; threads <= 4; threads++) {
        struct meeting meeting = {.lanes = 0};
        struct pool *pool = pool_open(threads);
        assert_non_null(pool);
        assert_int_equal(pthread_barrier_init(&meeting.barrier, NULL, threads), 0);
        for (int round = 0; round < 20; round++) {
            atomic_store(&meeting.lanes, 0);
            pool_run(pool, meet, &meeting, threads);
            assert_int_equal(meeting.lanes, (1u << threads) - 1);
        }
        pthread_barrier_destroy(&meeting.barrier);
        pool_close(pool);
    }
}

static void add_to_lane(void *context, size_t i, size_t worker)
{
    double *sum = context;
    sum[worker * 8] += (double)i;
}

/* Plain memory per worker, as scratch is used: what the tasks wrote is there when the call returns. */
static void results_are_visible(void **state)
{
    (void)state;
    struct pool *pool = pool_open(4);
    assert_non_null(pool);
    for (int round = 0; round < 200; round++) {
        double sum[4 * 8] = {0};
        pool_run(pool, add_to_lane, sum, 1000);
        assert_true(sum[0] + sum[8] + sum[16] + sum[24] == 999.0 * 1000.0 / 2.0);
    }
    pool_close(pool);
}

struct modes {
    uint64_t expected;
    pthread_barrier_t barrier;
    atomic_int wrong;
};

static void compare_modes(void *context, size_t i, size_t worker)
{
    (void)i, (void)worker;
    struct modes *modes = context;
    if (fpenv_get() != modes->expected || fegetround() != FE_UPWARD)
        atomic_fetch_add(&modes->wrong, 1);
    pthread_barrier_wait(&modes->barrier);
}

static void compare_plain_modes(void *context, size_t i, size_t worker)
{
    (void)i, (void)worker;
    struct modes *modes = context;
    if (fpenv_get() != modes->expected)
        atomic_fetch_add(&modes->wrong, 1);
    pthread_barrier_wait(&modes->barrier);
}

static void modes_of_the_caller_hold(void **state)
{
    (void)state;
    struct pool *pool = pool_open(3);
    assert_non_null(pool);
    const uint64_t before = fpenv_get();
    struct modes modes = {.wrong = 0};
    assert_int_equal(pthread_barrier_init(&modes.barrier, NULL, 3), 0);
    fesetround(FE_UPWARD);
#if defined(__SSE__)
    __builtin_ia32_ldmxcsr(__builtin_ia32_stmxcsr() | 0x8040u); /* FTZ and DAZ */
#endif
    modes.expected = fpenv_get();
    assert_true(modes.expected != before);
    pool_run(pool, compare_modes, &modes, 3);
    const uint64_t after = fpenv_get();
    fpenv_set(before);
    assert_true(after == modes.expected);
    assert_int_equal(modes.wrong, 0);
    /* And they do not stay behind in the threads. */
    modes.expected = before;
    pool_run(pool, compare_plain_modes, &modes, 3);
    assert_int_equal(modes.wrong, 0);
    assert_true(fpenv_get() == before);
    pthread_barrier_destroy(&modes.barrier);
    pool_close(pool);
}

#if defined(__SSE__)
/* A denormal product survives in every lane: the pool never flushes by itself. */
static void multiply_denormals(void *context, size_t i, size_t worker)
{
    (void)i, (void)worker;
    volatile float tiny = 0x1p-100f, scale = 0x1p-40f;
    struct modes *modes = context;
    if (!(tiny * scale > 0.0f))
        atomic_fetch_add(&modes->wrong, 1);
    pthread_barrier_wait(&modes->barrier);
}
#endif

static void denormals_survive(void **state)
{
    (void)state;
#if defined(__SSE__)
    struct pool *pool = pool_open(3);
    assert_non_null(pool);
    struct modes modes = {.wrong = 0};
    assert_int_equal(pthread_barrier_init(&modes.barrier, NULL, 3), 0);
    pool_run(pool, multiply_denormals, &modes, 3);
    assert_int_equal(modes.wrong, 0);
    pthread_barrier_destroy(&modes.barrier);
    pool_close(pool);
#else
    print_message("skipped: flush modes are looked at on x86 only\n");
    skip();
#endif
}

struct shared {
    struct pool *pool;
    struct tally tally;
};

static void *run_from_thread(void *context)
{
    struct shared *shared = context;
    for (int round = 0; round < 50; round++)
        pool_run(shared->pool, count_run, &shared->tally, 100);
    return NULL;
}

/* Two plans of one instance may execute at the same time: their loops must not share a lane. */
static void callers_take_turns(void **state)
{
    (void)state;
    for (unsigned threads = 1; threads <= 2; threads++) {
        static atomic_uint runs[100];
        memset(runs, 0, sizeof runs);
        struct shared shared = {.pool = pool_open(threads), .tally = {.runs = runs, .threads = threads}};
        assert_non_null(shared.pool);
        pthread_t thread[2];
        for (int t = 0; t < 2; t++)
            assert_int_equal(pthread_create(&thread[t], NULL, run_from_thread, &shared), 0);
        for (int t = 0; t < 2; t++)
            assert_int_equal(pthread_join(thread[t], NULL), 0);
        for (size_t i = 0; i < 100; i++)
            assert_int_equal(runs[i], 100);
        assert_int_equal(shared.tally.trouble, 0);
        pool_close(shared.pool);
    }
}

struct nest {
    struct pool *pool;
    atomic_int inner_runs, wrong_lane;
};

struct inner {
    struct nest *nest;
    size_t lane;
};

static void run_inner(void *context, size_t i, size_t worker)
{
    (void)i;
    struct inner *inner = context;
    atomic_fetch_add(&inner->nest->inner_runs, 1);
    if (worker != inner->lane)
        atomic_fetch_add(&inner->nest->wrong_lane, 1);
}

static void run_outer(void *context, size_t i, size_t worker)
{
    (void)i;
    struct nest *nest = context;
    struct inner inner = {.nest = nest, .lane = worker};
    pool_run(nest->pool, run_inner, &inner, 7);
}

/* A plugin that breaks the rule gets its work done in its lane instead of a deadlock. */
static void nested_call_stays_in_its_lane(void **state)
{
    (void)state;
    const int kept = dup(STDERR_FILENO), said = memfd_create("said", MFD_CLOEXEC);
    assert_true(kept >= 0 && said >= 0);
    for (unsigned threads = 1; threads <= 3; threads += 2) {
        struct nest nest = {.pool = pool_open(threads)};
        assert_non_null(nest.pool);
        dup2(said, STDERR_FILENO);
        pool_run(nest.pool, run_outer, &nest, 5);
        dup2(kept, STDERR_FILENO);
        assert_int_equal(nest.inner_runs, 35);
        assert_int_equal(nest.wrong_lane, 0);
        pool_close(nest.pool);
    }
    char text[4096] = "";
    assert_true(pread(said, text, sizeof text - 1, 0) > 0);
    assert_non_null(strstr(text, "convoy: error: parallel was called from inside one of its tasks"));
    close(said);
    close(kept);
}

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#endif

static void missing_threads_are_an_answer(void **state)
{
    (void)state;
    assert_null(pool_open(0));
#ifdef SANITIZED
    print_message("skipped: a sanitizer needs more address space than this test leaves\n");
    skip();
#else
    /* In a child whose address space has no room for 64 stacks. */
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        const struct rlimit space = {.rlim_cur = 256 << 20, .rlim_max = 256 << 20};
        if (setrlimit(RLIMIT_AS, &space) != 0)
            _exit(2);
        alarm(20); /* waiting for threads that never came would be the failure */
        struct convoy_error err = {.struct_size = sizeof err};
        const int refused =
            !pool_open(64) && !host_open(64, &err) && err.status == CONVOY_NO_MEMORY && strstr(err.text, "64 threads");
        struct pool *small = pool_open(2);
        pool_close(small);
        _exit(refused && small ? 0 : 1);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
#endif
}

static void host_table_is_complete(void **state)
{
    (void)state;
    struct convoy_error err = {.struct_size = sizeof err};
    assert_null(host_open(0, &err));
    assert_int_equal(err.status, CONVOY_INVALID);
    struct host *host = host_open(2, &err);
    assert_non_null(host);
    const struct convoy_host *table = host_table(host);
    assert_int_equal(table->struct_size, sizeof *table);
    assert_int_equal(table->abi_minor, CONVOY_ABI_MINOR);
    assert_int_equal(table->threads, 2);
    assert_ptr_equal(table->memory, hostmem());
    assert_null(table->extension(table, "convoy.nobody/1"));
    static atomic_uint runs[10];
    struct tally tally = {.runs = runs, .threads = 2};
    table->parallel(table, count_run, &tally, 10);
    for (size_t i = 0; i < 10; i++)
        assert_int_equal(runs[i], 1);
    assert_int_equal(tally.trouble, 0);
    log_set_level(CONVOY_LOG_ERROR);
    table->log(table, CONVOY_LOG_DEBUG, "not seen");
    host_close(host);
    host_close(NULL);
    pool_close(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_task_runs_once),
        cmocka_unit_test(tasks_run_at_the_same_time),
        cmocka_unit_test(results_are_visible),
        cmocka_unit_test(modes_of_the_caller_hold),
        cmocka_unit_test(denormals_survive),
        cmocka_unit_test(callers_take_turns),
        cmocka_unit_test(nested_call_stays_in_its_lane),
        cmocka_unit_test(missing_threads_are_an_answer),
        cmocka_unit_test(host_table_is_complete),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
