/* convoy.h: everything that a kernel plugin and the harness agree on.
 *
 * A plugin is a shared object named convoy_NAME.so that exports one data symbol, convoy_plugin_v1. Calls come in
 * this order:
 *
 *     open -> supports -> plan -> info -> (the caller allocates) -> [prepare ->] execute ... -> sync -> destroy -> close
 *
 * Rules for every struct here: it starts with struct_size (or sits inside one that does) and only grows at the end;
 * the reader uses a member only if struct_size covers it (convoy_has in plugin.h); reserved members are zero.
 * An incompatible change gets a new symbol name (convoy_plugin_v2), a compatible one a new last member and a higher
 * CONVOY_ABI_MINOR, an optional feature an extension id that carries its revision ("convoy.referee/1").
 *
 * Thread tags end the comment of each function: [any] may run concurrently with anything; [instance] calls on one
 * instance never overlap; [plan] calls on one plan never overlap, those on different plans may.
 *
 * Tensors are contiguous, row-major, 4-byte aligned; workspace and prepared weights are aligned to memory->align. */
#ifndef CONVOY_CONVOY_H
#define CONVOY_CONVOY_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define CONVOY_ABI_MAJOR 1u
#define CONVOY_ABI_MINOR 0u
#define CONVOY_EXPORT __attribute__((visibility("default")))

/* ---- answers ---- */

typedef int32_t convoy_status;
enum {
    CONVOY_OK = 0,
    CONVOY_UNSUPPORTED = 1, /* a normal no: why and text say which property                                    */
    CONVOY_INVALID = -1,    /* the caller's fault: a malformed problem or argument                             */
    CONVOY_FAILED = -2,     /* the world's fault: a device, a file, a library                                  */
    CONVOY_NO_MEMORY = -3
};

typedef uint32_t convoy_why; /* the property that a refusal is about                                           */
enum {
    CONVOY_WHY_NONE, CONVOY_WHY_OP, CONVOY_WHY_DTYPE, CONVOY_WHY_LAYOUT, CONVOY_WHY_KERNEL, CONVOY_WHY_STRIDE,
    CONVOY_WHY_PAD, CONVOY_WHY_DILATION, CONVOY_WHY_GROUPS, CONVOY_WHY_SIZE, CONVOY_WHY_FLAGS, CONVOY_WHY_MEMORY,
    CONVOY_WHY_HARDWARE, CONVOY_WHY_OTHER, CONVOY_WHY_COUNT
};

struct convoy_error {     /* caller-allocated, may be NULL; written only when the status is not CONVOY_OK        */
    uint32_t struct_size;
    convoy_status status;
    convoy_why why;
    char text[244];       /* one sentence, no newline: "F(4,3) needs stride 1, got 2"                          */
};

/* ---- problems: a common head; read op, then cast ---- */

typedef uint32_t convoy_op;
enum {
    CONVOY_CONV_FWD = 1, CONVOY_CONV_BWD_DATA, CONVOY_CONV_BWD_WEIGHTS, CONVOY_POOL_FWD, CONVOY_POOL_BWD,
    CONVOY_BN_TRAIN, CONVOY_BN_INFER, CONVOY_BN_BWD, CONVOY_ELTWISE, CONVOY_OP_COUNT
};
enum { CONVOY_F32 = 1 };  /* dtype                                                                             */
enum { CONVOY_NCHW = 1 }; /* layout: x n,c,h,w; weights k,c/groups,kh,kw                                       */
enum {                    /* flags                                                                             */
    CONVOY_WITH_BIAS = 1, /* CONV_FWD reads BIAS; CONV_BWD_WEIGHTS also writes DBIAS                           */
    CONVOY_WITH_RELU = 2, /* CONV_FWD, BN_TRAIN, BN_INFER: y = max(0, y); NaN stays NaN                        */
    CONVOY_NO_INDEX = 4   /* max POOL_FWD: inference, INDEX is not written                                     */
};

struct convoy_problem {
    uint32_t struct_size; /* of the whole derived struct                                                       */
    convoy_op op;
    uint32_t dtype, layout, flags, reserved;
};

/* Cross-correlation. x: n,c,h,w   w: k,c/groups,kh,kw   y: n,k,oh,ow   bias: k.
 *   y[n,k,oh,ow] = bias[k] + sum over c,r,s of x[n, c, oh*stride_h - pad_t + r*dil_h, ow*stride_w - pad_l + s*dil_w] * w[k,c,r,s]
 * CONV_FWD: X, W|PREPARED, BIAS? -> Y.  CONV_BWD_DATA: DY, W|PREPARED -> DX.  CONV_BWD_WEIGHTS: X, DY -> DW, DBIAS?.
 * A transposed convolution is CONV_BWD_DATA used forward (convoy_conv_transpose in shape.h). */
