/* implicit: the variant that lowers inside the packing routine of its own matrix product, on the tiles of kernels/microkernel.
 * Lanes of a tile are output positions, its rows channels, in all three passes as view.h has them; nothing larger than a packed
 * strip is ever lowered. Needs no BLAS. */
#ifndef CONVOY_IM2COL_IMPLICIT_H
#define CONVOY_IM2COL_IMPLICIT_H

#include "im2col.h"
#include "microkernel.h"
#include "turn.h"
#include "view.h"

/* What one view adds to a plan. */
struct implicit_view {
    struct view view;
    int64_t strips, strip_positions;
    int64_t held;    /* forward, backward-data: channels that are packed at a time, whole chunks                */
    int64_t weights; /* floats before those of this view in PREPARED                                      */
    int64_t offsets; /* and entries before its table of offsets                                           */
    size_t first_task, first_pack;
    int unpacked; /* L is read where it lies, in x                                                      */
    int in_place; /* outputs are written where they belong: consecutive positions are neighbours there */
};

/* The problem as this variant computes it, a dense layer as a 1x1 kernel over all its inputs, and the choice of blocks. Forward
 * and backward-data sum over `channels` and make `outputs`, both counted in a group; the weight gradient calls the channels of x
 * `channels` and those of dy `outputs`. */
struct implicit {
    const struct mk_family *family;
    turn_fn *turn;
    struct convoy_conv p;
    int64_t channels, outputs, width; /* width: positions of a tile                                           */
    int64_t images, spans;            /* positions of `spans` images follow one another; images*spans = p.n   */
    int32_t view_count;
    struct implicit_view *views;
    int64_t chunk;              /* forward, backward-data: channels of one chain of sums                             */
    int64_t blocks;             /* of rows, one tile each                                                            */
    int64_t parts;              /* forward, backward-data: tasks that share the blocks; gradient: partial sums       */
    int64_t block_c, block_k;   /* gradient: channels of a task                                               */
    int64_t blocks_c, blocks_k; /* and tasks along them                                                       */
    size_t tasks, packs;
    int64_t panel_floats, turned_floats, sums_floats; /* of a lane                                            */
    int64_t table_entries;
};

/* Plans any convolution: fills `plan`, which then owns an object that implicit_close frees. CONVOY_NO_MEMORY or CONVOY_OK. */
convoy_status implicit_plan(const struct self *self, struct plan *plan, struct convoy_error *err);
void implicit_close(struct implicit *m);

/* The parts of implicit_plan: blocks, tasks, sizes, prepare and execute of the passes. */
convoy_status implicit_correlate_plan(struct implicit *m, struct plan *plan, struct convoy_error *err);
convoy_status implicit_gradient_plan(struct implicit *m, struct plan *plan, struct convoy_error *err);

/* Copies the strip of positions first .. first + count - 1, which count through the images of a span from image n on, into
 * `packed`: `channels` planes from channel c of x's `all` planes, and zeros up to a whole vector. */
void implicit_pack(const struct implicit *m, const struct loops *loops, const struct view *view, const float *x, int64_t all,
                   int64_t n, int64_t c, int64_t channels, int64_t first, int64_t count, float *packed);

#endif
