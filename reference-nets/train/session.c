#include "train/session.h"

#include "core/error.h"
#include "formats/checkpoint.h"
#include "runtime/fold.h"
#include "train/ranks.h"

#include <convoy/plugin.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MOMENT_SAMPLES = 2000 };

/* ---- data ---- */

static convoy_status open_training(const struct settings *settings, struct session *session, struct convoy_error *err)
{
    const struct dataset *whole = &session->train_whole;
    const int64_t few = settings->overfit ? settings->overfit : settings->limit;
    if (settings->val_fraction > 0 && !settings->overfit) {
        const int64_t every = (int64_t)(1 / settings->val_fraction + 0.5);
        const convoy_status status = dataset_split(whole, convoy_max(2, every), true, &session->val_set, err);
        return status ? status : dataset_split(whole, convoy_max(2, every), false, &session->train_set, err);
    }
    const int64_t count = few ? convoy_min(few, whole->count) : whole->count;
    convoy_status status = dataset_head(whole, count, &session->train_set, err);
    if (!status && settings->overfit)
        status = dataset_head(whole, count, &session->val_set, err);
    return status;
}

static convoy_status moments(struct session *session, struct convoy_error *err)
{
    const struct dataset *set = session->train_set.count ? &session->train_set : &session->val_set;
    session->mean = calloc((size_t)set->c, sizeof(float));
    session->deviation = calloc((size_t)set->c, sizeof(float));
    if (!session->mean || !session->deviation)
        return convoy_fail(err, CONVOY_NO_MEMORY, CONVOY_WHY_MEMORY, "no memory for %d channels", set->c);
    return dataset_moments(set, MOMENT_SAMPLES, session->mean, session->deviation, err);
}

/* Labels of both sets must mean the same: pictures are labelled by the order of their folders' names. */
static convoy_status match_classes(const struct settings *settings, const struct dataset *train, const struct dataset *test,
                                   struct convoy_error *err)
{
    if (!train->class_name || !test->class_name)
        return CONVOY_OK;
    for (int32_t label = 0; label < convoy_max(train->classes, test->classes); label++) {
        const char *a = label < train->classes ? train->class_name(train, label) : "none";
        const char *b = label < test->classes ? test->class_name(test, label) : "none";
        if (strcmp(a, b))
            return convoy_fail(err, CONVOY_FAILED, CONVOY_WHY_OTHER, "%.60s: class %d is %.40s in training and %.40s in test",
                               settings->data, label, a, b);
    }
    return CONVOY_OK;
}

static convoy_status open_test(const struct settings *settings, struct session *session, struct convoy_error *err)
{
    const struct net_extent image = settings->catalog.image;
    struct convoy_error inner = error_none();
    const convoy_status status = dataset_open(settings->data, DATASET_TEST, image.c, image.h, image.w, &session->val_set, &inner);
    if (status)
        return convoy_fail(err, status, inner.why, "%.180s%s", inner.text,
                           strstr(inner.text, "holds no test") ? "; --val-fraction X judges a part of the training data" : "");
    return match_classes(settings, &session->train_whole, &session->val_set, err);
}

/* Normalising by the training set, also when only the test set is judged: its moments are read again. */
convoy_status session_data(const struct settings *settings, struct session *session, struct convoy_error *err)
{
    const struct net_extent image = settings->catalog.image;
    convoy_status status = dataset_open(settings->data, DATASET_TRAIN, image.c, image.h, image.w, &session->train_whole, err);
    if (!status)
        status = open_training(settings, session, err);
    if (!status && !session->val_set.count)
        status = open_test(settings, session, err);
    return status ? status : moments(session, err);
}

/* ---- network and backends ---- */

