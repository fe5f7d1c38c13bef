/* tiles: the families that exist, for select.c. */
#ifndef CONVOY_KERNELS_MICROKERNEL_TILES_H
#define CONVOY_KERNELS_MICROKERNEL_TILES_H

#include "microkernel.h"

extern const struct mk_family mk_avx512, mk_avx2, mk_portable; /* the first two on x86-64 only */

#endif
