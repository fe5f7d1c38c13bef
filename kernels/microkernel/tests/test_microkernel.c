/* Every tile of every family that this CPU runs, against sums in double. Operands end at a page that may not be touched, so a
 * read or write beyond the last element is a fault; what lies between the rows of C must stay as it was. */
#include "microkernel.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <cmocka.h>

enum { MOST_K = 37, MOST_WIDTH = 16 * MK_MAX_VECTORS, GAP = 3, ARENA_BYTES = 64 * 1024 };

/* Memory whose last byte is the last one before a forbidden page. */
struct arena {
    char *base;
};

static struct arena arena_open(void)
{
    struct arena arena = {.base = mmap(NULL, ARENA_BYTES + (size_t)sysconf(_SC_PAGESIZE), PROT_READ | PROT_WRITE,
                                       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)};
    assert_ptr_not_equal(arena.base, MAP_FAILED);
    assert_int_equal(mprotect(arena.base + ARENA_BYTES, (size_t)sysconf(_SC_PAGESIZE), PROT_NONE), 0);
    return arena;
}

static void arena_close(struct arena arena)
{
    munmap(arena.base, ARENA_BYTES + (size_t)sysconf(_SC_PAGESIZE));
}

static float *arena_end(struct arena arena, size_t floats)
{
    assert_true(floats * sizeof(float) <= ARENA_BYTES);
    return (float *)(void *)(arena.base + ARENA_BYTES) - floats;
}

static void fill(float *to, size_t count, uint32_t *state)
{
    for (size_t i = 0; i < count; i++) {
        *state = *state * 1664525u + 1013904223u;
        to[i] = (float)((int32_t)(*state >> 16) - 32768) / 32768;
    }
}

enum access { ROWS_CLOSE, ROWS_APART, GATHER_A, GATHER_B, ROWS_AHEAD, GATHER_A_AHEAD, COPY, ACCESS_COUNT };

struct test_case {
    const struct mk_family *family;
    int32_t rows, vectors, accumulate, relu, row_add;
    int64_t k;
    enum access access;
};

struct arenas {
    struct arena a, b, c;
};

static void check(const struct test_case *t, const struct arenas *arenas, uint32_t *state)
{
    const int32_t width = t->vectors * t->family->lanes;
    ptrdiff_t offset[MOST_K + 1];
    float row_add[MK_MAX_ROWS];
    struct mk_tile tile = {.k = t->k, .accumulate = t->accumulate, .relu = t->relu, .row_add = t->row_add ? row_add : NULL};
    fill(row_add, MK_MAX_ROWS, state);
    const int gather_a = t->access == GATHER_A || t->access == GATHER_A_AHEAD,
              apart = t->access == ROWS_APART || t->access == COPY;
    tile.a_row = apart ? t->k + GAP : gather_a ? 2 : 1;
    tile.a_col = apart ? 1 : t->rows;
    tile.b_row = apart ? width + GAP : width;
    size_t a_floats = 1, b_floats = 1;
    for (int64_t k = 0; k < t->k; k++) {
        /* Gathered backwards, so that a running pointer would be wrong. */
        offset[k] = (ptrdiff_t)(t->k - 1 - k) * (gather_a ? 2 * t->rows : width);
        const ptrdiff_t a = (gather_a ? offset[k] : (ptrdiff_t)k * tile.a_col) + (t->rows - 1) * tile.a_row + 1;
        const ptrdiff_t b = (t->access == GATHER_B ? offset[k] : (ptrdiff_t)k * tile.b_row) + width;
        a_floats = (size_t)a > a_floats ? (size_t)a : a_floats;
        b_floats = (size_t)b > b_floats ? (size_t)b : b_floats;
    }
    tile.a_offset = gather_a ? offset : NULL;
    tile.b_offset = t->access == GATHER_B ? offset : NULL;
    tile.c_row = width + GAP;
    const size_t c_floats = (size_t)((t->rows - 1) * tile.c_row + width);
    float *const a = arena_end(arenas->a, a_floats), *const b = arena_end(arenas->b, b_floats),
                 *const c = arena_end(arenas->c, c_floats);
    float before[MK_MAX_ROWS * (MOST_WIDTH + GAP)];
    fill(a, a_floats, state);
    fill(b, b_floats, state);
    fill(before, c_floats, state);
    memcpy(c, before, c_floats * sizeof *c);
    tile.a = a;
    tile.b = b;
    tile.c = c;
    float copy[MOST_K * MOST_WIDTH];
    if (t->access >= ROWS_AHEAD) { /* what is prefetched need not exist */
        tile.b_ahead = b + b_floats;
        tile.ahead_row = tile.b_row;
    }
    tile.b_copy = t->access == COPY ? copy : NULL;
    t->family->tile[t->rows - 1][t->vectors - 1](&tile);
    for (int64_t i = 0; t->access == COPY && i < t->k * width; i++)
        assert_true(copy[i] == b[i / width * tile.b_row + i % width]);
    for (size_t i = 0; i < c_floats; i++) {
        const int64_t row = (int64_t)i / tile.c_row, col = (int64_t)i % tile.c_row;
        if (col >= width) {
            assert_true(c[i] == before[i]);
            continue;
        }
        double sum = t->accumulate ? (double)before[i] : 0, scale = fabs(sum);
        for (int64_t k = 0; k < t->k; k++) {
            const double product = (double)a[(tile.a_offset ? offset[k] : k * tile.a_col) + row * tile.a_row] *
                                   (double)b[(tile.b_offset ? offset[k] : k * tile.b_row) + col];
            sum += product;
            scale += fabs(product);
        }
        sum += t->row_add ? (double)row_add[row] : 0;
        scale += 1;
        if (t->relu && sum < 0)
            sum = 0;
        if (!(fabs((double)c[i] - sum) <= scale * (double)(t->k + 3) * 0x1p-24))
            fail_msg("%s %d x %d, k %d, access %d, accumulate %d: row %d column %d is %g, not %g", t->family->name, t->rows,
                     t->vectors, (int)t->k, (int)t->access, t->accumulate, (int)row, (int)col, (double)c[i], sum);
    }
}

