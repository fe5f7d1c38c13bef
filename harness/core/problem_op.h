/* problem_op: the tables of operations and keys: one row for each word that may stand before the colon of a problem string, and
 * one for each that may stand after it. Shared by the problem_*.c files; others use problem.h. */
#ifndef CONVOY_CORE_PROBLEM_OP_H
#define CONVOY_CORE_PROBLEM_OP_H

#include "core/problem.h"

enum problem_key {
    KEY_N, KEY_C, KEY_H, KEY_W, KEY_K, KEY_KH, KEY_KW, KEY_G, KEY_S, KEY_SH, KEY_SW, KEY_D, KEY_DH, KEY_DW,
    KEY_P, KEY_PT, KEY_PB, KEY_PL, KEY_PR, KEY_OPH, KEY_OPW, KEY_B, KEY_R, KEY_NOINDEX, KEY_CEIL, KEY_GLOBAL,
    KEY_EPS, KEY_MOM, KEY_CLASSES, KEY_ALPHA, KEY_BETA, KEY_COUNT
};
#define KEY_BIT(key) (UINT32_C(1) << (key))

enum problem_key_type { KEY_EXTENT, KEY_PADDING, KEY_SWITCH, KEY_RULE, KEY_POSITIVE_REAL, KEY_REAL };
struct problem_key_info {
    const char *name;
    enum problem_key_type type;
};
extern const struct problem_key_info problem_keys[KEY_COUNT];

struct problem_op {
    const char *name;
    convoy_op op;              /* 0: a word that is only read (conv_transpose)               */
    int32_t kind;              /* pooling and element-wise kinds, else 0                       */
    enum problem_family family;
    enum problem_pass pass;
    uint32_t keys, required;   /* sets of KEY_BIT                                              */
    uint32_t flags;            /* those of convoy.h that mean something here                   */
    int32_t other_kind;        /* element-wise: the kind of the same layer in the other direction, 0: none */
    int32_t element_flops;     /* batch norm and element-wise: operations per element          */
};
extern const float problem_default_eps, problem_default_momentum;
extern const struct problem_op problem_ops[];
extern const size_t problem_op_count;

/* The row of a problem by its code and kind; NULL: there is none. [any] */
const struct problem_op *problem_op_find(const union problem *problem);

/* The row of a word; NULL: there is none. [any] */
const struct problem_op *problem_op_by_name(const char *name, size_t length);

/* 0 for operations without kinds. [any] */
int32_t problem_kind(const union problem *problem);

#endif
