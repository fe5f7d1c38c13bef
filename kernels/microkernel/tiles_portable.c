/* Portable C: vectors of four floats by the compiler's vector extension, which every target lowers to what it has. */
#include "tiles.h"
#include <string.h>

typedef float vec4 __attribute__((vector_size(16)));
#define VEC vec4
#define LANES 4
static inline __attribute__((always_inline)) vec4 vec_load(const float *p)
{
    vec4 v;
    memcpy(&v, p, sizeof v);
    return v;
}
#define vec_store(p, v) memcpy(p, &(const vec4){(v)[0], (v)[1], (v)[2], (v)[3]}, sizeof(vec4))
#define vec_broadcast(p) ((vec4){*(p), *(p), *(p), *(p)})
#define vec_zero() ((vec4){0, 0, 0, 0})
#define vec_add(a, b) ((a) + (b))
#define vec_fma(a, b, c) ((a) * (b) + (c))
static inline __attribute__((always_inline)) vec4 vec_relu(vec4 v)
{
    typedef int32_t mask4 __attribute__((vector_size(16)));
    const mask4 negative = v < (vec4){0, 0, 0, 0}; /* false for NaN */
    return (vec4)((mask4)v & ~negative);
}
#define NAME(rows, vectors) tile_##rows##x##vectors
#include "tile_body.h"

#define EACH_ROW(X, v) X(1, v) X(2, v) X(3, v) X(4, v)
EACH_ROW(DEFINE_TILE, 1)
EACH_ROW(DEFINE_TILE, 2)
EACH_ROW(DEFINE_TILE, 3)
EACH_ROW(DEFINE_TILE, 4)

#define ENTRY(rows, vectors) [rows - 1][vectors - 1] = NAME(rows, vectors),
const struct mk_family mk_portable = {.name = "portable",
                                      .lanes = LANES,
                                      .rows = 4,
                                      .vectors = 2,
                                      .tile = {EACH_ROW(ENTRY, 1) EACH_ROW(ENTRY, 2) EACH_ROW(ENTRY, 3) EACH_ROW(ENTRY, 4)}};
