/* Softmax with cross entropy. With m the largest logit of a row, log(sum exp(x)) = m + log(sum exp(x - m)), whose terms
 * are at most 1. In double; one task makes a block of rows. */
#include "eltwise.h"
#include <convoy/plugin.h>
#include <math.h>

enum { BLOCK_ELEMENTS = 16384 };

struct call {
    const struct convoy_eltwise *p;
    int64_t rows, rows_per_task;
    const float *x;
    const int32_t *labels;
    float *y, *dx;
};

static double exp_sum(const float *x, int32_t classes, double *largest)
{
    double sum = 0.0;
    float most = x[0];
    for (int32_t at = 1; at < classes; at++)
        most = x[at] > most ? x[at] : most;
    for (int32_t at = 0; at < classes; at++)
        sum += exp((double)x[at] - most);
    *largest = most;
    return sum;
}

static void make_loss(const struct call *call, int64_t row)
{
    const int32_t classes = call->p->classes, label = call->labels[row];
    const float *x = call->x + row * classes;
    double largest;
    if (label < 0) {
        call->y[row] = 0.0f;
        return;
    }
    const double sum = exp_sum(x, classes, &largest);
    call->y[row] = (float)(log(sum) + (largest - x[label]));
}

static void make_gradient(const struct call *call, int64_t row)
{
    const int32_t classes = call->p->classes, label = call->labels[row];
    const float *x = call->x + row * classes;
    float *dx = call->dx + row * classes;
    if (label < 0) {
        for (int32_t at = 0; at < classes; at++)
            dx[at] = 0.0f;
        return;
    }
    double largest;
    const double sum = exp_sum(x, classes, &largest);
    for (int32_t at = 0; at < classes; at++)
        dx[at] = (float)(call->p->alpha * (exp(x[at] - largest) / sum - (at == label)));
}

static void make_rows(void *context, size_t task, size_t worker)
{
    const struct call *call = context;
    const int64_t first = (int64_t)task * call->rows_per_task;
    (void)worker;
    for (int64_t row = first; row < convoy_min(first + call->rows_per_task, call->rows); row++) {
        if (call->p->kind == CONVOY_ELT_XENT)
            make_loss(call, row);
        else
            make_gradient(call, row);
    }
}

convoy_status xent_run(const struct plan *plan, const struct convoy_args *args, struct convoy_error *err)
{
    const struct convoy_eltwise *p = &plan->problem.eltwise;
    struct call call = {
        .p = p,
        .rows = p->count / p->classes,
        .rows_per_task = convoy_max(1, BLOCK_ELEMENTS / p->classes),
        .x = convoy_slot_f32(args, CONVOY_X),
        .labels = convoy_slot(args, CONVOY_INDEX),
        .y = convoy_slot_f32(args, CONVOY_Y),
        .dx = convoy_slot_f32(args, CONVOY_DX),
    };
    for (int64_t row = 0; row < call.rows; row++) {
        if (call.labels[row] >= p->classes)
            return convoy_fail(err, CONVOY_INVALID, CONVOY_WHY_SIZE, "label %d of row %lld is not below %d classes",
                               call.labels[row], (long long)row, p->classes);
    }
    plan->host->parallel(plan->host, make_rows, &call, (size_t)convoy_ceil_div(call.rows, call.rows_per_task));
    return CONVOY_OK;
}
