/* How fast steps are, without files, augmentation or validation: one batch from memory, some steps to warm up, then the timed
 * ones. */
#include "train/commands.h"

#include "core/error.h"

#include <convoy/plugin.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

enum { WARM_UP = 3 };

static double now_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int ascending(const void *left, const void *right)
{
    const double a = *(const double *)left, b = *(const double *)right;
    return a < b ? -1 : a > b;
}

static convoy_status one_batch(const struct settings *settings, struct session *session, struct convoy_error *err)
{
    struct dataset batch;
    const struct net_extent image = settings->catalog.image;
    convoy_status status = dataset_made(DATASET_TRAIN, settings->batch, image.c, image.h, image.w, settings->catalog.classes, 1,
                                        &session->train_whole, err);
    if (!status)
        status = dataset_cached(&session->train_whole, settings->batch, &batch, err);
    if (!status)
        session->train_set = batch;
    return status;
}

static convoy_status time_steps(struct session *session, struct convoy_error *err)
{
    const int64_t steps = session->settings->steps;
    double *seconds = malloc((size_t)steps * sizeof *seconds), total = 0;
    struct outcome outcome = {0};
    convoy_status status =
        seconds ? CONVOY_OK : convoy_fail(err, CONVOY_NO_MEMORY, CONVOY_WHY_MEMORY, "no memory for %lld times", (long long)steps);
    for (int64_t step = -WARM_UP; !status && step < steps; step++) {
        if (step == 0)
            backends_spent_reset(session->backends);
        const double start = now_s();
        status = session_step(session, step + WARM_UP, session->settings->schedule.rate, NULL, &outcome, err);
        if (step >= 0)
            total += seconds[step] = now_s() - start;
    }
    if (!status) {
        struct rusage usage;
        const int64_t *spent = backends_spent_ns(session->backends);
        const double conv = (double)spent[SPENT_CONV] / 1e7 / total, pool = (double)spent[SPENT_POOL] / 1e7 / total;
        const double bn = (double)spent[SPENT_BN] / 1e7 / total;
        getrusage(RUSAGE_SELF, &usage);
        qsort(seconds, (size_t)steps, sizeof *seconds, ascending);
        printf("%s batch %d threads %u: %.2f images/s (median step %.2f ms, least %.2f), conv %.1f %% pool %.1f %% bn %.1f %% "
               "rest %.1f %%, peak %.0f MB\n",
               session->net.name, session->batch, backends_threads(session->backends), session->batch / seconds[steps / 2],
               1e3 * seconds[steps / 2], 1e3 * seconds[0], conv, pool, bn, 100 - conv - pool - bn,
               (double)usage.ru_maxrss / 1024);
    }
    free(seconds);
    return status;
}

int command_time(const struct settings *given)
{
    struct settings settings = *given;
    struct session session = {0};
    struct convoy_error err = error_none();
    struct net net;
    convoy_status status = catalog_build(settings.network, &settings.catalog, &net, &err);
    if (!status) {
        settings.catalog.image = net.image;
        settings.catalog.classes = net.layer[net.head[0].layer].out.c;
        net_free(&net);
        status = one_batch(&settings, &session, &err);
    }
    if (!status)
        status = session_open(&settings, true, &session, &err);
    if (!status)
        status = session_train(&session, &err);
    if (!status)
        status = time_steps(&session, &err);
    const int code = status ? train_failed(status, &err) : TRAIN_OK;
    session_close(&session);
    return code;
}
