/* Dense layers: one output pixel, made from the whole image. An image is its own lowered column, so that x and y are
 * matrices with one row for each image, and every pass is one product over all images, cut into blocks of its outputs:
 *
 *     forward   y[n][k] = x[n][c*h*w] * W^T     bwd-data   dx[n][c*h*w] = dy[n][k] * W     bwd-weights   dW[k][c*h*w] = dy^T * x
 */
#include "blas.h"
#include "conv.h"
#include <convoy/plugin.h>

/* Where a task works: outputs first..first+count-1 of group g. */
struct place {
    int64_t g, first, count;
};

static struct place place_of(const struct conv_call *call, size_t task, int64_t outputs)
{
    struct place at = {.g = (int64_t)task / call->tiling->blocks};
    int64_t last;
    tiling_share(outputs, call->tiling->blocks, (int64_t)task % call->tiling->blocks, &at.first, &last);
    at.count = last - at.first;
    return at;
}

static void make_y(void *context, size_t task, size_t worker)
{
    const struct conv_call *call = context;
    const struct place at = place_of(call, task, call->group_k);
    const int64_t k = at.g * call->group_k + at.first;
    const int rectify = (call->p->head.flags & CONVOY_WITH_RELU) != 0;
    (void)worker;
    blas_multiply(BLAS_PLAIN, BLAS_TRANSPOSED, call->p->n, at.count, call->rows, call->x + at.g * call->rows,
                  call->p->groups * call->rows, call->w + k * call->rows, call->rows, 0.0f, call->y + k, call->p->k);
    for (int64_t n = 0; n < call->p->n; n++) {
        float *y = call->y + n * call->p->k + k;
        if (call->bias)
            call->plan->loops->add_to(call->bias + k, at.count, y, 1);
        if (rectify)
            call->plan->loops->finish(y, at.count, 0.0f, 1);
    }
}

static void make_dx(void *context, size_t task, size_t worker)
{
    const struct conv_call *call = context;
    const struct place at = place_of(call, task, call->rows);
    const float *w = call->w + at.g * call->group_k * call->rows + at.first;
    (void)worker;
    blas_multiply(BLAS_PLAIN, BLAS_PLAIN, call->p->n, at.count, call->group_k, call->dy + at.g * call->group_k, call->p->k, w,
                  call->rows, 0.0f, call->dx + at.g * call->rows + at.first, call->p->groups * call->rows);
}

static void make_dw(void *context, size_t task, size_t worker)
{
    const struct conv_call *call = context;
    const struct place at = place_of(call, task, call->group_k);
    const int64_t k = at.g * call->group_k + at.first;
    (void)worker;
    blas_multiply(BLAS_TRANSPOSED, BLAS_PLAIN, at.count, call->rows, call->p->n, call->dy + k, call->p->k,
                  call->x + at.g * call->rows, call->p->groups * call->rows, 0.0f, call->dw + k * call->rows, call->rows);
}

convoy_status conv_dense_run(const struct plan *plan, const struct convoy_args *args, struct convoy_error *err)
{
    static void (*const tasks[])(void *, size_t, size_t) = {
        [CONVOY_CONV_FWD] = make_y,
        [CONVOY_CONV_BWD_DATA] = make_dx,
        [CONVOY_CONV_BWD_WEIGHTS] = make_dw,
    };
    struct conv_call call = conv_begin(plan, args);
    (void)err;
    plan->host->parallel(plan->host, tasks[call.p->head.op], &call, (size_t)call.tasks);
    if (call.dbias)
        plan->host->parallel(plan->host, conv_make_bias, &call, (size_t)call.p->k);
    return CONVOY_OK;
}
