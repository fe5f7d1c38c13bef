#include "formats/checkpoint.h"
#include "formats/safetensors.h"

#include <convoy/plugin.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { STATE_VERSION = 1, NAME_BYTES = PARAM_NAME_BYTES + 32, LISTED = 3 };

static convoy_status no_memory(const char *path, struct convoy_error *err)
{
    return convoy_fail(err, CONVOY_NO_MEMORY, CONVOY_WHY_MEMORY, "%s: no memory", path);
}

/* ---- saving ---- */

static convoy_status describe(struct param *param, struct st_tensor *tensor, struct convoy_error *err)
{
    *tensor = (struct st_tensor){
        .name = param->name, .type = ST_F32, .rank = param->rank, .bytes = param->count * (int64_t)sizeof(float)};
    memcpy(tensor->extent, param->extent, sizeof param->extent);
    tensor->data = tensor_host(&param->value, TENSOR_READ, err);
    return tensor->data ? CONVOY_OK : CONVOY_FAILED;
}

static convoy_status describe_model(struct model *model, struct st_tensor *tensor, struct convoy_error *err)
{
    convoy_status status = CONVOY_OK;
    for (size_t i = 0; !status && i < model->params; i++)
        status = describe(&model->param[i], &tensor[i], err);
    return status;
}

/* PyTorch counts batches beside running statistics and misses the count where it is not there. */
static size_t describe_counts(const struct model *model, char (*name)[NAME_BYTES], struct st_tensor *tensor)
{
    size_t counts = 0;
    for (size_t i = 0; i < model->params; i++) {
        const struct param *param = &model->param[i];
        if (param->role != PARAM_RUN_VAR)
            continue;
        snprintf(name[counts], NAME_BYTES, "%s.num_batches_tracked", model->net->layer[param->layer].name);
        tensor[counts] =
            (struct st_tensor){.name = name[counts], .type = ST_I64, .data = &model->batches, .bytes = sizeof model->batches};
        counts++;
    }
    return counts;
}

convoy_status checkpoint_save_weights(const char *path, struct model *model, struct convoy_error *err)
{
    struct st_tensor *tensor = calloc(2 * model->params + 1, sizeof *tensor);
    char(*name)[NAME_BYTES] = calloc(model->params + 1, sizeof *name);
    const struct st_text text[] = {{"format", "pt"}, {"network", model->net->name}};
    convoy_status status = tensor && name ? describe_model(model, tensor, err) : no_memory(path, err);
    if (!status) {
        const size_t counts = describe_counts(model, name, tensor + model->params);
        status = st_write(path, tensor, model->params + counts, text, sizeof text / sizeof *text, err);
    }
    free(name);
    free(tensor);
    return status;
}

/* Numbers travel as text that reads back exactly. One table for both ways. */
enum { NUMBERS = 14, NUMBER_BYTES = 40 };

struct number {
    const char *key;
    int64_t *whole; /* or */
    int32_t *narrow;
    double *real;
};

static void numbers_of(struct progress *p, struct optim *optim, struct number number[NUMBERS])
{
    const struct number all[NUMBERS] = {
        {"epoch", .whole = &p->epoch},
        {"batch", .whole = &p->batch},
        {"step", .whole = &p->step},
        {"seed", .whole = (int64_t *)&p->seed},
        {"best", .real = &p->best},
        {"bad_epochs", .narrow = &p->bad_epochs},
        {"loss", .real = &p->loss},
        {"correct", .whole = &p->correct},
        {"counted", .whole = &p->counted},
        {"plateau_best", .real = &p->schedule.best},
        {"plateau_scale", .real = &p->schedule.scale},
        {"plateau_bad_epochs", .narrow = &p->schedule.bad_epochs},
        {"optim_steps", .whole = optim_steps(optim)},
        {"version", .whole = &p->version},
    };
    memcpy(number, all, sizeof all);
}

struct texts {
    char number[NUMBERS][NUMBER_BYTES];
    struct st_text text[NUMBERS + 1];
};

