#include "peak.h"

#if defined(__AVX2__) && defined(__FMA__)
#include <immintrin.h>

/* Twelve chains: two units of four cycles' latency need eight. The empty assembly keeps each chain in its register. */
double peak_avx2(int64_t turns)
{
    enum { CHAINS = 12, LANES = 8 };
    __m256 half = _mm256_set1_ps(0.5f), chain[CHAINS];
    UNROLL
    for (int i = 0; i < CHAINS; i++)
        chain[i] = half;
    for (int64_t t = 0; t < turns; t++) {
        UNROLL
        for (int i = 0; i < CHAINS; i++) {
            chain[i] = _mm256_fmadd_ps(half, chain[i], half);
            __asm__("" : "+v"(chain[i]));
        }
    }
    UNROLL
    for (int i = 0; i < CHAINS; i++)
        __asm__ volatile("" ::"v"(chain[i]));
    return 2.0 * LANES * CHAINS * (double)turns;
}
#endif
