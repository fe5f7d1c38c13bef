/* init: first values of a model's parameters, by role and fans; a pure function of the seed. */
#ifndef CONVOY_NETS_INIT_H
#define CONVOY_NETS_INIT_H

#include "runtime/exec.h"
#include "runtime/model.h"

enum init_kind {
    INIT_HE_NORMAL,
    INIT_HE_UNIFORM, /* sqrt(2/fan_in)                                               */
    INIT_XAVIER_NORMAL,
    INIT_XAVIER_UNIFORM, /* sqrt(2/(fan_in+fan_out))                                     */
    INIT_GAUSSIAN,       /* scale, default 0.01                                          */
    INIT_ORTHONORMAL,
    INIT_LSUV, /* orthonormal, then init_lsuv                                  */
    INIT_KIND_COUNT
};

struct init_options {
    enum init_kind kind;
    double scale;         /* GAUSSIAN; 0 means 0.01                                                                */
    double bias;          /* constant of biases                                                                    */
    bool zero_last_gamma; /* gamma of the last normalisation before each sum starts at 0 (arXiv 1706.02677) */
};

/* Weights by kind (of heads N(0, 0.01^2) instead of He's and Xavier's), biases constant, gamma and running variances 1, beta and
 * running means 0, slopes 0.25; masks applied. */
convoy_status init_model(struct model *model, const struct init_options *options, uint64_t seed, struct convoy_error *err);

/* Layer-sequential unit variance (arXiv 1511.06422): scales each layer's weights until the variance of its output on the batch in
 * exec_input is 1 within 0.1, at most 10 rounds a layer. exec is of EXEC_PLAIN. */
convoy_status init_lsuv(struct model *model, struct exec *exec, struct convoy_error *err);

const char *init_name(enum init_kind kind); /* "he-normal"                                                   */
bool init_by_name(const char *name, enum init_kind *kind);

#endif
