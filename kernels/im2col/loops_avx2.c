#define LOOPS loops_avx2
#define LOOPS_NAME "avx2"
#define LOOPS_OF(operation) operation##_loops_avx2
#include "loops_body.h"
