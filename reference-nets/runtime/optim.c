/* SGD with momentum (Polyak; Nesterov in the form of Sutskever et al., ICML 2013), AdaGrad (Duchi et al., JMLR 2011), RMSprop
 * (Tieleman & Hinton 2012; centred: Graves, arXiv 1308.0850), Adam (Kingma & Ba, arXiv 1412.6980), AMSGrad (Reddi et al., ICLR
 * 2018), AdamW (Loshchilov & Hutter, arXiv 1711.05101). */
#include "runtime/optim.h"

#include <convoy/plugin.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { STATES = 3, RUN_FLOATS = 1 << 14, LANES = 8 };

struct optim {
    struct model *model;
    struct optim_options options;
    int64_t steps;
    int states;
    const char *const *names;
    float *state[STATES];
};

static const char *const kind_names[OPTIM_KIND_COUNT] = {
    [OPTIM_SGD] = "sgd", [OPTIM_ADAGRAD] = "adagrad", [OPTIM_RMSPROP] = "rmsprop", [OPTIM_ADAM] = "adam"};

/* Arrays that a kind keeps, PyTorch's names. Optional ones come last. */
static const char *const state_names[OPTIM_KIND_COUNT][STATES] = {
    [OPTIM_SGD] = {"momentum_buffer"},
    [OPTIM_ADAGRAD] = {"sum"},
    [OPTIM_RMSPROP] = {"square_avg", "momentum_buffer", "grad_avg"},
    [OPTIM_ADAM] = {"exp_avg", "exp_avg_sq", "max_exp_avg_sq"},
};

const char *optim_name(enum optim_kind kind)
{
    return kind_names[kind];
}

bool optim_by_name(const char *name, enum optim_kind *kind)
{
    for (int k = 0; k < OPTIM_KIND_COUNT; k++) {
        if (!strcmp(kind_names[k], name)) {
            *kind = (enum optim_kind)k;
            return true;
        }
    }
    return false;
}

struct optim_options optim_defaults(enum optim_kind kind)
{
    static const struct optim_options defaults[OPTIM_KIND_COUNT] = {
        [OPTIM_SGD] = {.kind = OPTIM_SGD, .momentum = 0.9},
        [OPTIM_ADAGRAD] = {.kind = OPTIM_ADAGRAD, .eps = 1e-10},
        [OPTIM_RMSPROP] = {.kind = OPTIM_RMSPROP, .beta2 = 0.99, .eps = 1e-8},
        [OPTIM_ADAM] = {.kind = OPTIM_ADAM, .beta1 = 0.9, .beta2 = 0.999, .eps = 1e-8},
    };
    return defaults[kind];
}

static int states_of(const struct optim_options *o)
{
    switch (o->kind) {
    case OPTIM_SGD:
        return o->momentum != 0;
    case OPTIM_ADAGRAD:
        return 1;
    case OPTIM_RMSPROP:
        return o->centered ? 3 : o->momentum != 0 ? 2 : 1;
    default:
        return o->amsgrad ? 3 : 2;
    }
}

convoy_status optim_create(struct model *model, const struct optim_options *options, struct optim **optim,
                           struct convoy_error *err)
{
    struct optim *made = calloc(1, sizeof *made);
    if (!made)
        return convoy_fail(err, CONVOY_NO_MEMORY, CONVOY_WHY_MEMORY, "no memory for an optimizer");
    made->model = model;
    made->options = *options;
    made->states = states_of(options);
    made->names = state_names[options->kind];
    for (int s = 0; s < made->states; s++) {
        made->state[s] = calloc((size_t)model->learned_count + 1, sizeof(float));
        if (!made->state[s]) {
            optim_free(made);
            return convoy_fail(err, CONVOY_NO_MEMORY, CONVOY_WHY_MEMORY, "no memory for %s of %lld parameters", made->names[s],
                               (long long)model->learned_count);
        }
    }
    *optim = made;
    return CONVOY_OK;
}

void optim_free(struct optim *optim)
{
    if (!optim)
        return;
    for (int s = 0; s < STATES; s++)
        free(optim->state[s]);
    free(optim);
}

int optim_states(const struct optim *optim)
{
    return optim->states;
}

const char *optim_state_name(const struct optim *optim, int index)
{
    return optim->names[index];
}

float *optim_state(struct optim *optim, int index)
{
    return optim->state[index];
}

int64_t *optim_steps(struct optim *optim)
{
    return &optim->steps;
}

/* ---- one run of elements of one parameter ---- */

struct run {
    const struct optim_options *o;
    float *w, *state[STATES];
    const float *g;
    int64_t count;
    double rate, decay, l1, clip_scale;
    double correct1, correct2; /* 1 - beta^t                                                               */
};

