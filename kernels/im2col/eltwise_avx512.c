#define LANES_HEADER "lanes_avx512.h"
#define ELTWISE_LOOPS eltwise_loops_avx512
#include "eltwise_body.h"
