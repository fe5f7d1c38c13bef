#include "bench/probe_loop.h"

typedef float lanes __attribute__((vector_size(16)));

/* Fused where the target always has the instruction, else a multiply and an add: still two operations per lane. */
static inline lanes multiply_add(lanes a, lanes b, lanes c)
{
#if defined(__FP_FAST_FMAF)
    for (int lane = 0; lane < 4; lane++)
        a[lane] = __builtin_fmaf(a[lane], b[lane], c[lane]);
    return a;
#else
    return a * b + c;
#endif
}

/* Every call reads the volatile value anew: a compiler that knew two chains to be equal would compute one. */
static inline lanes opaque(const volatile float *value)
{
    const float v = *value;
    return (lanes){v, v, v, v};
}

/* Twelve chains fit beside the operand in the sixteen registers of the smallest target. */
double probe_loop_portable(int64_t turns)
{
    volatile float value = 0.5f;
    const lanes half = opaque(&value);
    lanes a = opaque(&value), b = opaque(&value), c = opaque(&value), d = opaque(&value), e = opaque(&value), f = opaque(&value);
    lanes g = opaque(&value), h = opaque(&value), i = opaque(&value), j = opaque(&value), k = opaque(&value), l = opaque(&value);
    for (int64_t turn = 0; turn < turns; turn++) {
        a = multiply_add(a, half, half);
        b = multiply_add(b, half, half);
        c = multiply_add(c, half, half);
        d = multiply_add(d, half, half);
        e = multiply_add(e, half, half);
        f = multiply_add(f, half, half);
        g = multiply_add(g, half, half);
        h = multiply_add(h, half, half);
        i = multiply_add(i, half, half);
        j = multiply_add(j, half, half);
        k = multiply_add(k, half, half);
        l = multiply_add(l, half, half);
    }
    const lanes sum = a + b + c + d + e + f + g + h + i + j + k + l;
    value = sum[0] + sum[1] + sum[2] + sum[3];
    return (double)turns * 12 * 4 * 2;
}
