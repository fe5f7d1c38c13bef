#include "train/metrics.h"

#include "formats/atomic_file.h"
#include "formats/events.h"

#include <convoy/plugin.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

struct metrics {
    FILE *out;
    char path[4096];
    struct events *events;
    bool progress, shown;
    struct timespec last;
};

static const char head[] =
    "epoch,step,rate,train_loss,train_accuracy,val_loss,val_accuracy,val_accuracy5,penalty,grad_norm,seconds,images_per_s,"
    "waited_share,conv_share,pool_share,bn_share,rest_share,peak_bytes\n";

/* The rows of a run that goes on must not be there twice. */
static convoy_status keep_rows(const char *path, int64_t before_epoch, struct convoy_error *err)
{
    FILE *in = fopen(path, "r");
    if (!in)
        return CONVOY_OK;
    struct atomic_file file;
    convoy_status status = atomic_open(&file, path, err);
    char line[1024];
    for (int number = 0; !status && fgets(line, sizeof line, in); number++)
        if (number == 0 || atoll(line) < before_epoch)
            fputs(line, file.out);
    fclose(in);
    return status ? status : atomic_close(&file, CONVOY_OK, err);
}

/* With the folders above it. */
static convoy_status make_folder(const char *folder, struct convoy_error *err)
{
    char path[4096];
    const int length = snprintf(path, sizeof path, "%s", folder);
    if (length < 0 || (size_t)length >= sizeof path)
        return convoy_fail(err, CONVOY_INVALID, CONVOY_WHY_SIZE, "--out: the path is too long");
    for (char *at = path + 1; *at; at++) {
        if (*at != '/')
            continue;
        *at = '\0';
        mkdir(path, 0777); /* what fails here fails again below                                               */
        *at = '/';
    }
    if (mkdir(path, 0777) && errno != EEXIST)
        return convoy_fail(err, CONVOY_FAILED, CONVOY_WHY_OTHER, "--out %.150s: %s", folder, strerror(errno));
    return CONVOY_OK;
}

static convoy_status open_files(const char *folder, int64_t resume_epoch, double wall_time, struct metrics *metrics,
                                struct convoy_error *err)
{
    const int length = snprintf(metrics->path, sizeof metrics->path, "%s/metrics.csv", folder);
    if (length < 0 || (size_t)length >= sizeof metrics->path)
        return convoy_fail(err, CONVOY_INVALID, CONVOY_WHY_SIZE, "--out: the path is too long");
    convoy_status status = make_folder(folder, err);
    if (status)
        return status;
    if (resume_epoch < 0 && !access(metrics->path, F_OK))
        return convoy_fail(err, CONVOY_INVALID, CONVOY_WHY_OTHER,
                           "%.150s holds a run already: --resume it, or choose another --out", folder);
    const bool fresh = access(metrics->path, F_OK) != 0;
    status = keep_rows(metrics->path, resume_epoch, err);
    if (!status && !(metrics->out = fopen(metrics->path, "a")))
        status = convoy_fail(err, CONVOY_FAILED, CONVOY_WHY_OTHER, "%.150s: %s", metrics->path, strerror(errno));
    if (!status && fresh)
        fputs(head, metrics->out);
    return status ? status : events_open(folder, wall_time, &metrics->events, err);
}

convoy_status metrics_open(const char *folder, int64_t resume_epoch, double wall_time, bool show_progress,
                           struct metrics **metrics, struct convoy_error *err)
{
    struct metrics *made = calloc(1, sizeof *made);
    if (!made)
        return convoy_fail(err, CONVOY_NO_MEMORY, CONVOY_WHY_MEMORY, "no memory for metrics");
    made->progress = show_progress && isatty(STDERR_FILENO);
    const convoy_status status = folder ? open_files(folder, resume_epoch, wall_time, made, err) : CONVOY_OK;
    if (status) {
        metrics_close(made);
        return status;
    }
    *metrics = made;
    return CONVOY_OK;
}

