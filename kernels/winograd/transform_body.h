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

#define DEFINE_FILTERS(name, one_dimension, r, alpha)                                                                            \
    static void name(const struct filters *f)                                                                                    \
    {                                                                                                                            \
        for (int64_t k = 0; k < f->count; k++) {                                                                                 \
            for (int lane = 0; lane < BLOCK; lane += LANES) {                                                                    \
                const float *taps = f->from + k * (r) * (r)*BLOCK + lane;                                                        \
                float *planes = f->to + k * f->to_step + lane;                                                                   \
                VEC between[alpha][r];                                                                                           \
                UNROLL for (int s = 0; s < (r); s++)                                                                             \
                {                                                                                                                \
                    VEC from[r], to[alpha];                                                                                      \
                    UNROLL for (int t = 0; t < (r); t++) from[t] = vec_load(taps + (t * (r) + s) * BLOCK);                       \
                    one_dimension(from, to);                                                                                     \
                    UNROLL for (int i = 0; i < (alpha); i++) between[i][s] = to[i];                                              \
                }                                                                                                                \
                UNROLL for (int i = 0; i < (alpha); i++)                                                                         \
                {                                                                                                                \
                    VEC to[alpha];                                                                                               \
                    one_dimension(between[i], to);                                                                               \
                    UNROLL for (int j = 0; j < (alpha); j++) vec_store(planes + (i * (alpha) + j) * f->plane, to[j]);            \
                }                                                                                                                \
            }                                                                                                                    \
        }                                                                                                                        \
    }

/* All functions of one form. Prefixed names, since the generated ones are called input_, output_, expand_ and filter_. */
#define DEFINE_FORM(name, in, out, alpha, step)                                               \
    DEFINE_COLUMNS(columns_##name, input_##name, in, alpha)                                   \
    DEFINE_ROWS(rows_##name, input_##name, in, alpha, step)                                   \
    DEFINE_INVERSE(inverse_##name, output_##name, alpha, out)
#define DEFINE_ADJOINT(name, out, alpha)                                                      \
    DEFINE_COLUMNS(expand_columns_##name, expand_##name, out, alpha)                          \
    DEFINE_ROWS(expand_rows_##name, expand_##name, out, alpha, out)

#define DEFINE_DENSE(m, r, alpha)                                                                                                \
    DEFINE_FORM(m##_##r, alpha, m, alpha, m)                                                                                     \
    DEFINE_ADJOINT(m##_##r, m, alpha)                                                                                            \
    DEFINE_FILTERS(filters_##m##_##r, filter_##m##_##r, r, alpha)
#define DEFINE_STRIDED(m)                                                                     \
    DEFINE_FORM(strided_##m, 2 * m + 1, m, 2 * m + 1, 2 * m)                                  \
    DEFINE_ADJOINT(strided_##m, m, 2 * m + 1)                                                 \
    DEFINE_FORM(even_##m, m + 1, 2 * m, 2 * m + 1, m)                                         \
    DEFINE_FORM(odd_##m, m + 1, 2 * m, 2 * m + 1, m)
EACH_DENSE(DEFINE_DENSE)
EACH_STRIDED(DEFINE_STRIDED)

#define FORM_FUNCTIONS(name) .input_columns = columns_##name, .input_rows = rows_##name, .output = inverse_##name
#define ADJOINT_FUNCTIONS(name) .expand_columns = expand_columns_##name, .expand_rows = expand_rows_##name
#define DENSE_ENTRY(M, R, ALPHA)                                                                                                 \
    {.m = M,                                                                                                                     \
     .r = R,                                                                                                                     \
     .in = ALPHA,                                                                                                                \
     .out = M,                                                                                                                   \
     .step = M,                                                                                                                  \
     .alpha = ALPHA,                                                                                                             \
     .singles = ALPHA,                                                                                                           \
     FORM_FUNCTIONS(M##_##R),                                                                                                    \
     ADJOINT_FUNCTIONS(M##_##R),                                                                                                 \
     .filters = filters_##M##_##R},
#define STRIDED_SIZES(M) .m = M, .r = 3, .alpha = 2 * M + 1, .singles = M + 1
#define STRIDED_ENTRIES(M)                                                                    \
    {.form = FORM_STRIDED, STRIDED_SIZES(M), .in = 2 * M + 1, .out = M, .step = 2 * M,        \
     FORM_FUNCTIONS(strided_##M), ADJOINT_FUNCTIONS(strided_##M)},                            \
    {.form = FORM_SPREAD_EVEN, STRIDED_SIZES(M), .in = M + 1, .out = 2 * M, .step = M, FORM_FUNCTIONS(even_##M)}, \
    {.form = FORM_SPREAD_ODD, STRIDED_SIZES(M), .in = M + 1, .out = 2 * M, .step = M, FORM_FUNCTIONS(odd_##M)},
static const struct transform transforms[] = {EACH_DENSE(DENSE_ENTRY) EACH_STRIDED(STRIDED_ENTRIES)};
