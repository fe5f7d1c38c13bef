/* A derivative along a direction d is <gradient, d>; central differences approach it as the square of the step where the loss is
 * smooth. Half of a direction is the gradient itself in a random half of its elements: along it the loss changes most, so that
 * rounding, and ReLUs and maxima that change sides within the step, weigh least. The other half is random, so that elements whose
 * gradient is missing show. Steps of several lengths are tried, and of several directions the median error counts; a wrong gradient is
 * wrong in all of them. Where the loss does not depend on a tensor at all, as on a bias before a batch norm, differences are those
 * of rounded losses: what rounding alone can make at the largest step is no error. */
#include "runtime/gradcheck.h"

#include "core/rng.h"

#include <convoy/plugin.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { STREAM_IMAGE = 1, STREAM_HEAD = 100, STREAM_DIRECTION = 1000 };

static const double step_shares[] = {4e-3, 1e-3, 2e-4, 4e-5}; /* of the tensor's norm                          */

static const double good_enough = 1e-3; /* shorter steps are not tried then                                     */

/* A loss is taken as known to this many units in the last place of the sum of its terms' sizes. */
enum { LOSS_ULPS = 16 };

struct run {
    struct exec *exec;
    struct model *model;
    uint64_t seed;
    double scale; /* sum of the sizes of the loss's terms at x */
    struct gradcheck *result;
};

static convoy_status seed_heads(struct run *run, struct convoy_error *err)
{
    for (int32_t head = 0; head < run->model->net->heads; head++) {
        struct tensor *grad = exec_head_grad(run->exec, head);
        float *to = tensor_host(grad, TENSOR_WRITE, err);
        if (!to)
            return CONVOY_FAILED;
        for (int64_t i = 0; i < grad->bytes / (int64_t)sizeof(float); i++)
            to[i] = rng_uniform(run->seed, STREAM_HEAD + (uint64_t)head, (uint64_t)i);
    }
    return CONVOY_OK;
}

static convoy_status loss(struct run *run, double *sum, struct convoy_error *err)
{
    const convoy_status status = exec_forward(run->exec, err);
    if (status)
        return status;
    *sum = run->scale = 0;
    for (int32_t head = 0; head < run->model->net->heads; head++) {
        struct tensor *out = exec_head(run->exec, head);
        const float *from = tensor_host(out, TENSOR_READ, err);
        if (!from)
            return CONVOY_FAILED;
        for (int64_t i = 0; i < out->bytes / (int64_t)sizeof(float); i++) {
            const double term = (double)from[i] * rng_uniform(run->seed, STREAM_HEAD + (uint64_t)head, (uint64_t)i);
            *sum += term;
            run->scale += fabs(term);
        }
    }
    return CONVOY_OK;
}

/* (loss(x + e d) - loss(x - e d)) / 2e, with x put back. */
static convoy_status difference(struct run *run, struct tensor *tensor, const float *x, const float *d, double e, double *slope,
                                struct convoy_error *err)
{
    const int64_t count = tensor->bytes / (int64_t)sizeof(float);
    double value[2] = {0, 0};
    for (int side = 0; side < 3; side++) {
        static const int sign[] = {1, -1, 0};
        float *to = tensor_host(tensor, TENSOR_WRITE, err);
        if (!to)
            return CONVOY_FAILED;
        for (int64_t i = 0; i < count; i++)
            to[i] = (float)(x[i] + sign[side] * e * d[i]);
        const convoy_status status = side < 2 ? loss(run, &value[side], err) : CONVOY_OK;
        if (status)
            return status;
    }
    *slope = (value[0] - value[1]) / (2 * e);
    return CONVOY_OK;
}

static double norm(const float *x, int64_t count)
{
    double sum = 0;
    for (int64_t i = 0; i < count; i++)
        sum += (double)x[i] * x[i];
    return sqrt(sum);
}

/* A tensor under check: its values, its gradient, and room for a direction. */
struct subject {
    const char *name;
    struct tensor *tensor, *grad;
    const uint8_t *mask; /* NULL, or [count / taps]: elements that take part */
    int64_t count, taps;
    float *x, *g, *d;
};

static bool takes_part(const struct subject *subject, int64_t i)
{
    return !subject->mask || subject->mask[i / subject->taps];
}

static void direct(const struct run *run, const struct subject *subject, uint64_t stream)
{
    const double length = norm(subject->g, subject->count), share = 1 / sqrt((double)subject->count);
    for (int64_t i = 0; i < subject->count; i++) {
        const bool along = subject->count == 1 || rng_uniform(run->seed, stream, (uint64_t)i) > 0;
        const bool up = rng_uniform(run->seed, stream, (uint64_t)(subject->count + i)) > 0;
        const double part = along && length > 0 ? subject->g[i] / length : 0;
        subject->d[i] = takes_part(subject, i) ? (float)(part + (up ? share : -share)) : 0;
    }
    const double size = norm(subject->d, subject->count);
    for (int64_t i = 0; i < subject->count && size > 0; i++)
        subject->d[i] = (float)(subject->d[i] / size);
}

