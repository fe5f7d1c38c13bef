/* eltwise_body: the element-wise kinds that are bound by memory, over lanes.h. Included by eltwise_portable.c, eltwise_avx2.c and
 * eltwise_avx512.c, which define ELTWISE_LOOPS as the object to make. Y may be X, and DX may be DY: every element is read before it is written. */
#include "eltwise.h"
#include "lanes.h"
#include <convoy/plugin.h>

struct factors {
    lanes alpha, beta;
};

/* A loop over a block. `make` maps a vector of x, and one of x2 where there is one, to one of y. */
static inline __attribute__((always_inline)) void each(const struct block *b, int operands, int stream,
                                                       lanes (*make)(const struct factors *, lanes, lanes))
{
    const struct factors f = {lanes_set((float)b->alpha), lanes_set((float)b->beta)};
    const float *x = b->x, *x2 = operands == 2 ? b->x2 : b->x;
    const int64_t off = (int64_t)((uintptr_t)b->y % (LANES * sizeof(float)) / sizeof(float));
    int64_t at = 0;
    if (stream && off) {
        at = convoy_min(LANES - off, b->count);
        const lanes_mask mask = lanes_mask_first(at);
        lanes_store_some(b->y, mask, make(&f, lanes_load_some(x, mask), lanes_load_some(x2, mask)));
    }
    for (; at + 4 * LANES <= b->count; at += 4 * LANES)
        for (int k = 0; k < 4; k++) {
            const lanes y = make(&f, lanes_load(x + at + k * LANES), lanes_load(x2 + at + k * LANES));
            if (stream)
                lanes_stream(b->y + at + k * LANES, y);
            else
                lanes_store(b->y + at + k * LANES, y);
        }
    for (; at < b->count; at += LANES) {
        const lanes_mask mask = lanes_mask_first(convoy_min(LANES, b->count - at));
        lanes_store_some(b->y + at, mask, make(&f, lanes_load_some(x + at, mask), lanes_load_some(x2 + at, mask)));
    }
    if (stream)
        lanes_fence();
}

#define KIND(name, operands, value)                                                                                              \
    static inline __attribute__((always_inline)) lanes make_##name(const struct factors *f, lanes x, lanes x2)                   \
    {                                                                                                                            \
        (void)f;                                                                                                                 \
        (void)x2;                                                                                                                \
        return value;                                                                                                            \
    }                                                                                                                            \
    static void name(const struct block *b)                                                                                      \
    {                                                                                                                            \
        if (b->stream)                                                                                                           \
            each(b, operands, 1, make_##name);                                                                                   \
        else                                                                                                                     \
            each(b, operands, 0, make_##name);                                                                                   \
    }

KIND(relu, 1, lanes_rectify(x))
KIND(leaky, 1, lanes_where_positive(x, x, lanes_mul(f->alpha, x)))
KIND(relu_bwd, 2, lanes_where_positive(x2, x, lanes_set(0)))
KIND(leaky_bwd, 2, lanes_where_positive(x2, x, lanes_mul(f->alpha, x)))
KIND(add, 2, lanes_multiply_add(f->alpha, x, lanes_mul(f->beta, x2)))
KIND(mul, 2, lanes_mul(x, x2))
KIND(scale, 1, lanes_multiply_add(f->alpha, x, f->beta))

static void hardtanh(const struct block *b)
{
    for (int64_t at = 0; at < b->count; at++) {
        const float x = b->x[at];
        b->y[at] = x < -1.0f ? -1.0f : x > 1.0f ? 1.0f : x;
    }
}

static void hardtanh_bwd(const struct block *b)
{
    for (int64_t at = 0; at < b->count; at++)
        b->y[at] = b->x2[at] > -1.0f && b->x2[at] < 1.0f ? b->x[at] : 0.0f;
}

static void update(const float *dw, float *w, float *velocity, int64_t count, const float scalars[4])
{
    const float rate = scalars[0], momentum = scalars[1], decay = scalars[2];
    const int nesterov = scalars[3] != 0.0f;
    for (int64_t at = 0; at < count; at++) {
        const float g = dw[at] + decay * w[at];
        const float v = momentum * velocity[at] + g;
        velocity[at] = v;
        w[at] -= rate * (nesterov ? g + momentum * v : v);
    }
}

const struct eltwise_loops ELTWISE_LOOPS = {
    .kind =
        {
            [CONVOY_ELT_RELU] = relu,
            [CONVOY_ELT_LEAKY] = leaky,
            [CONVOY_ELT_HARDTANH] = hardtanh,
            [CONVOY_ELT_RELU_BWD] = relu_bwd,
            [CONVOY_ELT_LEAKY_BWD] = leaky_bwd,
            [CONVOY_ELT_HARDTANH_BWD] = hardtanh_bwd,
            [CONVOY_ELT_ADD] = add,
            [CONVOY_ELT_MUL] = mul,
            [CONVOY_ELT_SCALE] = scale,
        },
    .update = update,
};
