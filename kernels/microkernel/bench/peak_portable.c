#include "peak.h"

typedef float vec4 __attribute__((vector_size(16)));

/* A product and a sum where the target has no fused form. */
double peak_portable(int64_t turns)
{
    enum { CHAINS = 12, LANES = 4 };
    volatile float source = 0.5f;
    const float value = source;
    const vec4 half = {value, value, value, value};
    vec4 chain[CHAINS];
    UNROLL
    for (int i = 0; i < CHAINS; i++)
        chain[i] = half;
    for (int64_t t = 0; t < turns; t++) {
        UNROLL
        for (int i = 0; i < CHAINS; i++)
            chain[i] = half * chain[i] + half;
    }
    vec4 sum = chain[0];
    UNROLL
    for (int i = 1; i < CHAINS; i++)
        sum += chain[i];
    __asm__ volatile("" ::"m"(sum));
    return 2.0 * LANES * CHAINS * (double)turns;
}
