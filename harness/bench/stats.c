#include "bench/stats.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static int by_value(const void *a, const void *b)
{
    const int64_t left = *(const int64_t *)a, right = *(const int64_t *)b;
    return (left > right) - (left < right);
}

int64_t stats_min(const int64_t *sample, size_t count)
{
    assert(count >= 1);
    int64_t least = sample[0];
    for (size_t at = 1; at < count; at++)
        if (sample[at] < least)
            least = sample[at];
    return least;
}

static int64_t median_of_sorted(const int64_t *sorted, size_t count)
{
    const int64_t upper = sorted[count / 2];
    if (count % 2)
        return upper;
    const int64_t lower = sorted[count / 2 - 1];
    return lower + (upper - lower) / 2;
}

/* The k-th smallest without memory, in quadratic time. */
static int64_t kth_by_counting(const int64_t *sample, size_t count, int64_t centre, int distances, size_t k)
{
    for (size_t at = 0; at < count; at++) {
        const int64_t value = distances ? llabs(sample[at] - centre) : sample[at];
        size_t below = 0, equal = 0;
        for (size_t other = 0; other < count; other++) {
            const int64_t o = distances ? llabs(sample[other] - centre) : sample[other];
            below += o < value;
            equal += o == value;
        }
        if (k >= below && k < below + equal)
            return value;
    }
    return 0;
}

/* Median of sample, or of its distances from centre. Samples are a few dozen; larger ones go to the heap, and where that
 * fails the middle values are found by counting. */
static int64_t median_from(const int64_t *sample, size_t count, int64_t centre, int distances)
{
    enum { SMALL = 256 };
    int64_t small[SMALL];
    assert(count >= 1);
    int64_t *sorted = count <= SMALL ? small : malloc(count * sizeof *sorted);
    if (!sorted) {
        const int64_t pair[2] = {kth_by_counting(sample, count, centre, distances, (count - 1) / 2),
                                 kth_by_counting(sample, count, centre, distances, count / 2)};
        return median_of_sorted(pair, 2);
    }
    for (size_t at = 0; at < count; at++)
        sorted[at] = distances ? llabs(sample[at] - centre) : sample[at];
    qsort(sorted, count, sizeof *sorted, by_value);
    const int64_t median = median_of_sorted(sorted, count);
    if (sorted != small)
        free(sorted);
    return median;
}

int64_t stats_median(const int64_t *sample, size_t count)
{
    return median_from(sample, count, 0, 0);
}

int64_t stats_mad(const int64_t *sample, size_t count)
{
    return median_from(sample, count, stats_median(sample, count), 1);
}

double stats_geomean(const double *sample, size_t count)
{
    assert(count >= 1);
    double sum = 0;
    for (size_t at = 0; at < count; at++)
        sum += log(sample[at]);
    return exp(sum / (double)count);
}
