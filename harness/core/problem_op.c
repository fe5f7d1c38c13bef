#include "core/problem_op.h"

#include <string.h>

const struct problem_key_info problem_keys[KEY_COUNT] = {
    [KEY_N] = {"n", KEY_EXTENT},
    [KEY_C] = {"c", KEY_EXTENT},
    [KEY_H] = {"h", KEY_EXTENT},
    [KEY_W] = {"w", KEY_EXTENT},
    [KEY_K] = {"k", KEY_EXTENT},
    [KEY_KH] = {"kh", KEY_EXTENT},
    [KEY_KW] = {"kw", KEY_EXTENT},
    [KEY_G] = {"g", KEY_EXTENT},
    [KEY_S] = {"s", KEY_EXTENT},
    [KEY_SH] = {"sh", KEY_EXTENT},
    [KEY_SW] = {"sw", KEY_EXTENT},
    [KEY_D] = {"d", KEY_EXTENT},
    [KEY_DH] = {"dh", KEY_EXTENT},
    [KEY_DW] = {"dw", KEY_EXTENT},
    [KEY_P] = {"p", KEY_PADDING},
    [KEY_PT] = {"pt", KEY_PADDING},
    [KEY_PB] = {"pb", KEY_PADDING},
    [KEY_PL] = {"pl", KEY_PADDING},
    [KEY_PR] = {"pr", KEY_PADDING},
    [KEY_OPH] = {"oph", KEY_PADDING},
    [KEY_OPW] = {"opw", KEY_PADDING},
    [KEY_B] = {"b", KEY_SWITCH},
    [KEY_R] = {"r", KEY_SWITCH},
    [KEY_NOINDEX] = {"noindex", KEY_SWITCH},
    [KEY_CEIL] = {"ceil", KEY_RULE},
    [KEY_GLOBAL] = {"global", KEY_SWITCH},
    [KEY_EPS] = {"eps", KEY_POSITIVE_REAL},
    [KEY_MOM] = {"mom", KEY_POSITIVE_REAL},
    [KEY_CLASSES] = {"classes", KEY_EXTENT},
    [KEY_ALPHA] = {"alpha", KEY_REAL},
    [KEY_BETA] = {"beta", KEY_REAL},
};

const float problem_default_eps = 1e-5f, problem_default_momentum = 0.1f;

#define K(key) KEY_BIT(KEY_##key)
#define IMAGE_KEYS (K(N) | K(C) | K(H) | K(W))
#define WINDOW_KEYS                                                                                                              \
    (IMAGE_KEYS | K(KH) | K(KW) | K(S) | K(SH) | K(SW) | K(D) | K(DH) | K(DW) | K(P) | K(PT) | K(PB) | K(PL) | K(PR))
#define CONV_KEYS (WINDOW_KEYS | K(K) | K(G))
#define POOL_KEYS (WINDOW_KEYS | K(CEIL) | K(GLOBAL))
#define BN_KEYS (IMAGE_KEYS | K(EPS) | K(MOM))

#define CONV(word, code, in_pass, more_keys, allowed_flags)                                                                      \
    {                                                                                                                            \
        .name = word, .op = code, .family = FAMILY_CONV, .pass = in_pass, .keys = CONV_KEYS | (more_keys),                       \
        .required = K(C) | K(H) | K(K) | K(KH), .flags = allowed_flags                                                           \
    }
/* kh is required unless global1 takes its place, which the parser knows. */
#define POOL(word, code, of_kind, in_pass, more_keys, allowed_flags)                                                             \
    {                                                                                                                            \
        .name = word, .op = code, .kind = of_kind, .family = FAMILY_POOL, .pass = in_pass, .keys = POOL_KEYS | (more_keys),      \
        .required = K(C) | K(H), .flags = allowed_flags                                                                          \
    }
#define BN(word, code, in_pass, more_keys, allowed_flags, flops)                                                                 \
    {                                                                                                                            \
        .name = word, .op = code, .family = FAMILY_BN, .pass = in_pass, .keys = BN_KEYS | (more_keys), .required = K(C) | K(H),  \
        .flags = allowed_flags, .element_flops = flops                                                                           \
    }
