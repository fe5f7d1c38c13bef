/* conv_fwd: the plan of a forward convolution. Knows the problem and the host, not the plugin table; plugin.c decides
 * what gets here. */
#ifndef CONVOY_TEMPLATE_CONV_FWD_H
#define CONVOY_TEMPLATE_CONV_FWD_H

#include <convoy/convoy.h>

/* Copies the problem, borrows the host. The problem is one that supports() accepted. The caller frees the plan by its
 * destroy. [instance] */
convoy_status conv_fwd_plan(const struct convoy_host *host, const struct convoy_conv *problem, struct convoy_plan **plan,
                            struct convoy_error *err);

#endif