/* The factor on the rate of all parameters whose names start with `length` characters of prefix. */
static convoy_status scale_rate(struct session *session, const char *option, const char *prefix, size_t length, float scale,
                                struct convoy_error *err)
{
    int matched = 0;
    for (size_t p = 0; p < session->model.params; p++) {
        struct param *param = &session->model.param[p];
        if (strncmp(param->name, prefix, length))
            continue;
        param->rate_scale = scale;
        matched++;
    }
    return matched ? CONVOY_OK
                   : convoy_fail(err, CONVOY_INVALID, CONVOY_WHY_OTHER, "%s: no parameter starts with '%.*s'", option,
                                 (int)convoy_min((int64_t)length, 60), prefix);
}

static convoy_status scale_rates(struct session *session, struct convoy_error *err)
{
    const struct settings_list *scale = &session->settings->rate_scale, *freeze = &session->settings->freeze;
    convoy_status status = CONVOY_OK;
    for (int32_t f = 0; !status && f < scale->count; f++) {
        const char *text = scale->item[f], *equals = strrchr(text, '=');
        char *end = NULL;
        const float factor = equals ? strtof(equals + 1, &end) : 0;
        if (!equals || end == equals + 1 || *end || !(factor >= 0 && factor <= 1e6f))
            return convoy_fail(err, CONVOY_INVALID, CONVOY_WHY_OTHER, "--lr-scale: '%.60s' is not PREFIX=X, such as conv1=0.1",
                               text);
        status = scale_rate(session, "--lr-scale", text, (size_t)(equals - text), factor, err);
    }
    for (int32_t f = 0; !status && f < freeze->count; f++)
        status = scale_rate(session, "--freeze", freeze->item[f], strlen(freeze->item[f]), 0, err);
    return status;
}

static convoy_status check_class_weights(const struct session *session, struct convoy_error *err)
{
    const int32_t given = session->settings->class_weights, classes = session->net.layer[session->net.head[0].layer].out.c;
    return !given || given == classes
               ? CONVOY_OK
               : convoy_fail(err, CONVOY_INVALID, CONVOY_WHY_SIZE, "--class-weights: %d weights for %d classes", given, classes);
}

static uint32_t thread_count(const struct settings *settings)
{
    const long processors = sysconf(_SC_NPROCESSORS_ONLN);
    return (uint32_t)(settings->threads ? settings->threads : convoy_max(1, processors));
}

static convoy_status build(const struct settings *settings, struct session *session, struct convoy_error *err)
{
    struct catalog_options options = settings->catalog;
    if (session->train_whole.count && !options.classes)
        options.classes = session->train_whole.classes;
    if (session->train_whole.count && !options.image.c)
        options.image.c = session->train_whole.c;
    return catalog_build(settings->network, &options, &session->net, err);
}

static convoy_status load_weights(struct session *session, const char *path, struct convoy_error *err)
{
    const struct load_options options = {
        .prefix = session->settings->load_prefix,
        .exclude = session->settings->load_exclude,
        .lenient = session->settings->load_lenient,
    };
    return checkpoint_load_weights(path, &session->model, &options, err);
}

/* Gray sets for a network in colour, and the reverse: the moments follow the network's channels. */
static convoy_status fit_moments(struct session *session, struct convoy_error *err)
{
    const int32_t from = session->train_whole.c, to = session->net.image.c;
    if (from == to || !session->mean)
        return CONVOY_OK;
    float *mean = calloc((size_t)to, sizeof *mean), *deviation = calloc((size_t)to, sizeof *deviation);
    if (!mean || !deviation) {
        free(mean);
        free(deviation);
        return convoy_fail(err, CONVOY_NO_MEMORY, CONVOY_WHY_MEMORY, "no memory for %d channels", to);
    }
    for (int32_t c = 0; c < to; c++) {
        for (int32_t s = 0; s < from; s++) {
            mean[c] += session->mean[s] / (float)from;
            deviation[c] += session->deviation[s] / (float)from;
        }
    }
    free(session->mean);
    free(session->deviation);
    session->mean = mean;
    session->deviation = deviation;
    return CONVOY_OK;
}