struct convoy_conv {
    struct convoy_problem head;
    int32_t n, c, h, w;
    int32_t k, kh, kw, groups;
    int32_t stride_h, stride_w, dil_h, dil_w; /* dilation 1 = dense                                            */
    int32_t pad_t, pad_b, pad_l, pad_r;
    int32_t oh, ow;                           /* filled by the host                                            */
};

/* POOL_FWD: X -> Y, and INDEX for max. POOL_BWD: max DY, INDEX -> DX; average DY -> DX; L2 DY, X, Y -> DX (0 where y is 0).
 * Every window holds at least one element of x. Padding never wins a maximum and adds nothing to a sum.
 * INDEX[n,c,oh,ow] = r*kw + s of the first maximum in row order, NaN counting as the largest; uint8 where kh*kw <= 256,
 * else int32. L2 is sqrt(sum x^2). The floor and ceil size rules are resolved by the host: oh, ow are the truth. Average: PAD divides by the
 * elements of the window inside the padded image (a ceil-mode window may reach past it), VALID by those inside x. */
enum { CONVOY_POOL_MAX = 1, CONVOY_POOL_AVG_PAD, CONVOY_POOL_AVG_VALID, CONVOY_POOL_L2 };
struct convoy_pool {
    struct convoy_problem head;
    int32_t n, c, h, w;
    int32_t kind, kh, kw;
    int32_t stride_h, stride_w, dil_h, dil_w;
    int32_t pad_t, pad_b, pad_l, pad_r;
    int32_t oh, ow, reserved;
};

/* Per channel c over m = n*h*w elements: mu = sum(x)/m, var = sum((x-mu)^2)/m (biased), istd = 1/sqrt(var+eps).
 * BN_TRAIN: X, GAMMA, BETA, RUN_MEAN, RUN_VAR -> Y, SAVE_MEAN = mu, SAVE_ISTD = istd, and in place
 *     run_mean = (1-momentum)*run_mean + momentum*mu;  run_var the same with the unbiased var*m/(m-1) (m = 1: var).
 * BN_INFER: X, GAMMA, BETA, RUN_MEAN, RUN_VAR -> Y = gamma*(x-run_mean)/sqrt(run_var+eps) + beta.
 * BN_BWD:   X, DY, GAMMA, SAVE_MEAN, SAVE_ISTD -> DX, DGAMMA, DBETA (Ioffe & Szegedy, arXiv 1502.03167, section 3). */
struct convoy_bn {
    struct convoy_problem head;
    int32_t n, c, h, w;
    float eps, momentum;
};

/* Element by element over count values. Forward kinds: X -> Y (Y may alias X). Their _BWD: DY, Y -> DX (DX may alias DY);
 * each derivative is a function of y, so that X need not be kept. relu'(0) = 0.
 *   RELU max(0,x)   LEAKY x>0 ? x : alpha*x (alpha > 0)   SIGMOID 1/(1+exp(-x))   TANH alpha*tanh(beta*x)
 *   ELU x>0 ? beta*x : beta*alpha*(exp(x)-1)   SOFTPLUS log(1+exp(x))   HARDTANH clamp(x,-1,1)   SOFTSIGN x/(1+|x|)
 *   ADD   X, X2 -> Y = alpha*x + beta*x2        MUL X, X2 -> Y = x*x2        SCALE X -> Y = alpha*x + beta   (Y may alias X)
 *   XENT      X [count/classes rows][classes] logits, INDEX int32 [rows] -> Y [rows] = log(sum exp(x)) - x[label]
 *   XENT_BWD  X, INDEX -> DX = alpha*(softmax(x) - onehot(label)).   A negative label: loss 0, gradient 0.
 *   SGD   DW, SCALARS float[4] = rate, momentum, weight decay, nesterov (0 or 1); W and X2 (velocity) updated in place:
 *         g = dw + decay*w;  v = momentum*v + g;  w -= rate*(nesterov ? g + momentum*v : v)     */
