/* Four lanes by the compiler's vector extension: 16 registers hold 4 x 1 complex sums, one complex vector of B, the broadcast and
 * the products, which are not fused everywhere. */
#include "complex_tile.h"
#include <string.h>

typedef float vec4 __attribute__((vector_size(16)));

#define VEC vec4
#define LANES 4
#define vec_broadcast(p) ((vec4){*(p), *(p), *(p), *(p)})
#define vec_zero() ((vec4){0, 0, 0, 0})
#define vec_add(a, b) ((a) + (b))
#define vec_fma(a, b, c) ((c) + (a) * (b))
#define vec_fnma(a, b, c) ((c) - (a) * (b))
#define NAME(rows, vectors) complex_##rows##x##vectors

static inline vec4 vec_load(const float *p)
{
    vec4 v;
    memcpy(&v, p, sizeof v);
    return v;
}

static inline void vec_store(float *p, vec4 v)
{
    memcpy(p, &v, sizeof v);
}

#include "complex_body.h"

#define MANY_ROWS(X, v) X(1, v) X(2, v) X(3, v) X(4, v)
MANY_ROWS(DEFINE_TILE, 1)
const struct complex_family complex_portable = {
    .name = "portable",
    .vectors = 1,
    .few_rows = 0,
    .few_vectors = 1,
    .tile = {MANY_ROWS(ENTRY, 1)},
};
