/* AVX-512: 14 x 2, 9 x 3 or 6 x 4 vectors of C in 32 registers. */
#include "tuple_tile.h"

#if defined(__AVX512F__)
#include <immintrin.h>

#if defined(__clang__)
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 16")
#endif

enum { LANES = 16, UNROLLED = 8 };
enum form { PRODUCT, GRADIENT };

struct cursor {
    const float *a, *b;
    const char *near, *far;
    ptrdiff_t a_stride, b_stride, near_step, far_step;
};

/* What the compiler would do before the loop with registers that are not there: compute the addresses of all rows, and issue
 * the prefetches of all unrolled steps. */
#define opaque(pointer) __asm__("" : "+r"(pointer))
#define fence() __asm__ volatile("" ::: "memory")

static inline __attribute__((always_inline)) void step(struct cursor *at, __m512 (*acc)[MK_MAX_VECTORS], const int rows,
                                                       const int vectors, const enum form form)
{
    __m512 b[MK_MAX_VECTORS];
    UNROLL
    for (int v = 0; v < vectors; v++) {
        b[v] = _mm512_loadu_ps(at->b + v * LANES);
        _mm_prefetch(at->near + v * LANES * (int)sizeof(float), _MM_HINT_T0);
    }
    _mm_prefetch(at->far, _MM_HINT_T1);
    const float *row = at->a;
    UNROLL
    for (int i = 0; i < rows; i++) {
        const __m512 a = _mm512_set1_ps(form == GRADIENT ? at->a[i] : *row);
        row += at->a_stride;
        opaque(row);
        UNROLL
        for (int v = 0; v < vectors; v++)
            acc[i][v] = _mm512_fmadd_ps(a, b[v], acc[i][v]);
    }
    at->a += form == GRADIENT ? at->a_stride : 1;
    at->b += at->b_stride;
    at->near += at->near_step;
    at->far += at->far_step;
    opaque(at->near);
    opaque(at->far);
    fence();
}

static inline __attribute__((always_inline)) void tile(const struct tuple_tile *t, const int rows, const int vectors,
                                                       const enum form form)
{
    __m512 acc[MK_MAX_ROWS][MK_MAX_VECTORS];
    const float *line = t->c;
    UNROLL
    for (int i = 0; i < rows; i++, line += t->c_stride) {
        UNROLL
        for (int v = 0; v < vectors; v++) {
            _mm_prefetch((const char *)(line + v * LANES), _MM_HINT_T0);
            acc[i][v] = _mm512_setzero_ps();
        }
    }
    struct cursor at = {t->a, t->b, t->near, t->far, t->a_stride, t->b_stride, t->near_step, t->far_step};
    int64_t k = t->k;
    for (; k >= UNROLLED; k -= UNROLLED) {
        UNROLL
        for (int u = 0; u < UNROLLED; u++)
            step(&at, acc, rows, vectors, form);
    }
    for (; k > 0; k--)
        step(&at, acc, rows, vectors, form);
    fence();
    float *c = t->c;
    const ptrdiff_t c_stride = t->c_stride;
    if (t->accumulate) {
        UNROLL
        for (int i = 0; i < rows; i++) {
            UNROLL
            for (int v = 0; v < vectors; v++)
                acc[i][v] = _mm512_add_ps(_mm512_loadu_ps(c + i * c_stride + v * LANES), acc[i][v]);
        }
    }
    UNROLL
    for (int i = 0; i < rows; i++) {
        UNROLL
        for (int v = 0; v < vectors; v++)
            _mm512_storeu_ps(c + i * c_stride + v * LANES, acc[i][v]);
    }
}

#define DEFINE_TILE(rows, vectors)                                                                                               \
    static void product_##rows##x##vectors(const struct tuple_tile *t) { tile(t, rows, vectors, PRODUCT); }                      \
    static void gradient_##rows##x##vectors(const struct tuple_tile *t) { tile(t, rows, vectors, GRADIENT); }

#define EACH_ROW(X, v) X(1, v) X(2, v) X(3, v) X(4, v) X(5, v) X(6, v)
#define EACH_HIGH_ROW(X, v) X(7, v) X(8, v) X(9, v)
#define EACH_TOP_ROW(X, v) X(10, v) X(11, v) X(12, v) X(13, v) X(14, v)
#define EACH_TILE(X)                                                                                                             \
    EACH_ROW(X, 1) EACH_ROW(X, 2) EACH_ROW(X, 3) EACH_ROW(X, 4) EACH_HIGH_ROW(X, 1) EACH_HIGH_ROW(X, 2) EACH_HIGH_ROW(X, 3)      \
    EACH_TOP_ROW(X, 1) EACH_TOP_ROW(X, 2)
EACH_TILE(DEFINE_TILE)

#define PRODUCT_ENTRY(rows, vectors) [rows - 1][vectors - 1] = product_##rows##x##vectors,
#define GRADIENT_ENTRY(rows, vectors) [rows - 1][vectors - 1] = gradient_##rows##x##vectors,
const struct tuple_tiles tuple_tiles_avx512 = {.product = {EACH_TILE(PRODUCT_ENTRY)}, .gradient = {EACH_TILE(GRADIENT_ENTRY)}};
#endif