enum {
    CONVOY_ELT_RELU = 1, CONVOY_ELT_LEAKY, CONVOY_ELT_SIGMOID, CONVOY_ELT_TANH, CONVOY_ELT_ELU, CONVOY_ELT_SOFTPLUS,
    CONVOY_ELT_HARDTANH, CONVOY_ELT_SOFTSIGN, CONVOY_ELT_RELU_BWD, CONVOY_ELT_LEAKY_BWD, CONVOY_ELT_SIGMOID_BWD,
    CONVOY_ELT_TANH_BWD, CONVOY_ELT_ELU_BWD, CONVOY_ELT_SOFTPLUS_BWD, CONVOY_ELT_HARDTANH_BWD, CONVOY_ELT_SOFTSIGN_BWD,
    CONVOY_ELT_ADD, CONVOY_ELT_MUL, CONVOY_ELT_SCALE, CONVOY_ELT_XENT, CONVOY_ELT_XENT_BWD, CONVOY_ELT_SGD,
    CONVOY_ELT_COUNT
};
struct convoy_eltwise {
    struct convoy_problem head;
    int64_t count;
    int32_t kind, classes;
    float alpha, beta;
};

/* ---- memory: one domain = one pointer; equal pointers mean that no copy is needed ---- */

struct convoy_memory;
struct convoy_buffer { struct convoy_memory *memory; void *host; uint64_t bytes; }; /* host NULL: not addressable */
struct convoy_tensor { struct convoy_buffer *buffer; uint64_t offset; };            /* offset in bytes            */

struct convoy_memory {    /* implemented by the host (host domain) or by a device plugin                       */
    uint32_t struct_size;
    uint32_t align;       /* of every allocation, at least 64                                                  */
    const char *name;     /* "host", "vulkan:0": for reports only                                              */
    convoy_status (*alloc)(struct convoy_memory *, uint64_t bytes, struct convoy_buffer **, struct convoy_error *); /* [instance] */
    void (*free)(struct convoy_memory *, struct convoy_buffer *);                                               /* [instance] */
    /* bytes is a multiple of 4; word is repeated. [instance] */
    convoy_status (*fill)(struct convoy_memory *, struct convoy_tensor, uint64_t bytes, uint32_t word, struct convoy_error *);
    /* Both return when the copy is done and wait for earlier work of the domain. [instance] */
    convoy_status (*upload)(struct convoy_memory *, struct convoy_tensor to, const void *from, uint64_t bytes, struct convoy_error *);
    convoy_status (*download)(struct convoy_memory *, void *to, struct convoy_tensor from, uint64_t bytes, struct convoy_error *);
};

/* ---- arguments: fixed slot numbers, the same for every backend; an unused slot has buffer NULL ---- */

enum {
    CONVOY_WORKSPACE, CONVOY_PREPARED, CONVOY_X, CONVOY_W, CONVOY_BIAS, CONVOY_Y, CONVOY_DX, CONVOY_DW, CONVOY_DBIAS,
    CONVOY_DY, CONVOY_INDEX, CONVOY_GAMMA, CONVOY_BETA, CONVOY_RUN_MEAN, CONVOY_RUN_VAR, CONVOY_SAVE_MEAN,
    CONVOY_SAVE_ISTD, CONVOY_DGAMMA, CONVOY_DBETA, CONVOY_X2, CONVOY_SCALARS, CONVOY_NSLOTS
};
/* Pointers are borrowed for the call. Outputs are overwritten, never accumulated; arguments alias only where said above. */
struct convoy_args { uint32_t struct_size, nslots; const struct convoy_tensor *slot; };

/* ---- what a plan promises ---- */

enum {                    /* numerics kind: the plugin names its arithmetic, the harness derives the bound      */
    CONVOY_NUM_EXACT = 1, /* no rounding beyond the last one: copies, maxima, fp64 accumulation rounded once    */
    CONVOY_NUM_DIRECT, CONVOY_NUM_GEMM, CONVOY_NUM_FFT, CONVOY_NUM_WINOGRAD,
    CONVOY_NUM_STATS      /* pooling sums, batch norm, element-wise functions in fp32                          */
};
enum {                    /* numerics flags                                                                    */
    CONVOY_DETERMINISTIC = 1,        /* same arguments and threads: same bits                                  */
    CONVOY_THREAD_INVARIANT = 2,     /* same bits for every thread count                                       */
    CONVOY_MAY_FLUSH_DENORMALS = 4,
    CONVOY_GAUSS = 8                 /* complex products by three multiplications                              */
};
enum { CONVOY_POINTS_TEXTBOOK = 1, CONVOY_POINTS_GOOD };
struct convoy_numerics {
    uint32_t kind, flags;
    uint32_t m, r;            /* Winograd F(m,r) per axis                                                      */
    uint32_t tile_h, tile_w;  /* FFT tile                                                                      */
    uint32_t points;          /* Winograd interpolation points                                                 */
    uint32_t split;           /* channels (tiles, for weight gradients) per partial sum; 0 = one chain         */
};
struct convoy_plan_info {
    uint32_t struct_size, flags;
    uint64_t workspace_bytes; /* contents undefined on entry, free for reuse on return (device: after sync)    */
    uint64_t prepared_bytes;  /* 0: the plan reads W itself and prepare is NULL                                */
    struct convoy_numerics numerics;
    char algorithm[40];       /* "F(4x4,3x3) tuple gemm"                                                       */
};

