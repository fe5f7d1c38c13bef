#if defined(__x86_64__)
#define VECTOR "y"
#define VECTOR_BYTES "32"
#define LOOPS bandwidth_loops_avx2
#include "bench/bandwidth_body.h"
#else
typedef int no_avx2_here; /* a translation unit is never empty */
#endif