static struct model *judged(struct session *session)
{
    return session->settings->fold_bn ? &session->folded : &session->model;
}

static convoy_status sum_processes(double *values, int64_t count, void *context, struct convoy_error *err)
{
    (void)context;
    return ranks_sum_f64(values, count, NULL, err);
}

convoy_status session_open(const struct settings *settings, bool training, struct session *session, struct convoy_error *err)
{
    const char *folders[SETTINGS_LIST + 1] = {NULL};
    for (int32_t p = 0; p < settings->plugins.count; p++)
        folders[p] = settings->plugins.item[p];
    session->settings = settings;
    session->batch = (int32_t)settings->batch;
    if (training && session->train_set.count)
        session->batch = (int32_t)convoy_min(session->batch, convoy_max(1, session->train_set.count / ranks_count()));
    convoy_status status = build(settings, session, err);
    if (!status)
        status = fit_moments(session, err);
    if (!status)
        status = model_create(&session->net, &session->model, err);
    if (!status)
        status = init_model(&session->model, &settings->init, (uint64_t)settings->seed, err);
    if (!status && settings->load.count)
        status = load_weights(session, settings->load.item[0], err);
    if (!status && settings->fold_bn)
        status = fold_net(&session->net, &session->folded_net, err);
    if (!status && settings->fold_bn)
        status = model_create(&session->folded_net, &session->folded, err);
    if (!status)
        status = scale_rates(session, err);
    if (!status)
        status = check_class_weights(session, err);
    if (!status)
        status = assign_open(settings->backend, folders, judged(session)->net, session->batch, thread_count(settings),
                             settings->select_budget_s, training, &session->assign, err);
    if (status)
        return status;
    session->backends = backends_open(thread_count(settings), folders, session->assign.chooser, err);
    if (!session->backends)
        return CONVOY_FAILED;
    session->exchange = (struct exchange){.sum = sum_processes, .processes = ranks_count()};
    if (settings->sync_bn && ranks_count() > 1)
        backends_set_exchange(session->backends, &session->exchange);
    return CONVOY_OK;
}

static struct batches_options batches_of(const struct session *session)
{
    const struct settings *settings = session->settings;
    return (struct batches_options){
        .batch = session->batch,
        .c = session->net.image.c,
        .h = session->net.image.h,
        .w = session->net.image.w,
        .seed = (uint64_t)settings->seed,
        .mean = session->mean,
        .deviation = session->deviation,
        .rank = ranks_me(),
        .ranks = ranks_count(),
        .no_thread = settings->no_loader,
    };
}

static convoy_status scale_by_lsuv(struct session *session, struct convoy_error *err)
{
    struct exec *plain = NULL;
    struct batch batch;
    convoy_status status = batches_next(session->train_batches, &batch, err);
    if (!status)
        status = exec_create(&session->model, session->backends, batch.count, EXEC_PLAIN, &plain, err);
    float *pixels = status ? NULL : tensor_host(exec_input(plain), TENSOR_WRITE, err);
    if (!status && !pixels)
        status = CONVOY_FAILED;
    if (!status) {
        memcpy(pixels, batch.pixels, (size_t)exec_input(plain)->bytes);
        status = init_lsuv(&session->model, plain, err);
    }
    exec_free(plain);
    return status ? status : batches_seek(session->train_batches, 0, 0, err);
}

convoy_status session_train(struct session *session, struct convoy_error *err)
{
    const struct settings *settings = session->settings;
    struct batches_options options = batches_of(session);
    options.shuffle = true;
    if (!settings->overfit)
        options.augment = settings->augment;
    convoy_status status = batches_open(&session->train_set, &options, &session->train_batches, err);
    if (!status && settings->init.kind == INIT_LSUV && !settings->load.count)
        status = scale_by_lsuv(session, err);
    if (!status)
        status = exec_create(&session->model, session->backends, session->batch, EXEC_TRAIN, &session->train, err);
    if (!status)
        status = optim_create(&session->model, &settings->optim, &session->optim, err);
    if (!status && settings->accumulate > 1) {
        session->gathered = malloc(((size_t)session->model.learned_count + 1) * sizeof(float));
        if (!session->gathered)
            status = convoy_fail(err, CONVOY_NO_MEMORY, CONVOY_WHY_MEMORY, "no memory for accumulated gradients");
    }
    return status;
}

