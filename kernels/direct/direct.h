/* direct: convolution by the sums of its definition, blocked for registers and caches, on NCHW tensors as they lie. This header
 * is what the files of the plugin share: the problem in the form that the methods take, and what a plan is made of. */
#ifndef CONVOY_DIRECT_DIRECT_H
#define CONVOY_DIRECT_DIRECT_H

#include "isa.h"
#include <convoy/convoy.h>
#include <convoy/plugin.h>

struct self {
    struct convoy_instance base;
    const struct convoy_host *host;
    const struct isa *isa;
};

/* A convolution with channels counted per group and the places of its tensors. dims_of folds a kernel that is as large as its
 * image into channels: then the images of the batch are the columns of one image, and the kernel is 1 x 1. An image under a 1 x 1
 * kernel of stride 1 without padding becomes one row. */
struct dims {
    int32_t n, groups, c, h, w, k, kh, kw, oh, ow;
    int32_t stride_h, stride_w, dil_h, dil_w, pad_t, pad_l;
    struct layout x, y;
};
struct dims dims_of(const struct convoy_conv *problem);

struct plan;

/* The pointers of one call; those that the pass does not use are NULL. */
struct tensors {
    const float *x, *w, *bias, *dy;
    float *y, *dx, *dw, *dbias, *workspace, *prepared;
};

/* An algorithm that a plan has chosen: state made by its *_open, its loops, and what the harness must know. */
struct method {
    void *state;
    void (*prepare)(const void *state, const struct tensors *tensors); /* NULL: W is read as it is */
    void (*execute)(const void *state, const struct tensors *tensors);
    void (*close)(void *state);
    uint64_t workspace_bytes, prepared_bytes;
    uint32_t split;
    char name[40];
};

typedef convoy_status method_open_fn(const struct self *self, const struct convoy_conv *problem, struct method *method,
                                     struct convoy_error *err);

/* Each fills *method or returns CONVOY_NO_MEMORY. tiles and gradient serve every problem, the others what *_suits names. */
method_open_fn tiles_open, pointwise_open, overlap_open;                     /* forward and backward-data */
method_open_fn gradient_open, pointwise_gradient_open, narrow_gradient_open; /* weight gradients         */
int pointwise_suits(const struct self *self, const struct convoy_conv *problem);
method_open_fn plane_open; /* all passes               */
int plane_suits(const struct self *self, const struct convoy_conv *problem);
int overlap_suits(const struct self *self, const struct convoy_conv *problem);
int pointwise_gradient_suits(const struct self *self, const struct convoy_conv *problem);
int narrow_gradient_suits(const struct convoy_conv *problem);

/* dbias of t, from its dy. */
void bias_gradient(const struct convoy_host *host, const struct dims *dims, const struct tensors *t);

#endif
