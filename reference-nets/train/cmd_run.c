/* Training. The state file always describes a boundary between two steps, so that a run that goes on from it takes the same steps
 * with the same data: after kill -9 what is lost is time. */
#include "train/commands.h"

#include "core/error.h"
#include "formats/checkpoint.h"
#include "train/metrics.h"
#include "train/ranks.h"

#include <convoy/plugin.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

static volatile sig_atomic_t stopping;

static void on_signal(int number)
{
    (void)number;
    stopping = 1;
}

struct run {
    struct session session;
    struct progress progress;
    struct schedule_options schedule;
    struct metrics *metrics;
    int64_t steps_per_epoch, snapshots;
    double best_accuracy, last_grad_norm;
    int64_t epoch_start_ns, epoch_samples, waited_ns;
    bool reached;
};

static int64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static bool talks(void)
{
    return ranks_me() == 0;
}

/* ---- files ---- */

static convoy_status in_out(const struct run *run, const char *name, char path[4096], struct convoy_error *err)
{
    const int length = snprintf(path, 4096, "%s/%s", run->session.settings->out, name);
    return length > 0 && length < 4096 ? CONVOY_OK
                                       : convoy_fail(err, CONVOY_INVALID, CONVOY_WHY_SIZE, "--out: the path is too long");
}

static convoy_status save_state(struct run *run, struct convoy_error *err)
{
    char path[4096];
    if (!run->session.settings->out || !talks())
        return CONVOY_OK;
    const convoy_status status = in_out(run, "state.safetensors", path, err);
    return status ? status : checkpoint_save_state(path, &run->session.model, run->session.optim, &run->progress, err);
}

static convoy_status save_weights(struct run *run, const char *name, struct convoy_error *err)
{
    char path[4096];
    if (!run->session.settings->out || !talks())
        return CONVOY_OK;
    const convoy_status status = in_out(run, name, path, err);
    return status ? status : checkpoint_save_weights(path, &run->session.model, err);
}

/* The first words in which two prints of settings differ. */
static convoy_status refuse_settings(const char *path, const char *then, const char *now, struct convoy_error *err)
{
    size_t word = 0;
    for (size_t at = 0; then[at] && then[at] == now[at]; at++)
        word = then[at] == ' ' ? at + 1 : word;
    return convoy_fail(err, CONVOY_INVALID, CONVOY_WHY_OTHER, "%.80s was made with other settings: %.*s there, %.*s now", path,
                       (int)strcspn(then + word, " "), then + word, (int)strcspn(now + word, " "), now + word);
}

static convoy_status resume(struct run *run, struct convoy_error *err)
{
    const struct settings *settings = run->session.settings;
    char path[4096], now[sizeof run->progress.settings];
    settings_print(settings, now, sizeof now);
    const size_t printed = strlen(now);
    snprintf(now + printed, sizeof now - printed, " processes=%d", ranks_count());
    snprintf(run->progress.settings, sizeof run->progress.settings, "%s", now);
    run->progress.seed = (uint64_t)settings->seed;
    run->progress.best = INFINITY;
    run->progress.schedule = (struct schedule_state){INFINITY, 1, 0};
    if (!settings->resume)
        return CONVOY_OK;
    convoy_status status = in_out(run, "state.safetensors", path, err);
    if (status)
        return status;
    if (access(path, F_OK)) {
        if (talks())
            printf("%s: no such state; a new run begins\n", path);
        return CONVOY_OK;
    }
    status = checkpoint_load_state(path, &run->session.model, run->session.optim, &run->progress, err);
    if (!status && strcmp(run->progress.settings, now))
        return refuse_settings(path, run->progress.settings, now, err);
    if (!status && talks())
        printf("%s: goes on after step %lld, in epoch %lld of %lld%s\n", path, (long long)run->progress.step,
               (long long)run->progress.epoch + (run->progress.epoch < settings->epochs), (long long)settings->epochs,
               run->progress.epoch < settings->epochs ? "" : ": nothing is left to do");
    run->session.model.batches = run->progress.step * settings->accumulate;
    if (!status)
        status = batches_seek(run->session.train_batches, run->progress.epoch, run->progress.batch, err);
    return status;
}

