#define LANES_HEADER "lanes_avx2.h"
#define POOL_LOOPS pool_loops_avx2
#define POOL_FWD_ROWS NULL
#define POOL_MAX_BACK_ROWS_FAST NULL
#include "pool_body.h"
