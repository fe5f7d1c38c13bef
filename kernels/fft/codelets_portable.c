/* The codelets with 4 channels per vector, by the compiler's vector extension. */
#include "codelets.h"
#include <string.h>

typedef float vec4 __attribute__((vector_size(16)));

struct part {
    int first, last;
};

#define VEC vec4
#define LANES 4
#define MASK struct part
#define TABLE codelets_portable
#define vec_zero() ((vec4){0, 0, 0, 0})
#define vec_splat(f) ((vec4){f, f, f, f})

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

static inline vec4 vec_relu(vec4 v)
{
    return (vec4){v[0] < 0 ? 0 : v[0], v[1] < 0 ? 0 : v[1], v[2] < 0 ? 0 : v[2], v[3] < 0 ? 0 : v[3]}; /* NaN stays */
}

static inline struct part vec_mask(int first, int last)
{
    return (struct part){first, last};
}

static inline vec4 vec_gather(const float *p, ptrdiff_t distance, struct part part)
{
    float value[4] = {0};
    for (int lane = part.first; lane < part.last; lane++)
        value[lane] = p[lane * distance];
    return vec_load(value);
}

static inline void vec_scatter(float *p, ptrdiff_t distance, struct part part, vec4 v)
{
    for (int lane = part.first; lane < part.last; lane++)
        p[lane * distance] = v[lane];
}

static inline vec4 vec_load_masked(const float *p, struct part part)
{
    return part.first == 0 && part.last == LANES ? vec_load(p) : vec_gather(p, 1, part);
}

static inline void vec_store_masked(float *p, struct part part, vec4 v)
{
    if (part.first == 0 && part.last == LANES)
        vec_store(p, v);
    else
        vec_scatter(p, 1, part, v);
}

static inline __attribute__((always_inline)) void vec_transpose(vec4 *v)
{
    const vec4 a = v[0], b = v[1], c = v[2], d = v[3];
    v[0] = (vec4){a[0], b[0], c[0], d[0]};
    v[1] = (vec4){a[1], b[1], c[1], d[1]};
    v[2] = (vec4){a[2], b[2], c[2], d[2]};
    v[3] = (vec4){a[3], b[3], c[3], d[3]};
}

#include "codelet_body.h"
