/* depthwise_body: the loops of depthwise.h, included by each instruction set's file, which defines LANES and compiles them with
 * its flags. A panel may be read up to a vector beyond a row. */
#include <string.h>

typedef float vec __attribute__((vector_size(4 * LANES), aligned(4), may_alias));
enum { ROW_VECTORS = 4, SUM_VECTORS = 2 };

static inline __attribute__((always_inline)) void depthwise_block(const struct depthwise_rows *job, const float *panel, float *y,
                                                                  const int vectors)
{
    vec sum[ROW_VECTORS];
#pragma GCC unroll 4
    for (int v = 0; v < vectors; v++)
        sum[v] = (vec){0} + job->bias;
    for (int64_t t = 0; t < job->terms; t++) {
        const float *const from = panel + job->offset[t];
#pragma GCC unroll 4
        for (int v = 0; v < vectors; v++)
            sum[v] += job->weight[t] * *(const vec *)(from + v * LANES);
    }
#pragma GCC unroll 4
    for (int v = 0; v < vectors; v++)
        *(vec *)(y + v * LANES) = job->relu ? (vec)((__typeof__(sum[v] < 0))sum[v] & ~(sum[v] < 0)) : sum[v];
}

static void depthwise_rows(const struct depthwise_rows *job)
{
    for (int64_t oh = 0; oh < job->rows; oh++) {
        const float *const panel = job->panel + oh * job->panel_row;
        float *const y = job->y + oh * job->y_row;
        int64_t ow = 0;
        for (; ow + ROW_VECTORS * LANES <= job->cols; ow += ROW_VECTORS * LANES)
            depthwise_block(job, panel + ow, y + ow, ROW_VECTORS);
        for (; ow + ROW_VECTORS / 2 * LANES <= job->cols; ow += ROW_VECTORS / 2 * LANES)
            depthwise_block(job, panel + ow, y + ow, ROW_VECTORS / 2);
        for (; ow + LANES <= job->cols; ow += LANES)
            depthwise_block(job, panel + ow, y + ow, 1);
        if (ow < job->cols) {
            float last[LANES];
            depthwise_block(job, panel + ow, last, 1);
            memcpy(y + ow, last, (size_t)(job->cols - ow) * sizeof *y);
        }
    }
}

static void depthwise_gradient(const struct depthwise_gradient *job)
{
    for (int64_t t = 0; t < job->terms; t++) {
        vec sum[SUM_VECTORS] = {{0}, {0}};
        float rest = 0;
        for (int64_t oh = 0; oh < job->rows; oh++) {
            const float *const from = job->panel + job->offset[t] + oh * job->panel_row;
            const float *const dy = job->dy + oh * job->dy_row;
            int64_t ow = 0;
            for (; ow + SUM_VECTORS * LANES <= job->cols; ow += SUM_VECTORS * LANES) {
                sum[0] += *(const vec *)(from + ow) * *(const vec *)(dy + ow);
                sum[1] += *(const vec *)(from + ow + LANES) * *(const vec *)(dy + ow + LANES);
            }
            for (; ow + LANES <= job->cols; ow += LANES)
                sum[0] += *(const vec *)(from + ow) * *(const vec *)(dy + ow);
            for (; ow < job->cols; ow++)
                rest += from[ow] * dy[ow];
        }
        sum[0] += sum[1];
        for (int j = 0; j < LANES; j++)
            rest += sum[0][j];
        job->gradient[t] += rest;
    }
}
