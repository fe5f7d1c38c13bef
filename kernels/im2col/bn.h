/* bn: the forward passes and the backward pass of batch normalisation, one task per channel. */
#ifndef CONVOY_IM2COL_BN_H
#define CONVOY_IM2COL_BN_H

#include "im2col.h"

convoy_status bn_train_run(const struct plan *plan, const struct convoy_args *args, struct convoy_error *err);
convoy_status bn_infer_run(const struct plan *plan, const struct convoy_args *args, struct convoy_error *err);
convoy_status bn_bwd_run(const struct plan *plan, const struct convoy_args *args, struct convoy_error *err);

#endif
