/* naive: the reference backend, against which every other one is judged. Each output is the formula of convoy.h in double,
 * rounded once. The same sums serve execute (values as floats) and the referee (values with their scale terms).
 * Must not know how a fast backend computes: no blocking that changes a sum's terms, no workspace, no prepared weights. */
#ifndef CONVOY_NAIVE_NAIVE_H
#define CONVOY_NAIVE_NAIVE_H

#include <convoy/convoy.h>
#include <convoy/plugin.h>
#include <convoy/referee.h>

union problem {
    struct convoy_problem head;
    struct convoy_conv conv;
    struct convoy_pool pool;
    struct convoy_bn bn;
    struct convoy_eltwise eltwise;
};

/* One call: the problem, its tensors, and what many outputs share (BN: one bn_statistics per channel; XENT: one xent_row per
 * row), which only the referee fills. */
struct job {
    const struct convoy_host *host;
    const union problem *problem;
    void *slot[CONVOY_NSLOTS];
    void *statistics;
};

/* ---- supports.c ---- */

/* Checks the problem and copies it to *copy, which may be NULL. [any] */
convoy_status supports_problem(const struct convoy_problem *problem, union problem *copy, struct convoy_error *err);

/* ---- binding.c: which slots a problem reads and writes ---- */

uint32_t binding_reads(const union problem *problem); /* bit s: slot s */
uint32_t binding_writes(const union problem *problem);
uint64_t binding_elements(const union problem *problem, uint32_t slot); /* of an output */

/* Resolves the slots of args; CONVOY_INVALID if one of `required` is missing or a label is no class. */
convoy_status binding_resolve(struct job *job, const struct convoy_args *args, uint32_t required, struct convoy_error *err);

/* ---- one family each: execute writes all outputs; element evaluates one output element ---- */

void conv_execute(const struct job *job);
void conv_terms(const struct job *job, uint32_t slot, struct convoy_verdict_terms *terms); /* all elements of the slot */
struct convoy_verdict_terms conv_element(const struct job *job, uint32_t slot, uint64_t element);
struct convoy_verdict_terms conv_weight_element(const struct job *job, uint64_t element);

void pool_execute(const struct job *job);
struct convoy_verdict_terms pool_element(const struct job *job, uint32_t slot, uint64_t element);

/* One channel. TRAIN and INFER: mean, var, istd, abs_mean = mean|x|. BWD: mean and istd as given, and the sums over dy. */
struct bn_statistics {
    double mean, var, istd, abs_mean;
    double dy, dy_xhat;         /* sum dy, sum dy*xhat                */
    double abs_dy, abs_dy_xhat; /* the same of absolute values        */
    double dy_norm, xhat_norm;  /* 2-norms                            */
};
struct bn_statistics bn_channel(const struct job *job, int64_t c);
void bn_execute(const struct job *job);
struct convoy_verdict_terms bn_element(const struct job *job, const struct bn_statistics *channel, uint32_t slot,
                                       uint64_t element);

/* One row of logits: the maximum and log(sum exp(x - max)). */
struct xent_row {
    double max, log_sum;
};
struct xent_row eltwise_row(const struct job *job, int64_t row);
void eltwise_execute(const struct job *job);
struct convoy_verdict_terms eltwise_element(const struct job *job, const struct xent_row *row, uint32_t slot, uint64_t element);

/* max(0, v); NaN stays NaN. */
double eltwise_relu(double v);

/* ---- referee.c ---- */

extern const struct convoy_referee naive_referee;

#endif
