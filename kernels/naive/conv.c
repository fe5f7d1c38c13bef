/* Convolution, all three passes, fast enough for whole networks.
 *
 * Forward and backward-data form the sums of conv_element.c, in the same order, for a tile of TILE_H x TILE_W outputs at a
 * time: for every channel and tap (r,s), each row of the tile gets weight * (shifted row of the input) added, a loop without
 * a carried dependence. Where a tap would read padding, convoy_tap_range shortens the row. A weight gradient is one long
 * dot product, summed in LANES interleaved partial sums. Partitions depend on the problem only, never on the threads. */
#include "naive.h"
#include <convoy/shape.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>

enum { TILE_H = 8, TILE_W = 64, TILE = TILE_H * TILE_W, LANES = 64 };

/* Running sums over the terms a*b of each output; all but ab only for the referee. */
struct sums {
    double ab[TILE], abs_ab[TILE], aa[TILE], bb[TILE];
};

/* Where the outputs go: rounded to floats, or as terms. Exactly one is not NULL. */
struct sink {
    float *values;
    struct convoy_verdict_terms *terms;
};

struct pass {
    const struct job *job;
    struct sink sink;
    int64_t tiles_h, tiles_w;
};

/* A tile of one output plane: rows h0..h1-1, columns w0..w1-1. */
struct tile {
    int32_t n, channel, h0, h1, w0, w1;
};

static void add_products(double *sum, int64_t sum_step, const float *a, int64_t a_step, double b, int64_t count)
{
    if (sum_step == 1 && a_step == 1) {
        for (int64_t o = 0; o < count; o++)
            sum[o] += (double)a[o] * b;
    } else {
        for (int64_t o = 0; o < count; o++)
            sum[o * sum_step] += (double)a[o * a_step] * b;
    }
}

static inline void add_terms_stepped(struct sums *sums, int64_t at, int64_t sum_step, const float *a, int64_t a_step, double b,
                                     int64_t count)
{
    for (int64_t o = 0; o < count; o++) {
        const double x = (double)a[o * a_step], product = x * b;
        sums->ab[at + o * sum_step] += product;
        sums->abs_ab[at + o * sum_step] += fabs(product);
        sums->aa[at + o * sum_step] += x * x;
        sums->bb[at + o * sum_step] += b * b;
    }
}

static void add_terms(struct sums *sums, int64_t at, int64_t sum_step, const float *a, int64_t a_step, double b, int64_t count)
{
    if (sum_step == 1 && a_step == 1)
        add_terms_stepped(sums, at, 1, a, 1, b, count);
    else
        add_terms_stepped(sums, at, sum_step, a, a_step, b, count);
}

static void clear_sums(struct sums *sums, bool terms)
{
    if (terms)
        memset(sums, 0, sizeof *sums);
    else
        memset(sums->ab, 0, sizeof sums->ab);
}

static struct tile tile_at(const struct pass *pass, size_t i, int32_t channels, int32_t h, int32_t w)
{
    const int64_t in_plane = (int64_t)i % (pass->tiles_h * pass->tiles_w);
    const int64_t plane = (int64_t)i / (pass->tiles_h * pass->tiles_w);
    const int32_t h0 = (int32_t)(in_plane / pass->tiles_w) * TILE_H, w0 = (int32_t)(in_plane % pass->tiles_w) * TILE_W;
    return (struct tile){.n = (int32_t)(plane / channels),
                         .channel = (int32_t)(plane % channels),
                         .h0 = h0,
                         .h1 = (int32_t)convoy_min(h0 + TILE_H, h),
                         .w0 = w0,
                         .w1 = (int32_t)convoy_min((int64_t)w0 + TILE_W, w)};
}

