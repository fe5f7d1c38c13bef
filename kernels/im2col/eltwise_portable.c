#define LANES_HEADER "lanes_portable.h"
#define ELTWISE_LOOPS eltwise_loops_portable
#include "eltwise_body.h"
