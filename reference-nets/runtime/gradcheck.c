/* A derivative along a direction d is <gradient, d>; central differences approach it as the square of the step where the loss is
 * smooth. Half of a direction is the gradient itself in a random half of its elements: along it the loss changes most, so that
 * rounding, and ReLUs and maxima that change sides within the step, weigh least. The other half is random, so that elements whose
 * gradient is missing show. Steps of several lengths are tried, and of several directions the median error counts; a wrong
 * gradient is wrong in all of them. Where the loss does not depend on a tensor at all, as on a bias before a batch norm,
 * differences are those of rounded losses: what rounding alone can make at the largest step is no error. */
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
    uint64_t stream; /* of its directions                        */
    double size;     /* of its values: what steps are shares of  */
    float *x, *g, *d;
};

static convoy_status move(const struct subject *subject, double e, struct convoy_error *err)
{
    float *to = tensor_host(subject->tensor, TENSOR_WRITE, err);
    if (!to)
        return CONVOY_FAILED;
    for (int64_t i = 0; i < subject->count; i++)
        to[i] = (float)(subject->x[i] + e * subject->size * subject->d[i]);
    return CONVOY_OK;
}

/* (loss(x + e d) - loss(x - e d)) / 2e, with x put back. */
static convoy_status difference(struct run *run, const struct subject *subject, size_t subjects, double e, double *slope,
                                struct convoy_error *err)
{
    double value[2] = {0, 0};
    for (int side = 0; side < 3; side++) {
        static const int sign[] = {1, -1, 0};
        convoy_status status = CONVOY_OK;
        for (size_t s = 0; !status && s < subjects; s++)
            status = move(&subject[s], sign[side] * e, err);
        if (!status && side < 2)
            status = loss(run, &value[side], err);
        if (status)
            return status;
    }
    *slope = (value[0] - value[1]) / (2 * e);
    return CONVOY_OK;
}

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

/* Along one direction of all subjects at once. */
static convoy_status one_direction(struct run *run, const struct subject *subject, size_t subjects, uint64_t direction,
                                   double *error, bool *hidden, struct convoy_error *err)
{
    double expected = 0, square = 0;
    for (size_t s = 0; s < subjects; s++) {
        direct(run, &subject[s], subject[s].stream * GRADCHECK_DIRECTIONS + direction);
        for (int64_t i = 0; i < subject[s].count; i++)
            expected += subject[s].size * subject[s].g[i] * subject[s].d[i];
        square += pow(subject[s].size * norm(subject[s].g, subject[s].count), 2);
    }
    const double noise = LOSS_ULPS * 0x1p-24 * run->scale / step_shares[0];
    *hidden = noise > sqrt(square);
    *error = INFINITY;
    for (size_t step = 0; *error > good_enough && step < sizeof step_shares / sizeof *step_shares; step++) {
        double slope;
        const convoy_status status = difference(run, subject, subjects, step_shares[step], &slope, err);
        if (status)
            return status;
        *error = fmin(*error, fmax(fabs(slope - expected) - noise, 0) / (sqrt(square) + noise));
    }
    return CONVOY_OK;
}

static int by_size(const void *left, const void *right)
{
    const double a = *(const double *)left, b = *(const double *)right;
    return a < b ? -1 : a > b;
}

/* The median error of several directions. */
static convoy_status check(struct run *run, const struct subject *subject, size_t subjects, const char *name,
                           struct convoy_error *err)
{
    double error[GRADCHECK_DIRECTIONS] = {0};
    bool hidden = false;
    convoy_status status = CONVOY_OK;
    for (uint64_t direction = 0; !status && direction < GRADCHECK_DIRECTIONS; direction++)
        status = one_direction(run, subject, subjects, direction, &error[direction], &hidden, err);
    run->result->checked++;
    run->result->hidden += hidden;
    qsort(error, GRADCHECK_DIRECTIONS, sizeof *error, by_size);
    const double median = error[GRADCHECK_DIRECTIONS / 2];
    if (!status && !(median <= run->result->worst)) {
        run->result->worst = median;
        snprintf(run->result->worst_name, sizeof run->result->worst_name, "%s", name);
    }
    return status;
}