/* The finished tile goes to its plane of h x w; bias and ReLU only in the forward pass (0 and false elsewhere). */
static void store_tile(const struct sums *sums, const struct tile *tile, int64_t plane, int32_t h, int32_t w, double bias,
                       bool relu, struct sink sink)
{
    for (int32_t oh = tile->h0; oh < tile->h1; oh++) {
        for (int32_t ow = tile->w0; ow < tile->w1; ow++) {
            const int64_t from = (int64_t)(oh - tile->h0) * TILE_W + (ow - tile->w0);
            const int64_t to = (plane * h + oh) * w + ow;
            const double sum = sums->ab[from] + bias, value = relu ? eltwise_relu(sum) : sum;
            if (sink.values)
                sink.values[to] = (float)value;
            else
                sink.terms[to] = (struct convoy_verdict_terms){.value = value,
                                                               .abs_sum = sums->abs_ab[from] + fabs(bias),
                                                               .norm = sqrt(sums->aa[from]) * sqrt(sums->bb[from])};
        }
    }
}

static void forward_tile(void *context, size_t i, size_t worker)
{
    (void)worker;
    const struct pass *pass = context;
    const struct convoy_conv *p = &pass->job->problem->conv;
    const float *x = pass->job->slot[CONVOY_X], *weights = pass->job->slot[CONVOY_W], *bias = pass->job->slot[CONVOY_BIAS];
    const struct tile tile = tile_at(pass, i, p->k, p->oh, p->ow);
    const int32_t n = tile.n, k = tile.channel;
    const int32_t group_c = p->c / p->groups, first_c = k / (p->k / p->groups) * group_c;
    struct sums sums;
    clear_sums(&sums, pass->sink.terms != NULL);

    for (int32_t c = 0; c < group_c; c++) {
        const float *plane = x + ((int64_t)n * p->c + first_c + c) * p->h * p->w;
        const float *kernel = weights + ((int64_t)k * group_c + c) * p->kh * p->kw;
        for (int32_t r = 0; r < p->kh; r++) {
            int32_t oh0, oh1;
            convoy_tap_range(p->h, tile.h1, p->pad_t, p->stride_h, r * p->dil_h, &oh0, &oh1);
            oh0 = (int32_t)convoy_max(oh0, tile.h0);
            for (int32_t s = 0; s < p->kw && oh0 < oh1; s++) {
                int32_t ow0, ow1;
                convoy_tap_range(p->w, tile.w1, p->pad_l, p->stride_w, s * p->dil_w, &ow0, &ow1);
                ow0 = (int32_t)convoy_max(ow0, tile.w0);
                const double b = (double)kernel[(int64_t)r * p->kw + s];
                for (int32_t oh = oh0; oh < oh1 && ow0 < ow1; oh++) {
                    const int64_t h = (int64_t)oh * p->stride_h - p->pad_t + (int64_t)r * p->dil_h;
                    const int64_t w = (int64_t)ow0 * p->stride_w - p->pad_l + (int64_t)s * p->dil_w;
                    const int64_t at = (int64_t)(oh - tile.h0) * TILE_W + (ow0 - tile.w0);
                    if (pass->sink.terms)
                        add_terms(&sums, at, 1, plane + h * p->w + w, p->stride_w, b, ow1 - ow0);
                    else
                        add_products(sums.ab + at, 1, plane + h * p->w + w, p->stride_w, b, ow1 - ow0);
                }
            }
        }
    }
    store_tile(&sums, &tile, (int64_t)n * p->k + k, p->oh, p->ow, (p->head.flags & CONVOY_WITH_BIAS) ? (double)bias[k] : 0.0,
               (p->head.flags & CONVOY_WITH_RELU) != 0, pass->sink);
}

/* Tap (r,s) takes dy[oh,ow] to dx[oh*stride_h - pad_t + r*dil_h, ow*stride_w - pad_l + s*dil_w]: the rows of dy that land in
 * the tile are those of convoy_tap_range for an input that begins at the tile. */
