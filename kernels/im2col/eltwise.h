/* eltwise: the two kinds of element-wise operation that work by rows of logits, kept apart from the others. */
#ifndef CONVOY_IM2COL_ELTWISE_H
#define CONVOY_IM2COL_ELTWISE_H

#include "im2col.h"

/* One block: forward kinds read x (and x2), backward kinds x = dy and x2 = y; both write y. */
struct block {
    const float *x, *x2;
    float *y;
    double alpha, beta;
    int64_t count;
    int stream; /* y goes past the caches */
};

/* The kinds that are bound by memory and not by arithmetic, compiled for every instruction set; NULL: another kind. */
typedef void eltwise_loop(const struct block *block);
struct eltwise_loops {
    eltwise_loop *kind[CONVOY_ELT_COUNT];
    void (*update)(const float *dw, float *w, float *velocity, int64_t count, const float scalars[4]);
};
extern const struct eltwise_loops eltwise_loops_portable, eltwise_loops_avx2, eltwise_loops_avx512;

/* XENT and XENT_BWD. CONVOY_INVALID: a label is not below the number of classes. */
convoy_status xent_run(const struct plan *plan, const struct convoy_args *args, struct convoy_error *err);

#endif
