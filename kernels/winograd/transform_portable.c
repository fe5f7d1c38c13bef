/* Portable C: vectors of four floats by the compiler's vector extension. */
#include "transform.h"
#include <string.h>

typedef float VEC __attribute__((vector_size(16)));
enum { LANES = 4 };

static inline VEC vec_load(const float *p)
{
    VEC v;
    memcpy(&v, p, sizeof v);
    return v;
}

static inline void vec_store(float *p, VEC v)
{
    memcpy(p, &v, sizeof v);
}

#include "transform_body.h"

static void gather(const float *row, const struct pixel_row *shape, int64_t x0, int64_t pixels, float *to)
{
    for (int64_t x = x0; x < x0 + pixels; x++, to += BLOCK) {
        const int32_t channels = x >= 0 && x < shape->width ? shape->channels : 0;
        for (int32_t c = 0; c < channels; c++)
            to[c] = row[c * shape->channel_stride + x];
        for (int32_t c = channels; c < BLOCK; c++)
            to[c] = 0;
    }
}

static void scatter(const float *from, int64_t pixels, const float *bias, int relu, const struct pixel_row *shape, float *row)
{
    for (int32_t c = 0; c < shape->channels; c++) {
        for (int64_t x = 0; x < pixels; x++) {
            const float value = from[x * BLOCK + c] + bias[c];
            row[c * shape->channel_stride + x] = relu && value < 0 ? 0 : value;
        }
    }
}

const struct transform_family transform_portable = {
    .name = "portable",
    .gather = gather,
    .scatter = scatter,
    .transforms = transforms,
    .count = sizeof transforms / sizeof transforms[0],
};