static void data_tile(void *context, size_t i, size_t worker)
{
    (void)worker;
    const struct pass *pass = context;
    const struct convoy_conv *p = &pass->job->problem->conv;
    const float *dy = pass->job->slot[CONVOY_DY], *weights = pass->job->slot[CONVOY_W];
    const struct tile tile = tile_at(pass, i, p->c, p->h, p->w);
    const int32_t n = tile.n, c = tile.channel;
    const int32_t group_c = p->c / p->groups, group_k = p->k / p->groups, first_k = c / group_c * group_k;
    struct sums sums;
    clear_sums(&sums, pass->sink.terms != NULL);

    for (int32_t k = first_k; k < first_k + group_k; k++) {
        const float *plane = dy + ((int64_t)n * p->k + k) * p->oh * p->ow;
        const float *kernel = weights + ((int64_t)k * group_c + c % group_c) * p->kh * p->kw;
        for (int32_t r = 0; r < p->kh; r++) {
            int32_t oh0, oh1;
            convoy_tap_range(tile.h1 - tile.h0, p->oh, p->pad_t + tile.h0, p->stride_h, r * p->dil_h, &oh0, &oh1);
            for (int32_t s = 0; s < p->kw && oh0 < oh1; s++) {
                int32_t ow0, ow1;
                convoy_tap_range(tile.w1 - tile.w0, p->ow, p->pad_l + tile.w0, p->stride_w, s * p->dil_w, &ow0, &ow1);
                const double b = (double)kernel[(int64_t)r * p->kw + s];
                for (int32_t oh = oh0; oh < oh1 && ow0 < ow1; oh++) {
                    const int64_t h = (int64_t)oh * p->stride_h - p->pad_t + (int64_t)r * p->dil_h;
                    const int64_t w = (int64_t)ow0 * p->stride_w - p->pad_l + (int64_t)s * p->dil_w;
                    const int64_t at = (h - tile.h0) * TILE_W + (w - tile.w0);
                    if (pass->sink.terms)
                        add_terms(&sums, at, p->stride_w, plane + (int64_t)oh * p->ow + ow0, 1, b, ow1 - ow0);
                    else
                        add_products(sums.ab + at, p->stride_w, plane + (int64_t)oh * p->ow + ow0, 1, b, ow1 - ow0);
                }
            }
        }
    }
    store_tile(&sums, &tile, (int64_t)n * p->c + c, p->h, p->w, 0.0, false, pass->sink);
}

/* Partial sums of one long dot product; term t goes to lane t mod LANES of its row. */
struct lanes {
    double ab[LANES], abs_ab[LANES], aa[LANES], bb[LANES];
};

static void add_row(struct lanes *lanes, const float *a, int64_t a_step, const float *b, int64_t count)
{
    for (int64_t first = 0; first < count; first += LANES) {
        const int64_t width = convoy_min(LANES, count - first);
        const float *from = a + first * a_step, *with = b + first;
        if (a_step == 1) {
            for (int64_t o = 0; o < width; o++)
                lanes->ab[o] += (double)from[o] * (double)with[o];
        } else {
            for (int64_t o = 0; o < width; o++)
                lanes->ab[o] += (double)from[o * a_step] * (double)with[o];
        }
    }
}

static void add_row_terms(struct lanes *lanes, const float *a, int64_t a_step, const float *b, int64_t count)
{
    add_row(lanes, a, a_step, b, count);
    for (int64_t first = 0; first < count; first += LANES) {
        const int64_t width = convoy_min(LANES, count - first);
        for (int64_t o = 0; o < width; o++) {
            const double x = (double)a[(first + o) * a_step], y = (double)b[first + o];
            lanes->abs_ab[o] += fabs(x * y);
            lanes->aa[o] += x * x;
            lanes->bb[o] += y * y;
        }
    }
}

static struct convoy_verdict_terms weight_sum(const struct job *job, int64_t element, bool terms)
{
    const struct convoy_conv *p = &job->problem->conv;
    const int32_t group_c = p->c / p->groups;
    const int32_t s = (int32_t)(element % p->kw), r = (int32_t)(element / p->kw % p->kh);
    const int64_t c = element / p->kw / p->kh % group_c, k = element / p->kw / p->kh / group_c;
    const int64_t x_c = k / (p->k / p->groups) * group_c + c;
    const float *x = job->slot[CONVOY_X], *dy = job->slot[CONVOY_DY];
    int32_t oh0, oh1, ow0, ow1;
    convoy_tap_range(p->h, p->oh, p->pad_t, p->stride_h, r * p->dil_h, &oh0, &oh1);
    convoy_tap_range(p->w, p->ow, p->pad_l, p->stride_w, s * p->dil_w, &ow0, &ow1);
    const int64_t w = (int64_t)ow0 * p->stride_w - p->pad_l + (int64_t)s * p->dil_w;

