#define LANES_HEADER "lanes_portable.h"
#define POOL_LOOPS pool_loops_portable
#define POOL_FWD_ROWS NULL
#define POOL_MAX_BACK_ROWS_FAST NULL
#include "pool_body.h"
