/* shape.h: extents, counts and derived problems, defined once for the harness and for plugins.
 * Pure functions of a problem; nothing here allocates, and nothing here knows how a backend computes. */
#ifndef CONVOY_SHAPE_H
#define CONVOY_SHAPE_H

#include "convoy.h"
#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

/* dil*(k-1)+1: what a kernel of k taps spans. */
static inline int64_t convoy_span(int32_t kernel, int32_t dilation)
{
    return (int64_t)dilation * (kernel - 1) + 1;
}

/* Floor rule, floor((in + pads - span)/stride) + 1; below 1 means that the kernel does not fit. */
static inline int64_t convoy_out_extent(int32_t in, int32_t pad_before, int32_t pad_after, int32_t kernel, int32_t stride, int32_t dilation)
{
    const int64_t room = (int64_t)in + pad_before + pad_after - convoy_span(kernel, dilation);
    return room < 0 ? 0 : room / stride + 1;
}

enum { CONVOY_SIZE_FLOOR, CONVOY_SIZE_CEIL, CONVOY_SIZE_CEIL_CAFFE };
/* Pooling: the floor rule, or ceil((in + pads - span)/stride) + 1 without a last window that starts beyond the input and
 * the pad before it. PyTorch and ONNX always drop that window, Caffe only where there is padding. */
static inline int64_t convoy_pool_extent(int32_t in, int32_t pad_before, int32_t pad_after, int32_t kernel, int32_t stride, int32_t dilation, int rule)
{
    const int64_t room = (int64_t)in + pad_before + pad_after - convoy_span(kernel, dilation);
    if (room < 0)
        return 0;
    if (rule == CONVOY_SIZE_FLOOR)
        return room / stride + 1;
    int64_t out = (room + stride - 1) / stride + 1;
    const int drop = rule == CONVOY_SIZE_CEIL || pad_before > 0 || pad_after > 0;
    if (drop && (out - 1) * stride >= (int64_t)in + pad_before)
        out--;
    return out;
}

/* Output positions o whose tap (o*stride - pad + tap*dilation) lies in 0..in-1: the half-open range [*first, *last). */
static inline void convoy_tap_range(int32_t in, int32_t out, int32_t pad, int32_t stride, int32_t tap_offset, int32_t *first, int32_t *last)
{
    const int64_t shift = (int64_t)pad - tap_offset; /* o*stride >= shift and o*stride < in + shift */
    int64_t lo = shift <= 0 ? 0 : (shift + stride - 1) / stride;
    int64_t hi = in + shift <= 0 ? 0 : (in + shift + stride - 1) / stride;
    if (hi > out)
        hi = out;
    if (lo > hi)
        lo = hi;
    *first = (int32_t)lo;
    *last = (int32_t)hi;
}

/* Multiply-adds of the direct algorithm, padded taps included: n*k*oh*ow*(c/groups)*kh*kw, the same for all three passes. */
static inline int64_t convoy_conv_macs(const struct convoy_conv *p)
{
    return (int64_t)p->n * p->k * p->oh * p->ow * (p->c / p->groups) * p->kh * p->kw;
}

/* "Effective" operations of any algorithm: 2 per multiply-add of the direct one. */
static inline int64_t convoy_conv_flops(const struct convoy_conv *p)
{
    return 2 * convoy_conv_macs(p);
}

/* Parameters of the layer: k*(c/groups)*kh*kw, and k more with a bias. */
static inline int64_t convoy_conv_params(const struct convoy_conv *p)
{
    return (int64_t)p->k * (p->c / p->groups) * p->kh * p->kw + ((p->head.flags & CONVOY_WITH_BIAS) ? p->k : 0);
}

/* 1 where INDEX is uint8, else 4 (int32). */
static inline int32_t convoy_index_bytes(const struct convoy_pool *p)
{
    return (int64_t)p->kh * p->kw <= 256 ? 1 : 4;
}

/* Transposed convolution (Dumoulin & Visin, arXiv 1603.07285, section 4) of x: n,c_in,h_in,w_in with weights c_in,c_out/groups,kh,kw
 * and stride s, padding p, output padding op: it is the backward-data pass of the convolution that maps its output
 * n,c_out,h,w back to its input. From `forward`, which holds n, c = c_in, h, w = the input extents, k = c_out and the
 * kernel as seen by the transposed layer, makes that CONV_BWD_DATA problem: its slot DY takes the layer's input, W the
 * weights as they are, DX gives the layer's output. */
static inline void convoy_conv_transpose(const struct convoy_conv *forward, int32_t out_pad_h, int32_t out_pad_w, struct convoy_conv *backward)
{
    struct convoy_conv b = *forward;
    b.head.op = CONVOY_CONV_BWD_DATA;
    b.c = forward->k;
    b.k = forward->c;
    b.oh = forward->h;
    b.ow = forward->w;
    b.h = (int32_t)((int64_t)(forward->h - 1) * forward->stride_h + convoy_span(forward->kh, forward->dil_h) - forward->pad_t - forward->pad_b + out_pad_h);
    b.w = (int32_t)((int64_t)(forward->w - 1) * forward->stride_w + convoy_span(forward->kw, forward->dil_w) - forward->pad_l - forward->pad_r + out_pad_w);
    *backward = b;
}

#ifdef __cplusplus
}
#endif
#endif
