/* gen_transforms: writes the one-dimensional transforms of every form as straight-line C on the type VEC, run while building.
 *
 *     input_M_R   v = Bt d    alpha -> alpha
 *     output_M_R  y = At v    alpha -> m
 *     expand_M_R  v = A  y    m -> alpha      (the adjoint of output, for weight gradients)
 *     filter_M_R  v = G  g    r -> alpha      (rounded to float; only where U is made while executing)
 *
 * and for three taps at stride 2 input_strided_M and so on, and of its transpose input_even_M, output_even_M and _odd_.
 *
 * Points come in pairs +-p, so that each pair of rows shares an even and an odd part: v(+-p) = even +- p odd. Multiplications
 * by 1 are left out; every product is followed by an addition, which the compiler contracts to a fused operation. */
#include "points.h"
#include <math.h>
#include <stdio.h>

/* Constants of all but filter_ must be exact in float, which the choice of the points guarantees; the build stops if it does not.
 */
static int inexact;

static double exact(struct rational value)
{
    const double d = rational_double(value);
    if ((double)(float)d != d)
        inexact = 1;
    return d;
}

/* One term of a sum: "+ c * a[at]" without what is not needed. */
static void term(int first, double c, const char *array, int32_t at)
{
    if (c == 0)
        return;
    if (fabs(c) == 1)
        printf("%s%s[%d]", first ? (c < 0 ? "-" : "") : (c < 0 ? " - " : " + "), array, at);
    else
        printf("%s%af * %s[%d]", first ? (c < 0 ? "-" : "") : (c < 0 ? " - " : " + "), fabs(c), array, at);
}

/* "a +- p * b" */
static void pair_rows(int32_t row, double p)
{
    for (int32_t sign = 0; sign < 2; sign++) {
        if (p == 1)
            printf("    v[%d] = a %c b;\n", row + sign, sign ? '-' : '+');
        else
            printf("    v[%d] = a %c %af * b;\n", row + sign, sign ? '-' : '+', p);
    }
}

/* Coefficients in x^2 of the product of (x^2 - p^2) over all pairs but one. */
static int32_t even_product(const struct point_set *set, int32_t without, struct rational *c)
{
    int32_t degree = 0;
    c[0] = (struct rational){1, 1};
    for (int32_t pair = 0; pair < set->pairs; pair++) {
        if (pair == without)
            continue;
        struct rational square = rational_mul(set->pair[pair], set->pair[pair]);
        square.num = -square.num;
        c[degree + 1] = c[degree];
        for (int32_t x = degree; x > 0; x--)
            c[x] = rational_add(c[x - 1], rational_mul(c[x], square));
        c[0] = rational_mul(c[0], square);
        degree++;
    }
    return degree;
}

/* The highest power first: its coefficient is 1, so that every later term is one fused operation. */
static void sum_of_powers(const char *name, const struct rational *c, int32_t degree, int32_t first)
{
    printf("    %s = ", name);
    for (int32_t x = degree; x >= 0; x--)
        term(x == degree, exact(c[x]), "d", 2 * x + first);
    printf(";\n");
}

/* Row +-p of Bt is (x +- p) x^zero Q(x^2), hence two sums with the coefficients of Q, one step apart. */
static void write_input(const struct point_set *set)
{
    const int32_t alpha = set->m + set->r - 1;
    struct rational c[POINTS_MAX_PAIRS + 1];
    printf("static inline __attribute__((always_inline)) void input_%d_%d(const VEC *d, VEC *v)\n{\n", set->m, set->r);
    int32_t degree = even_product(set, -1, c);
    if (set->zero)
        sum_of_powers("v[0]", c, degree, 0);
    char last[16];
    snprintf(last, sizeof last, "v[%d]", alpha - 1);
    sum_of_powers(last, c, degree, set->zero);
    printf("    VEC a, b;\n");
    for (int32_t pair = 0; pair < set->pairs; pair++) {
        degree = even_product(set, pair, c);
        sum_of_powers("a", c, degree, set->zero + 1);
        sum_of_powers("b", c, degree, set->zero);
        pair_rows(set->zero + 2 * pair, exact(set->pair[pair]));
    }
    printf("}\n\n");
}

static double power(double p, int32_t exponent)
{
    double result = 1;
    for (int32_t e = 0; e < exponent; e++)
        result *= p;
    if ((double)(float)result != result)
        inexact = 1;
    return result;
}

static void write_output(const struct point_set *set)
{
    const int32_t alpha = set->m + set->r - 1;
    printf("static inline __attribute__((always_inline)) void output_%d_%d(const VEC *v, VEC *y)\n{\n", set->m, set->r);
    printf("    VEC s[%d], t[%d];\n", set->pairs, set->pairs);
    for (int32_t pair = 0; pair < set->pairs; pair++) {
        const int32_t row = set->zero + 2 * pair;
        printf("    s[%d] = v[%d] + v[%d];\n    t[%d] = v[%d] - v[%d];\n", pair, row, row + 1, pair, row, row + 1);
    }
    for (int32_t k = 0; k < set->m; k++) {
        printf("    y[%d] = ", k);
        int first = 1;
        if (k == 0 && set->zero) {
            printf("v[0]");
            first = 0;
        }
        if (k == set->m - 1) {
            printf("%sv[%d]", first ? "" : " + ", alpha - 1);
            first = 0;
        }
        for (int32_t pair = 0; pair < set->pairs; pair++) {
            term(first, power(rational_double(set->pair[pair]), k), k % 2 ? "t" : "s", pair);
            first = 0;
        }
        printf(";\n");
    }
    printf("}\n\n");
}

