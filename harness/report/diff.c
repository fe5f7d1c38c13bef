#include "report/diff.h"

#include "core/holm.h"
#include "core/signtest.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define LEVEL 0.95

const char *diff_verdict_name(enum diff_verdict verdict)
{
    static const char *const names[] = {[DIFF_INCONCLUSIVE] = "INCONCLUSIVE",
                                        [DIFF_EQUIVALENT] = "EQUIVALENT",
                                        [DIFF_IMPROVED] = "IMPROVED",
                                        [DIFF_REGRESSED] = "REGRESSED"};
    _Static_assert(sizeof names / sizeof names[0] == DIFF_COUNT, "a name for every verdict");
    return names[verdict];
}

/* The rule of all verdicts; effect, interval, p, floor and least are there. */
static enum diff_verdict judge(const struct diff_result *result, double margin)
{
    const bool clear = result->low > 0 || result->high < 0;
    if (clear && result->p <= 1 - LEVEL && fabs(result->effect) >= result->least)
        return result->effect > 0 ? DIFF_REGRESSED : DIFF_IMPROVED;
    if (result->low >= -margin && result->high <= margin && result->floor <= margin)
        return DIFF_EQUIVALENT;
    return DIFF_INCONCLUSIVE;
}

/* Median of log(b/a); scratch has room for the rounds. */
static double median_log_ratio(const double *a, const double *b, size_t rounds, double *scratch)
{
    for (size_t round = 0; round < rounds; round++)
        scratch[round] = log(b[round] / a[round]);
    return signtest_interval(scratch, rounds, LEVEL).median;
}

/* Effect, interval, both p-values and the own noise floor of four series. */
static void measure(const double *const ns[DIFF_RUNNERS], size_t rounds, double margin, double *scratch,
                    struct diff_result *result)
{
    *result = (struct diff_result){.rounds = rounds, .p = 1, .p_equivalent = 1, .low = -INFINITY, .high = INFINITY};
    if (!rounds)
        return;
    const double old_floor = median_log_ratio(ns[DIFF_OLD], ns[DIFF_OLD_TWIN], rounds, scratch);
    const double new_floor = median_log_ratio(ns[DIFF_NEW], ns[DIFF_NEW_TWIN], rounds, scratch);
    result->floor = sqrt((old_floor * old_floor + new_floor * new_floor) / 2);

    for (size_t round = 0; round < rounds; round++)
        scratch[round] = sqrt(ns[DIFF_OLD][round] * ns[DIFF_OLD_TWIN][round]);
    result->old_ns = signtest_interval(scratch, rounds, LEVEL).median;
    for (size_t round = 0; round < rounds; round++)
        scratch[round] = sqrt(ns[DIFF_NEW][round] * ns[DIFF_NEW_TWIN][round]);
    result->new_ns = signtest_interval(scratch, rounds, LEVEL).median;

    for (size_t round = 0; round < rounds; round++)
        scratch[round] =
            (log(ns[DIFF_NEW][round] / ns[DIFF_OLD][round]) + log(ns[DIFF_NEW_TWIN][round] / ns[DIFF_OLD_TWIN][round])) / 2;
    result->p = signtest_p(scratch, rounds, 0);
    result->p_equivalent = signtest_equivalence_p(scratch, rounds, margin);
    const struct signtest_interval interval = signtest_interval(scratch, rounds, LEVEL);
    result->effect = interval.median;
    result->low = interval.low;
    result->high = interval.high;
}

/* One control says little about its own layer (two workers may be alike by luck), so each layer's floor is at least their median.
 */
static void pool_floors(struct diff_result *result, size_t layers, double *scratch)
{
    size_t floors = 0;
    for (size_t at = 0; at < layers; at++) {
        if (result[at].rounds)
            scratch[floors++] = result[at].floor;
    }
    if (!floors)
        return;
    const double pooled = signtest_interval(scratch, floors, LEVEL).median;
    for (size_t at = 0; at < layers; at++) {
        if (result[at].floor < pooled)
            result[at].floor = pooled;
    }
}

static bool correct(struct diff_result *result, size_t layers, double *scratch)
{
    for (size_t at = 0; at < layers; at++)
        scratch[at] = result[at].rounds ? result[at].p : (double)NAN;
    if (!holm_adjust(scratch, layers, scratch))
        return false;
    for (size_t at = 0; at < layers; at++) {
        if (result[at].rounds)
            result[at].p = scratch[at];
    }
    return true;
}

static void conclude(struct diff_result *result, double margin)
{
    result->least = 2 * result->floor > margin ? 2 * result->floor : margin;
    result->verdict = judge(result, margin);
}

