/* tile_body: the one loop of the family, included by each instruction set's file after it has defined
 *     VEC, LANES, vec_load(p), vec_store(p, v), vec_broadcast(p), vec_zero(), vec_add(a, b), vec_fma(a, b, c) = a*b + c,
 *     vec_relu(v) = max(0, v) that keeps NaN
 * and NAME(rows, vectors) for the functions' names. The arrays below live in registers: rows and vectors are constants after
 * inlining and every loop over them is unrolled. */

#if defined(__clang__)
#define UNROLL _Pragma("clang loop unroll(full)")
#define UNROLL_TERMS _Pragma("clang loop unroll_count(4)")
#else
#define UNROLL _Pragma("GCC unroll 16")
#ifdef __SANITIZE_ADDRESS__ /* four times as much checked code would compile for minutes */
#define UNROLL_TERMS
#else
#define UNROLL_TERMS _Pragma("GCC unroll 4")
#endif
#endif

enum tile_access { STRIDES, GATHER_A, GATHER_B };
enum { LINE = 16 }; /* floats of a cache line */

static inline __attribute__((always_inline)) void tile_loop(const struct mk_tile *t, const int rows, const int vectors,
                                                            const enum tile_access access, const int packed, const int prefetch,
                                                            const int copy)
{
    VEC acc[MK_MAX_ROWS][MK_MAX_VECTORS];
    const float *line = t->c;
    UNROLL
    for (int i = 0; i < rows; i++, line += t->c_row) {
        UNROLL
        for (int v = 0; v < vectors; v++) {
            __builtin_prefetch(line + v * LANES, 1);
            acc[i][v] = vec_zero();
        }
    }
    const float *a = t->a, *b = t->b, *ahead = t->b_ahead ? t->b_ahead : b;
    float *to = t->b_copy;
    const ptrdiff_t a_row = packed ? 1 : t->a_row, a_col = t->a_col, b_row = t->b_row, ahead_row = t->ahead_row;
    const ptrdiff_t *const offset = access == GATHER_A ? t->a_offset : t->b_offset;
    const int64_t depth = t->k;
    UNROLL_TERMS
    for (int64_t k = 0; k < depth; k++) {
        const float *const ak = access == GATHER_A ? a + offset[k] : a;
        const float *const bk = access == GATHER_B ? b + offset[k] : b;
        VEC vb[MK_MAX_VECTORS];
        UNROLL
        for (int v = 0; v < vectors; v++)
            vb[v] = vec_load(bk + v * LANES);
        if (prefetch) {
            __builtin_prefetch(ahead, 0, 2);
            for (int j = LINE; copy && j < vectors * LANES; j += LINE)
                __builtin_prefetch(ahead + j, 0, 2);
            ahead += ahead_row;
        }
        if (copy) {
            UNROLL
            for (int v = 0; v < vectors; v++)
                vec_store(to + v * LANES, vb[v]);
            to += vectors * LANES;
        }
        UNROLL
        for (int i = 0; i < rows; i++) {
            const VEC va = vec_broadcast(ak + i * a_row);
            UNROLL
            for (int v = 0; v < vectors; v++)
                acc[i][v] = vec_fma(va, vb[v], acc[i][v]);
        }
        if (access != GATHER_B)
            b += b_row;
        if (access != GATHER_A)
            a += a_col;
    }
    float *c = t->c;
    const float *const row_add = t->row_add;
    const ptrdiff_t c_row = t->c_row;
    const int accumulate = t->accumulate, relu = t->relu;
    UNROLL
    for (int i = 0; i < rows; i++) {
        UNROLL
        for (int v = 0; v < vectors; v++) {
            float *at = c + i * c_row + v * LANES;
            VEC value = acc[i][v];
            if (accumulate)
                value = vec_add(vec_load(at), value);
            if (row_add)
                value = vec_add(value, vec_broadcast(row_add + i));
            if (relu)
                value = vec_relu(value);
            vec_store(at, value);
        }
    }
}

/* With packed 1, a_row is 1: constants take the place of the rows' addresses, for which there are not enough registers. */
#define CHOOSE_LOOP(t, rows, vectors, packed)                                                                                    \
    if ((t)->b_offset)                                                                                                           \
        tile_loop(t, rows, vectors, GATHER_B, packed, 0, 0);                                                                     \
    else if ((t)->b_copy)                                                                                                        \
        tile_loop(t, rows, vectors, STRIDES, packed, 1, 1);                                                                      \
    else if ((t)->b_ahead)                                                                                                       \
        tile_loop(t, rows, vectors, STRIDES, packed, 1, 0);                                                                      \
    else                                                                                                                         \
        tile_loop(t, rows, vectors, STRIDES, packed, 0, 0);

#define DEFINE_TILE(rows, vectors)                                                                                               \
    static void NAME(rows, vectors)(const struct mk_tile *t)                                                                     \
    {                                                                                                                            \
        if (t->a_offset && t->b_ahead) {                                                                                         \
            tile_loop(t, rows, vectors, GATHER_A, 0, 1, 0);                                                                      \
        } else if (t->a_offset) {                                                                                                \
            tile_loop(t, rows, vectors, GATHER_A, 0, 0, 0);                                                                      \
        } else if (t->a_row == 1) {                                                                                              \
            CHOOSE_LOOP(t, rows, vectors, 1)                                                                                     \
        } else {                                                                                                                 \
            CHOOSE_LOOP(t, rows, vectors, 0)                                                                                     \
        }                                                                                                                        \
    }
