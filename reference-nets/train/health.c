#include "train/health.h"

#include <math.h>
#include <stdio.h>

static convoy_status report_zeros(const struct session *session, struct metrics *metrics, int64_t step, bool tell,
                                  struct convoy_error *err)
{
    convoy_status status = CONVOY_OK;
    for (size_t l = 0; !status && session->zero_share && l < session->net.count; l++) {
        const char *name = session->net.layer[l].name;
        if (session->net.layer[l].kind != NET_ACT)
            continue;
        status = metrics_scalar(metrics, step, "zeros", name, session->zero_share[l], err);
        if (tell && session->zero_share[l] == 1)
            printf("%s: all of its outputs are zero, nothing is learnt through it\n", name);
    }
    return status;
}

convoy_status health_report(struct session *session, struct metrics *metrics, int64_t step, bool tell, struct convoy_error *err)
{
    convoy_status status = report_zeros(session, metrics, step, tell, err);
    for (size_t p = 0; !status && p < session->model.params; p++) {
        struct param *param = &session->model.param[p];
        if (!param->learned)
            continue;
        const float *g = tensor_host(&param->grad, TENSOR_READ, err);
        if (!g)
            return CONVOY_FAILED;
        double square = 0;
        for (int64_t i = 0; i < param->count; i++)
            square += (double)g[i] * g[i];
        status = metrics_scalar(metrics, step, "gradient", param->name, (float)sqrt(square), err);
    }
    return status;
}