/* ---- an epoch ---- */

static int64_t peak_bytes(void)
{
    struct rusage usage;
    return getrusage(RUSAGE_SELF, &usage) ? 0 : usage.ru_maxrss * 1024;
}

static void show(struct run *run, int64_t batch)
{
    const struct progress *p = &run->progress;
    const double seconds = (double)(now_ns() - run->epoch_start_ns) / 1e9;
    const double rate = seconds > 0 ? (double)run->epoch_samples / seconds : 0;
    const int64_t left = (run->session.settings->epochs - p->epoch) * run->steps_per_epoch - batch;
    const struct metrics_step step = {
        .epoch = p->epoch,
        .epochs = run->session.settings->epochs,
        .batch = batch,
        .batches = run->steps_per_epoch,
        .loss = p->counted ? p->loss / (double)p->counted : 0,
        .accuracy = p->counted ? (double)p->correct / (double)p->counted : 0,
        .images_per_s = rate,
        .remaining_s =
            rate > 0 ? (double)left * (double)(run->session.batch * run->session.settings->accumulate * ranks_count()) / rate : 0,
        .spent_ns = backends_spent_ns(run->session.backends),
    };
    metrics_progress(run->metrics, &step);
}

/* A network that has learnt nothing loses ln(classes): far more says that something is wrong before any time is spent. */
static void check_first_loss(const struct run *run, const struct outcome *first)
{
    const double expected = log((double)run->session.net.layer[run->session.net.head[0].layer].out.c);
    if (run->session.settings->loss.kind != LOSS_XENT || run->session.settings->load.count || !talks())
        return;
    printf("initial loss %.4f, ln(classes) is %.4f%s\n", first->loss, expected,
           first->loss > 2 * expected ? ": suspiciously high; is the initialisation or the scale of the data right?" : "");
    fflush(stdout);
}

static convoy_status one_step(struct run *run, struct convoy_error *err)
{
    struct progress *p = &run->progress;
    const struct settings *settings = run->session.settings;
    struct outcome outcome;
    const double rate = schedule_rate(&run->schedule, &p->schedule, p->step);
    const convoy_status status = session_step(&run->session, p->step, rate, &stopping, &outcome, err);
    if (status)
        return status;
    if (p->step == 0)
        check_first_loss(run, &outcome);
    p->loss += outcome.loss * (double)outcome.counted;
    p->correct += outcome.correct;
    p->counted += outcome.counted;
    p->step++;
    p->batch += settings->accumulate;
    run->epoch_samples += outcome.samples;
    run->last_grad_norm = outcome.grad_norm;
    show(run, p->batch / settings->accumulate);
    return settings->save_every && p->step % settings->save_every == 0 ? save_state(run, err) : CONVOY_OK;
}

static void fill_row(const struct run *run, const struct outcome *val, struct metrics_row *row)
{
    const struct progress *p = &run->progress;
    const int64_t *spent = backends_spent_ns(run->session.backends);
    const double seconds = (double)(now_ns() - run->epoch_start_ns) / 1e9;
    *row = (struct metrics_row){
        .epoch = p->epoch,
        .step = p->step,
        .rate = schedule_rate(&run->schedule, &p->schedule, p->step - 1),
        .train_loss = p->counted ? p->loss / (double)p->counted : 0,
        .train_accuracy = p->counted ? (double)p->correct / (double)p->counted : 0,
        .val_loss = val->loss,
        .val_accuracy = val->counted ? (double)val->correct / (double)val->counted : 0,
        .val_accuracy5 = val->counted ? (double)val->correct5 / (double)val->counted : 0,
        .penalty = optim_penalty(run->session.optim),
        .grad_norm = run->last_grad_norm,
        .seconds = seconds,
        .images_per_s = (double)run->epoch_samples / seconds,
        .waited_share = (double)(batches_waited_ns(run->session.train_batches) - run->waited_ns) / 1e9 / seconds,
        .peak_bytes = peak_bytes(),
    };
    for (int s = 0; s < SPENT_COUNT; s++)
        row->spent_share[s] = (double)spent[s] / 1e9 / seconds;
    /* What is not in layers - losses, updates, waiting - is rest too. */
    row->spent_share[SPENT_REST] = 1 - row->spent_share[SPENT_CONV] - row->spent_share[SPENT_POOL] - row->spent_share[SPENT_BN];
}

