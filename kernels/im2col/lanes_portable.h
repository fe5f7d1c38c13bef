/* lanes_portable: see lanes.h. Four floats, which every processor with vectors has; C has no streamed stores. */
#ifndef CONVOY_IM2COL_LANES_PORTABLE_H
#define CONVOY_IM2COL_LANES_PORTABLE_H

#include <stdint.h>
#include <string.h>

#define LANES 4
typedef float lanes __attribute__((vector_size(16)));
typedef int64_t lanes_mask;

static inline lanes_mask lanes_mask_first(int64_t count) { return count; }
static inline lanes lanes_set(float value) { return (lanes){value, value, value, value}; }
static inline lanes lanes_load(const float *p)
{
    lanes v;
    memcpy(&v, p, sizeof v);
    return v;
}
static inline lanes lanes_load_some(const float *p, lanes_mask mask)
{
    lanes v = {0};
    for (int64_t at = 0; at < mask; at++)
        v[at] = p[at];
    return v;
}
static inline void lanes_store(float *p, lanes v) { memcpy(p, &v, sizeof v); }
static inline void lanes_store_some(float *p, lanes_mask mask, lanes v)
{
    for (int64_t at = 0; at < mask; at++)
        p[at] = v[at];
}
static inline void lanes_stream(float *p, lanes v) { lanes_store(p, v); }
static inline void lanes_fence(void) {}
static inline lanes lanes_keep(lanes v, lanes_mask mask)
{
    for (int64_t at = mask; at < LANES; at++)
        v[at] = 0.0f;
    return v;
}
static inline lanes lanes_choose(lanes_mask mask, lanes a, lanes b)
{
    for (int64_t at = mask; at < LANES; at++)
        a[at] = b[at];
    return a;
}
static inline lanes lanes_add(lanes a, lanes b) { return a + b; }
static inline lanes lanes_sub(lanes a, lanes b) { return a - b; }
static inline lanes lanes_mul(lanes a, lanes b) { return a * b; }
static inline lanes lanes_multiply_add(lanes a, lanes b, lanes c) { return a * b + c; }
static inline lanes lanes_rectify(lanes v)
{
    for (int at = 0; at < LANES; at++)
        v[at] = v[at] < 0.0f ? 0.0f : v[at];
    return v;
}
static inline lanes lanes_where_positive(lanes condition, lanes v, lanes otherwise)
{
    for (int at = 0; at < LANES; at++)
        v[at] = condition[at] > 0.0f ? v[at] : otherwise[at];
    return v;
}
static inline float lanes_total(lanes v) { return (v[0] + v[2]) + (v[1] + v[3]); }
static inline void lanes_totals(const lanes v[16], float totals[16])
{
    for (int at = 0; at < 16; at++)
        totals[at] = lanes_total(v[at]);
}

#endif
