/* holm: p-values of a family of tests, corrected so that the chance of any false one stays below the level (S. Holm, "A simple
 * sequentially rejective multiple test procedure", Scand. J. Statist. 6, 1979). [any] */
#ifndef CONVOY_CORE_HOLM_H
#define CONVOY_CORE_HOLM_H

#include <stdbool.h>
#include <stddef.h>

/* adjusted[i] = max over the j with p[j] <= p[i] of min(1, (count - rank_j) * p[j]), ranks from 0. NaN stays NaN and does not count as
 * a test. p and adjusted may be the same array. False: out of memory. */
bool holm_adjust(const double *p, size_t count, double *adjusted);

#endif
