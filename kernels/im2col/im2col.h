/* im2col: the private types of this backend, shared by the files that plan and run its operations.
 * Knows the ABI; knows neither the BLAS nor how any operation computes. */
#ifndef CONVOY_IM2COL_IM2COL_H
#define CONVOY_IM2COL_IM2COL_H

#include "loops.h"
#include "tiling.h"
#include <convoy/convoy.h>

struct self;
struct plan;
struct implicit;

/* How a variant plans a convolution whose `plan` is already known to fit: with the BLAS in the pieces that `tile` makes, or by a
 * function of its own. */
struct variant {
    const char *name;
    struct tiling (*tile)(const struct convoy_conv *problem);
    convoy_status (*plan)(const struct self *self, struct plan *plan, struct convoy_error *err);
};

struct self {
    struct convoy_instance base;
    const struct convoy_host *host;
    const struct variant *variant;
    const struct loops *loops;
};

struct plan {
    struct convoy_plan base;
    const struct convoy_host *host;
    const struct loops *loops;
    union {
        struct convoy_problem head;
        struct convoy_conv conv;
        struct convoy_pool pool;
        struct convoy_bn bn;
        struct convoy_eltwise eltwise;
    } problem;
    convoy_status (*run)(const struct plan *plan, const struct convoy_args *args, struct convoy_error *err);
    convoy_status (*prepare)(const struct plan *plan, const struct convoy_args *args, struct convoy_error *err);
    uint32_t slots; /* a set of SLOT_BIT: execute gets all of these and reads no others, workspace apart */
    struct convoy_numerics numerics;
    uint64_t workspace_bytes, prepared_bytes; /* prepared_bytes > 0: there is a prepare                        */
    int stream;                               /* the tensors leave the caches: outputs are stored past them      */
    char algorithm[40];
    struct tiling tiling;      /* convolutions by the BLAS only                                            */
    struct implicit *implicit; /* the variant of that name only; owned                                     */
};

#define SLOT_BIT(slot) (UINT32_C(1) << (slot))

/* What each file answers for its operation. `supports` sees a problem whose struct size, data type, layout and flags are
 * already known to fit; `plan` gets a struct whose host, loops and problem are set and fills the rest. [any] */
convoy_status conv_supports(const struct self *self, const struct convoy_problem *problem, struct convoy_error *err);
convoy_status pool_supports(const struct self *self, const struct convoy_problem *problem, struct convoy_error *err);
convoy_status bn_supports(const struct self *self, const struct convoy_problem *problem, struct convoy_error *err);
convoy_status eltwise_supports(const struct self *self, const struct convoy_problem *problem, struct convoy_error *err);
void conv_plan(const struct self *self, struct plan *plan);
void pool_plan(const struct self *self, struct plan *plan);
void bn_plan(const struct self *self, struct plan *plan);
void eltwise_plan(const struct self *self, struct plan *plan);

#endif
