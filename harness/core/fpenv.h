/* fpenv: the floating-point control state of the calling thread (rounding, flush modes, exception masks) as one number.
 * Status flags are not part of it: kernels may raise them freely. All functions [any]; they touch their own thread only. */
#ifndef CONVOY_CORE_FPENV_H
#define CONVOY_CORE_FPENV_H

#include <stdint.h>

uint64_t fpenv_get(void);
void fpenv_set(uint64_t modes); /* a value that fpenv_get returned */

#endif
