#define TURN turn_portable
#define LANES 4
#define LOG_LANES 2
#define LOW 0, 4, 1, 5
#define HIGH 2, 6, 3, 7
#include "turn_body.h"
