/* bn: what the passes of batch normalisation share. A task makes some channels; the loops are compiled for every instruction
 * set. Knows nothing of threads. */
#ifndef CONVOY_IM2COL_BN_H
#define CONVOY_IM2COL_BN_H

#include <convoy/convoy.h>
#include <stdint.h>

/* Channels whose sums are formed together, one to a lane: short channels cost more in reductions and roots than in data. */
enum { BN_GROUP = 16 };

struct bn_call {
    const struct convoy_bn *p;
    const float *x, *dy, *gamma, *beta;
    float *y, *dx, *dgamma, *dbeta;
    float *run_mean, *run_var, *save_mean, *save_istd; /* inference and backward read theirs              */
    int stream;                                        /* y or dx goes past the caches                    */
};

/* Channels first..first+count-1, count at most BN_GROUP. */
typedef void bn_channels(const struct bn_call *call, int64_t first, int64_t count);
struct bn_loops {
    bn_channels *train, *infer, *backward;
};
extern const struct bn_loops bn_loops_portable, bn_loops_avx2, bn_loops_avx512;

#endif
