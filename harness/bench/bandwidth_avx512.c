#if defined(__x86_64__)
#define VECTOR "z"
#define VECTOR_BYTES "64"
#define LOOPS bandwidth_loops_avx512
#include "bench/bandwidth_body.h"
#else
typedef int no_avx512_here; /* a translation unit is never empty */
#endif
