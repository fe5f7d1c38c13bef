/* transform_body: the transforms of one instruction set, included by its file after it has defined the vector type VEC of
 * LANES floats (a GCC vector extension type, so that the generated arithmetic is plain C) and the functions vec_load(p),
 * vec_store(p, v). 16 channels are 16/LANES vectors; they never meet, so each pass runs over them one vector at a time. */
#include "transforms.h"

#define UNROLL _Pragma("GCC unroll 16")

#define DEFINE_COLUMNS(name, one_dimension, in, out)                                          \
    static void name(const struct columns *c)                                                 \
    {                                                                                         \
        for (int64_t x = 0; x < c->pixels * BLOCK; x += LANES) {                              \
            VEC from[in], to[out];                                                            \
            UNROLL for (int i = 0; i < (in); i++) from[i] = vec_load(c->from + i * c->from_row + x); \
            one_dimension(from, to);                                                          \
            UNROLL for (int i = 0; i < (out); i++) vec_store(c->to + i * c->to_row + x, to[i]); \
        }                                                                                     \
    }

#define DEFINE_ROWS(name, one_dimension, in, out, step)                                       \
    static void name(const struct rows *r)                                                    \
    {                                                                                         \
        for (int64_t t = 0; t < r->tiles; t++) {                                              \
            for (int i = 0; i < (out); i++) {                                                 \
                const float *row = r->from + i * r->from_row + t * (step) * BLOCK;            \
                float *plane = r->to + i * (out) * r->plane + t * r->tile;                    \
                for (int lane = 0; lane < BLOCK; lane += LANES) {                             \
                    VEC from[in], to[out];                                                    \
                    UNROLL for (int j = 0; j < (in); j++) from[j] = vec_load(row + j * BLOCK + lane); \
                    one_dimension(from, to);                                                  \
                    UNROLL for (int j = 0; j < (out); j++) vec_store(plane + j * r->plane + lane, to[j]); \
                }                                                                             \
            }                                                                                 \
        }                                                                                     \
    }

#define DEFINE_INVERSE(name, one_dimension, in, out)                                          \
    static void name(const struct inverse *v)                                                 \
    {                                                                                         \
        for (int64_t t = 0; t < v->tiles; t++) {                                              \
            for (int lane = 0; lane < BLOCK; lane += LANES) {                                 \
                const float *planes = v->from + t * v->tile + lane;                           \
                VEC between[out][in];                                                         \
                UNROLL for (int j = 0; j < (in); j++) {                                       \
                    VEC from[in], to[out];                                                    \
                    UNROLL for (int i = 0; i < (in); i++) from[i] = vec_load(planes + (i * (in) + j) * v->plane); \
                    one_dimension(from, to);                                                  \
                    UNROLL for (int i = 0; i < (out); i++) between[i][j] = to[i];             \
                }                                                                             \
                UNROLL for (int i = 0; i < (out); i++) {                                      \
                    VEC to[out];                                                              \
                    one_dimension(between[i], to);                                            \
                    float *row = v->to + i * v->to_row + t * (out) * BLOCK + lane;            \
                    UNROLL for (int j = 0; j < (out); j++) vec_store(row + j * BLOCK, to[j]); \
                }                                                                             \
            }                                                                                 \
        }                                                                                     \
    }

#define DEFINE_TRANSFORM(m, r, alpha)                                                         \
    DEFINE_COLUMNS(input_columns_##m##_##r, input_##m##_##r, alpha, alpha)                    \
    DEFINE_ROWS(input_rows_##m##_##r, input_##m##_##r, alpha, alpha, m)                       \
    DEFINE_INVERSE(inverse_##m##_##r, output_##m##_##r, alpha, m)                             \
    DEFINE_COLUMNS(expand_columns_##m##_##r, expand_##m##_##r, m, alpha)                      \
    DEFINE_ROWS(expand_rows_##m##_##r, expand_##m##_##r, m, alpha, m)
EACH_TRANSFORM(DEFINE_TRANSFORM)

#define TRANSFORM_ENTRY(m, r, alpha)                                                          \
    {m, r, alpha, input_columns_##m##_##r, input_rows_##m##_##r, inverse_##m##_##r, expand_columns_##m##_##r,                 \
     expand_rows_##m##_##r},
static const struct transform transforms[] = {EACH_TRANSFORM(TRANSFORM_ENTRY)};
