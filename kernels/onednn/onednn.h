/* onednn: oneDNN as one more backend, so that it is measured beside the others in the same run. What the files of this
 * folder share: variants, instances, plans, and one builder of pipelines per family of operations. */
#ifndef CONVOY_ONEDNN_ONEDNN_H
#define CONVOY_ONEDNN_ONEDNN_H

#include "pipeline.h"

enum layout {
    LAYOUT_NCHW,
    LAYOUT_BLOCKED, /* convolutions: left to oneDNN; others: nChw16c, or nChw8c without AVX-512 */
    LAYOUT_NHWC,
};

struct variant {
    const char *name;
    enum layout layout;
    dnnl_alg_kind_t algorithm;  /* of convolutions                                                         */
    dnnl_prop_kind_t forward;   /* of convolutions: inference lets Winograd's weights be transformed before */
    const char *implementation; /* accepted only where oneDNN's name of it contains this; NULL: its first   */
    int convolution_only;       /* other operations would repeat another variant                           */
};

struct self {
    struct convoy_instance base;
    const struct convoy_host *host;
    const struct variant *variant;
    dnnl_engine_t engine;
};

struct plan {
    struct convoy_plan base;
    const struct convoy_host *host;
    union problem problem;
    struct pipeline pipeline;
    struct convoy_numerics numerics;
    char algorithm[40];
};

/* A builder checks the problem, fills plan->pipeline up to its descriptions, numerics and algorithm; the caller closes the
 * pipeline whatever the answer. plan->problem is set and of the right operation. [any] */
typedef convoy_status builder(const struct self *self, struct plan *plan, struct convoy_error *err);
builder conv_build, pool_build, bn_build;

/* The activation tensor n,c,h,w, and the variant's layout of it (convolutions that leave the layout to oneDNN aside). */
dnnl_memory_desc_t onednn_activation(struct pipeline *pipeline, int64_t n, int64_t c, int64_t h, int64_t w,
                                     dnnl_format_tag_t tag);
dnnl_format_tag_t onednn_tag(const struct self *self);

/* The first implementation of the operation whose name contains `wanted` (NULL: any), or NULL and the pipeline's status. */
dnnl_primitive_desc_t onednn_describe(struct pipeline *pipeline, const void *operation, dnnl_primitive_attr_t attributes,
                                      dnnl_primitive_desc_t forward, const char *wanted, const char *what);
/* "jit:avx512_core" */
const char *onednn_implementation(dnnl_primitive_desc_t desc);
/* plan->algorithm: the implementation, and the layouts of the images x (or dx) and y (or dy) that it works on. */
void onednn_name_algorithm(struct plan *plan, dnnl_primitive_desc_t desc, const dnnl_memory_desc_t *x,
                           const dnnl_memory_desc_t *y);

#endif
