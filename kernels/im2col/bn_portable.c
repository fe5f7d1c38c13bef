#define LANES_HEADER "lanes_portable.h"
#define BN_LOOPS bn_loops_portable
#include "bn_body.h"
