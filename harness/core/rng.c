#include "core/rng.h"

#include <math.h>

__extension__ typedef unsigned __int128 wide;

/* Philox-4x32 with 10 rounds; multipliers and Weyl constants from Salmon et al., "Parallel random numbers: as easy as 1, 2, 3",
 * SC'11, section 4. */
void rng_block(const uint32_t key[2], const uint32_t counter[4], uint32_t out[4])
{
    uint32_t k0 = key[0], k1 = key[1];
    uint32_t x0 = counter[0], x1 = counter[1], x2 = counter[2], x3 = counter[3];
    for (int round = 0; round < 10; round++) {
        const uint64_t a = (uint64_t)UINT32_C(0xD2511F53) * x0;
        const uint64_t b = (uint64_t)UINT32_C(0xCD9E8D57) * x2;
        x0 = (uint32_t)(b >> 32) ^ x1 ^ k0;
        x2 = (uint32_t)(a >> 32) ^ x3 ^ k1;
        x1 = (uint32_t)b;
        x3 = (uint32_t)a;
        k0 += UINT32_C(0x9E3779B9);
        k1 += UINT32_C(0xBB67AE85);
    }
    out[0] = x0;
    out[1] = x1;
    out[2] = x2;
    out[3] = x3;
}

/* The block of one value: the seed is the key, index and stream are the counter. */
static void block_pair(uint64_t seed, uint64_t stream, uint64_t index, uint64_t out[2])
{
    const uint32_t key[2] = {(uint32_t)seed, (uint32_t)(seed >> 32)};
    const uint32_t counter[4] = {(uint32_t)index, (uint32_t)(index >> 32), (uint32_t)stream, (uint32_t)(stream >> 32)};
    uint32_t word[4];
    rng_block(key, counter, word);
    out[0] = (uint64_t)word[1] << 32 | word[0];
    out[1] = (uint64_t)word[3] << 32 | word[2];
}

uint64_t rng_u64(uint64_t seed, uint64_t stream, uint64_t index)
{
    uint64_t pair[2];
    block_pair(seed, stream, index, pair);
    return pair[0];
}

double rng_unit(uint64_t seed, uint64_t stream, uint64_t index)
{
    return (double)(rng_u64(seed, stream, index) >> 11) * 0x1p-53;
}

float rng_uniform(uint64_t seed, uint64_t stream, uint64_t index)
{
    const int32_t step = (int32_t)(rng_u64(seed, stream, index) >> 40) - (1 << 23);
    return (float)step * 0x1p-23f; /* exact: 24 bits */
}

/* Box & Muller (Ann. Math. Stat. 29, 1958) from the two halves of one block; the first is kept above 0 for the logarithm. */
double rng_normal(uint64_t seed, uint64_t stream, uint64_t index)
{
    const double two_pi = 6.283185307179586476925;
    uint64_t pair[2];
    block_pair(seed, stream, index, pair);
    const double radius = (double)((pair[0] >> 11) + 1) * 0x1p-53;
    const double angle = (double)(pair[1] >> 11) * 0x1p-53;
    return sqrt(-2.0 * log(radius)) * cos(two_pi * angle);
}

uint64_t rng_below(uint64_t seed, uint64_t stream, uint64_t index, uint64_t bound)
{
    return (uint64_t)((wide)rng_u64(seed, stream, index) * bound >> 64);
}