static convoy_status fill_image(struct run *run, struct convoy_error *err)
{
    struct tensor *image = exec_input(run->exec);
    float *pixels = tensor_host(image, TENSOR_WRITE, err);
    if (!pixels)
        return CONVOY_FAILED;
    for (int64_t i = 0; i < image->bytes / (int64_t)sizeof(float); i++)
        pixels[i] = rng_uniform(run->seed, STREAM_IMAGE, (uint64_t)i);
    return CONVOY_OK;
}

/* Gradients at x. */
static convoy_status differentiate(struct run *run, struct convoy_error *err)
{
    double ignored;
    convoy_status status = loss(run, &ignored, err);
    if (!status)
        status = seed_heads(run, err);
    return status ? status : exec_backward(run->exec, err);
}

static convoy_status subject_open(struct subject *subject, struct convoy_error *err)
{
    const size_t bytes = (size_t)subject->tensor->bytes;
    subject->count = subject->tensor->bytes / (int64_t)sizeof(float);
    subject->x = malloc(bytes);
    subject->g = malloc(bytes);
    subject->d = malloc(bytes);
    if (!subject->x || !subject->g || !subject->d)
        return convoy_fail(err, CONVOY_NO_MEMORY, CONVOY_WHY_MEMORY, "no memory to check %s", subject->name);
    const float *x = tensor_host(subject->tensor, TENSOR_READ, err);
    const float *g = x ? tensor_host(subject->grad, TENSOR_READ, err) : NULL;
    if (!g)
        return CONVOY_FAILED;
    memcpy(subject->x, x, bytes);
    memcpy(subject->g, g, bytes);
    subject->size = fmax(norm(x, subject->count), 1e-2 * sqrt((double)subject->count));
    return CONVOY_OK;
}

/* The image and the learned tensors; returns their number. */
static size_t list_subjects(const struct run *run, struct subject *subject)
{
    size_t count = 0;
    subject[count++] = (struct subject){
        .name = "image",
        .tensor = exec_input(run->exec),
        .grad = exec_input_grad(run->exec),
        .taps = 1,
        .stream = STREAM_DIRECTION,
    };
    for (size_t index = 0; index < run->model->params; index++) {
        struct param *param = &run->model->param[index];
        if (param->learned)
            subject[count++] = (struct subject){
                .name = param->name,
                .tensor = &param->value,
                .grad = &param->grad,
                .mask = param->mask,
                .taps = param->mask ? param->extent[2] * param->extent[3] : 1,
                .stream = STREAM_DIRECTION + 1 + index,
            };
    }
    return count;
}

convoy_status gradcheck_run(struct exec *exec, struct model *model, enum gradcheck_extent extent, uint64_t seed,
                            struct gradcheck *result, struct convoy_error *err)
{
    struct run run = {.exec = exec, .model = model, .seed = seed, .result = result};
    memset(result, 0, sizeof *result);
    struct subject *subject = calloc(model->params + 1, sizeof *subject);
    if (!subject)
        return convoy_fail(err, CONVOY_NO_MEMORY, CONVOY_WHY_MEMORY, "no memory to check %zu tensors", model->params);
    const size_t subjects = list_subjects(&run, subject);
    convoy_status status = fill_image(&run, err);
    if (!status)
        status = differentiate(&run, err);
    for (size_t s = 0; !status && s < subjects; s++)
        status = subject_open(&subject[s], err);
    for (size_t s = 0; !status && extent == GRADCHECK_EACH && s < subjects; s++)
        status = check(&run, &subject[s], 1, subject[s].name, err);
    if (!status && extent == GRADCHECK_WHOLE)
        status = check(&run, subject, subjects, "all tensors together", err);
    for (size_t s = 0; s < subjects; s++) {
        free(subject[s].x);
        free(subject[s].g);
        free(subject[s].d);
    }
    free(subject);
    return status;
}
