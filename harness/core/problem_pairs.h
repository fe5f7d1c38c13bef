/* problem_pairs: the lexical half of reading a problem string: from text to an operation and the numbers of its keys.
 * Knows the grammar and which keys an operation has, not what they mean. */
#ifndef CONVOY_CORE_PROBLEM_PAIRS_H
#define CONVOY_CORE_PROBLEM_PAIRS_H

#include "core/problem_op.h"

struct pairs {
    const struct problem_op *op;
    uint32_t given;             /* set of KEY_BIT                                         */
    int64_t integer[KEY_COUNT]; /* within the key's range; int32_t except a count         */
    float real[KEY_COUNT];
};

/* Reads the whole text; every required key is there afterwards. Errors as problem_parse. [any] */
convoy_status pairs_read(const char *text, struct pairs *pairs, struct convoy_error *err);

#endif
