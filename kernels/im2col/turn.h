/* turn: transposes a matrix of floats by register blocks. Knows nothing of convolutions. */
#ifndef CONVOY_IM2COL_TURN_H
#define CONVOY_IM2COL_TURN_H

#include <stdint.h>

/* to[col*to_row + row] = from[row*from_row + col] for row < rows and col < cols; touches nothing else. [any] */
typedef void turn_fn(const float *from, int64_t from_row, int64_t rows, int64_t cols, float *to, int64_t to_row);

extern turn_fn turn_portable, turn_avx2, turn_avx512;

#endif