convoy_status session_eval(struct session *session, struct convoy_error *err)
{
    struct batches_options options = batches_of(session);
    options.keep_last = true;
    options.rank = 0; /* every process judges the whole set: no exchange is needed                          */
    options.ranks = 1;
    const convoy_status status = batches_open(&session->val_set, &options, &session->val_batches, err);
    return status ? status : exec_create(judged(session), session->backends, session->batch, EXEC_EVAL, &session->eval, err);
}

void session_close(struct session *session)
{
    batches_close(session->train_batches);
    batches_close(session->val_batches);
    exec_free(session->train);
    exec_free(session->eval);
    optim_free(session->optim);
    model_free(&session->folded);
    model_free(&session->model);
    if (session->backends)
        backends_close(session->backends);
    assign_close(&session->assign);
    net_free(&session->folded_net);
    net_free(&session->net);
    dataset_close(&session->train_set);
    dataset_close(&session->val_set);
    dataset_close(&session->train_whole);
    free(session->mean);
    free(session->deviation);
    free(session->gathered);
    free(session->zero_share);
    memset(session, 0, sizeof *session);
}

/* ---- a step ---- */

/* A short batch is filled up with zeros whose labels do not count. */
static convoy_status feed(struct exec *exec, const struct batch *batch, struct convoy_error *err)
{
    struct tensor *input = exec_input(exec);
    char *to = tensor_host(input, TENSOR_WRITE, err);
    if (!to)
        return CONVOY_FAILED;
    const size_t bytes = (size_t)(input->bytes / exec_batch(exec)) * (size_t)batch->count;
    memcpy(to, batch->pixels, bytes);
    memset(to + bytes, 0, (size_t)input->bytes - bytes);
    return CONVOY_OK;
}

static void count_in(struct outcome *outcome, const struct loss_result *result)
{
    outcome->loss += result->loss * result->counted;
    outcome->correct += result->correct;
    outcome->correct5 += result->correct5;
    outcome->counted += result->counted;
}

/* Losses of all heads; what is reported is the main one's. */
static convoy_status lose(struct session *session, struct exec *exec, const struct batch *batch, struct outcome *outcome,
                          struct convoy_error *err)
{
    const int32_t heads = exec_head_grad(exec, 0) ? session->net.heads : 1;
    convoy_status status = CONVOY_OK;
    for (int32_t head = 0; !status && head < heads; head++) {
        struct tensor *z = exec_head(exec, head), *dz = exec_head_grad(exec, head);
        const int32_t classes = (int32_t)(z->bytes / (int64_t)sizeof(float) / exec_batch(exec));
        const struct loss_batch arguments = {
            .batch = batch->count,
            .classes = classes,
            .z = tensor_host(z, TENSOR_READ, err),
            .label = batch->label,
            .target = batch->target,
            .weight = session->net.head[head].weight,
            .dz = dz ? tensor_host(dz, TENSOR_WRITE, err) : NULL,
        };
        struct loss_result result;
        if (!arguments.z || (dz && !arguments.dz))
            return CONVOY_FAILED;
        if (arguments.dz)
            memset(arguments.dz, 0, (size_t)dz->bytes);
        status = loss_run(&session->settings->loss, &arguments, &result, err);
        if (!status && head == 0)
            count_in(outcome, &result);
    }
    return status;
}

static bool finite_tensor(struct tensor *tensor, struct convoy_error *err)
{
    const float *x = tensor_host(tensor, TENSOR_READ, err);
    for (int64_t i = 0; x && i < tensor->bytes / (int64_t)sizeof(float); i++)
        if (!isfinite(x[i]))
            return false;
    return true;
}

