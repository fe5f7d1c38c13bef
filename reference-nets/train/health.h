/* health: what tells early that a network stops learning: activations that are zero everywhere, gradients that vanish or explode,
 * layer by layer. Knows sessions and events. */
#ifndef CONVOY_TRAIN_HEALTH_H
#define CONVOY_TRAIN_HEALTH_H

#include "train/metrics.h"
#include "train/session.h"

/* The share of zeros in what each activation gave in the step that was watched (session_watch), and the norm of each parameter's
 * gradient in the last step, as TensorBoard scalars; a layer that gives nothing but zeros is named on standard output where
 * `tell`. */
convoy_status health_report(struct session *session, struct metrics *metrics, int64_t step, bool tell, struct convoy_error *err);

#endif