static convoy_status one_direction(struct run *run, const struct subject *subject, uint64_t stream, double *error, struct convoy_error *err)
{
    direct(run, subject, stream);
    double expected = 0;
    for (int64_t i = 0; i < subject->count; i++)
        expected += (double)subject->g[i] * subject->d[i];
    const double size = fmax(norm(subject->x, subject->count), 1e-2 * sqrt((double)subject->count));
    const double noise = LOSS_ULPS * 0x1p-24 * run->scale / (step_shares[0] * size);
    *error = INFINITY;
    for (size_t step = 0; *error > good_enough && step < sizeof step_shares / sizeof *step_shares; step++) {
        double slope;
        const convoy_status status = difference(run, subject->tensor, subject->x, subject->d, step_shares[step] * size, &slope, err);
        if (status)
            return status;
        *error = fmin(*error, fmax(fabs(slope - expected) - noise, 0) / (norm(subject->g, subject->count) + noise));
    }
    return CONVOY_OK;
}

static int by_size(const void *left, const void *right)
{
    const double a = *(const double *)left, b = *(const double *)right;
    return a < b ? -1 : a > b;
}

/* Loss and gradients at x. */
static convoy_status differentiate(struct run *run, const struct subject *subject, struct convoy_error *err)
{
    double ignored;
    convoy_status status = loss(run, &ignored, err);
    if (!status)
        status = seed_heads(run, err);
    if (!status)
        status = exec_backward(run->exec, err);
    if (status)
        return status;
    const float *x = tensor_host(subject->tensor, TENSOR_READ, err);
    const float *g = x ? tensor_host(subject->grad, TENSOR_READ, err) : NULL;
    if (!g)
        return CONVOY_FAILED;
    memcpy(subject->x, x, (size_t)subject->tensor->bytes);
    memcpy(subject->g, g, (size_t)subject->tensor->bytes);
    return CONVOY_OK;
}

static convoy_status check_tensor(struct run *run, struct subject subject, uint64_t stream, struct convoy_error *err)
{
    const size_t bytes = (size_t)subject.tensor->bytes;
    subject.count = subject.tensor->bytes / (int64_t)sizeof(float);
    subject.x = malloc(bytes);
    subject.g = malloc(bytes);
    subject.d = malloc(bytes);
    convoy_status status = CONVOY_OK;
    if (!subject.x || !subject.g || !subject.d)
        status = convoy_fail(err, CONVOY_NO_MEMORY, CONVOY_WHY_MEMORY, "no memory to check %s", subject.name);
    if (!status)
        status = differentiate(run, &subject, err);
    double error[GRADCHECK_DIRECTIONS] = {0};
    for (uint64_t direction = 0; !status && direction < GRADCHECK_DIRECTIONS; direction++)
        status = one_direction(run, &subject, stream * GRADCHECK_DIRECTIONS + direction, &error[direction], err);
    qsort(error, GRADCHECK_DIRECTIONS, sizeof *error, by_size);
    const double median = error[GRADCHECK_DIRECTIONS / 2];
    if (!status && !(median <= run->result->worst)) {
        run->result->worst = median;
        snprintf(run->result->worst_name, sizeof run->result->worst_name, "%s", subject.name);
    }
    free(subject.x);
    free(subject.g);
    free(subject.d);
    return status;
}

convoy_status gradcheck_run(struct exec *exec, struct model *model, uint64_t seed, struct gradcheck *result, struct convoy_error *err)
{
    struct run run = {.exec = exec, .model = model, .seed = seed, .result = result};
    memset(result, 0, sizeof *result);
    struct tensor *image = exec_input(exec);
    float *pixels = tensor_host(image, TENSOR_WRITE, err);
    if (!pixels)
        return CONVOY_FAILED;
    for (int64_t i = 0; i < image->bytes / (int64_t)sizeof(float); i++)
        pixels[i] = rng_uniform(seed, STREAM_IMAGE, (uint64_t)i);
    const struct subject pixels_subject = {.name = "image", .tensor = image, .grad = exec_input_grad(exec)};
    convoy_status status = check_tensor(&run, pixels_subject, STREAM_DIRECTION, err);
    for (size_t index = 0; !status && index < model->params; index++) {
        struct param *param = &model->param[index];
        const struct subject subject = {
            .name = param->name,
            .tensor = &param->value,
            .grad = &param->grad,
            .mask = param->mask,
            .taps = param->mask ? param->extent[2] * param->extent[3] : 1,
        };
        if (param->learned)
            status = check_tensor(&run, subject, STREAM_DIRECTION + 1 + index, err);
    }
    return status;
}
