#define FAMILY filter_avx512
#define FAMILY_NAME "avx512"
#define LANES 8
#include "filter_body.h"
