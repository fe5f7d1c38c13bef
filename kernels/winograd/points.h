/* points: the matrices of F(m,r), exact. With alpha = m + r - 1 and interpolation points p_0 .. p_{alpha-2}, infinity,
 *
 *     y = At [ (G g) o (Bt d) ],   y[i] = sum over j of d[i+j] g[j],
 *
 * holds for every d and g (Winograd 1980; Lavin & Gray, arXiv 1509.09308, section 4). The points are dyadic, so that A and B
 * are exact in float; all other factors are in G, which is evaluated in double. The sets other than those of F(2,r) and F(6,3)
 * keep the error amplification low; choosing points is the subject of Barabasz et al., arXiv 1803.10986.
 * Knows nothing of layers, vectors or memory. */
#ifndef CONVOY_WINOGRAD_POINTS_H
#define CONVOY_WINOGRAD_POINTS_H

#include <stdint.h>

enum { POINTS_MAX_M = 7, POINTS_MAX_R = 5, POINTS_MAX_ALPHA = 9, POINTS_MAX_PAIRS = 4 };

struct rational {
    int64_t num, den;
}; /* in lowest terms, den > 0 */

/* Points come as zero (where `zero` is 1), then +p, -p for each pair, then infinity: that is the order of the transform
 * rows, and what the even/odd factoring of the transforms needs. */
struct point_set {
    int32_t m, r, zero, pairs;
    struct rational pair[POINTS_MAX_PAIRS];
};

struct matrices {
    int32_t m, r, alpha;
    struct rational at[POINTS_MAX_M][POINTS_MAX_ALPHA];
    struct rational g[POINTS_MAX_ALPHA][POINTS_MAX_R];
    struct rational bt[POINTS_MAX_ALPHA][POINTS_MAX_ALPHA];
};

/* All sets that exist. */
extern const struct point_set point_sets[];
extern const int32_t point_set_count;

/* NULL: there is no such F(m,r). */
const struct point_set *points_find(int32_t m, int32_t r);

void points_matrices(const struct point_set *set, struct matrices *out);

struct rational rational_add(struct rational a, struct rational b);
struct rational rational_mul(struct rational a, struct rational b);
double rational_double(struct rational a);

#endif
