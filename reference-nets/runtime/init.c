/* He et al., arXiv 1502.01852; Glorot & Bengio, AISTATS 2010; Mishkin & Matas (LSUV), arXiv 1511.06422. */
#include "runtime/init.h"

#include "core/rng.h"

#include <convoy/plugin.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { STREAM_INIT = 0x1717, LSUV_ROUNDS = 10 };
static const double lsuv_tolerance = 0.1;

static const char *const names[INIT_KIND_COUNT] = {
    [INIT_HE_NORMAL] = "he-normal",
    [INIT_HE_UNIFORM] = "he-uniform",
    [INIT_XAVIER_NORMAL] = "xavier-normal",
    [INIT_XAVIER_UNIFORM] = "xavier-uniform",
    [INIT_GAUSSIAN] = "gaussian",
    [INIT_ORTHONORMAL] = "orthonormal",
    [INIT_LSUV] = "lsuv",
};

const char *init_name(enum init_kind kind)
{
    return names[kind];
}

bool init_by_name(const char *name, enum init_kind *kind)
{
    for (int k = 0; k < INIT_KIND_COUNT; k++) {
        if (!strcmp(names[k], name)) {
            *kind = (enum init_kind)k;
            return true;
        }
    }
    return false;
}

/* Heads start near zero, so that the first loss is that of knowing nothing. */
static const double head_deviation = 0.01;

static bool is_head(const struct net *net, int32_t layer)
{
    for (int32_t head = 0; head < net->heads; head++)
        if (net->head[head].layer == layer)
            return true;
    return false;
}

static double deviation_of(const struct init_options *options, const struct param *param, bool head)
{
    const double in = (double)convoy_max(param->fan_in, 1), out = (double)convoy_max(param->fan_out, 1);
    switch (options->kind) {
    case INIT_HE_NORMAL:
    case INIT_HE_UNIFORM:
        return head ? head_deviation : sqrt(2 / in);
    case INIT_XAVIER_NORMAL:
    case INIT_XAVIER_UNIFORM:
        return head ? head_deviation : sqrt(2 / (in + out));
    case INIT_GAUSSIAN:
        return options->scale > 0 ? options->scale : 0.01;
    default:
        return 1;
    }
}

/* The rows of a matrix of normal numbers, or its columns where there are fewer of them, made orthonormal one after another (modified
 * Gram-Schmidt, twice for accuracy): Saxe, McClelland & Ganguli, arXiv 1312.6120. */
static void orthonormal(float *w, int64_t rows, int64_t columns)
{
    const bool wide = rows <= columns;
    const int64_t vectors = wide ? rows : columns, length = wide ? columns : rows, next = wide ? columns : 1, step = wide ? 1 : columns;
    for (int64_t v = 0; v < vectors; v++) {
        float *at = w + v * next;
        for (int round = 0; round < 2; round++) {
            for (int64_t other = 0; other < v; other++) {
                const float *before = w + other * next;
                double dot = 0;
                for (int64_t i = 0; i < length; i++)
                    dot += (double)at[i * step] * before[i * step];
                for (int64_t i = 0; i < length; i++)
                    at[i * step] = (float)(at[i * step] - dot * before[i * step]);
            }
        }
        double square = 0;
        for (int64_t i = 0; i < length; i++)
            square += (double)at[i * step] * at[i * step];
        for (int64_t i = 0; i < length && square > 0; i++)
            at[i * step] = (float)(at[i * step] / sqrt(square));
    }
}

static void draw(const struct init_options *options, const struct param *param, bool head, uint64_t seed, uint64_t stream,
                 float *w)
{
    const double deviation = deviation_of(options, param, head);
    const bool uniform = options->kind == INIT_HE_UNIFORM || options->kind == INIT_XAVIER_UNIFORM;
    for (int64_t i = 0; i < param->count; i++)
        w[i] = (float)(uniform ? deviation * sqrt(3) * (2 * rng_unit(seed, stream, (uint64_t)i) - 1)
                               : deviation * rng_normal(seed, stream, (uint64_t)i));
    if (options->kind == INIT_ORTHONORMAL || options->kind == INIT_LSUV)
        orthonormal(w, param->extent[0], param->count / param->extent[0]);
    const int64_t taps = param->mask ? param->extent[2] * param->extent[3] : 0;
    for (int64_t kc = 0; param->mask && kc < param->extent[0] * param->extent[1]; kc++)
        if (!param->mask[kc])
            memset(w + kc * taps, 0, (size_t)taps * sizeof *w);
}

static double constant_of(const struct init_options *options, enum param_role role)
{
    switch (role) {
    case PARAM_GAMMA:
    case PARAM_RUN_VAR:
        return 1;
    case PARAM_SLOPE:
        return 0.25;
    case PARAM_BIAS:
        return options->bias;
    default:
        return 0;
    }
}

/* The normalisations that end the branches of sums. */
static bool ends_a_branch(const struct net *net, int32_t layer)
{
    for (size_t l = 0; l < net->count; l++)
        if (net->layer[l].kind == NET_ADD && net->layer[l].input[0] == layer)
            return true;
    return false;
}

convoy_status init_model(struct model *model, const struct init_options *options, uint64_t seed, struct convoy_error *err)
{
    for (size_t index = 0; index < model->params; index++) {
        const struct param *param = &model->param[index];
        float *w = tensor_host(&model->param[index].value, TENSOR_WRITE, err);
        if (!w)
            return CONVOY_FAILED;
        if (param->role == PARAM_WEIGHT) {
            draw(options, param, is_head(model->net, param->layer), seed, STREAM_INIT + index, w);
            continue;
        }
        double value = constant_of(options, param->role);
        if (options->zero_last_gamma && param->role == PARAM_GAMMA && ends_a_branch(model->net, param->layer))
            value = 0;
        for (int64_t i = 0; i < param->count; i++)
            w[i] = (float)value;
    }
    return CONVOY_OK;
}

static convoy_status variance_of(struct exec *exec, int32_t layer, double *variance, struct convoy_error *err)
{
    const convoy_status status = exec_forward(exec, err);
    if (status)
        return status;
    struct tensor *out = exec_output(exec, layer);
    const float *x = tensor_host(out, TENSOR_READ, err);
    if (!x)
        return CONVOY_FAILED;
    const int64_t count = out->bytes / (int64_t)sizeof(float);
    double sum = 0, square = 0;
    for (int64_t i = 0; i < count; i++)
        sum += x[i];
    for (int64_t i = 0; i < count; i++)
        square += (x[i] - sum / (double)count) * (x[i] - sum / (double)count);
    *variance = square / (double)count;
    return CONVOY_OK;
}

convoy_status init_lsuv(struct model *model, struct exec *exec, struct convoy_error *err)
{
    for (size_t index = 0; index < model->params; index++) {
        struct param *param = &model->param[index];
        if (param->role != PARAM_WEIGHT)
            continue;
        for (int round = 0; round < LSUV_ROUNDS; round++) {
            double variance;
            const convoy_status status = variance_of(exec, param->layer, &variance, err);
            if (status)
                return status;
            if (!(variance > 0) || fabs(variance - 1) <= lsuv_tolerance)
                break;
            float *w = tensor_host(&param->value, TENSOR_UPDATE, err);
            if (!w)
                return CONVOY_FAILED;
            for (int64_t i = 0; i < param->count; i++)
                w[i] = (float)(w[i] / sqrt(variance));
        }
    }
    return CONVOY_OK;
}