#define ELT(word, of_kind, in_pass, more_keys, more_required, inverse, flops)                                                    \
    {                                                                                                                            \
        .name = word, .op = CONVOY_ELTWISE, .kind = of_kind, .family = FAMILY_ELTWISE, .pass = in_pass,                          \
        .keys = K(N) | (more_keys), .required = K(N) | (more_required), .other_kind = inverse, .element_flops = flops            \
    }

/* Operations per element count each add, multiply, divide, comparison, exp, log and tanh as one.
 *   bn_train: 1 for the sum, 3 for the squared differences, 2 for scale and shift
 *   bn_bwd:   2 for xhat, 3 for the two sums, 4 for dy - sum(dy)/m - xhat*sum(dy*xhat)/m times a factor
 *   xent:     maximum, exp of a difference (2), sum; xent_bwd also divides by the sum and scales
 *   sgd:      four multiply-adds */
const struct problem_op problem_ops[] = {
    CONV("conv_fwd", CONVOY_CONV_FWD, PASS_FWD, K(B) | K(R), CONVOY_WITH_BIAS | CONVOY_WITH_RELU),
    CONV("conv_bwd_data", CONVOY_CONV_BWD_DATA, PASS_BWD_DATA, 0, 0),
    CONV("conv_bwd_weights", CONVOY_CONV_BWD_WEIGHTS, PASS_BWD_WEIGHTS, K(B), CONVOY_WITH_BIAS),
    CONV("conv_transpose", 0, PASS_BWD_DATA, K(OPH) | K(OPW), 0),

    POOL("maxpool_fwd", CONVOY_POOL_FWD, CONVOY_POOL_MAX, PASS_FWD, K(NOINDEX), CONVOY_NO_INDEX),
    POOL("avgpool_fwd", CONVOY_POOL_FWD, CONVOY_POOL_AVG_PAD, PASS_FWD, 0, 0),
    POOL("avgpoolx_fwd", CONVOY_POOL_FWD, CONVOY_POOL_AVG_VALID, PASS_FWD, 0, 0),
    POOL("l2pool_fwd", CONVOY_POOL_FWD, CONVOY_POOL_L2, PASS_FWD, 0, 0),
    POOL("maxpool_bwd", CONVOY_POOL_BWD, CONVOY_POOL_MAX, PASS_BWD_DATA, 0, 0),
    POOL("avgpool_bwd", CONVOY_POOL_BWD, CONVOY_POOL_AVG_PAD, PASS_BWD_DATA, 0, 0),
    POOL("avgpoolx_bwd", CONVOY_POOL_BWD, CONVOY_POOL_AVG_VALID, PASS_BWD_DATA, 0, 0),
    POOL("l2pool_bwd", CONVOY_POOL_BWD, CONVOY_POOL_L2, PASS_BWD_DATA, 0, 0),

    BN("bn_train", CONVOY_BN_TRAIN, PASS_FWD, K(R), CONVOY_WITH_RELU, 6),
    BN("bn_infer", CONVOY_BN_INFER, PASS_FWD, K(R), CONVOY_WITH_RELU, 2),
    BN("bn_bwd", CONVOY_BN_BWD, PASS_BWD_DATA, 0, 0, 9),

    ELT("relu", CONVOY_ELT_RELU, PASS_FWD, 0, 0, CONVOY_ELT_RELU_BWD, 1),
    ELT("leaky", CONVOY_ELT_LEAKY, PASS_FWD, K(ALPHA), 0, CONVOY_ELT_LEAKY_BWD, 2),
    ELT("sigmoid", CONVOY_ELT_SIGMOID, PASS_FWD, 0, 0, CONVOY_ELT_SIGMOID_BWD, 3),
    ELT("tanh", CONVOY_ELT_TANH, PASS_FWD, K(ALPHA) | K(BETA), 0, CONVOY_ELT_TANH_BWD, 3),
    ELT("elu", CONVOY_ELT_ELU, PASS_FWD, K(ALPHA) | K(BETA), 0, CONVOY_ELT_ELU_BWD, 4),
    ELT("softplus", CONVOY_ELT_SOFTPLUS, PASS_FWD, 0, 0, CONVOY_ELT_SOFTPLUS_BWD, 3),
    ELT("hardtanh", CONVOY_ELT_HARDTANH, PASS_FWD, 0, 0, CONVOY_ELT_HARDTANH_BWD, 2),
    ELT("softsign", CONVOY_ELT_SOFTSIGN, PASS_FWD, 0, 0, CONVOY_ELT_SOFTSIGN_BWD, 3),
    ELT("relu_bwd", CONVOY_ELT_RELU_BWD, PASS_BWD_DATA, 0, 0, CONVOY_ELT_RELU, 1),
    ELT("leaky_bwd", CONVOY_ELT_LEAKY_BWD, PASS_BWD_DATA, K(ALPHA), 0, CONVOY_ELT_LEAKY, 2),
    ELT("sigmoid_bwd", CONVOY_ELT_SIGMOID_BWD, PASS_BWD_DATA, 0, 0, CONVOY_ELT_SIGMOID, 3),
    ELT("tanh_bwd", CONVOY_ELT_TANH_BWD, PASS_BWD_DATA, K(ALPHA) | K(BETA), 0, CONVOY_ELT_TANH, 4),
    ELT("elu_bwd", CONVOY_ELT_ELU_BWD, PASS_BWD_DATA, K(ALPHA) | K(BETA), 0, CONVOY_ELT_ELU, 3),
    ELT("softplus_bwd", CONVOY_ELT_SOFTPLUS_BWD, PASS_BWD_DATA, 0, 0, CONVOY_ELT_SOFTPLUS, 3),
    ELT("hardtanh_bwd", CONVOY_ELT_HARDTANH_BWD, PASS_BWD_DATA, 0, 0, CONVOY_ELT_HARDTANH, 2),
    ELT("softsign_bwd", CONVOY_ELT_SOFTSIGN_BWD, PASS_BWD_DATA, 0, 0, CONVOY_ELT_SOFTSIGN, 4),
    ELT("add", CONVOY_ELT_ADD, PASS_FWD, K(ALPHA) | K(BETA), 0, 0, 3),
    ELT("mul", CONVOY_ELT_MUL, PASS_FWD, 0, 0, 0, 1),
    ELT("scale", CONVOY_ELT_SCALE, PASS_FWD, K(ALPHA) | K(BETA), 0, 0, 2),
    ELT("xent", CONVOY_ELT_XENT, PASS_FWD, K(CLASSES), K(CLASSES), CONVOY_ELT_XENT_BWD, 4),
    ELT("xent_bwd", CONVOY_ELT_XENT_BWD, PASS_BWD_DATA, K(CLASSES) | K(ALPHA), K(CLASSES), CONVOY_ELT_XENT, 6),
    ELT("sgd", CONVOY_ELT_SGD, PASS_BWD_WEIGHTS, 0, 0, 0, 8),
};
const size_t problem_op_count = sizeof problem_ops / sizeof *problem_ops;
_Static_assert(sizeof problem_ops / sizeof *problem_ops == 4 + 2 * 4 + 3 + (CONVOY_ELT_COUNT - 1),
               "one row for each operation and kind");
_Static_assert(KEY_COUNT <= 32, "the keys fit their set");

int32_t problem_kind(const union problem *problem)
{
    switch (problem->head.op) {
    case CONVOY_POOL_FWD:
    case CONVOY_POOL_BWD:
        return problem->pool.kind;
    case CONVOY_ELTWISE:
        return problem->eltwise.kind;
    default:
        return 0;
    }
}

const struct problem_op *problem_op_find(const union problem *problem)
{
    const int32_t kind = problem_kind(problem);
    for (size_t row = 0; row < problem_op_count; row++) {
        if (problem_ops[row].op && problem_ops[row].op == problem->head.op && problem_ops[row].kind == kind)
            return &problem_ops[row];
    }
    return NULL;
}

const struct problem_op *problem_op_by_name(const char *name, size_t length)
{
    for (size_t row = 0; row < problem_op_count; row++) {
        if (strlen(problem_ops[row].name) == length && !memcmp(problem_ops[row].name, name, length))
            return &problem_ops[row];
    }
    return NULL;
}