static void write_expand(const struct point_set *set)
{
    const int32_t alpha = set->m + set->r - 1;
    printf("static inline __attribute__((always_inline)) void expand_%d_%d(const VEC *y, VEC *v)\n{\n    VEC a, b;\n", set->m,
           set->r);
    if (set->zero)
        printf("    v[0] = y[0];\n");
    printf("    v[%d] = y[%d];\n", alpha - 1, set->m - 1);
    for (int32_t pair = 0; pair < set->pairs; pair++) {
        const double p = exact(set->pair[pair]);
        for (int32_t odd = 0; odd < 2; odd++) {
            printf("    %c = ", odd ? 'b' : 'a');
            for (int32_t k = odd; k < set->m; k += 2)
                term(k == odd, power(p, k - odd), "y", k);
            printf(";\n");
        }
        pair_rows(set->zero + 2 * pair, p);
    }
    printf("}\n\n");
}

/* One row of G, or its even or odd taps, with the coefficients rounded. */
static void filter_sum(const struct rational *row, int32_t r, int32_t from, int32_t step)
{
    int first = 1;
    for (int32_t j = from; j < r; j += step) {
        const double c = (double)(float)rational_double(row[j]);
        term(first, c, "g", j);
        first = first && c == 0;
    }
    printf(";\n");
}

/* Rows of a pair have the same even taps and opposite odd ones, or the reverse. */
static void write_filter(const struct point_set *set)
{
    struct matrices exact;
    points_matrices(set, FORM_DENSE, &exact);
    printf("static inline __attribute__((always_inline)) void filter_%d_%d(const VEC *g, VEC *v)\n{\n    VEC a, b;\n", set->m,
           set->r);
    for (int32_t row = 0; row < exact.alpha; row += row < set->zero || row == exact.alpha - 1 ? 1 : 2) {
        if (row < set->zero || row == exact.alpha - 1) {
            printf("    v[%d] = ", row);
            filter_sum(exact.g[row], set->r, 0, 1);
            continue;
        }
        printf("    a = ");
        filter_sum(exact.g[row], set->r, 0, 2);
        printf("    b = ");
        filter_sum(exact.g[row], set->r, 1, 2);
        const int reverse = rational_double(exact.g[row][0]) != rational_double(exact.g[row + 1][0]);
        printf("    v[%d] = a + b;\n    v[%d] = %s;\n", row, row + 1, reverse ? "b - a" : "a - b");
    }
    printf("}\n\n");
}

/* The forms of stride 2 are F(m,2) on one phase and the other phase as it is (points.h). */
static void write_strided(int32_t m)
{
    printf("static inline __attribute__((always_inline)) void input_strided_%d(const VEC *d, VEC *v)\n{\n    VEC even[%d];\n", m,
           m + 1);
    for (int32_t x = 0; x <= m; x++)
        printf("    even[%d] = d[%d];\n", x, 2 * x);
    printf("    input_%d_2(even, v);\n", m);
    for (int32_t y = 0; y < m; y++)
        printf("    v[%d] = d[%d];\n", m + 1 + y, 2 * y + 1);
    printf("}\n\nstatic inline __attribute__((always_inline)) void output_strided_%d(const VEC *v, VEC *y)\n{\n", m);
    printf("    output_%d_2(v, y);\n", m);
    for (int32_t y = 0; y < m; y++)
        printf("    y[%d] += v[%d];\n", y, m + 1 + y);
    printf("}\n\nstatic inline __attribute__((always_inline)) void expand_strided_%d(const VEC *y, VEC *v)\n{\n", m);
    printf("    expand_%d_2(y, v);\n", m);
    for (int32_t y = 0; y < m; y++)
        printf("    v[%d] = y[%d];\n", m + 1 + y, y);
    printf("}\n\n");
}

static void write_spread(int32_t m, int odd)
{
    const char *name = odd ? "odd" : "even";
    printf("static inline __attribute__((always_inline)) void input_%s_%d(const VEC *d, VEC *v)\n{\n    input_%d_2(d, v);\n",
           name, m, m);
    for (int32_t y = 0; y < m; y++)
        printf("    v[%d] = d[%d];\n", m + 1 + y, y + !odd);
    printf("}\n\nstatic inline __attribute__((always_inline)) void output_%s_%d(const VEC *v, VEC *y)\n{\n", name, m);
    printf("    VEC phase[%d];\n    output_%d_2(v, phase);\n", m, m);
    for (int32_t y = 0; y < m; y++)
        printf("    y[%d] = phase[%d];\n    y[%d] = v[%d];\n", 2 * y + odd, y, 2 * y + !odd, m + 1 + y);
    printf("}\n\n");
}

int main(void)
{
    printf("/* Generated while building by kernels/winograd/gen_transforms.c. */\n\n#define EACH_DENSE(X)");
    for (int32_t s = 0; s < point_set_count; s++)
        printf(" X(%d, %d, %d)", point_sets[s].m, point_sets[s].r, point_sets[s].m + point_sets[s].r - 1);
    printf("\n#define EACH_STRIDED(X)");
    for (int32_t s = 0; s < point_set_count; s++) {
        if (point_sets[s].r == 2)
            printf(" X(%d)", point_sets[s].m);
    }
    printf("\n\n");
    for (int32_t s = 0; s < point_set_count; s++) {
        write_input(&point_sets[s]);
        write_output(&point_sets[s]);
        write_expand(&point_sets[s]);
        write_filter(&point_sets[s]);
        if (point_sets[s].r == 2) {
            write_strided(point_sets[s].m);
            write_spread(point_sets[s].m, 0);
            write_spread(point_sets[s].m, 1);
        }
    }
    return inexact || ferror(stdout) ? 1 : 0;
}
