/* correlate: y = sum over channels and taps of panel * weight, with lanes over output channels. The forward pass is one
 * correlation, a backward-data pass one for each phase of its strides; must not know which of them it computes. */
#ifndef CONVOY_DIRECT_CORRELATE_H
#define CONVOY_DIRECT_CORRELATE_H

#include "direct.h"

/* One correlation and where its outputs go: (q_h, q_w) at y_offset + q_h*y_row + q_w*y_col of an output channel. */
struct view {
    struct axis h, w;
    int64_t y_offset, y_row, y_col;
    /* Set by correlate_plan. */
    struct panel panel;
    ptrdiff_t *gather;     /* [chunk][taps_h][taps_w]: places in the panel                                 */
    int32_t strips, bands; /* blocks of rows, of columns                                                   */
    int32_t flat;          /* outputs of successive rows succeed one another in panel and y                */
    int32_t tiles;         /* of a block                                                                   */
    int64_t weights;       /* floats before this view's packed weights                                     */
    size_t first_task, first_pack;
};

/* Weights by their distances in floats: element (g, k, c, r, s) of the correlation. All taps of a k and c are neighbours. */
struct weight_layout {
    int64_t group, k, c, row, col, taps;
};

struct correlate {
    const struct convoy_host *host;
    const struct isa *isa;
    int32_t n, groups, channels, outputs; /* channels are summed over; both per group                       */
    struct layout x, y;                   /* y.row and y.col are the views'                                 */
    struct weight_layout weight;
    int32_t relu;
    struct view *views; /* owned, with everything in them                                                   */
    int32_t view_count;
    /* Set by correlate_plan. */
    int32_t chunk;       /* channels of one chain of sums                                                  */
    int64_t chain;       /* its terms                                                                      */
    int32_t resident;    /* channels of a panel, a multiple of chunk or all                                */
    int32_t blocks;      /* of `width` output channels                                                     */
    int32_t task_blocks; /* blocks of one task                                                             */
    int32_t images;      /* of a task, where its tiles go across images (batch.h)                          */
    int64_t width, panel_floats, sums_floats;
    size_t tasks, packs;
};

/* Blocks of outputs and where their weights lie; part of correlate_plan. */
void correlate_plan_weights(struct correlate *correlate);

/* Fills the second halves. False: no memory; correlate_close frees in any case. */
int correlate_plan(struct correlate *correlate);
void correlate_close(struct correlate *correlate);
uint64_t correlate_workspace_bytes(const struct correlate *correlate);
uint64_t correlate_prepared_bytes(const struct correlate *correlate);

void correlate_prepare(const struct correlate *correlate, const float *w, float *prepared);
/* bias may be NULL. */
void correlate_execute(const struct correlate *correlate, const float *x, const float *prepared, const float *bias, float *y,
                       float *workspace);

#endif
