#define LANES_HEADER "lanes_avx2.h"
#define BN_LOOPS bn_loops_avx2
#include "bn_body.h"