    const int64_t used = convoy_min(LANES, ow1 - ow0);
    struct lanes lanes;
    for (int64_t o = 0; o < used; o++)
        lanes.ab[o] = lanes.abs_ab[o] = lanes.aa[o] = lanes.bb[o] = 0;
    for (int64_t n = 0; ow0 < ow1 && n < p->n; n++) {
        for (int64_t oh = oh0; oh < oh1; oh++) {
            const int64_t h = oh * p->stride_h - p->pad_t + (int64_t)r * p->dil_h;
            const float *a = x + ((n * p->c + x_c) * p->h + h) * p->w + w, *b = dy + ((n * p->k + k) * p->oh + oh) * p->ow + ow0;
            if (terms)
                add_row_terms(&lanes, a, p->stride_w, b, ow1 - ow0);
            else
                add_row(&lanes, a, p->stride_w, b, ow1 - ow0);
        }
    }
    struct convoy_verdict_terms sum = {0};
    double aa = 0, bb = 0;
    for (int64_t o = 0; o < used; o++) {
        sum.value += lanes.ab[o];
        sum.abs_sum += lanes.abs_ab[o];
        aa += lanes.aa[o];
        bb += lanes.bb[o];
    }
    sum.norm = sqrt(aa) * sqrt(bb);
    return sum;
}

struct convoy_verdict_terms conv_weight_element(const struct job *job, uint64_t element)
{
    return weight_sum(job, (int64_t)element, true);
}

/* All taps of one (k,c). */
static void weight_kernel(void *context, size_t i, size_t worker)
{
    (void)worker;
    const struct pass *pass = context;
    const struct convoy_conv *p = &pass->job->problem->conv;
    const int64_t taps = (int64_t)p->kh * p->kw, first = (int64_t)i * taps;
    for (int64_t element = first; element < first + taps; element++) {
        const struct convoy_verdict_terms sum = weight_sum(pass->job, element, pass->sink.terms != NULL);
        if (pass->sink.values)
            pass->sink.values[element] = (float)sum.value;
        else
            pass->sink.terms[element] = sum;
    }
}

static void bias_channel(void *context, size_t i, size_t worker)
{
    (void)worker;
    const struct pass *pass = context;
    const struct convoy_verdict_terms sum = conv_element(pass->job, CONVOY_DBIAS, i);
    if (pass->sink.values)
        pass->sink.values[i] = (float)sum.value;
    else
        pass->sink.terms[i] = sum;
}

static void run_slot(const struct job *job, uint32_t slot, struct sink sink)
{
    const struct convoy_conv *p = &job->problem->conv;
    const struct convoy_host *host = job->host;
    struct pass pass = {.job = job, .sink = sink};
    if (slot == CONVOY_Y) {
        pass.tiles_h = convoy_ceil_div(p->oh, TILE_H);
        pass.tiles_w = convoy_ceil_div(p->ow, TILE_W);
        host->parallel(host, forward_tile, &pass, (size_t)((int64_t)p->n * p->k * pass.tiles_h * pass.tiles_w));
    } else if (slot == CONVOY_DX) {
        pass.tiles_h = convoy_ceil_div(p->h, TILE_H);
        pass.tiles_w = convoy_ceil_div(p->w, TILE_W);
        host->parallel(host, data_tile, &pass, (size_t)((int64_t)p->n * p->c * pass.tiles_h * pass.tiles_w));
    } else if (slot == CONVOY_DW) {
        host->parallel(host, weight_kernel, &pass, (size_t)((int64_t)p->k * (p->c / p->groups)));
    } else {
        host->parallel(host, bias_channel, &pass, (size_t)p->k);
    }
}

void conv_execute(const struct job *job)
{
    const uint32_t writes = binding_writes(job->problem);
    for (uint32_t slot = 0; slot < CONVOY_NSLOTS; slot++)
        if (writes & (1u << slot))
            run_slot(job, slot, (struct sink){.values = job->slot[slot]});
}

void conv_terms(const struct job *job, uint32_t slot, struct convoy_verdict_terms *terms)
{
    run_slot(job, slot, (struct sink){.terms = terms});
}