static void describe_progress(struct progress *progress, struct optim *optim, struct texts *t)
{
    struct number number[NUMBERS];
    numbers_of(progress, optim, number);
    for (int i = 0; i < NUMBERS; i++) {
        if (number[i].real)
            snprintf(t->number[i], NUMBER_BYTES, "%a", *number[i].real);
        else
            snprintf(t->number[i], NUMBER_BYTES, "%" PRId64, number[i].whole ? *number[i].whole : *number[i].narrow);
        t->text[i] = (struct st_text){number[i].key, t->number[i]};
    }
    t->text[NUMBERS] = (struct st_text){"settings", progress->settings};
}

convoy_status checkpoint_save_state(const char *path, struct model *model, struct optim *optim, const struct progress *progress,
                                    struct convoy_error *err)
{
    const size_t states = (size_t)optim_states(optim);
    struct st_tensor *tensor = calloc(model->params + states + 1, sizeof *tensor);
    char(*name)[NAME_BYTES] = calloc(states + 1, sizeof *name);
    struct texts texts;
    convoy_status status = tensor && name ? describe_model(model, tensor, err) : no_memory(path, err);
    for (size_t s = 0; !status && s < states; s++) {
        snprintf(name[s], sizeof name[s], "optimizer.%s", optim_state_name(optim, (int)s));
        tensor[model->params + s] = (struct st_tensor){
            .name = name[s],
            .type = ST_F32,
            .rank = 1,
            .extent = {model->learned_count},
            .data = optim_state(optim, (int)s),
            .bytes = model->learned_count * (int64_t)sizeof(float),
        };
    }
    if (!status) {
        struct progress copy = *progress;
        copy.version = STATE_VERSION;
        describe_progress(&copy, optim, &texts);
        status = st_write(path, tensor, model->params + states, texts.text, sizeof texts.text / sizeof *texts.text, err);
    }
    free(name);
    free(tensor);
    return status;
}

/* ---- loading ---- */

static bool wanted(const struct load_options *options, const char *name)
{
    if (options->prefix && strncmp(name, options->prefix, strlen(options->prefix)))
        return false;
    return !options->exclude || strncmp(name, options->exclude, strlen(options->exclude));
}

/* What differs, the first few by name. */
struct differences {
    int count;
    size_t used;
    char text[200];
};

static void differs(struct differences *d, const char *what, const char *name)
{
    if (d->count++ < LISTED && d->used < sizeof d->text)
        d->used += (size_t)snprintf(d->text + d->used, sizeof d->text - d->used, "; %s %s", what, name);
}

static bool same_shape(const struct st_tensor *tensor, const struct param *param)
{
    if (tensor->type != ST_F32 || tensor->rank != param->rank)
        return false;
    for (int32_t axis = 0; axis < param->rank; axis++)
        if (tensor->extent[axis] != param->extent[axis])
            return false;
    return true;
}

/* Names that PyTorch adds and nothing here needs. */
static bool is_counter(const char *name)
{
    static const char ending[] = "num_batches_tracked";
    const size_t length = strlen(name);
    return length >= sizeof ending - 1 && !strcmp(name + length - (sizeof ending - 1), ending);
}

static struct differences compare(const struct st_file *file, struct model *model, const struct load_options *options)
{
    struct differences d = {0};
    for (size_t i = 0; i < model->params; i++) {
        const struct param *param = &model->param[i];
        const struct st_tensor *tensor = wanted(options, param->name) ? st_find(file, param->name) : NULL;
        if (tensor && !same_shape(tensor, param))
            differs(&d, "other shape:", param->name);
        else if (!tensor && wanted(options, param->name) && !options->lenient)
            differs(&d, "not in the file:", param->name);
    }
    for (size_t i = 0; !options->lenient && i < st_count(file); i++) {
        const char *name = st_at(file, i)->name;
        if (wanted(options, name) && !is_counter(name) && strncmp(name, "optimizer.", 10) && !model_find(model, name))
            differs(&d, "not in the network:", name);
    }
    return d;
}

