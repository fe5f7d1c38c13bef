/* problem: the value type for "what is to be computed", and its text form.
 *
 * Problem strings: an operation, a colon, then key+number pairs without separators, in any order:
 *     conv_fwd:n16c64h56k64kh3p1b1        maxpool_fwd:n1c64h112kh3s2p1      bn_train:n16c64h56      relu:n4096
 * Operations: conv_{fwd,bwd_data,bwd_weights}, conv_transpose (read only: becomes the conv_bwd_data that it is);
 *     {maxpool,avgpool,avgpoolx,l2pool}_{fwd,bwd}  (avgpoolx does not count padding);  bn_{train,infer,bwd};
 *     the element-wise kinds of convoy.h in lower case (relu, relu_bwd, leaky, ..., add, mul, scale, xent, xent_bwd, sgd).
 * Keys: n c h w k kh kw g   s sh sw (stride)   d dh dw (dilation)   p pt pb pl pr (padding)   oph opw (conv_transpose)
 *     b1 bias   r1 fused ReLU   noindex1   ceil1 (PyTorch rule) ceil2 (Caffe rule)   global1 (pooling over the whole image)
 *     eps mom (batch norm)   classes alpha beta (element-wise).
 *     n defaults to 1, w to h, kw to kh, sw to sh, dw to dh, the rest to 1 or 0 (eps 1e-5, mom 0.1, alpha and beta 1).
 *     Defaults never chain backwards: h, c (and k, kh for what needs them) must be given. For element-wise operations n is the
 *     count of values and must be given, and so must classes for xent. global1 takes the place of kh, kw, s, d, p and ceil.
 * problem_print writes only what is not a default, so print(parse(print(p))) == print(p) and parse(print(p)) == p. */
#ifndef CONVOY_CORE_PROBLEM_H
#define CONVOY_CORE_PROBLEM_H

#include <convoy/convoy.h>
#include <stdbool.h>

enum { PROBLEM_TEXT_BYTES = 256 };

union problem {
    struct convoy_problem head;
    struct convoy_conv conv;
    struct convoy_pool pool;
    struct convoy_bn bn;
    struct convoy_eltwise eltwise;
};

enum problem_family { FAMILY_CONV, FAMILY_POOL, FAMILY_BN, FAMILY_ELTWISE, FAMILY_COUNT };
enum problem_pass { PASS_FWD, PASS_BWD_DATA, PASS_BWD_WEIGHTS, PASS_COUNT };

/* Parses, completes and validates; on failure CONVOY_INVALID with a sentence that names the key and the value. [any] */
convoy_status problem_parse(const char *text, union problem *out, struct convoy_error *err);

/* Canonical text of a complete problem into buf (NUL-ended, cut at size); returns the length it has whole. [any] */
int problem_print(const union problem *problem, char *buf, size_t size);

/* Fills struct_size, dtype, layout and the output extents (pooling: keeps oh, ow if both fit the floor rule or one ceil rule, else
 * the floor rule), gives element-wise members that the kind does not use their one value, and validates: extents >= 1, kernel
 * within the padded input, groups divide c and k, pads below the pooling window's span and windows that see the input, flags
 * that the operation has, no byte count or MAC count over 2^62. [any] */
convoy_status problem_complete(union problem *problem, struct convoy_error *err);

enum problem_family problem_family(const union problem *problem);
const char *family_name(enum problem_family family);       /* "conv" "pool" "bn" "eltwise"                 */
enum problem_pass problem_pass(const union problem *problem); /* bn_bwd and pool_bwd: bwd-data; SGD: bwd-weights */
const char *pass_name(enum problem_pass pass);             /* "fwd" "bwd-data" "bwd-weights"               */
const char *problem_op_name(const union problem *problem); /* the word before the colon: "maxpool_fwd"     */

/* The same layer in another pass (pool_fwd <-> pool_bwd, bn_train -> bn_bwd, relu <-> relu_bwd, conv between its three).
 * False where the layer has no such pass. [any] */
bool problem_other_pass(const union problem *problem, enum problem_pass pass, union problem *out);

/* The same layer at another batch size. An element-wise count is taken as that of one sample and multiplied (SGD, which works on
 * parameters, keeps its own). [any] */
convoy_status problem_with_batch(const union problem *problem, int32_t n, union problem *out, struct convoy_error *err);

/* "Effective" operations: 2 per multiply-add of the direct algorithm for convolutions, one per window tap for pooling, a
 * stated small number per element for the rest (they are judged by bytes, not by operations). [any] */
int64_t problem_flops(const union problem *problem);

bool problem_equal(const union problem *a, const union problem *b);

#endif