static void print_row(const struct metrics_row *r)
{
    if (!talks())
        return;
    printf("epoch %lld: loss %.4f accuracy %.2f %%, validation loss %.4f accuracy %.2f %%, %.0f images/s, conv %.0f %% pool %.0f "
           "%% bn %.0f %% rest "
           "%.0f %%, %.1f s\n",
           (long long)r->epoch + 1, r->train_loss, 100 * r->train_accuracy, r->val_loss, 100 * r->val_accuracy, r->images_per_s,
           100 * r->spent_share[SPENT_CONV], 100 * r->spent_share[SPENT_POOL], 100 * r->spent_share[SPENT_BN],
           100 * r->spent_share[SPENT_REST], r->seconds);
    fflush(stdout);
}

static convoy_status snapshot(struct run *run, struct convoy_error *err)
{
    char name[64];
    if (!schedule_is_minimum(&run->schedule, run->progress.step - 1))
        return CONVOY_OK;
    snprintf(name, sizeof name, "snapshot-%lld.safetensors", (long long)++run->snapshots);
    return save_weights(run, name, err);
}

static convoy_status end_epoch(struct run *run, struct convoy_error *err)
{
    struct progress *p = &run->progress;
    struct metrics_row row;
    struct outcome val;
    fill_row(run, &(struct outcome){0}, &row);
    convoy_status status = session_judge(&run->session, NULL, &val, err);
    if (status)
        return status;
    row.val_loss = val.loss;
    row.val_accuracy = val.counted ? (double)val.correct / (double)val.counted : 0;
    row.val_accuracy5 = val.counted ? (double)val.correct5 / (double)val.counted : 0;
    run->best_accuracy = fmax(run->best_accuracy, row.val_accuracy);
    run->reached = run->session.settings->target_accuracy > 0 && row.val_accuracy >= run->session.settings->target_accuracy;
    print_row(&row);
    status = metrics_epoch(run->metrics, &row, err);
    schedule_observe(&run->schedule, &p->schedule, val.loss);
    p->bad_epochs = val.loss < p->best ? 0 : p->bad_epochs + 1;
    if (val.loss < p->best) {
        p->best = val.loss;
        if (!status)
            status = save_weights(run, "best.safetensors", err);
    }
    if (!status)
        status = snapshot(run, err);
    p->epoch++;
    p->batch = 0;
    p->loss = 0;
    p->correct = p->counted = 0;
    if (!status)
        status = save_state(run, err);
    return status ? status : save_weights(run, "weights.safetensors", err);
}

static convoy_status train_epochs(struct run *run, struct convoy_error *err)
{
    const struct settings *settings = run->session.settings;
    const int64_t batches = run->steps_per_epoch * settings->accumulate;
    convoy_status status = CONVOY_OK;
    while (!status && !stopping && !run->reached && run->progress.epoch < settings->epochs &&
           !(settings->patience && run->progress.bad_epochs >= settings->patience)) {
        run->epoch_start_ns = now_ns();
        run->epoch_samples = 0;
        run->waited_ns = batches_waited_ns(run->session.train_batches);
        backends_spent_reset(run->session.backends);
        /* Batches that do not fill a step are left out. */
        status = batches_seek(run->session.train_batches, run->progress.epoch, run->progress.batch, err);
        while (!status && !stopping && run->progress.batch < batches)
            status = one_step(run, err);
        if (!status && !stopping)
            status = end_epoch(run, err);
    }
    return status;
}

