#define FAMILY filter_portable
#define FAMILY_NAME "portable"
#define LANES 2
#include "filter_body.h"
