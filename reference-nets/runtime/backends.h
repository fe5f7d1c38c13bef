/* backends: the plugins of a process, opened once per variant, and operations: a problem planned on one of them, run on tensors.
 * Which backend gets a problem is asked of a chooser (assign.h). Knows plugins and tensors; must not know layers or networks.
 * One thread at a time. */
#ifndef CONVOY_NETS_BACKENDS_H
#define CONVOY_NETS_BACKENDS_H

#include "core/problem.h"
#include "core/slots.h"
#include "runtime/tensor.h"

struct backends;

/* "im2col" or "winograd:f4". */
enum { BACKEND_NAME_BYTES = 64 };

/* Names the backend of a problem into name; the first candidate is rank 0. Returns false where there are no more; then
 * "im2col" and "naive" are tried. [one thread] */
struct chooser {
    bool (*choose)(const void *context, const union problem *problem, int rank, char name[BACKEND_NAME_BYTES]);
    const void *context;
};

/* Where the time of a step goes. */
enum spent { SPENT_CONV, SPENT_POOL, SPENT_BN, SPENT_REST, SPENT_COUNT };

/* folders: extra plugin folders, NULL-ended, or NULL. On failure NULL and err. */
struct backends *backends_open(uint32_t threads, const char *const *folders, struct chooser chooser, struct convoy_error *err);
void backends_close(struct backends *backends); /* after all its operations are gone */

/* Sums over the processes of a data-parallel run, for layers whose statistics are those of the whole batch. Set before execs are
 * made; NULL (the default): each process by itself. The struct must outlive them. */
struct exchange {
    convoy_status (*sum)(double *values, int64_t count, void *context, struct convoy_error *err);
    void *context;
    int32_t processes;
};
void backends_set_exchange(struct backends *backends, const struct exchange *exchange);
const struct exchange *backends_exchange(const struct backends *backends);

const struct convoy_host *backends_host(const struct backends *backends);
uint32_t backends_threads(const struct backends *backends);
void backends_spend(struct backends *backends, enum spent spent, int64_t ns);
const int64_t *backends_spent_ns(const struct backends *backends); /* [SPENT_COUNT], since the last reset */
void backends_spent_reset(struct backends *backends);

/* Whether the backend that is the first choice for a problem takes it: a variation of a problem, such as a folded ReLU, is not
 * worth another backend. False where nothing is chosen. */
bool backends_first_takes(struct backends *backends, const union problem *problem);

/* An operation: one problem on one backend. Equal problems share a plan. */
struct op;
enum op_weights {
    OP_WEIGHTS_STAY,  /* prepared weights are kept, and made again when the tensor in CONVOY_W has another version */
    OP_WEIGHTS_CHANGE /* training: prepared in every run, in memory that all operations share                      */
};
convoy_status op_open(struct backends *backends, const union problem *problem, enum op_weights weights, struct op **op,
                      struct convoy_error *err);
void op_close(struct op *op);
const char *op_backend(const struct op *op); /* "winograd:f4"                                          */
const char *op_class(const struct op *op);   /* of its arithmetic: "exact", "strict" or "fast"         */

/* Runs it. slot: CONVOY_NSLOTS tensors, NULL where unused; access follows from the slot's role. */
convoy_status op_run(struct op *op, struct tensor *const slot[CONVOY_NSLOTS], struct convoy_error *err);

#endif
