/* eltwise: the two kinds of element-wise operation that work by rows of logits, kept apart from the others. */
#ifndef CONVOY_IM2COL_ELTWISE_H
#define CONVOY_IM2COL_ELTWISE_H

#include "im2col.h"

/* XENT and XENT_BWD. CONVOY_INVALID: a label is not below the number of classes. */
convoy_status xent_run(const struct plan *plan, const struct convoy_args *args, struct convoy_error *err);

#endif