static convoy_status copy_in(const struct st_file *file, struct model *model, const struct load_options *options,
                             struct convoy_error *err)
{
    for (size_t i = 0; i < model->params; i++) {
        struct param *param = &model->param[i];
        const struct st_tensor *tensor = wanted(options, param->name) ? st_find(file, param->name) : NULL;
        if (!tensor)
            continue;
        float *to = tensor_host(&param->value, TENSOR_WRITE, err);
        if (!to)
            return CONVOY_FAILED;
        memcpy(to, tensor->data, (size_t)tensor->bytes);
    }
    return CONVOY_OK;
}

static convoy_status load(const struct st_file *file, const char *path, struct model *model, const struct load_options *options,
                          struct convoy_error *err)
{
    const struct differences d = compare(file, model, options);
    if (d.count)
        return convoy_fail(err, CONVOY_FAILED, CONVOY_WHY_OTHER, "%.60s: %d names differ from %.20s%.150s", path, d.count,
                           model->net->name, d.text);
    return copy_in(file, model, options, err);
}

convoy_status checkpoint_load_weights(const char *path, struct model *model, const struct load_options *options,
                                      struct convoy_error *err)
{
    struct st_file *file;
    convoy_status status = st_open(path, &file, err);
    if (status)
        return status;
    status = load(file, path, model, options, err);
    st_close(file);
    return status;
}

static convoy_status load_progress(const struct st_file *file, const char *path, struct optim *optim, struct progress *progress,
                                   struct convoy_error *err)
{
    struct number number[NUMBERS];
    numbers_of(progress, optim, number);
    for (int i = 0; i < NUMBERS; i++) {
        const char *text = st_text(file, number[i].key);
        char *end = NULL;
        if (text && number[i].real)
            *number[i].real = strtod(text, &end);
        else if (text && number[i].whole)
            *number[i].whole = strtoll(text, &end, 10);
        else if (text)
            *number[i].narrow = (int32_t)strtol(text, &end, 10);
        if (!text || end == text || *end)
            return convoy_fail(err, CONVOY_FAILED, CONVOY_WHY_OTHER, "%s: its %s is missing or no number: no state of a run",
                               path, number[i].key);
    }
    const char *settings = st_text(file, "settings");
    if (!settings || progress->version != STATE_VERSION)
        return convoy_fail(err, CONVOY_FAILED, CONVOY_WHY_OTHER, "%s: no state of a run, or of another version", path);
    snprintf(progress->settings, sizeof progress->settings, "%s", settings);
    return CONVOY_OK;
}

static convoy_status load_optim(const struct st_file *file, const char *path, struct model *model, struct optim *optim,
                                struct convoy_error *err)
{
    for (int s = 0; s < optim_states(optim); s++) {
        char name[NAME_BYTES];
        snprintf(name, sizeof name, "optimizer.%s", optim_state_name(optim, s));
        const struct st_tensor *tensor = st_find(file, name);
        if (!tensor || tensor->type != ST_F32 || tensor->bytes != model->learned_count * (int64_t)sizeof(float))
            return convoy_fail(err, CONVOY_FAILED, CONVOY_WHY_OTHER, "%s: %s is missing or of another size", path, name);
        memcpy(optim_state(optim, s), tensor->data, (size_t)tensor->bytes);
    }
    return CONVOY_OK;
}

convoy_status checkpoint_load_state(const char *path, struct model *model, struct optim *optim, struct progress *progress,
                                    struct convoy_error *err)
{
    static const struct load_options all;
    struct st_file *file;
    convoy_status status = st_open(path, &file, err);
    if (status)
        return status;
    status = load(file, path, model, &all, err);
    if (!status)
        status = load_optim(file, path, model, optim, err);
    if (!status)
        status = load_progress(file, path, optim, progress, err);
    st_close(file);
    return status;
}
