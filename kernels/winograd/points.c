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
    {.m = 4, .r = 2, .zero = 0, .pairs = 2, .pair = {{3, 8}, {5, 4}}},
    {.m = 4, .r = 4, .zero = 0, .pairs = 3, .pair = {{1, 4}, {7, 8}, {7, 4}}},
    {.m = 2, .r = 5, .zero = 1, .pairs = 2, .pair = {{5, 8}, {3, 2}}},
    {.m = 4, .r = 5, .zero = 1, .pairs = 3, .pair = {{1, 2}, {1, 1}, {2, 1}}},
};
const int32_t point_set_count = sizeof point_sets / sizeof point_sets[0];

const struct point_set *points_find(int32_t m, int32_t r)
{
    for (int32_t s = 0; s < point_set_count; s++) {
        if (point_sets[s].m == m && point_sets[s].r == r)
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
void points_matrices(const struct point_set *set, struct matrices *out)
{
    const struct rational nil = {0, 1}, one = {1, 1};
    *out = (struct matrices){.m = set->m, .r = set->r, .alpha = set->m + set->r - 1};
    struct rational points[POINTS_MAX_ALPHA];
    const int32_t last = list_points(set, points);
    assert(last == out->alpha - 1);
    for (int32_t i = 0; i <= last; i++) {
        for (int32_t x = 0; x < out->alpha; x++)
            out->bt[i][x] = nil;
        expand_product(points, last, i, out->bt[i]);
        struct rational inverse = one;
        for (int32_t j = 0; j < last; j++) {
            const struct rational difference = rational_add(points[i < last ? i : j], negative(points[j]));
            if (j != i && i < last)
                inverse = rational_mul(inverse, reduce(difference.den, difference.num));
        }
        struct rational power = one;
        for (int32_t x = 0; x < out->m || x < out->r; x++) {
            if (x < out->m)
                out->at[x][i] = i < last ? power : (x == out->m - 1 ? one : nil);
            if (x < out->r)
                out->g[i][x] = i < last ? rational_mul(power, inverse) : (x == out->r - 1 ? one : nil);
            if (i < last)
                power = rational_mul(power, points[i]);
        }
    }
}
