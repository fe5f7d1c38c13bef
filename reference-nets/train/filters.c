#include "formats/picture.h"
#include "train/commands.h"
#include "train/metrics.h"

#include <stdlib.h>

convoy_status write_filters(struct session *session, struct metrics *metrics, int64_t step, struct convoy_error *err)
{
    struct param *first = NULL;
    for (size_t p = 0; !first && p < session->model.params; p++)
        if (session->model.param[p].role == PARAM_WEIGHT && session->model.param[p].rank == 4)
            first = &session->model.param[p];
    if (!first || (!session->settings->filters && !metrics))
        return CONVOY_OK;
    struct picture picture;
    const float *w = tensor_host(&first->value, TENSOR_READ, err);
    if (!w)
        return CONVOY_FAILED;
    convoy_status status = picture_filters(w, (int32_t)first->extent[0], (int32_t)first->extent[1], (int32_t)first->extent[2],
                                           (int32_t)first->extent[3], &picture, err);
    if (status)
        return status;
    if (session->settings->filters)
        status = picture_write(session->settings->filters, &picture, err);
    void *png = NULL;
    size_t bytes = 0;
    if (!status && metrics)
        status = picture_png(&picture, &png, &bytes, err);
    if (!status && metrics)
        status = metrics_filters(metrics, step, picture.h, picture.w, picture.channels, png, bytes, err);
    free(png);
    picture_free(&picture);
    return status;
}
