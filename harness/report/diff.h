/* diff: two builds' times on the same layers -> verdicts, per layer and for the whole network. Pure arithmetic on samples: no
 * clock, no files, no workers.
 *
 * The effect is the logarithm of new over old. Each build runs in two workers, so that the accidents of one process (where its
 * pages and code lie) are halved in the effect and measured by the control: a build against itself. A change is called only if
 * the exact interval of the median excludes no change, its p-value holds after Holm's correction, and it is at least the
 * threshold and twice the noise floor. */
#ifndef CONVOY_REPORT_DIFF_H
#define CONVOY_REPORT_DIFF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum diff_verdict { DIFF_INCONCLUSIVE, DIFF_EQUIVALENT, DIFF_IMPROVED, DIFF_REGRESSED, DIFF_COUNT };
const char *diff_verdict_name(enum diff_verdict verdict); /* "REGRESSED" */

enum { DIFF_OLD, DIFF_OLD_TWIN, DIFF_NEW, DIFF_NEW_TWIN, DIFF_RUNNERS };

/* One layer's times, round by round; the same rounds for all four. */
struct diff_layer {
    int64_t count; /* how often the network has it */
    size_t rounds;
    const double *ns[DIFF_RUNNERS];
};

struct diff_result {
    size_t rounds;
    double old_ns, new_ns;    /* medians; a build's time is the geometric mean of its two workers'   */
    double effect, low, high; /* logarithms of new over old: median and 95 % interval                */
    double p, p_equivalent;   /* p: corrected for the layers                                         */
    double floor;             /* noise, as a logarithm                                               */
    double least;             /* what a change had to be at least                                    */
    enum diff_verdict verdict;
};

/* threshold: as a fraction, 0.03. Fills result[layers] and *network (sums over layers of count * time, round by round).
 * False: out of memory. */
bool diff_judge(const struct diff_layer *layer, size_t layers, double threshold, struct diff_result *result,
                struct diff_result *network);

/* What a second, independent run makes of the first verdict: a change must be found again; an open question is answered by both
 * runs together (pooled). */
enum diff_verdict diff_confirm(enum diff_verdict first, enum diff_verdict second, enum diff_verdict pooled);

/* Two result files: medians and spreads of runs apart in time, so a normal approximation and no control. */
struct diff_median {
    int64_t count;
    double old_ns, old_mad_ns, new_ns, new_mad_ns;
    int64_t old_rounds, new_rounds;
};
bool diff_judge_medians(const struct diff_median *layer, size_t layers, double threshold, struct diff_result *result,
                        struct diff_result *network);

#endif
