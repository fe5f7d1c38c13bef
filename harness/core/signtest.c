#include "core/signtest.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

/* C(n,k) / 2^n through logarithms: exact to about 1e-13, for any n. */
static double half_binomial(size_t n, size_t k)
{
    const double count = (double)n, chosen = (double)k;
    return exp(lgamma(count + 1) - lgamma(chosen + 1) - lgamma(count - chosen + 1) - count * log(2));
}

double signtest_tail(size_t successes, size_t count)
{
    if (successes == 0)
        return 1;
    double sum = 0;
    for (size_t k = count; k >= successes; k--) /* the smallest terms first */
        sum += half_binomial(count, k);
    return sum < 1 ? sum : 1;
}

double signtest_p(const double *sample, size_t count, double centre)
{
    size_t above = 0, below = 0;
    for (size_t at = 0; at < count; at++) {
        above += sample[at] > centre;
        below += sample[at] < centre;
    }
    const double p = 2 * signtest_tail(above > below ? above : below, above + below);
    return p < 1 ? p : 1;
}

double signtest_equivalence_p(const double *sample, size_t count, double margin)
{
    size_t over = 0, under = 0, over_used = 0, under_used = 0;
    for (size_t at = 0; at < count; at++) {
        over += sample[at] > -margin;
        over_used += sample[at] != -margin;
        under += sample[at] < margin;
        under_used += sample[at] != margin;
    }
    const double p_low = signtest_tail(over, over_used), p_high = signtest_tail(under, under_used);
    return p_low > p_high ? p_low : p_high;
}

bool signtest_rank(size_t count, double level, size_t *low)
{
    /* sorted[k] is above the median exactly if at most k of the values are below it. */
    double miss = 0;
    size_t rank = 0;
    for (; rank < count / 2; rank++) {
        miss += 2 * half_binomial(count, rank);
        if (miss > 1 - level)
            break;
    }
    if (rank == 0)
        return false;
    *low = rank - 1;
    return true;
}

static int by_value(const void *a, const void *b)
{
    const double left = *(const double *)a, right = *(const double *)b;
    return (left > right) - (left < right);
}

struct signtest_interval signtest_interval(double *sample, size_t count, double level)
{
    assert(count >= 1);
    qsort(sample, count, sizeof *sample, by_value);
    struct signtest_interval interval = {(sample[(count - 1) / 2] + sample[count / 2]) / 2, -INFINITY, INFINITY};
    size_t low;
    if (signtest_rank(count, level, &low)) {
        interval.low = sample[low];
        interval.high = sample[count - 1 - low];
    }
    return interval;
}
