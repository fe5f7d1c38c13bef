/* A derivative along a direction d is <gradient, d>; central differences approach it as the square of the step where the loss is
 * smooth. Directions are the gradient itself in a random half of its elements: along them the loss changes most, so that ReLUs
 * and maxima that change sides within the step weigh least. They still disturb, and rounding disturbs small steps: several steps
 * are tried, and of several directions the median error counts. A wrong gradient is wrong in all of them. */
#include "runtime/gradcheck.h"

#include "core/rng.h"

#include <convoy/plugin.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { STREAM_IMAGE = 1, STREAM_HEAD = 100, STREAM_DIRECTION = 1000 };

static const double step_shares[] = {4e-3, 1e-3, 2e-4, 4e-5}; /* of the tensor's norm                          */

struct run {
    struct exec *exec;
    struct model *model;
    uint64_t seed;
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
    *sum = 0;
    for (int32_t head = 0; head < run->model->net->heads; head++) {
        struct tensor *out = exec_head(run->exec, head);
        const float *from = tensor_host(out, TENSOR_READ, err);
        if (!from)
            return CONVOY_FAILED;
        for (int64_t i = 0; i < out->bytes / (int64_t)sizeof(float); i++)
            *sum += (double)from[i] * rng_uniform(run->seed, STREAM_HEAD + (uint64_t)head, (uint64_t)i);
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

static convoy_status one_direction(struct run *run, struct tensor *tensor, const float *x, const float *g, float *d,
                                   uint64_t stream, double *error, struct convoy_error *err)
{
    const int64_t count = tensor->bytes / (int64_t)sizeof(float);
    for (int64_t i = 0; i < count; i++)
        d[i] = count == 1 || rng_uniform(run->seed, stream, (uint64_t)i) > 0 ? g[i] : 0;
    const double length = norm(d, count), size = fmax(norm(x, count), 1e-2 * sqrt((double)count));
    for (int64_t i = 0; i < count && length > 0; i++)
        d[i] = (float)(d[i] / length);
    *error = INFINITY;
    for (size_t step = 0; step < sizeof step_shares / sizeof *step_shares; step++) {
        double slope;
        const convoy_status status = difference(run, tensor, x, d, step_shares[step] * size, &slope, err);
        if (status)
            return status;
        *error = fmin(*error, length > 0 ? fabs(slope / length - 1) : fabs(slope));
    }
    return CONVOY_OK;
}

static int by_size(const void *left, const void *right)
{
    const double a = *(const double *)left, b = *(const double *)right;
    return a < b ? -1 : a > b;
}

static convoy_status check_tensor(struct run *run, const char *name, struct tensor *tensor, struct tensor *grad, uint64_t stream,
                                  struct convoy_error *err)
{
    const size_t bytes = (size_t)tensor->bytes;
    float *x = malloc(bytes), *g = malloc(bytes), *d = malloc(bytes);
    convoy_status status = CONVOY_OK;
    if (!x || !g || !d)
        status = convoy_fail(err, CONVOY_NO_MEMORY, CONVOY_WHY_MEMORY, "no memory to check %s", name);
    if (!status)
        status = seed_heads(run, err);
    double ignored;
    if (!status)
        status = loss(run, &ignored, err);
    if (!status)
        status = seed_heads(run, err);
    if (!status)
        status = exec_backward(run->exec, err);
    const float *from_x = status ? NULL : tensor_host(tensor, TENSOR_READ, err);
    const float *from_g = from_x ? tensor_host(grad, TENSOR_READ, err) : NULL;
    if (!status && !from_g)
        status = CONVOY_FAILED;
    if (!status) {
        memcpy(x, from_x, bytes);
        memcpy(g, from_g, bytes);
    }
    double error[GRADCHECK_DIRECTIONS] = {0};
    for (uint64_t direction = 0; !status && direction < GRADCHECK_DIRECTIONS; direction++)
        status = one_direction(run, tensor, x, g, d, stream * GRADCHECK_DIRECTIONS + direction, &error[direction], err);
    qsort(error, GRADCHECK_DIRECTIONS, sizeof *error, by_size);
    const double median = error[GRADCHECK_DIRECTIONS / 2];
    if (!status && !(median <= run->result->worst)) {
        run->result->worst = median;
        snprintf(run->result->worst_name, sizeof run->result->worst_name, "%s", name);
    }
    free(x);
    free(g);
    free(d);
    return status;
}

convoy_status gradcheck_run(struct exec *exec, struct model *model, uint64_t seed, struct gradcheck *result,
                            struct convoy_error *err)
{
    struct run run = {.exec = exec, .model = model, .seed = seed, .result = result};
    memset(result, 0, sizeof *result);
    struct tensor *image = exec_input(exec);
    float *pixels = tensor_host(image, TENSOR_WRITE, err);
    if (!pixels)
        return CONVOY_FAILED;
    for (int64_t i = 0; i < image->bytes / (int64_t)sizeof(float); i++)
        pixels[i] = rng_uniform(seed, STREAM_IMAGE, (uint64_t)i);
    convoy_status status = check_tensor(&run, "image", image, exec_input_grad(exec), STREAM_DIRECTION, err);
    for (size_t index = 0; !status && index < model->params; index++) {
        struct param *param = &model->param[index];
        if (param->learned)
            status = check_tensor(&run, param->name, &param->value, &param->grad, STREAM_DIRECTION + 1 + index, err);
    }
    return status;
}