bool diff_judge(const struct diff_layer *layer, size_t layers, double threshold, struct diff_result *result,
                struct diff_result *network)
{
    const double margin = log1p(threshold);
    size_t fewest = layers ? layer[0].rounds : 0, most = layers;
    for (size_t at = 0; at < layers; at++) {
        fewest = layer[at].rounds < fewest ? layer[at].rounds : fewest;
        most = layer[at].rounds > most ? layer[at].rounds : most;
    }
    double *scratch = calloc(most + 1, sizeof *scratch), *sum = calloc((fewest + 1) * DIFF_RUNNERS, sizeof *sum);
    bool done = scratch && sum;
    if (!done)
        goto out;
    const double *series[DIFF_RUNNERS];
    for (size_t runner = 0; runner < DIFF_RUNNERS; runner++) {
        double *total = sum + runner * (fewest + 1);
        for (size_t at = 0; at < layers; at++)
            for (size_t round = 0; round < fewest; round++)
                total[round] += (double)layer[at].count * layer[at].ns[runner][round];
        series[runner] = total;
    }
    measure(series, fewest, margin, scratch, network);
    conclude(network, margin);

    for (size_t at = 0; at < layers; at++)
        measure(layer[at].ns, layer[at].rounds, margin, scratch, &result[at]);
    pool_floors(result, layers, scratch);
    done = correct(result, layers, scratch);
    for (size_t at = 0; at < layers; at++)
        conclude(&result[at], margin);
out:
    free(scratch);
    free(sum);
    return done;
}

enum diff_verdict diff_confirm(enum diff_verdict first, enum diff_verdict second, enum diff_verdict pooled)
{
    switch (first) {
    case DIFF_REGRESSED:
    case DIFF_IMPROVED:
        return second == first ? first : DIFF_INCONCLUSIVE;
    case DIFF_INCONCLUSIVE:
        return pooled;
    default:
        return first;
    }
}

/* ---- two files ---- */

/* Standard error of a median over its value: 1.4826 MAD estimates the deviation, and the median of normal values has sqrt(pi/2)
 * times the error of their mean. */
static double relative_error(double median_ns, double mad_ns, int64_t rounds)
{
    return sqrt(acos(-1.0) / 2) * 1.4826 * mad_ns / (median_ns * sqrt((double)(rounds > 0 ? rounds : 1)));
}

/* P(Z > z) */
static double normal_tail(double z)
{
    return erfc(z / sqrt(2)) / 2;
}

static void measure_normal(double old_ns, double new_ns, double error, double margin, struct diff_result *result)
{
    const double reach = 1.959963984540054 * error;
    result->old_ns = old_ns;
    result->new_ns = new_ns;
    result->effect = log(new_ns / old_ns);
    result->low = result->effect - reach;
    result->high = result->effect + reach;
    /* A spread of nothing is a clock's step, not certainty; it still is all that is known. */
    const double unit = error > 0 ? error : 1e-12;
    result->p = 2 * normal_tail(fabs(result->effect) / unit);
    result->p_equivalent = normal_tail((margin - fabs(result->effect)) / unit);
}

bool diff_judge_medians(const struct diff_median *layer, size_t layers, double threshold, struct diff_result *result,
                        struct diff_result *network)
{
    const double margin = log1p(threshold);
    double old_ns = 0, new_ns = 0, old_variance = 0, new_variance = 0;
    double *scratch = calloc(layers + 1, sizeof *scratch);
    if (!scratch)
        return false;
    for (size_t at = 0; at < layers; at++) {
        const struct diff_median *here = &layer[at];
        const double old_error = relative_error(here->old_ns, here->old_mad_ns, here->old_rounds);
        const double new_error = relative_error(here->new_ns, here->new_mad_ns, here->new_rounds);
        result[at] =
            (struct diff_result){.rounds = (size_t)(here->old_rounds < here->new_rounds ? here->old_rounds : here->new_rounds)};
        measure_normal(here->old_ns, here->new_ns, hypot(old_error, new_error), margin, &result[at]);
        old_ns += (double)here->count * here->old_ns;
        new_ns += (double)here->count * here->new_ns;
        old_variance += pow((double)here->count * here->old_ns * old_error, 2);
        new_variance += pow((double)here->count * here->new_ns * new_error, 2);
    }
    *network = (struct diff_result){.p = 1, .p_equivalent = 1, .low = -INFINITY, .high = INFINITY};
    if (layers) {
        network->rounds = result[0].rounds;
        measure_normal(old_ns, new_ns, hypot(sqrt(old_variance) / old_ns, sqrt(new_variance) / new_ns), margin, network);
    }
    conclude(network, margin);
    const bool done = correct(result, layers, scratch);
    for (size_t at = 0; at < layers; at++)
        conclude(&result[at], margin);
    free(scratch);
    return done;
}
