#include "route.h"
#include "stem.h"
#include <convoy/plugin.h>
#include <convoy/shape.h>

convoy_status route_find(const struct transform_family *family, int32_t m, const struct convoy_conv *p, struct route *route,
                         struct convoy_error *err)
{
    *route = (struct route){.fold = 1};
    if (p->kh != p->kw)
        return convoy_fail(err, CONVOY_UNSUPPORTED, CONVOY_WHY_KERNEL, "F(%d,r) here needs a square kernel, got %dx%d", m, p->kh,
                           p->kw);
    if (p->dil_h != 1 || p->dil_w != 1)
        return convoy_fail(err, CONVOY_UNSUPPORTED, CONVOY_WHY_DILATION, "F(%d,%d) needs dilation 1, got %dx%d", m, p->kh,
                           p->dil_h, p->dil_w);
    const int32_t stride = p->stride_h;
    if (stride != p->stride_w)
        return convoy_fail(err, CONVOY_UNSUPPORTED, CONVOY_WHY_STRIDE, "equal strides are needed, got %dx%d", p->stride_h,
                           p->stride_w);
    if (stride > 1 && stride >= p->kh)
        return convoy_fail(err, CONVOY_UNSUPPORTED, CONVOY_WHY_STRIDE,
                           "windows of %d at stride %d do not overlap: there is nothing to share", p->kh, stride);
    /* Few channels are best folded, for the stem. */
    const int stem = p->head.op == CONVOY_CONV_FWD && p->c / p->groups * stride * stride <= STEM_MOST_CHANNELS &&
                     stem_find(family->name, m, (int32_t)convoy_ceil_div(p->kh, stride));
    if (stride == 2 && p->kh == 3 && !stem) {
        enum form form = FORM_STRIDED;
        if (p->head.op == CONVOY_CONV_BWD_DATA)
            form = p->pad_t % 2 ? FORM_SPREAD_ODD : FORM_SPREAD_EVEN;
        /* Tiles of dx begin at the same phase on both axes, or else the phases are folded. */
        if (p->head.op != CONVOY_CONV_BWD_DATA || p->pad_t % 2 == p->pad_l % 2)
            route->transform = transform_find(family, form, m, 3);
    }
    if (!route->transform) {
        route->fold = stride;
        route->transform = transform_find(family, FORM_DENSE, m, (int32_t)convoy_ceil_div(p->kh, stride));
    }
    if (!route->transform)
        return convoy_fail(err, CONVOY_UNSUPPORTED, CONVOY_WHY_KERNEL, "there is no F(%d,%d) here", m,
                           (int32_t)convoy_ceil_div(p->kh, stride));
    return CONVOY_OK;
}
