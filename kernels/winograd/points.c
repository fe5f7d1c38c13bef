#include "points.h"
#include <assert.h>
#include <stddef.h>

__extension__ typedef __int128 wide;

const struct point_set point_sets[] = {
    {.m = 2, .r = 3, .zero = 1, .pairs = 1, .pair = {{1, 1}}},
    {.m = 4, .r = 3, .zero = 1, .pairs = 2, .pair = {{5, 8}, {3, 2}}},
    {.m = 5, .r = 3, .zero = 0, .pairs = 3, .pair = {{1, 4}, {7, 8}, {7, 4}}},
    {.m = 6, .r = 3, .zero = 1, .pairs = 3, .pair = {{1, 2}, {1, 1}, {2, 1}}},
    {.m = 7, .r = 3, .zero = 0, .pairs = 4, .pair = {{1, 4}, {5, 8}, {9, 8}, {9, 4}}},
    {.m = 2, .r = 2, .zero = 0, .pairs = 1, .pair = {{1, 1}}},
    {.m = 4, .r = 2, .zero = 0, .pairs = 2, .pair = {{3, 8}, {5, 4}}},
    {.m = 5, .r = 2, .zero = 1, .pairs = 2, .pair = {{5, 8}, {3, 2}}},
    {.m = 6, .r = 2, .zero = 0, .pairs = 3, .pair = {{1, 4}, {7, 8}, {7, 4}}},
    {.m = 7, .r = 2, .zero = 1, .pairs = 3, .pair = {{1, 2}, {1, 1}, {2, 1}}},
    {.m = 2, .r = 4, .zero = 0, .pairs = 2, .pair = {{3, 8}, {5, 4}}},
    {.m = 4, .r = 4, .zero = 0, .pairs = 3, .pair = {{1, 4}, {7, 8}, {7, 4}}},
    {.m = 5, .r = 4, .zero = 1, .pairs = 3, .pair = {{1, 2}, {1, 1}, {2, 1}}},
    {.m = 6, .r = 4, .zero = 0, .pairs = 4, .pair = {{1, 4}, {5, 8}, {9, 8}, {9, 4}}},
    {.m = 2, .r = 5, .zero = 1, .pairs = 2, .pair = {{5, 8}, {3, 2}}},
    {.m = 4, .r = 5, .zero = 1, .pairs = 3, .pair = {{1, 2}, {1, 1}, {2, 1}}},
};
const int32_t point_set_count = sizeof point_sets / sizeof point_sets[0];

const struct point_set *points_find(enum form form, int32_t m, int32_t r)
{
    if (form != FORM_DENSE && r != 3)
        return NULL;
    const int32_t taps = form == FORM_DENSE ? r : 2;
    for (int32_t s = 0; s < point_set_count; s++) {
        if (point_sets[s].m == m && point_sets[s].r == taps)
            return &point_sets[s];
    }
    return NULL;
}

static struct rational reduce(wide num, wide den)
{
    wide a = num < 0 ? -num : num, b = den < 0 ? -den : den;
    while (b) {
        const wide rest = a % b;
        a = b;
        b = rest;
    }
    if (den < 0)
        a = -a;
    num /= a;
    den /= a;
    assert(num <= INT64_MAX && num >= INT64_MIN && den <= INT64_MAX);
    return (struct rational){(int64_t)num, (int64_t)den};
}

struct rational rational_add(struct rational a, struct rational b)
{
    return reduce((wide)a.num * b.den + (wide)b.num * a.den, (wide)a.den * b.den);
}

struct rational rational_mul(struct rational a, struct rational b)
{
    return reduce((wide)a.num * b.num, (wide)a.den * b.den);
}

double rational_double(struct rational a)
{
    return (double)a.num / (double)a.den;
}

static struct rational negative(struct rational a)
{
    return (struct rational){-a.num, a.den};
}

static int32_t list_points(const struct point_set *set, struct rational *points)
{
    int32_t count = 0;
    if (set->zero)
        points[count++] = (struct rational){0, 1};
    for (int32_t pair = 0; pair < set->pairs; pair++) {
        points[count++] = set->pair[pair];
        points[count++] = negative(set->pair[pair]);
    }
    return count;
}

