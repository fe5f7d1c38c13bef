#define FAMILY filter_avx2
#define FAMILY_NAME "avx2"
#define LANES 4
#include "filter_body.h"
