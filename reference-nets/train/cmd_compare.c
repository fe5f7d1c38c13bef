/* The quality of backends where it counts: the same training with the naive reference and with each backend, from the same seed.
 * The gradients of the first step are compared tensor by tensor, the losses of all steps side by side, the accuracy at the end.
 */
#include "train/commands.h"

#include "core/error.h"

#include <convoy/plugin.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Relative RMS difference of a tensor's gradient from the reference's. One layer of the strict class differs by at most 2e-6, of
 * the fast class by 2e-5 (the class bounds of the verifier); errors grow through the layers above, most in batch norms, which
 * divide by deviations. */
static const double bound_per_layer = 2e-5, growth = 10;

struct result {
    char name[BACKEND_NAME_BYTES];
    double *loss, accuracy, seconds;
    float *grads; /* of the first step                                                          */
    double worst;
    char worst_name[PARAM_NAME_BYTES];
};

struct comparison {
    const struct settings *settings;
    struct result result[SETTINGS_LIST * 2];
    int32_t count;
    double bound;
};

static void add_names(struct comparison *c, const char *list)
{
    for (const char *at = list; *at; at += *at == ',') {
        const size_t length = strcspn(at, ",");
        if (c->count < SETTINGS_LIST * 2 && length < BACKEND_NAME_BYTES)
            snprintf(c->result[c->count++].name, BACKEND_NAME_BYTES, "%.*s", (int)length, at);
        at += length;
    }
}

static convoy_status run_steps(struct comparison *c, struct result *result, struct session *session, struct convoy_error *err)
{
    const int64_t count = session->model.learned_count;
    result->loss = calloc((size_t)c->settings->steps, sizeof *result->loss);
    result->grads = malloc(((size_t)count + 1) * sizeof *result->grads);
    if (!result->loss || !result->grads)
        return convoy_fail(err, CONVOY_NO_MEMORY, CONVOY_WHY_MEMORY, "no memory to compare %s", result->name);
    convoy_status status = CONVOY_OK;
    for (int64_t step = 0; !status && step < c->settings->steps; step++) {
        struct outcome outcome;
        status = session_step(session, step, c->settings->schedule.rate, NULL, &outcome, err);
        result->loss[step] = outcome.loss;
        const float *g = status || step ? NULL : model_grads(&session->model, TENSOR_READ, err);
        if (g)
            memcpy(result->grads, g, (size_t)count * sizeof *g);
    }
    const int64_t *spent = backends_spent_ns(session->backends);
    result->seconds = (double)(spent[SPENT_CONV] + spent[SPENT_POOL] + spent[SPENT_BN] + spent[SPENT_REST]) / 1e9;
    struct outcome outcome = {0};
    if (!status)
        status = session_judge(session, NULL, &outcome, err);
    result->accuracy = outcome.counted ? (double)outcome.correct / (double)outcome.counted : 0;
    return status;
}

static void compare_grads(const struct model *model, const struct result *reference, struct result *result)
{
    for (size_t p = 0; p < model->params; p++) {
        const struct param *param = &model->param[p];
        double difference = 0, size = 0;
        for (int64_t i = param->learned ? 0 : param->count; i < param->count; i++) {
            const double g = reference->grads[param->offset + i], d = result->grads[param->offset + i] - g;
            difference += d * d;
            size += g * g;
        }
        const double relative = size > 0 ? sqrt(difference / size) : sqrt(difference);
        if (param->learned && !(relative <= result->worst)) {
            result->worst = relative;
            snprintf(result->worst_name, sizeof result->worst_name, "%s", param->name);
        }
    }
}

