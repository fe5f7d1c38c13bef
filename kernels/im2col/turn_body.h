/* turn_body: included once for each instruction set, after TURN (the function), LANES, LOG_LANES and the lists LOW and HIGH:
 * the lanes of two vectors a, b that interleave their lower and their upper halves, a0 b0 a1 b1 ... Interleaving vector v with
 * vector v + LANES/2 rotates the bits of the place of every element, (vector, lane) read as one number, by one; after LOG_LANES
 * rounds vector and lane have changed places. */
#include "turn.h"
#include <string.h>

typedef float vec __attribute__((vector_size(LANES * 4)));

#if defined(__clang__)
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 16")
#endif

enum { AHEAD = 96 };
static inline void turn_block(const float *from, int64_t from_row, float *to, int64_t to_row)
{
    vec rows[LANES], next[LANES];
    UNROLL
    for (int v = 0; v < LANES; v++) {
        memcpy(&rows[v], from + v * from_row, sizeof *rows);
        __builtin_prefetch(from + v * from_row + AHEAD);
    }
    UNROLL
    for (int round = 0; round < LOG_LANES; round++) {
        UNROLL
        for (int v = 0; v < LANES / 2; v++) {
            next[2 * v] = __builtin_shufflevector(rows[v], rows[v + LANES / 2], LOW);
            next[2 * v + 1] = __builtin_shufflevector(rows[v], rows[v + LANES / 2], HIGH);
        }
        UNROLL
        for (int v = 0; v < LANES; v++)
            rows[v] = next[v];
    }
    UNROLL
    for (int v = 0; v < LANES; v++)
        memcpy(to + v * to_row, &rows[v], sizeof *rows);
}

static void turn_edge(const float *from, int64_t from_row, int64_t rows, int64_t cols, float *to, int64_t to_row)
{
    for (int64_t col = 0; col < cols; col++)
        for (int64_t row = 0; row < rows; row++)
            to[col * to_row + row] = from[row * from_row + col];
}

void TURN(const float *from, int64_t from_row, int64_t rows, int64_t cols, float *to, int64_t to_row)
{
    const int64_t whole_cols = cols / LANES * LANES;
    int64_t row = 0;
    for (; row + LANES <= rows; row += LANES) {
        const float *const at = from + row * from_row;
        for (int64_t col = 0; col < whole_cols; col += LANES)
            turn_block(at + col, from_row, to + col * to_row + row, to_row);
        turn_edge(at + whole_cols, from_row, LANES, cols - whole_cols, to + whole_cols * to_row + row, to_row);
    }
    turn_edge(from + row * from_row, from_row, rows - row, cols, to + row, to_row);
}