void metrics_close(struct metrics *metrics)
{
    if (!metrics)
        return;
    if (metrics->out)
        fclose(metrics->out);
    (void)events_close(metrics->events, NULL);
    free(metrics);
}

static convoy_status write_row(struct metrics *metrics, const struct metrics_row *r, struct convoy_error *err)
{
    fprintf(metrics->out, "%lld,%lld,%.9g,%.9g,%.6f,%.9g,%.6f,%.6f,%.9g,%.9g,%.3f,%.1f,%.4f,%.4f,%.4f,%.4f,%.4f,%lld\n",
            (long long)r->epoch, (long long)r->step, r->rate, r->train_loss, r->train_accuracy, r->val_loss, r->val_accuracy,
            r->val_accuracy5, r->penalty, r->grad_norm, r->seconds, r->images_per_s, r->waited_share, r->spent_share[SPENT_CONV],
            r->spent_share[SPENT_POOL], r->spent_share[SPENT_BN], r->spent_share[SPENT_REST], (long long)r->peak_bytes);
    if (fflush(metrics->out) || ferror(metrics->out))
        return convoy_fail(err, CONVOY_FAILED, CONVOY_WHY_OTHER, "%.150s: %s", metrics->path, strerror(errno));
    return CONVOY_OK;
}

convoy_status metrics_epoch(struct metrics *metrics, const struct metrics_row *row, struct convoy_error *err)
{
    if (metrics->shown)
        fputs("\r\033[K", stderr);
    metrics->shown = false;
    if (!metrics->out)
        return CONVOY_OK;
    const struct {
        const char *tag;
        double value;
    } scalars[] = {
        {"loss/train", row->train_loss},         {"loss/validation", row->val_loss},         {"loss/penalty", row->penalty},
        {"accuracy/train", row->train_accuracy}, {"accuracy/validation", row->val_accuracy}, {"rate", row->rate},
        {"gradient norm", row->grad_norm},       {"images per second", row->images_per_s},
    };
    convoy_status status = write_row(metrics, row, err);
    for (size_t i = 0; !status && i < sizeof scalars / sizeof *scalars; i++)
        status = events_scalar(metrics->events, row->step, scalars[i].tag, (float)scalars[i].value, err);
    return status;
}

convoy_status metrics_filters(struct metrics *metrics, int64_t step, int32_t h, int32_t w, int32_t channels, const void *png,
                              size_t bytes, struct convoy_error *err)
{
    return metrics->events ? events_image(metrics->events, step, "filters of the first layer", h, w, channels, png, bytes, err)
                           : CONVOY_OK;
}

static void print_duration(double seconds)
{
    const long long s = (long long)(seconds + 0.5);
    fprintf(stderr, "%lld:%02lld:%02lld", s / 3600, s / 60 % 60, s % 60);
}

void metrics_progress(struct metrics *metrics, const struct metrics_step *step)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    const double since = (double)(now.tv_sec - metrics->last.tv_sec) + (double)(now.tv_nsec - metrics->last.tv_nsec) / 1e9;
    if (!metrics->progress || since < 0.1)
        return;
    metrics->last = now;
    metrics->shown = true;
    const int64_t *spent = step->spent_ns;
    const double total = (double)(spent[SPENT_CONV] + spent[SPENT_POOL] + spent[SPENT_BN] + spent[SPENT_REST]) / 100 + 1e-9;
    fprintf(stderr,
            "\r\033[Kepoch %lld/%lld  batch %lld/%lld  loss %.4f  accuracy %.2f %%  %.0f images/s  conv %.0f %% pool %.0f %% bn "
            "%.0f %% rest %.0f %%  left ",
            (long long)step->epoch + 1, (long long)step->epochs, (long long)step->batch, (long long)step->batches, step->loss,
            100 * step->accuracy, step->images_per_s, (double)spent[SPENT_CONV] / total, (double)spent[SPENT_POOL] / total,
            (double)spent[SPENT_BN] / total, (double)spent[SPENT_REST] / total);
    print_duration(step->remaining_s);
    fflush(stderr);
}
