/* exec: a model at one batch size: activations, their gradients, and one operation per layer and pass.
 * forward reads exec_input and leaves every head's output; backward reads the gradients that the losses left in
 * exec_head_grad and overwrites the model's gradients. Several execs may share a model (training, evaluation, a last short
 * batch), one running at a time. Knows layers by their table of functions only. */
#ifndef CONVOY_NETS_EXEC_H
#define CONVOY_NETS_EXEC_H

#include "runtime/backends.h"
#include "runtime/model.h"

enum exec_mode {
    EXEC_TRAIN,
    EXEC_CHECK, /* EXEC_TRAIN with the gradient of the image                                             */
    EXEC_PLAIN, /* EXEC_TRAIN with nothing folded, in place or reused: every output can be looked at     */
    EXEC_EVAL   /* no backward, running statistics, no dropout, main head only                           */
};

struct exec;

/* Memory of activations is planned by lifetime: an evaluation keeps only what is still read. */
convoy_status exec_create(struct model *model, struct backends *backends, int32_t batch, enum exec_mode mode, struct exec **exec,
                          struct convoy_error *err);
void exec_free(struct exec *exec);

/* Random layers draw from (seed, step, layer): the same for every thread count. */
void exec_seed(struct exec *exec, uint64_t seed, uint64_t step);

struct tensor *exec_input(struct exec *exec);                   /* batch,c,h,w                            */
struct tensor *exec_head(struct exec *exec, int32_t head);      /* batch,c(,h,w): logits                  */
struct tensor *exec_head_grad(struct exec *exec, int32_t head); /* NULL in EXEC_EVAL                      */
convoy_status exec_forward(struct exec *exec, struct convoy_error *err);
convoy_status exec_backward(struct exec *exec, struct convoy_error *err);

struct tensor *exec_input_grad(struct exec *exec); /* NULL but in EXEC_CHECK                 */

int32_t exec_batch(const struct exec *exec);
int64_t exec_activation_bytes(const struct exec *exec);
/* Output of a layer, for norms, sparsity and tests; valid until a later layer reuses its
 * memory, in EXEC_PLAIN until the next forward. */
struct tensor *exec_output(struct exec *exec, int32_t layer);
/* "winograd:f4", "" for layers of the runtime itself. pass as in problem.h. */
const char *exec_backend(const struct exec *exec, int32_t layer, enum problem_pass pass);
/* The class of its arithmetic: "exact", "strict", "fast", or "". */
const char *exec_class(const struct exec *exec, int32_t layer, enum problem_pass pass);

#endif
