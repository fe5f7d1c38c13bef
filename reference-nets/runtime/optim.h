/* optim: one update of all learned values from their gradients. Works on the arenas of a model, in the host domain.
 * Order within a step: gradient clipping, weight penalties added to the gradient, the update, decoupled decay, max-norm, masks.
 * Knows models; must not know layers or data. */
#ifndef CONVOY_NETS_OPTIM_H
#define CONVOY_NETS_OPTIM_H

#include "runtime/model.h"

enum optim_kind { OPTIM_SGD, OPTIM_ADAGRAD, OPTIM_RMSPROP, OPTIM_ADAM, OPTIM_KIND_COUNT };

struct optim_options {
    enum optim_kind kind;
    double momentum;     /* SGD, RMSPROP                                                                   */
    bool nesterov;       /* g + mu*b, as PyTorch                                                           */
    bool rate_inside;    /* SGD: v = mu*v - rate*g; w += v (Caffe) instead of b = mu*b + g; w -= rate*b (PyTorch) */
    double beta1, beta2; /* ADAM: 0.9, 0.999; RMSPROP: alpha = beta2, 0.99                                 */
    double eps;          /* ADAM 1e-8, RMSPROP 1e-8, ADAGRAD 1e-10                                         */
    bool eps_inside;     /* sqrt(v + eps) instead of sqrt(v) + eps                                         */
    bool centered;       /* RMSPROP                                                                        */
    bool amsgrad;        /* ADAM                                                                           */
    double weight_decay; /* lambda: adds lambda*w to the gradient                                          */
    double l1;           /* adds l1*sign(w)                                                                */
    bool decoupled;      /* weight_decay is w -= rate*lambda*w instead (AdamW)                             */
    double max_norm;     /* 0: none; of each output unit's weights, after the update                       */
    double clip_norm;    /* 0: none; global L2 norm of all gradients                                       */
    double clip_value;   /* 0: none; each gradient element                                                 */
    bool decay_all;      /* biases and normalisation parameters decay too                                  */
};

/* Defaults of a kind, as PyTorch has them. [any] */
struct optim_options optim_defaults(enum optim_kind kind);
const char *optim_name(enum optim_kind kind); /* "sgd"                                                       */
bool optim_by_name(const char *name, enum optim_kind *kind);

struct optim;
convoy_status optim_create(struct model *model, const struct optim_options *options, struct optim **optim,
                           struct convoy_error *err);
void optim_free(struct optim *optim);

/* One step with the gradients in the model. host: its threads are used, and the result does not depend on their number.
 * *grad_norm (may be NULL): global L2 norm before clipping. */
convoy_status optim_step(struct optim *optim, const struct convoy_host *host, double rate, double *grad_norm,
                         struct convoy_error *err);

/* ½ lambda ||w||^2 + l1 |w|_1 over what decays: reported beside the loss. */
double optim_penalty(const struct optim *optim);

/* State for checkpoints: arrays of the length of the model's arena, by name ("momentum", "exp_avg", ...), and the step count. */
int optim_states(const struct optim *optim);
const char *optim_state_name(const struct optim *optim, int index);
float *optim_state(struct optim *optim, int index);
int64_t *optim_steps(struct optim *optim);

#endif
