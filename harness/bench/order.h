/* order: who runs when in a round, so that drift and the candidate before fall on all alike. */
#ifndef CONVOY_BENCH_ORDER_H
#define CONVOY_BENCH_ORDER_H

#include <stddef.h>
#include <stdint.h>

/* Writes the candidates 0..count-1 in the order of one round. Every `count` rounds are a Latin square: each candidate is once in each
 * place, and for an even count each follows each other once (E. J. Williams, "Experimental designs balanced for the estimation of
 * residual effects of treatments", Austral. J. Sci. Res. A 2, 1949). Each square has a permutation of its own. Two candidates: AB BA or
 * BA AB. [any] */
void order_round(size_t count, int64_t round, uint64_t seed, size_t *order);

#endif
