/* bandwidth_loop: loops that read, write and copy memory as fast as one instruction set can. Knows no threads and no clock. */
#ifndef CONVOY_BENCH_BANDWIDTH_LOOP_H
#define CONVOY_BENCH_BANDWIDTH_LOOP_H

#include "bench/bandwidth.h"
#include <stddef.h>

enum { BANDWIDTH_BLOCK_BYTES = 512 };

/* One pass over `bytes`, a multiple of BANDWIDTH_BLOCK_BYTES; to and from are aligned to 64 bytes and do not overlap. A loop that
 * only reads ignores `to`, one that only writes ignores `from`. Streamed stores are ordered before the return. */
typedef void bandwidth_loop_fn(char *to, const char *from, size_t bytes);

extern bandwidth_loop_fn *const bandwidth_loops_portable[BANDWIDTH_KINDS];
#if defined(__x86_64__)
extern bandwidth_loop_fn *const bandwidth_loops_avx2[BANDWIDTH_KINDS];
extern bandwidth_loop_fn *const bandwidth_loops_avx512[BANDWIDTH_KINDS];
#endif

#endif