/* Coefficients of the product of (x - p) over all points but number `without`; returns the degree. */
static int32_t expand_product(const struct rational *points, int32_t count, int32_t without, struct rational *coefficient)
{
    int32_t degree = 0;
    coefficient[0] = (struct rational){1, 1};
    for (int32_t p = 0; p < count; p++) {
        if (p == without)
            continue;
        coefficient[degree + 1] = coefficient[degree];
        for (int32_t x = degree; x > 0; x--)
            coefficient[x] = rational_add(coefficient[x - 1], rational_mul(coefficient[x], negative(points[p])));
        coefficient[0] = rational_mul(coefficient[0], negative(points[p]));
        degree++;
    }
    return degree;
}

/* Row i of At holds powers of p_i, row i of G powers of p_i over f_i = product of (p_i - p_j), row i of Bt the coefficients of
 * the product of (x - p_j), j != i. Infinity takes the leading coefficients. */
static void dense_matrices(const struct point_set *set, struct matrices *out)
{
    const struct rational nil = {0, 1}, one = {1, 1};
    const int32_t alpha = set->m + set->r - 1;
    *out = (struct matrices){.in = alpha, .out = set->m, .r = set->r, .alpha = alpha, .singles = alpha};
    struct rational points[POINTS_MAX_DENSE];
    const int32_t last = list_points(set, points);
    assert(last == alpha - 1);
    for (int32_t i = 0; i <= last; i++) {
        for (int32_t x = 0; x < alpha; x++)
            out->bt[i][x] = nil;
        expand_product(points, last, i, out->bt[i]);
        struct rational inverse = one;
        for (int32_t j = 0; j < last; j++) {
            const struct rational difference = rational_add(points[i < last ? i : j], negative(points[j]));
            if (j != i && i < last)
                inverse = rational_mul(inverse, reduce(difference.den, difference.num));
        }
        struct rational power = one;
        for (int32_t x = 0; x < set->m || x < set->r; x++) {
            if (x < set->m)
                out->at[x][i] = i < last ? power : (x == set->m - 1 ? one : nil);
            if (x < set->r)
                out->g[i][x] = i < last ? rational_mul(power, inverse) : (x == set->r - 1 ? one : nil);
            if (i < last)
                power = rational_mul(power, points[i]);
        }
    }
}

static void clear(struct matrices *matrices)
{
    const struct rational nil = {0, 1};
    for (int32_t i = 0; i < POINTS_MAX_ALPHA; i++) {
        for (int32_t x = 0; x < POINTS_MAX_OUT; x++)
            matrices->at[x][i] = nil;
        for (int32_t x = 0; x < POINTS_MAX_R; x++)
            matrices->g[i][x] = nil;
        for (int32_t x = 0; x < POINTS_MAX_ALPHA; x++)
            matrices->bt[i][x] = nil;
    }
}

/* Points 0 .. m are those of F(m,2) on taps 0 and 2, the others carry tap 1 without a transform. */
void points_matrices(const struct point_set *set, enum form form, struct matrices *out)
{
    if (form == FORM_DENSE) {
        dense_matrices(set, out);
        return;
    }
    const struct rational one = {1, 1};
    const int32_t m = set->m, strided = form == FORM_STRIDED, odd = form == FORM_SPREAD_ODD;
    struct matrices dense;
    dense_matrices(set, &dense);
    *out = (struct matrices){
        .in = strided ? 2 * m + 1 : m + 1, .out = strided ? m : 2 * m, .r = 3, .alpha = 2 * m + 1, .singles = m + 1};
    clear(out);
    for (int32_t i = 0; i <= m; i++) {
        for (int32_t x = 0; x <= m; x++)
            out->bt[i][strided ? 2 * x : x] = dense.bt[i][x];
        for (int32_t y = 0; y < m; y++)
            out->at[strided ? y : 2 * y + odd][i] = dense.at[y][i];
        out->g[i][0] = dense.g[i][0];
        out->g[i][2] = dense.g[i][1];
    }
    for (int32_t y = 0; y < m; y++) {
        out->bt[m + 1 + y][strided ? 2 * y + 1 : y + !odd] = one;
        out->at[strided ? y : 2 * y + !odd][m + 1 + y] = one;
        out->g[m + 1 + y][1] = one;
    }
}
