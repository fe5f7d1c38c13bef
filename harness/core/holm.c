#include "core/holm.h"

#include <math.h>
#include <stdlib.h>

struct test {
    double p;
    size_t at;
};

static int by_p(const void *a, const void *b)
{
    const struct test *left = a, *right = b;
    if (left->p != right->p)
        return left->p < right->p ? -1 : 1;
    return (left->at > right->at) - (left->at < right->at);
}

bool holm_adjust(const double *p, size_t count, double *adjusted)
{
    struct test *test = malloc((count ? count : 1) * sizeof *test);
    if (!test)
        return false;
    size_t tests = 0;
    for (size_t at = 0; at < count; at++) {
        if (isnan(p[at]))
            adjusted[at] = p[at];
        else
            test[tests++] = (struct test){p[at], at};
    }
    qsort(test, tests, sizeof *test, by_p);
    double largest = 0;
    for (size_t rank = 0; rank < tests; rank++) {
        const double corrected = (double)(tests - rank) * test[rank].p;
        if (corrected > largest)
            largest = corrected;
        adjusted[test[rank].at] = largest < 1 ? largest : 1;
    }
    free(test);
    return true;
}
