#define LANES_HEADER "lanes_avx512.h"
#define BN_LOOPS bn_loops_avx512
#include "bn_body.h"