/* The same batch once more with every output kept: the first layer with a value that is no number is the one to look at. */
static convoy_status blame(struct session *session, const struct batch *batch, int64_t step, struct convoy_error *err)
{
    struct exec *plain = NULL;
    for (size_t p = 0; p < session->model.params; p++)
        if (!finite_tensor(&session->model.param[p].value, err))
            return convoy_fail(err, CONVOY_FAILED, CONVOY_WHY_OTHER,
                               "step %lld: the loss is no number; parameter %s holds some already", (long long)step,
                               session->model.param[p].name);
    convoy_status status = exec_create(&session->model, session->backends, session->batch, EXEC_PLAIN, &plain, err);
    if (!status)
        status = feed(plain, batch, err);
    exec_seed(plain, (uint64_t)session->settings->seed, (uint64_t)step);
    if (!status)
        status = exec_forward(plain, err);
    const char *name = "the loss itself";
    for (size_t l = 0; !status && l < session->net.count; l++) {
        if (!finite_tensor(exec_output(plain, (int32_t)l), err)) {
            name = session->net.layer[l].name;
            break;
        }
    }
    exec_free(plain);
    return status ? status
                  : convoy_fail(err, CONVOY_FAILED, CONVOY_WHY_OTHER, "step %lld: the loss is no number; it starts in %s",
                                (long long)step, name);
}

convoy_status session_watch(struct session *session, struct convoy_error *err)
{
    if (!session->zero_share)
        session->zero_share = calloc(session->net.count, sizeof *session->zero_share);
    session->watched = session->zero_share != NULL;
    return session->watched
               ? CONVOY_OK
               : convoy_fail(err, CONVOY_NO_MEMORY, CONVOY_WHY_MEMORY, "no memory to watch %zu layers", session->net.count);
}

/* Between forward and backward, where the outputs of activations are still there: backward reads them. */
static convoy_status count_zeros(struct session *session, struct convoy_error *err)
{
    for (size_t l = 0; l < session->net.count; l++) {
        if (session->net.layer[l].kind != NET_ACT)
            continue;
        struct tensor *out = exec_output(session->train, (int32_t)l);
        const float *y = tensor_host(out, TENSOR_READ, err);
        if (!y)
            return CONVOY_FAILED;
        const int64_t count = out->bytes / (int64_t)sizeof *y;
        int64_t zeros = 0;
        for (int64_t i = 0; i < count; i++)
            zeros += y[i] == 0;
        session->zero_share[l] = (float)((double)zeros / (double)count);
    }
    session->watched = false;
    return CONVOY_OK;
}

static convoy_status micro_step(struct session *session, int64_t step, int64_t part, struct outcome *outcome,
                                struct convoy_error *err)
{
    struct batch batch;
    convoy_status status = batches_next(session->train_batches, &batch, err);
    if (!status)
        status = feed(session->train, &batch, err);
    const int64_t draw = (step * session->settings->accumulate + part) * ranks_count() + ranks_me();
    exec_seed(session->train, (uint64_t)session->settings->seed, (uint64_t)draw);
    if (!status)
        status = exec_forward(session->train, err);
    if (!status && session->watched)
        status = count_zeros(session, err);
    if (!status)
        status = lose(session, session->train, &batch, outcome, err);
    if (!status && !isfinite(outcome->loss))
        return blame(session, &batch, draw, err);
    outcome->samples += batch.count;
    return status ? status : exec_backward(session->train, err);
}

static convoy_status gather(struct session *session, int64_t part, struct convoy_error *err)
{
    const int64_t parts = session->settings->accumulate, count = session->model.learned_count;
    float *g = model_grads(&session->model, part + 1 == parts ? TENSOR_UPDATE : TENSOR_READ, err);
    if (!g)
        return CONVOY_FAILED;
    for (int64_t i = 0; i < count; i++)
        session->gathered[i] = part ? session->gathered[i] + g[i] : g[i];
    for (int64_t i = 0; part + 1 == parts && i < count; i++)
        g[i] = session->gathered[i] / (float)parts;
    return CONVOY_OK;
}

