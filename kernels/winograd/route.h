/* route: which bilinear form solves a problem, or why none does. Stride 1 takes the dense form. Three taps at stride 2 take the
 * strided form, and for backward data its transpose. Every other stride s is folded: the s x s phases of the image become
 * channels, and the kernel of r taps one of ceil(r/s) at stride 1.
 * Knows problems and forms; no schedules, no memory. */
#ifndef CONVOY_WINOGRAD_ROUTE_H
#define CONVOY_WINOGRAD_ROUTE_H

#include "transform.h"
#include <convoy/convoy.h>

struct route {
    const struct transform *transform;
    int32_t fold; /* the stride that is folded away, 1: none */
};

/* The problem is a convolution. CONVOY_UNSUPPORTED with the reason in err where tiles of m outputs cannot do it. */
convoy_status route_find(const struct transform_family *family, int32_t m, const struct convoy_conv *problem, struct route *route,
                         struct convoy_error *err);

#endif
