/* complex_body: the loop of the complex tiles, included by each instruction set's file after it has defined
 *     VEC, LANES, vec_load(p), vec_store(p, v), vec_broadcast(p), vec_zero(), vec_add(a, b), vec_fma(a, b, c) = a*b + c,
 *     vec_fnma(a, b, c) = c - a*b
 * and NAME(rows, vectors). Rows and vectors are constants after inlining; the sums live in registers. */

/* B may be one stream from panel to panel and point to point. So far ahead of its use it is fetched to the first-level cache,
 * which holds a chunk beside it; a line of the third level arrives in that time. */
enum { FETCH_DISTANCE = 4096 }; /* floats */

static inline __attribute__((always_inline)) void complex_loop(const struct complex_tile *t, const int rows, const int vectors,
                                                               const int gather, const int fetch)
{
    VEC re[COMPLEX_MAX_ROWS][COMPLEX_MAX_VECTORS], im[COMPLEX_MAX_ROWS][COMPLEX_MAX_VECTORS];
#pragma GCC unroll 16
    for (int i = 0; i < rows; i++) {
#pragma GCC unroll 4
        for (int v = 0; v < vectors; v++)
            re[i][v] = im[i][v] = vec_zero();
    }
    const float *a = t->a, *b = t->b;
    const ptrdiff_t a_row = t->a_row, a_col = t->a_col, a_plane = t->a_plane, b_row = t->b_row, b_plane = t->b_plane;
    const int64_t depth = t->k;
    for (int64_t k = 0; k < depth; k++) {
        const float *const ak = gather ? a + t->a_offset[k] : a;
        VEC br[COMPLEX_MAX_VECTORS], bi[COMPLEX_MAX_VECTORS];
#pragma GCC unroll 4
        for (int v = 0; v < vectors; v++) {
            br[v] = vec_load(b + v * LANES);
            bi[v] = vec_load(b + b_plane + v * LANES);
        }
        if (fetch) {
            for (int at = 0; at < 2 * vectors * LANES; at += 16)
                __builtin_prefetch(b + FETCH_DISTANCE + at, 0, 3);
        }
#pragma GCC unroll 16
        for (int i = 0; i < rows; i++) {
            const VEC ar = vec_broadcast(ak + i * a_row);
#pragma GCC unroll 4
            for (int v = 0; v < vectors; v++) {
                re[i][v] = vec_fma(ar, br[v], re[i][v]);
                im[i][v] = vec_fnma(ar, bi[v], im[i][v]);
            }
            const VEC ai = vec_broadcast(ak + i * a_row + a_plane);
#pragma GCC unroll 4
            for (int v = 0; v < vectors; v++) {
                re[i][v] = vec_fma(ai, bi[v], re[i][v]);
                im[i][v] = vec_fma(ai, br[v], im[i][v]);
            }
        }
        b += b_row;
        if (!gather)
            a += a_col;
    }
    float *c = t->c;
    const ptrdiff_t c_row = t->c_row, c_plane = t->c_plane;
    const int accumulate = t->accumulate;
#pragma GCC unroll 16
    for (int i = 0; i < rows; i++) {
#pragma GCC unroll 4
        for (int v = 0; v < vectors; v++) {
            float *const at = c + i * c_row + v * LANES;
            if (accumulate) {
                re[i][v] = vec_add(vec_load(at), re[i][v]);
                im[i][v] = vec_add(vec_load(at + c_plane), im[i][v]);
            }
            vec_store(at, re[i][v]);
            vec_store(at + c_plane, im[i][v]);
        }
    }
}

#define DEFINE_TILE(rows, vectors)                                                                                               \
    static void NAME(rows, vectors)(const struct complex_tile *t)                                                                \
    {                                                                                                                            \
        if (t->a_offset)                                                                                                         \
            complex_loop(t, rows, vectors, 1, t->fetch);                                                                         \
        else if (t->fetch)                                                                                                       \
            complex_loop(t, rows, vectors, 0, 1);                                                                                \
        else                                                                                                                     \
            complex_loop(t, rows, vectors, 0, 0);                                                                                \
    }
#define ENTRY(rows, vectors) [rows - 1][vectors - 1] = NAME(rows, vectors),
