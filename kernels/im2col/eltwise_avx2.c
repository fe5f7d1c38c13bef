#define LANES_HEADER "lanes_avx2.h"
#define ELTWISE_LOOPS eltwise_loops_avx2
#include "eltwise_body.h"
