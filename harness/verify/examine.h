/* examine: one data set against one plan: what every output should be and how far it may be off, and the judgement of what the
 * rig produced. Knows nothing of which data sets a problem needs. */
#ifndef CONVOY_VERIFY_EXAMINE_H
#define CONVOY_VERIFY_EXAMINE_H

#include "verify/compare.h"
#include "verify/rig.h"
#include "verify/sample.h"
#include "verify/tolerance.h"

struct examination {
    const char *name; /* "integers", "uniform data": opens every sentence   */
    const struct tensors *inputs;
    const struct tolerance *tolerance;
    bool integers;                       /* judged as tier 0: exact or nearest integer         */
    bool judge_rms;                      /* the data are what the RMS gates were made with     */
    struct sample sample[CONVOY_NSLOTS]; /* index NULL: all elements                           */
    struct answer answer[CONVOY_NSLOTS];
    double *bound[CONVOY_NSLOTS], *unstable[CONVOY_NSLOTS];
};

/* The worst over all outputs of one or more judgements. */
struct measures {
    double error_in_bounds, l2_rel, max_rel, backward_error;
    uint64_t with_terms, nonzero;
};

/* Asks the referee about all outputs of `inputs`, or, with sample_most > 0, about so many sampled elements of each. On failure
 * the finding is NOT_RUN and there is nothing to close. */
bool examine_open(struct examination *e, const char *name, const struct oracle *oracle, const struct tensors *inputs,
                  const struct tolerance *tolerance, bool integers, uint64_t sample_most, uint64_t seed, struct finding *finding);
void examine_close(struct examination *e);

/* Whether the bounds of all convolution outputs for data of any kind lie below `limit`, so that rounding to the nearest integer
 * decides. */
bool examine_bounds_below(const struct examination *e, double limit);

/* Judges all outputs as they are in the rig: UNWRITTEN, FAIL, MARGINAL. `measures` may be NULL. */
bool examine_judge(const struct examination *e, struct rig *rig, struct measures *measures, struct finding *finding);

#endif
