#include "bench/inputs.h"

#include "core/error.h"
#include "core/rng.h"
#include <convoy/shape.h>
#include <stdlib.h>
#include <string.h>

/* Values repeat after this many: enough that no branch predictor learns them, and large tensors are filled at the speed of
 * memory. A prime, so that no extent of a tensor falls in step with it. */
enum { PERIOD = 65537 };

struct range {
    float centre, radius;
};

/* Zero radius and centre: the default, -1..1. Variances and deviations stay positive, gamma is near 1. */
static const struct range slot_range[CONVOY_NSLOTS] = {
    [CONVOY_GAMMA] = {1.0f, 0.1f},
    [CONVOY_RUN_VAR] = {1.0f, 0.5f},
    [CONVOY_SAVE_MEAN] = {0.0f, 0.1f},
    [CONVOY_SAVE_ISTD] = {1.7f, 0.2f},
};

static struct range range_of(const union problem *problem, uint32_t slot)
{
    /* L2 pooling divides by y, a root that is positive for data like ours. */
    if (slot == CONVOY_Y && problem->head.op == CONVOY_POOL_BWD)
        return (struct range){1.0f, 0.5f};
    const struct range range = slot_range[slot];
    return range.centre == 0.0f && range.radius == 0.0f ? (struct range){0.0f, 1.0f} : range;
}

/* Rate, momentum, decay, nesterov: a velocity that settles and weights that hardly move in a billion steps. */
static const float sgd_scalars[4] = {1e-9f, 0.1f, 1e-4f, 0.0f};

static void make_floats(const union problem *problem, uint32_t slot, uint64_t seed, float *value, int64_t count)
{
    if (slot == CONVOY_SCALARS) {
        for (int64_t at = 0; at < count; at++)
            value[at] = sgd_scalars[at % 4];
        return;
    }
    const struct range range = range_of(problem, slot);
    for (int64_t at = 0; at < count; at++)
        value[at] = range.centre + range.radius * rng_uniform(seed, slot, (uint64_t)at);
}

/* Taps 0..kernel-1 whose position o*stride - pad + tap*dil lies in 0..in-1: [*first, *last). */
static void valid_taps(int32_t in, int32_t o, int32_t stride, int32_t pad, int32_t dil, int32_t kernel, int64_t *first,
                       int64_t *last)
{
    const int64_t base = (int64_t)o * stride - pad;
    *first = base >= 0 ? 0 : (-base + dil - 1) / dil;
    *last = base >= in ? 0 : (in - base + dil - 1) / dil;
    if (*last > kernel)
        *last = kernel;
}

/* A random tap inside the image for each window of `planes` planes, as max pooling forward would leave it. */
static void make_pool_index(const struct convoy_pool *p, uint64_t seed, int32_t *index, int64_t planes)
{
    int64_t at = 0;
    for (int64_t plane = 0; plane < planes; plane++)
        for (int32_t oh = 0; oh < p->oh; oh++)
            for (int32_t ow = 0; ow < p->ow; ow++, at++) {
                int64_t r, r_end, s, s_end;
                valid_taps(p->h, oh, p->stride_h, p->pad_t, p->dil_h, p->kh, &r, &r_end);
                valid_taps(p->w, ow, p->stride_w, p->pad_l, p->dil_w, p->kw, &s, &s_end);
                r += (int64_t)rng_below(seed, CONVOY_INDEX, 2 * (uint64_t)at, (uint64_t)(r_end - r));
                s += (int64_t)rng_below(seed, CONVOY_INDEX, 2 * (uint64_t)at + 1, (uint64_t)(s_end - s));
                index[at] = (int32_t)(r * p->kw + s);
            }
}

static void make_labels(const struct convoy_eltwise *p, uint64_t seed, int32_t *label, int64_t count)
{
    for (int64_t at = 0; at < count; at++)
        label[at] = (int32_t)rng_below(seed, CONVOY_INDEX, (uint64_t)at, (uint64_t)p->classes);
}

static convoy_status upload_repeated(struct convoy_memory *memory, struct convoy_tensor tensor, const void *block,
                                     uint64_t block_bytes, uint64_t bytes, struct convoy_error *err)
{
    for (uint64_t done = 0; done < bytes; done += block_bytes) {
        const struct convoy_tensor part = {tensor.buffer, tensor.offset + done};
        const convoy_status status =
            memory->upload(memory, part, block, bytes - done < block_bytes ? bytes - done : block_bytes, err);
        if (status != CONVOY_OK)
            return status;
    }
    return CONVOY_OK;
}

convoy_status inputs_fill(const union problem *problem, uint32_t slot, const struct slot_info *info, uint64_t seed,
                          struct convoy_memory *memory, struct convoy_tensor tensor, struct convoy_error *err)
{
    const bool pool_index = slot == CONVOY_INDEX && problem_family(problem) == FAMILY_POOL;
    const int64_t plane = pool_index ? (int64_t)problem->pool.oh * problem->pool.ow : 1; /* a pool index repeats whole planes */
    int64_t count = pool_index && plane < PERIOD ? PERIOD / plane * plane : pool_index ? plane : PERIOD;
    if (count > info->elements)
        count = info->elements;

    const size_t element_bytes = info->type == SLOT_U8 ? 1 : 4;
    void *block = malloc((size_t)count * 4);
    if (!block)
        return convoy_fail(err, CONVOY_NO_MEMORY, CONVOY_WHY_MEMORY, "out of memory for the data of slot %s", slot_name(slot));
    if (info->type == SLOT_F32)
        make_floats(problem, slot, seed, block, count);
    else if (pool_index)
        make_pool_index(&problem->pool, seed, block, count / plane);
    else
        make_labels(&problem->eltwise, seed, block, count);
    if (info->type == SLOT_U8) {
        const int32_t *wide = block;
        uint8_t *narrow = block;
        for (int64_t at = 0; at < count; at++) { /* in place: byte `at` is never ahead of word `at` */
            const int32_t value = wide[at];
            narrow[at] = (uint8_t)value;
        }
    }
    const convoy_status status =
        upload_repeated(memory, tensor, block, (uint64_t)count * element_bytes, (uint64_t)info->bytes, err);
    free(block);
    return status;
}

convoy_status inputs_refresh(const union problem *problem, uint32_t slot, const struct slot_info *info, uint64_t seed,
                             uint64_t turn, struct convoy_memory *memory, struct convoy_tensor tensor, struct convoy_error *err)
{
    /* Beside any batch of timed calls a write of this size is nothing, and on a small tensor it is all of it. */
    enum { PART = 4096 };
    const int64_t count = info->elements < PART ? info->elements : PART;
    float value[PART];
    make_floats(problem, slot, seed ^ (turn + 1) << 32, value, count);
    const uint64_t first = rng_below(seed, slot, turn, (uint64_t)(info->elements - count + 1));
    const struct convoy_tensor part = {tensor.buffer, tensor.offset + 4 * first};
    return memory->upload(memory, part, value, 4 * (uint64_t)count, err);
}