static void prepare_schedule(struct run *run)
{
    const struct settings *settings = run->session.settings;
    run->steps_per_epoch = convoy_max(1, batches_per_epoch(run->session.train_batches) / settings->accumulate);
    run->schedule = settings->schedule;
    run->schedule.steps_per_epoch = run->steps_per_epoch;
    run->schedule.steps = settings->epochs * run->steps_per_epoch;
    run->schedule.warmup_steps = (int64_t)(settings->warmup_epochs * (double)run->steps_per_epoch);
}

static void introduce(const struct run *run)
{
    const struct session *s = &run->session;
    if (!talks())
        return;
    printf("%s: %lld parameters, %lld multiply-adds an image; %s: %lld training and %lld validation samples; batch %d%s, %u "
           "threads, "
           "activations %.1f MB\n",
           s->net.name, (long long)net_params(&s->net), (long long)net_macs(&s->net), s->train_whole.name,
           (long long)s->train_set.count, (long long)s->val_set.count, s->batch, ranks_count() > 1 ? " in each process" : "",
           backends_threads(s->backends), (double)exec_activation_bytes(s->train) / 1e6);
    fflush(stdout);
}

static convoy_status open_run(const struct settings *settings, struct run *run, struct convoy_error *err)
{
    convoy_status status = session_data(settings, &run->session, err);
    if (!status)
        status = session_open(settings, true, &run->session, err);
    if (!status)
        status = session_train(&run->session, err);
    if (!status)
        status = session_eval(&run->session, err);
    if (status)
        return status;
    prepare_schedule(run);
    introduce(run);
    status = resume(run, err);
    if (!status)
        status = metrics_open(talks() ? settings->out : NULL, settings->resume ? run->progress.epoch : -1, settings->wall_time,
                              talks() && !settings->quiet, &run->metrics, err);
    return status;
}

static int conclude(struct run *run, convoy_status status, struct convoy_error *err)
{
    const struct settings *settings = run->session.settings;
    /* The model still is what the last whole step made it, unless the step itself failed half way in the update: only a lost
     * process or a loss that is no number ends here, and both do before the update. */
    if (status && !stopping)
        return train_failed(status, err);
    if (stopping) {
        struct convoy_error inner = error_none();
        const convoy_status saved = run->progress.step > 0 ? save_state(run, &inner) : CONVOY_OK;
        if (saved)
            train_failed(saved, &inner);
        fprintf(stderr, "convoy-train: %s%sinterrupted after step %lld%s\n", status ? err->text : "", status ? "; " : "",
                (long long)run->progress.step,
                saved || !settings->out || !run->progress.step || !talks() ? "" : "; the state is saved, --resume goes on");
        return saved && !status ? TRAIN_USAGE : TRAIN_INTERRUPTED;
    }
    status = write_filters(&run->session, talks() ? run->metrics : NULL, run->progress.step, err);
    if (status)
        return train_failed(status, err);
    if (settings->target_accuracy > 0 && !run->reached) {
        fprintf(stderr, "convoy-train: the best validation accuracy was %.4f, the target %.4f\n", run->best_accuracy,
                settings->target_accuracy);
        return TRAIN_MISSED;
    }
    return TRAIN_OK;
}

int command_run(const struct settings *settings)
{
    struct run run = {0};
    struct convoy_error err = error_none();
    const struct sigaction action = {.sa_handler = on_signal};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    convoy_status status = open_run(settings, &run, &err);
    const bool opened = status == CONVOY_OK;
    if (opened)
        status = train_epochs(&run, &err);
    const int code = opened ? conclude(&run, status, &err) : train_failed(status, &err);
    metrics_close(run.metrics);
    session_close(&run.session);
    return code;
}