static convoy_status run_one(struct comparison *c, int32_t which, struct convoy_error *err)
{
    struct settings settings = *c->settings;
    struct session session = {0};
    struct result *result = &c->result[which];
    settings.backend = result->name;
    convoy_status status = session_data(&settings, &session, err);
    if (!status)
        status = session_open(&settings, true, &session, err);
    if (!status)
        status = session_train(&session, err);
    if (!status)
        status = session_eval(&session, err);
    if (!status)
        status = run_steps(c, result, &session, err);
    if (!status) {
        int32_t layers = 0;
        for (size_t l = 0; l < session.net.count; l++)
            layers += net_layer_params(&session.net, &session.net.layer[l]) > 0;
        c->bound = bound_per_layer * growth * sqrt(layers);
        compare_grads(&session.model, &c->result[0], result);
    }
    session_close(&session);
    return status;
}

static void print_table(const struct comparison *c)
{
    printf("%-6s", "step");
    for (int32_t r = 0; r < c->count; r++)
        printf(" %18s", c->result[r].name);
    printf("\n");
    for (int64_t step = 0; step < c->settings->steps; step++) {
        printf("%-6lld", (long long)step + 1);
        for (int32_t r = 0; r < c->count; r++)
            printf(" %18.6f", c->result[r].loss[step]);
        printf("\n");
    }
    printf("\n%-18s %10s %12s %16s  %s\n", "backend", "accuracy", "seconds", "gradient differs", "most in");
    for (int32_t r = 0; r < c->count; r++)
        printf("%-18s %8.2f %% %12.2f %16.3g  %s%s\n", c->result[r].name, 100 * c->result[r].accuracy, c->result[r].seconds,
               c->result[r].worst, c->result[r].worst_name, c->result[r].worst <= c->bound ? "" : "  OUT OF BOUND");
    printf("bound of the gradients' relative difference at the first step: %.3g\n", c->bound);
}

static convoy_status write_table(const struct comparison *c, struct convoy_error *err)
{
    char path[4096];
    if (!c->settings->out)
        return CONVOY_OK;
    const int length = snprintf(path, sizeof path, "%s/compare.csv", c->settings->out);
    FILE *out = length > 0 && (size_t)length < sizeof path ? fopen(path, "w") : NULL;
    if (!out)
        return convoy_fail(err, CONVOY_FAILED, CONVOY_WHY_OTHER, "--out %.150s: compare.csv cannot be written", c->settings->out);
    fprintf(out, "network,backend,step,loss,accuracy,gradient_difference,gradient_bound,gradient_tensor\n");
    for (int32_t r = 0; r < c->count; r++)
        for (int64_t step = 0; step < c->settings->steps; step++)
            fprintf(out, "%s,%s,%lld,%.9g,%.6f,%.6g,%.6g,%s\n", c->settings->network, c->result[r].name, (long long)step + 1,
                    c->result[r].loss[step], c->result[r].accuracy, c->result[r].worst, c->bound, c->result[r].worst_name);
    if (fclose(out))
        return convoy_fail(err, CONVOY_FAILED, CONVOY_WHY_OTHER, "%.150s cannot be written", path);
    return CONVOY_OK;
}

int command_compare(const struct settings *settings)
{
    struct comparison c = {.settings = settings};
    struct convoy_error err = error_none();
    add_names(&c, "naive");
    for (int32_t b = 0; b < settings->backends.count; b++)
        add_names(&c, settings->backends.item[b]);
    convoy_status status =
        c.count > 1 ? CONVOY_OK
                    : convoy_fail(&err, CONVOY_INVALID, CONVOY_WHY_OTHER, "compare needs --backends, such as im2col,winograd:f4");
    for (int32_t r = 0; !status && r < c.count; r++)
        status = run_one(&c, r, &err);
    bool within = true;
    if (!status) {
        print_table(&c);
        status = write_table(&c, &err);
        for (int32_t r = 1; r < c.count; r++)
            within = within && c.result[r].worst <= c.bound;
    }
    for (int32_t r = 0; r < c.count; r++) {
        free(c.result[r].loss);
        free(c.result[r].grads);
    }
    return status ? train_failed(status, &err) : within ? TRAIN_OK : TRAIN_MISSED;
}