/* Means over the processes: of the gradients, and of what is reported. */
static convoy_status exchange(struct session *session, const volatile sig_atomic_t *stop, struct outcome *outcome,
                              struct convoy_error *err)
{
    const int32_t ranks = ranks_count();
    if (ranks == 1)
        return CONVOY_OK;
    float *g = model_grads(&session->model, TENSOR_UPDATE, err);
    if (!g)
        return CONVOY_FAILED;
    convoy_status status = ranks_sum_f32(g, session->model.learned_count, stop, err);
    for (int64_t i = 0; !status && i < session->model.learned_count; i++)
        g[i] /= (float)ranks;
    double sums[] = {outcome->loss, (double)outcome->correct, (double)outcome->correct5, (double)outcome->counted,
                     (double)outcome->samples};
    if (!status)
        status = ranks_sum_f64(sums, sizeof sums / sizeof *sums, stop, err);
    if (status)
        return status;
    outcome->loss = sums[0];
    outcome->correct = (int64_t)sums[1];
    outcome->correct5 = (int64_t)sums[2];
    outcome->counted = (int64_t)sums[3];
    outcome->samples = (int64_t)sums[4];
    return CONVOY_OK;
}

convoy_status session_step(struct session *session, int64_t step, double rate, const volatile sig_atomic_t *stop,
                           struct outcome *outcome, struct convoy_error *err)
{
    *outcome = (struct outcome){0};
    convoy_status status = CONVOY_OK;
    for (int64_t part = 0; !status && part < session->settings->accumulate; part++) {
        status = micro_step(session, step, part, outcome, err);
        if (!status && session->gathered)
            status = gather(session, part, err);
    }
    if (!status)
        status = exchange(session, stop, outcome, err);
    if (!status)
        status = optim_step(session->optim, backends_host(session->backends), rate, &outcome->grad_norm, err);
    if (!status && outcome->counted)
        outcome->loss /= (double)outcome->counted;
    return status;
}

/* ---- judging ---- */

static void add_softmax(const float *z, int32_t classes, float *sum)
{
    double largest = z[0], total = 0;
    for (int32_t k = 1; k < classes; k++)
        largest = fmax(largest, z[k]);
    for (int32_t k = 0; k < classes; k++)
        total += exp(z[k] - largest);
    for (int32_t k = 0; k < classes; k++)
        sum[k] += (float)(exp(z[k] - largest) / total);
}

convoy_status session_judge(struct session *session, float *probabilities, struct outcome *outcome, struct convoy_error *err)
{
    *outcome = (struct outcome){0};
    convoy_status status = batches_seek(session->val_batches, 0, 0, err);
    if (!status && session->settings->fold_bn)
        status = fold_values(&session->model, &session->folded, err);
    for (int64_t b = 0; !status && b < batches_per_epoch(session->val_batches); b++) {
        struct batch batch;
        status = batches_next(session->val_batches, &batch, err);
        if (!status)
            status = feed(session->eval, &batch, err);
        if (!status)
            status = exec_forward(session->eval, err);
        if (!status)
            status = lose(session, session->eval, &batch, outcome, err);
        struct tensor *z = exec_head(session->eval, 0);
        const int32_t classes = (int32_t)(z->bytes / (int64_t)sizeof(float) / session->batch);
        const float *logits = status || !probabilities ? NULL : tensor_host(z, TENSOR_READ, err);
        for (int32_t n = 0; logits && n < batch.count; n++)
            add_softmax(logits + (int64_t)n * classes, classes, probabilities + (outcome->samples + n) * classes);
        outcome->samples += batch.count;
    }
    if (outcome->counted)
        outcome->loss /= (double)outcome->counted;
    return status;
}
