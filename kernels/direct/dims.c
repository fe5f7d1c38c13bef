#include "direct.h"

struct dims dims_of(const struct convoy_conv *p)
{
    struct dims d = {
        .n = p->n,
        .groups = p->groups,
        .c = p->c / p->groups,
        .h = p->h,
        .w = p->w,
        .k = p->k / p->groups,
        .kh = p->kh,
        .kw = p->kw,
        .oh = p->oh,
        .ow = p->ow,
        .stride_h = p->stride_h,
        .stride_w = p->stride_w,
        .dil_h = p->dil_h,
        .dil_w = p->dil_w,
        .pad_t = p->pad_t,
        .pad_l = p->pad_l,
    };
    const int64_t pixels = (int64_t)p->h * p->w, outputs = (int64_t)p->oh * p->ow;
    const int padded = p->pad_t || p->pad_b || p->pad_l || p->pad_r;
    const int dense = (p->dil_h == 1 || p->kh == 1) && (p->dil_w == 1 || p->kw == 1);
    const int64_t folded = d.c * pixels;
    if (!padded && dense && p->kh == p->h && p->kw == p->w && folded <= INT32_MAX) {
        d.c = (int32_t)folded;
        d.n = d.h = d.kh = d.kw = 1;
        d.oh = 1;
        d.w = d.ow = p->n;
        d.stride_h = d.stride_w = d.dil_h = d.dil_w = 1;
        d.x = (struct layout){.image = 0, .group = folded, .channel = 1, .row = 0, .col = p->c * pixels};
        d.y = (struct layout){.image = 0, .group = d.k, .channel = 1, .row = 0, .col = p->k};
        return d;
    }
    if (!padded && p->kh == 1 && p->kw == 1 && p->stride_h == 1 && p->stride_w == 1 && pixels <= INT32_MAX) {
        d.h = d.oh = d.dil_h = d.dil_w = 1;
        d.w = d.ow = (int32_t)pixels;
        d.x = (struct layout){.image = p->c * pixels, .group = d.c * pixels, .channel = pixels, .row = pixels, .col = 1};
        d.y = (struct layout){.image = p->k * pixels, .group = d.k * pixels, .channel = pixels, .row = pixels, .col = 1};
        return d;
    }
    d.x = (struct layout){.image = p->c * pixels, .group = d.c * pixels, .channel = pixels, .row = p->w, .col = 1};
    d.y = (struct layout){.image = p->k * outputs, .group = d.k * outputs, .channel = outputs, .row = p->ow, .col = 1};
    return d;
}