static void check_family(const char *name)
{
    static const int64_t depths[] = {0, 1, 2, 3, 9, MOST_K};
    const struct mk_family *family = mk_family_by_name(name);
    if (!family) {
        print_message("%s: this CPU does not have it\n", name);
        skip();
    }
    const struct arenas arenas = {.a = arena_open(), .b = arena_open(), .c = arena_open()};
    uint32_t state = 1;
    int tiles = 0;
    assert_non_null(family->tile[family->rows - 1][family->vectors - 1]);
    for (int32_t rows = 1; rows <= MK_MAX_ROWS; rows++)
        for (int32_t vectors = 1; vectors <= MK_MAX_VECTORS; vectors++) {
            if (!family->tile[rows - 1][vectors - 1])
                continue;
            tiles++;
            assert_true(rows == 1 || family->tile[rows - 2][vectors - 1] != NULL); /* no hole below */
            for (size_t d = 0; d < sizeof depths / sizeof *depths; d++)
                for (int access = 0; access < ACCESS_COUNT; access++)
                    for (int32_t ends = 0; ends < 8; ends++) {
                        const struct test_case t = {
                            .family = family,
                            .rows = rows,
                            .vectors = vectors,
                            .k = depths[d],
                            .access = (enum access)access,
                            .accumulate = ends & 1,
                            .relu = ends >> 1 & 1,
                            .row_add = ends >> 2,
                        };
                        check(&t, &arenas, &state);
                    }
        }
    assert_true(tiles >= family->rows * family->vectors);
    arena_close(arenas.a);
    arena_close(arenas.b);
    arena_close(arenas.c);
}

static void test_avx512(void **state)
{
    (void)state;
    check_family("avx512");
}
static void test_avx2(void **state)
{
    (void)state;
    check_family("avx2");
}
static void test_portable(void **state)
{
    (void)state;
    check_family("portable");
}

static void test_relu_keeps_nan(void **state)
{
    (void)state;
    static const char *const names[] = {"avx512", "avx2", "portable"};
    for (size_t f = 0; f < sizeof names / sizeof *names; f++) {
        const struct mk_family *family = mk_family_by_name(names[f]);
        if (!family)
            continue;
        float b[16] = {NAN, -1, 1, INFINITY}, c[16];
        const float one = 1;
        const struct mk_tile tile = {.a = &one, .b = b, .c = c, .k = 1, .relu = 1};
        family->tile[0][0](&tile);
        assert_true(isnan(c[0]));
        assert_true(c[1] == 0);
        assert_true(c[2] == 1);
        assert_true(isinf(c[3]));
    }
}

static void test_selection(void **state)
{
    (void)state;
    assert_int_equal(setenv("CONVOY_ISA", "portable", 1), 0);
    assert_string_equal(mk_family_select()->name, "portable");
    assert_int_equal(setenv("CONVOY_ISA", "no such", 1), 0);
    assert_non_null(mk_family_select());
    assert_int_equal(unsetenv("CONVOY_ISA"), 0);
    const struct mk_family *widest = mk_family_by_name("avx512");
    if (!widest)
        widest = mk_family_by_name("avx2");
    if (!widest)
        widest = mk_family_by_name("portable");
    assert_ptr_equal(mk_family_select(), widest);
    assert_null(mk_family_by_name("avx1024"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_avx512),         cmocka_unit_test(test_avx2),      cmocka_unit_test(test_portable),
        cmocka_unit_test(test_relu_keeps_nan), cmocka_unit_test(test_selection),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
