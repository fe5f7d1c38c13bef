/* golden: one worked example, written as text. */
#ifndef CONVOY_GOLDEN_GOLDEN_H
#define CONVOY_GOLDEN_GOLDEN_H

#include <stdbool.h>

/* Tensors are "slot: values; slot: values". A value is a number, a*b (a, b times) or a..b (a, a+1, ..., b); '/' ends a row
 * for the reader only. */
struct golden {
    const char *name, *problem, *inputs, *outputs;
    double divide;    /* the expected values are those listed over this; 0 means 1      */
    double tolerance; /* allowed |difference|; 0: exact                                 */
    bool squared;     /* listed are the squares of the outputs                          */
};

#endif
