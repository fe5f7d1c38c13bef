/* signtest: exact inference about a median from signs alone: nothing is assumed of the distribution but that the values are
 * independent. Shared by everything that decides on times; knows no times itself. All functions [any]. */
#ifndef CONVOY_CORE_SIGNTEST_H
#define CONVOY_CORE_SIGNTEST_H

#include <stdbool.h>
#include <stddef.h>

/* P(S >= successes) for S ~ Binomial(count, 1/2). */
double signtest_tail(size_t successes, size_t count);

/* Probability, if the median were `centre`, of a split as uneven as the sample's, either way. Values that equal centre are left
 * out; with nothing left 1. */
double signtest_p(const double *sample, size_t count, double centre);

/* The two one-sided tests (TOST; Schuirmann, J. Pharmacokinet. Biopharm. 15, 1987) with the sign test: the larger p of "the median
 * is at most -margin" and "at least +margin". Small: the median is within the margin. */
double signtest_equivalence_p(const double *sample, size_t count, double margin);

/* Ranks of the distribution-free interval of the median: sorted[*low] .. sorted[count - 1 - *low] covers it with at least `level`.
 * False: the sample is too small for that level (below 6 values for 0.95). */
bool signtest_rank(size_t count, double level, size_t *low);

/* Median (mean of the middle two) and interval; sorts the sample. Too small a sample has the interval -inf..inf. count >= 1. */
struct signtest_interval {
    double median, low, high;
};
struct signtest_interval signtest_interval(double *sample, size_t count, double level);

#endif
