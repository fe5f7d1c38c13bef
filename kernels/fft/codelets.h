/* codelets: the tables of hand-written transforms that exist, for codelets.c. */
#ifndef CONVOY_KERNELS_FFT_CODELETS_H
#define CONVOY_KERNELS_FFT_CODELETS_H

#include "transform.h"

enum { CODELET_COUNT = 6 }; /* tiles 8, 16, 18, 20, 24, 32 */
extern const struct fft_transform codelets_avx512[CODELET_COUNT], codelets_avx2[CODELET_COUNT], codelets_portable[CODELET_COUNT];

#endif