static double gradient_at(const struct run *run, int64_t i)
{
    double g = run->g[i];
    if (run->o->clip_value > 0)
        g = fmin(fmax(g, -run->o->clip_value), run->o->clip_value);
    g *= run->clip_scale;
    if (!run->o->decoupled)
        g += run->decay * run->w[i];
    return g + run->l1 * ((run->w[i] > 0) - (run->w[i] < 0));
}

static double root(const struct optim_options *o, double square)
{
    return o->eps_inside ? sqrt(square + o->eps) : sqrt(square) + o->eps;
}

/* The common case, in single precision, so that it runs at the speed of memory. */
static void sgd_plain(const struct run *run)
{
    float *restrict w = run->w, *restrict v = run->state[0];
    const float *restrict g = run->g;
    const float rate = (float)run->rate, decay = (float)run->decay, mu = (float)run->o->momentum, scale = (float)run->clip_scale;
    for (int64_t i = 0; i < run->count; i++) {
        const float d = scale * g[i] + decay * w[i];
        v[i] = mu * v[i] + d;
        w[i] -= rate * v[i];
    }
}

static void sgd(const struct run *run)
{
    const struct optim_options *o = run->o;
    if (o->momentum != 0 && !o->nesterov && !o->rate_inside && !o->decoupled && run->l1 == 0 && o->clip_value <= 0) {
        sgd_plain(run);
        return;
    }
    for (int64_t i = 0; i < run->count; i++) {
        const double g = gradient_at(run, i);
        double step = run->rate * g;
        if (o->momentum != 0 && o->rate_inside) {
            const double v = o->momentum * run->state[0][i] - run->rate * g;
            step = o->nesterov ? run->rate * g - o->momentum * v : -v;
            run->state[0][i] = (float)v;
        } else if (o->momentum != 0) {
            const double b = o->momentum * run->state[0][i] + g;
            step = run->rate * (o->nesterov ? g + o->momentum * b : b);
            run->state[0][i] = (float)b;
        }
        run->w[i] = (float)(run->w[i] - step);
    }
}

static void adagrad(const struct run *run)
{
    for (int64_t i = 0; i < run->count; i++) {
        const double g = gradient_at(run, i), sum = run->state[0][i] + g * g;
        run->state[0][i] = (float)sum;
        run->w[i] = (float)(run->w[i] - run->rate * g / root(run->o, sum));
    }
}

static void rmsprop(const struct run *run)
{
    const struct optim_options *o = run->o;
    for (int64_t i = 0; i < run->count; i++) {
        const double g = gradient_at(run, i), square = o->beta2 * run->state[0][i] + (1 - o->beta2) * g * g;
        double spread = square;
        run->state[0][i] = (float)square;
        if (o->centered) {
            const double mean = o->beta2 * run->state[2][i] + (1 - o->beta2) * g;
            run->state[2][i] = (float)mean;
            spread = fmax(square - mean * mean, 0);
        }
        double step = g / root(o, spread);
        if (o->momentum != 0) {
            step += o->momentum * run->state[1][i];
            run->state[1][i] = (float)step;
        }
        run->w[i] = (float)(run->w[i] - run->rate * step);
    }
}

static void adam(const struct run *run)
{
    const struct optim_options *o = run->o;
    for (int64_t i = 0; i < run->count; i++) {
        const double g = gradient_at(run, i);
        const double mean = o->beta1 * run->state[0][i] + (1 - o->beta1) * g;
        double square = o->beta2 * run->state[1][i] + (1 - o->beta2) * g * g;
        run->state[0][i] = (float)mean;
        run->state[1][i] = (float)square;
        if (o->amsgrad) {
            square = fmax(square, run->state[2][i]);
            run->state[2][i] = (float)square;
        }
        run->w[i] = (float)(run->w[i] - run->rate * (mean / run->correct1) / root(o, square / run->correct2));
    }
}

static void (*const updates[OPTIM_KIND_COUNT])(const struct run *) = {
    [OPTIM_SGD] = sgd, [OPTIM_ADAGRAD] = adagrad, [OPTIM_RMSPROP] = rmsprop, [OPTIM_ADAM] = adam};

/* ---- all parameters ---- */

static bool decays(const struct optim *optim, const struct param *param)
{
    return optim->options.decay_all || (param->decays && param->role == PARAM_WEIGHT);
}

struct pass {
    struct optim *optim;
    const struct param *param;
    double rate, clip_scale;
};

static void update_run(void *context, size_t i, size_t worker)
{
    (void)worker;
    const struct pass *pass = context;
    struct optim *optim = pass->optim;
    const struct param *param = pass->param;
    const int64_t first = (int64_t)i * RUN_FLOATS, count = convoy_min(RUN_FLOATS, param->count - first),
                  at = param->offset + first;
    const bool decay = decays(optim, param);
    struct run run = {
        .o = &optim->options,
        .w = (float *)optim->model->values->host + at,
        .g = (const float *)optim->model->grads->host + at,
        .count = count,
        .rate = pass->rate * param->rate_scale,
        .decay = decay ? optim->options.weight_decay : 0,
        .l1 = decay ? optim->options.l1 : 0,
        .clip_scale = pass->clip_scale,
        .correct1 = 1 - pow(optim->options.beta1, (double)optim->steps),
        .correct2 = 1 - pow(optim->options.beta2, (double)optim->steps),
    };
    for (int s = 0; s < optim->states; s++)
        run.state[s] = optim->state[s] + at;
    if (optim->options.decoupled)
        for (int64_t j = 0; j < count; j++)
            run.w[j] = (float)(run.w[j] * (1 - run.rate * run.decay));
    updates[optim->options.kind](&run);
}