/* ---- plan, instance, host, plugin ---- */

struct convoy_plan { const struct convoy_plan_ops *ops; }; /* first member of the plugin's own plan struct      */
struct convoy_plan_ops {
    uint32_t struct_size, reserved;
    /* The caller sets struct_size; the plan fills what it covers. [any] */
    void (*info)(const struct convoy_plan *, struct convoy_plan_info *);
    /* Reads W, writes PREPARED; may use WORKSPACE. NULL: nothing to prepare. [plan] */
    convoy_status (*prepare)(struct convoy_plan *, const struct convoy_args *, struct convoy_error *);
    /* With prepared_bytes > 0 reads PREPARED and never W. A host plan allocates nothing here. [plan] */
    convoy_status (*execute)(struct convoy_plan *, const struct convoy_args *, struct convoy_error *);
    void (*destroy)(struct convoy_plan *); /* [plan] */
};

struct convoy_instance { const struct convoy_instance_ops *ops; struct convoy_memory *memory; };
struct convoy_instance_ops {
    uint32_t struct_size, reserved;
    /* CONVOY_OK promises that plan() succeeds unless memory or the device fails. Pure and fast. [any] */
    convoy_status (*supports)(const struct convoy_instance *, const struct convoy_problem *, struct convoy_error *);
    /* May be slow; sees no data; copies what it needs of the problem. [instance] */
    convoy_status (*plan)(struct convoy_instance *, const struct convoy_problem *, struct convoy_plan **, struct convoy_error *);
    /* Waits for all enqueued work. NULL: execute is synchronous. [instance] */
    convoy_status (*sync)(struct convoy_instance *, struct convoy_error *);
    void (*close)(struct convoy_instance *); /* after all its plans and buffers are gone [instance] */
};

enum { CONVOY_LOG_ERROR, CONVOY_LOG_WARNING, CONVOY_LOG_INFO, CONVOY_LOG_DEBUG };
struct convoy_host {      /* lives as long as the instance                                                     */
    uint32_t struct_size, abi_minor;
    uint32_t threads;     /* workers behind parallel, the caller among them                                    */
    uint32_t reserved;
    struct convoy_memory *memory;                                                                      /* the host domain */
    void (*log)(const struct convoy_host *, uint32_t level, const char *text);                         /* [any] */
    /* task(context, i, worker) once for each i in 0..n-1, in any order; worker < threads names the lane, so that scratch
     * memory can be indexed by it; returns when all are done. Only from inside plan, prepare or execute; not re-entrant. */
    void (*parallel)(const struct convoy_host *, void (*task)(void *context, size_t i, size_t worker), void *context, size_t n);
    const void *(*extension)(const struct convoy_host *, const char *id);                              /* [any] */
};

enum {                    /* threading                                                                         */
    CONVOY_THREADS_HOST = 1, /* only through host->parallel                                                    */
    CONVOY_THREADS_OWN,      /* its own threads, at most host->threads of them busy                            */
    CONVOY_THREADS_DEVICE
};
struct convoy_plugin {    /* the one exported object; readable without running any code; strings live forever  */
    uint32_t struct_size, abi_minor;
    const char *name;     /* of the file convoy_NAME.so: lower case letters, digits, '_'                       */
    const char *version, *author, *summary;
    const char *const *variants; /* algorithms by name, NULL-ended, the default first; NULL: only one          */
    uint32_t threading, reserved;
    /* variant NULL or "" means the first. The instance uses host until close. [any] */
    convoy_status (*open)(const struct convoy_host *host, const char *variant, struct convoy_instance **, struct convoy_error *);
    const void *(*extension)(const char *id); /* NULL: none; returns NULL for an unknown id [any] */
};
extern CONVOY_EXPORT const struct convoy_plugin convoy_plugin_v1;

#ifdef __cplusplus
}
#endif
#endif
