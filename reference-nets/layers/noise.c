/* Dropout (inverted: what stays is scaled by 1/(1-p)) and additive Gaussian noise. Draws are functions of (seed, step, layer,
 * element), so that they do not depend on threads and backward draws again what forward drew. */
#include "layers/kinds.h"
#include "layers/planes.h"

#include "core/rng.h"

#include <string.h>

enum { STREAM_NOISE = 0x52000000 };

static uint64_t seed_of(const struct layer *layer)
{
    return layer->seed ^ (layer->step + 1) * 0x9e3779b97f4a7c15u;
}

/* Four draws of one block of the generator, a word each. */
static void keep_mask(const struct planes *p, int64_t block, float scale[4])
{
    const struct layer *layer = p->layer;
    const uint64_t seed = seed_of(layer);
    const uint32_t key[2] = {(uint32_t)seed, (uint32_t)(seed >> 32)};
    const uint32_t counter[4] = {(uint32_t)block, (uint32_t)((uint64_t)block >> 32), (uint32_t)layer->index, STREAM_NOISE};
    uint32_t word[4];
    rng_block(key, counter, word);
    const double dropped = (double)layer->spec->spec.p * 4294967296.0;
    for (int lane = 0; lane < 4; lane++)
        scale[lane] = word[lane] < dropped ? 0 : 1 / (1 - layer->spec->spec.p);
}

static void dropout_run(const struct planes *p, int64_t n, const float *from, float *to)
{
    float scale[4];
    int64_t drawn = -1;
    for (int64_t i = n * p->in_size; i < (n + 1) * p->in_size; i++) {
        if (i / 4 != drawn)
            keep_mask(p, drawn = i / 4, scale);
        to[i] = from[i] * scale[i % 4];
    }
}

static void copy_sample(const struct planes *p, int64_t n)
{
    memcpy(p->y + n * p->in_size, p->in + n * p->in_size, (size_t)p->in_size * sizeof *p->y);
}

static void copy_back(const struct planes *p, int64_t n)
{
    memcpy(p->din + n * p->in_size, p->dout + n * p->in_size, (size_t)p->in_size * sizeof *p->din);
}

static void dropout_sample(const struct planes *p, int64_t n)
{
    dropout_run(p, n, p->in, p->y);
}

static void dropout_sample_backward(const struct planes *p, int64_t n)
{
    dropout_run(p, n, p->dout, p->din);
}

convoy_status dropout_forward(struct layer *layer, struct convoy_error *err)
{
    return planes_forward(layer, layer->mode == EXEC_EVAL ? copy_sample : dropout_sample, err);
}

convoy_status dropout_backward(struct layer *layer, struct convoy_error *err)
{
    return planes_backward(layer, dropout_sample_backward, err);
}

static void noise_sample(const struct planes *p, int64_t n)
{
    const struct layer *layer = p->layer;
    for (int64_t i = n * p->in_size; i < (n + 1) * p->in_size; i++)
        p->y[i] = p->in[i] +
                  layer->spec->spec.p * (float)rng_normal(seed_of(layer), STREAM_NOISE + (uint64_t)layer->index, (uint64_t)i);
}

convoy_status noise_forward(struct layer *layer, struct convoy_error *err)
{
    return planes_forward(layer, layer->mode == EXEC_EVAL ? copy_sample : noise_sample, err);
}

convoy_status noise_backward(struct layer *layer, struct convoy_error *err)
{
    return planes_backward(layer, copy_back, err);
}