/* Rows of a weight are output units. */
static void limit_norm(const struct optim *optim, const struct param *param)
{
    if (optim->options.max_norm <= 0 || param->role != PARAM_WEIGHT)
        return;
    const int64_t per_row = param->count / param->extent[0];
    for (int64_t k = 0; k < param->extent[0]; k++) {
        float *row = (float *)optim->model->values->host + param->offset + k * per_row;
        double square = 0;
        for (int64_t i = 0; i < per_row; i++)
            square += (double)row[i] * row[i];
        const double norm = sqrt(square);
        for (int64_t i = 0; norm > optim->options.max_norm && i < per_row; i++)
            row[i] = (float)(row[i] * (optim->options.max_norm / norm));
    }
}

/* Gradients of a run, squared and summed; runs are added in their order, whoever made them. */
struct squares {
    const float *g;
    int64_t count;
    double *sum;
};

static void square_run(void *context, size_t i, size_t worker)
{
    (void)worker;
    const struct squares *squares = context;
    const int64_t first = (int64_t)i * RUN_FLOATS, end = convoy_min(squares->count, first + RUN_FLOATS);
    double sum[LANES] = {0}; /* a single sum would wait for each addition */
    int64_t j = first;
    for (; j + LANES <= end; j += LANES)
        for (int lane = 0; lane < LANES; lane++)
            sum[lane] += (double)squares->g[j + lane] * squares->g[j + lane];
    for (; j < end; j++)
        sum[0] += (double)squares->g[j] * squares->g[j];
    for (int lane = 1; lane < LANES; lane++)
        sum[0] += sum[lane];
    squares->sum[i] = sum[0];
}

static convoy_status global_norm(struct optim *optim, const struct convoy_host *host, const float *g, double *norm,
                                 struct convoy_error *err)
{
    const size_t runs = (size_t)convoy_ceil_div(optim->model->learned_count, RUN_FLOATS);
    struct squares squares = {.g = g, .count = optim->model->learned_count, .sum = calloc(runs + 1, sizeof(double))};
    if (!squares.sum)
        return convoy_fail(err, CONVOY_NO_MEMORY, CONVOY_WHY_MEMORY, "no memory for the gradient norm");
    host->parallel(host, square_run, &squares, runs);
    double sum = 0;
    for (size_t i = 0; i < runs; i++)
        sum += squares.sum[i];
    free(squares.sum);
    *norm = sqrt(sum);
    return CONVOY_OK;
}

convoy_status optim_step(struct optim *optim, const struct convoy_host *host, double rate, double *grad_norm,
                         struct convoy_error *err)
{
    struct model *model = optim->model;
    const float *g = model_grads(model, TENSOR_READ, err);
    if (!g || !model_values(model, TENSOR_UPDATE, err))
        return CONVOY_FAILED;
    struct pass pass = {.optim = optim, .rate = rate, .clip_scale = 1};
    if (grad_norm || optim->options.clip_norm > 0) {
        double norm = 0;
        const convoy_status status = global_norm(optim, host, g, &norm, err);
        if (status)
            return status;
        if (optim->options.clip_norm > 0 && norm > optim->options.clip_norm)
            pass.clip_scale = optim->options.clip_norm / norm;
        if (grad_norm)
            *grad_norm = norm;
    }
    optim->steps++;
    for (size_t index = 0; index < model->params; index++) {
        const struct param *param = &model->param[index];
        if (!param->learned || param->rate_scale == 0)
            continue;
        pass.param = param;
        host->parallel(host, update_run, &pass, (size_t)convoy_ceil_div(param->count, RUN_FLOATS));
        limit_norm(optim, param);
    }
    return CONVOY_OK;
}

double optim_penalty(const struct optim *optim)
{
    double penalty = 0;
    for (size_t index = 0; index < optim->model->params; index++) {
        const struct param *param = &optim->model->param[index];
        if (!param->learned || !decays(optim, param))
            continue;
        const float *w = (const float *)optim->model->values->host + param->offset;
        double square = 0, size = 0;
        for (int64_t i = 0; i < param->count; i++) {
            square += (double)w[i] * w[i];
            size += fabs((double)w[i]);
        }
        penalty += 0.5 * optim->options.weight_decay * square + optim->options.l1 * size;
    }
    return penalty;
}
