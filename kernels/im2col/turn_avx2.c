#define TURN turn_avx2
#define LANES 8
#define LOG_LANES 3
#define LOW 0, 8, 1, 9, 2, 10, 3, 11
#define HIGH 4, 12, 5, 13, 6, 14, 7, 15
#include "turn_body.h"
