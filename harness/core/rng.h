/* rng: counter-based random numbers. A value is a pure function of (seed, stream, index), so data does not depend on the
 * order or the number of threads that make it. Philox-4x32-10 (Salmon et al., SC'11). All functions [any]. */
#ifndef CONVOY_CORE_RNG_H
#define CONVOY_CORE_RNG_H

#include <stdint.h>

/* The generator itself: one block of four words from a key and a counter. */
void rng_block(const uint32_t key[2], const uint32_t counter[4], uint32_t out[4]);

uint64_t rng_u64(uint64_t seed, uint64_t stream, uint64_t index);
double rng_unit(uint64_t seed, uint64_t stream, uint64_t index);    /* [0, 1), 53 bits              */
float rng_uniform(uint64_t seed, uint64_t stream, uint64_t index);  /* [-1, 1), 24 bits             */
double rng_normal(uint64_t seed, uint64_t stream, uint64_t index);  /* mean 0, deviation 1          */
uint64_t rng_below(uint64_t seed, uint64_t stream, uint64_t index, uint64_t bound); /* 0..bound-1, unbiased enough: 64-bit multiply-shift */

#endif
