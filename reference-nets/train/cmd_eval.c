/* Judging saved weights; several files are one ensemble, whose answer is the mean of their probabilities, or with --average one
 * model with the mean of their weights. */
#include "train/commands.h"

#include "core/error.h"
#include "formats/checkpoint.h"

#include <convoy/plugin.h>
#include <stdio.h>
#include <stdlib.h>

static convoy_status ensemble(struct session *session, double *accuracy, struct convoy_error *err)
{
    const struct settings *settings = session->settings;
    const int32_t classes = session->net.layer[session->net.head[0].layer].out.c;
    const int64_t count = session->val_set.count;
    float *probabilities = calloc((size_t)(count * classes), sizeof *probabilities);
    float *pixels = malloc((size_t)session->val_set.c * (size_t)session->val_set.h * (size_t)session->val_set.w * sizeof *pixels);
    convoy_status status =
        probabilities && pixels ? CONVOY_OK : convoy_fail(err, CONVOY_NO_MEMORY, CONVOY_WHY_MEMORY, "no memory for an ensemble");
    const struct load_options options = {settings->load_prefix, settings->load_exclude, settings->load_lenient};
    for (int32_t f = 0; !status && f < settings->load.count; f++) {
        struct outcome outcome;
        status = checkpoint_load_weights(settings->load.item[f], &session->model, &options, err);
        if (!status)
            status = session_judge(session, probabilities, &outcome, err);
        if (!status && settings->load.count > 1)
            printf("%s: loss %.4f, accuracy %.2f %%\n", settings->load.item[f], outcome.loss,
                   100 * (double)outcome.correct / (double)outcome.counted);
    }
    int64_t correct = 0;
    for (int64_t i = 0; !status && i < count; i++) {
        int32_t label, best = 0;
        status = session->val_set.read(&session->val_set, i, pixels, &label, err);
        for (int32_t k = 1; k < classes; k++)
            if (probabilities[i * classes + k] > probabilities[i * classes + best])
                best = k;
        correct += best == label;
    }
    *accuracy = (double)correct / (double)count;
    free(pixels);
    free(probabilities);
    return status;
}

/* Leaves the mean of the weights of all files in the model, running statistics included (Polyak & Juditsky 1992). */
static convoy_status average(struct session *session, struct convoy_error *err)
{
    const struct settings *settings = session->settings;
    const struct load_options options = {settings->load_prefix, settings->load_exclude, settings->load_lenient};
    int64_t floats = 0, at = 0;
    for (size_t p = 0; p < session->model.params; p++)
        floats += session->model.param[p].count;
    double *sum = calloc((size_t)convoy_max(floats, 1), sizeof *sum);
    convoy_status status = sum ? CONVOY_OK : convoy_fail(err, CONVOY_NO_MEMORY, CONVOY_WHY_MEMORY, "no memory for an average");
    for (int32_t f = 0; !status && f < settings->load.count; f++) {
        status = checkpoint_load_weights(settings->load.item[f], &session->model, &options, err);
        at = 0;
        for (size_t p = 0; !status && p < session->model.params; p++) {
            struct param *param = &session->model.param[p];
            float *w = tensor_host(&param->value, TENSOR_UPDATE, err);
            if (!w)
                status = CONVOY_FAILED;
            for (int64_t i = 0; w && i < param->count; i++, at++) {
                sum[at] += w[i];
                w[i] = (float)(sum[at] / (f + 1));
            }
        }
    }
    free(sum);
    return status;
}

int command_eval(const struct settings *settings)
{
    struct session session = {0};
    struct convoy_error err = error_none();
    struct outcome outcome = {0};
    double accuracy = 0;
    convoy_status status = session_data(settings, &session, &err);
    if (!status)
        status = session_open(settings, false, &session, &err);
    if (!status)
        status = session_eval(&session, &err);
    const bool several = settings->load.count > 1 && !settings->average;
    if (!status && settings->average)
        status = average(&session, &err);
    if (!status && several) {
        status = ensemble(&session, &accuracy, &err);
    } else if (!status) {
        status = session_judge(&session, NULL, &outcome, &err);
        accuracy = outcome.counted ? (double)outcome.correct / (double)outcome.counted : 0;
    }
    if (!status)
        status = write_filters(&session, NULL, 0, &err);
    if (!status && several)
        printf("mean of %d: accuracy %.2f %%\n", settings->load.count, 100 * accuracy);
    else if (!status)
        printf("loss %.4f, accuracy %.2f %%, among the first five %.2f %%, %lld samples\n", outcome.loss, 100 * accuracy,
               100 * (double)outcome.correct5 / (double)outcome.counted, (long long)outcome.counted);
    const int code = status ? train_failed(status, &err) : accuracy < settings->target_accuracy ? TRAIN_MISSED : TRAIN_OK;
    session_close(&session);
    return code;
}
