/* points: the matrices of the bilinear algorithms, exact. With alpha = m + r - 1 and interpolation points p_0 .. p_{alpha-2},
 * infinity, the dense form F(m,r)
 *
 *     y = At [ (G g) o (Bt d) ],   y[i] = sum over j of d[i+j] g[j],
 *
 * holds for every d and g (Winograd 1980; Lavin & Gray, arXiv 1509.09308, section 4). Three taps at stride 2 split into phases:
 * the outer taps meet the even inputs, which is F(m,2), and the middle tap meets the odd ones, whose m products need no
 * transform: 2m+1 products for m outputs. Its transpose makes 2m outputs out of m+1 inputs, for backward data. The points are
 * dyadic, so that A and B are exact in float; all other factors are in G, which is evaluated in double. The sets other than those
 * of F(2,r) and F(6,3) keep the error amplification low; choosing points is the subject of Barabasz et al., arXiv 1803.10986.
 * Knows nothing of layers, vectors or memory. */
#ifndef CONVOY_WINOGRAD_POINTS_H
#define CONVOY_WINOGRAD_POINTS_H

#include <stdint.h>

enum { POINTS_MAX_M = 7, POINTS_MAX_R = 5, POINTS_MAX_DENSE = 9, POINTS_MAX_PAIRS = 4 };
enum { POINTS_MAX_OUT = 2 * POINTS_MAX_M, POINTS_MAX_ALPHA = 2 * POINTS_MAX_M + 1 };

enum form {
    FORM_DENSE,       /* y[i] = sum over j of d[i+j] g[j]                                    */
    FORM_STRIDED,     /* y[i] = sum over j of d[2i+j] g[j], r = 3                            */
    FORM_SPREAD_EVEN, /* y[i] = sum over j of z[i+j] g[j], r = 3, z[2l] = d[l], 0 between    */
    FORM_SPREAD_ODD,  /* the same with z[2l+1] = d[l]                                        */
    FORM_COUNT
};

struct rational {
    int64_t num, den;
}; /* in lowest terms, den > 0 */

/* Points come as zero (where `zero` is 1), then +p, -p for each pair, then infinity: that is the order of the transform
 * rows, and what the even/odd factoring of the transforms needs. */
struct point_set {
    int32_t m, r, zero, pairs;
    struct rational pair[POINTS_MAX_PAIRS];
};

/* The rows of G from number `singles` on are equal; there are none in the dense form, where singles = alpha. */
struct matrices {
    int32_t in, out, r, alpha, singles;
    struct rational at[POINTS_MAX_OUT][POINTS_MAX_ALPHA];
    struct rational g[POINTS_MAX_ALPHA][POINTS_MAX_R];
    struct rational bt[POINTS_MAX_ALPHA][POINTS_MAX_ALPHA];
};

/* All sets that exist. */
extern const struct point_set point_sets[];
extern const int32_t point_set_count;

/* The set that a form for m outputs (per phase) and r taps is made of: F(m,r), or F(m,2) for the others and r = 3. NULL: there
 * is none. */
const struct point_set *points_find(enum form form, int32_t m, int32_t r);

void points_matrices(const struct point_set *set, enum form form, struct matrices *out);

struct rational rational_add(struct rational a, struct rational b);
struct rational rational_mul(struct rational a, struct rational b);
double rational_double(struct rational a);

#endif
