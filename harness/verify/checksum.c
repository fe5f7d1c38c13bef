#include "verify/checksum.h"
#include "core/error.h"
#include "core/rng.h"
#include <convoy/plugin.h>
#include <convoy/shape.h>
#include <math.h>
#include <string.h>

enum { COEFFICIENT_STREAM = 300, IMAGE_STREAM, COEFFICIENT_MOST = 7 };

/* The channels of one group that are summed up: `channels` per group, coefficient v[g*channels + i]. */
struct collapse {
    uint64_t seed;
    int64_t groups, channels;
};

/* Odd, so never 0. */
static double coefficient(const struct collapse *c, int64_t channel)
{
    const uint64_t draw = rng_below(c->seed, COEFFICIENT_STREAM, (uint64_t)channel, COEFFICIENT_MOST + 1);
    return (double)(2 * (int64_t)draw - COEFFICIENT_MOST);
}

/* to[g][e] = sum over the channels i of group g of v * from[g*channels + i][e], planes of `elements`. */
static void collapse_planes(const struct collapse *c, const float *from, float *to, int64_t elements)
{
    for (int64_t g = 0; g < c->groups; g++) {
        for (int64_t e = 0; e < elements; e++)
            to[g * elements + e] = 0;
        for (int64_t i = 0; i < c->channels; i++) {
            const float v = (float)coefficient(c, g * c->channels + i);
            const float *const plane = from + (g * c->channels + i) * elements;
            for (int64_t e = 0; e < elements; e++)
                to[g * elements + e] += v * plane[e];
        }
    }
}

/* One output channel per group (for backward-data one input channel), and the images that can be afforded. */
static bool small_problem(const union problem *problem, struct collapse *c, int64_t most_work, int64_t *first_image,
                          union problem *small)
{
    struct convoy_error err = error_none();
    const struct convoy_conv *const p = &problem->conv;
    const bool data = problem->head.op == CONVOY_CONV_BWD_DATA;
    *small = *problem;
    if (problem->head.op == CONVOY_CONV_BWD_WEIGHTS)
        small->head.flags = 0;
    c->groups = p->groups;
    c->channels = (data ? p->c : p->k) / p->groups;
    *(data ? &small->conv.c : &small->conv.k) = p->groups;
    const int64_t image_work = convoy_conv_macs(&small->conv) / p->n;
    *first_image = 0;
    if (problem->head.op == CONVOY_CONV_BWD_WEIGHTS) {
        if (image_work * p->n > most_work)
            return false;
    } else {
        small->conv.n = (int32_t)convoy_max(1, convoy_min(p->n, most_work / convoy_max(1, image_work)));
        *first_image = (int64_t)rng_below(c->seed, IMAGE_STREAM, 0, (uint64_t)(p->n - small->conv.n) + 1);
    }
    return problem_complete(small, &err) == CONVOY_OK;
}

/* The inputs of the small problem from those of the large one. */
static void collapse_inputs(const struct collapse *c, const struct tensors *inputs, int64_t first_image, struct tensors *small)
{
    const struct convoy_conv *const p = &inputs->problem.conv;
    const int64_t taps = (int64_t)p->kh * p->kw, group_c = p->c / p->groups;
    const uint32_t image = p->head.op == CONVOY_CONV_BWD_DATA ? CONVOY_DY : CONVOY_X;
    const int64_t image_elements = inputs->info[image].elements / p->n;
    memcpy(small->data[image], tensors_f32(inputs, image) + first_image * image_elements, (size_t)small->info[image].bytes);
    switch (p->head.op) {
    case CONVOY_CONV_FWD:
        collapse_planes(c, tensors_f32(inputs, CONVOY_W), tensors_f32(small, CONVOY_W), group_c * taps);
        if (small->data[CONVOY_BIAS])
            collapse_planes(c, tensors_f32(inputs, CONVOY_BIAS), tensors_f32(small, CONVOY_BIAS), 1);
        break;
    case CONVOY_CONV_BWD_DATA:
        for (int64_t k = 0; k < p->k; k++) {
            const int64_t g = k / (p->k / p->groups);
            float *const to = tensors_f32(small, CONVOY_W) + k * taps;
            memset(to, 0, (size_t)taps * sizeof *to);
            for (int64_t i = 0; i < group_c; i++) {
                for (int64_t tap = 0; tap < taps; tap++)
                    to[tap] +=
                        (float)coefficient(c, g * group_c + i) * tensors_f32(inputs, CONVOY_W)[(k * group_c + i) * taps + tap];
            }
        }
        break;
    default:
        for (int64_t n = 0; n < p->n; n++) {
            const int64_t plane = (int64_t)p->oh * p->ow;
            collapse_planes(c, tensors_f32(inputs, CONVOY_DY) + n * p->k * plane,
                            tensors_f32(small, CONVOY_DY) + n * p->groups * plane, plane);
        }
        break;
    }
}

/* sum over the channels of group g of v * output, for element e of the small output; outputs are integers up to rounding. */
static double collapse_output(const struct collapse *c, const struct convoy_conv *p, const float *output, int64_t first_image,
                              int64_t plane, int64_t e)
{
    const int64_t in_plane = e % plane, g = e / plane % c->groups;
    const int64_t image = p->head.op == CONVOY_CONV_BWD_WEIGHTS ? 0 : first_image + e / plane / c->groups;
    const float *const first = output + (image * c->groups + g) * c->channels * plane + in_plane;
    double sum = 0;
    for (int64_t i = 0; i < c->channels; i++)
        sum += coefficient(c, g * c->channels + i) * rint((double)first[i * plane]);
    return sum;
}

static bool compare_sums(const struct collapse *c, struct rig *rig, const struct answer *answer, int64_t first_image,
                         struct finding *finding)
{
    const struct convoy_conv *const p = &rig->problem.conv;
    const struct slot_info *const info = &rig->slots[answer->slot];
    const bool weights = p->head.op == CONVOY_CONV_BWD_WEIGHTS;
    const int64_t plane = weights ? info->extent[1] * info->extent[2] * info->extent[3] : info->extent[2] * info->extent[3];
    const float *const output = rig_output(rig, answer->slot, finding);
    for (uint64_t e = 0; output && e < answer->count; e++) {
        const double got = collapse_output(c, p, output, first_image, plane, (int64_t)e);
        if (got == answer->terms[e].value)
            continue;
        const int64_t in_plane = (int64_t)e % plane, g = (int64_t)e / plane % c->groups, columns = info->extent[3];
        const int64_t rows = info->extent[2],
                      image = weights ? in_plane / columns / rows : first_image + (int64_t)e / plane / c->groups;
        return finding_set(finding, VERDICT_FAIL,
                           "checksum on integers: the weighted sum over channels %lld..%lld of %s at [%lld,%lld,%lld] (%s, row, "
                           "column) is %.17g, "
                           "not %.17g: one of them is wrong",
                           (long long)(g * c->channels), (long long)((g + 1) * c->channels - 1), slot_name(answer->slot),
                           (long long)image, (long long)(in_plane / columns % rows), (long long)(in_plane % columns),
                           weights ? "input channel" : "image", got, answer->terms[e].value);
    }
    return output != NULL;
}

bool checksum_check(struct rig *rig, const struct tensors *inputs, const struct oracle *oracle, int64_t most_work, uint64_t seed,
                    struct finding *finding)
{
    static const uint32_t outputs[] = {
        [CONVOY_CONV_FWD] = CONVOY_Y, [CONVOY_CONV_BWD_DATA] = CONVOY_DX, [CONVOY_CONV_BWD_WEIGHTS] = CONVOY_DW};
    struct collapse c = {.seed = seed};
    union problem problem;
    struct tensors small;
    struct answer answer;
    int64_t first_image;
    if (problem_family(&rig->problem) != FAMILY_CONV || (rig->problem.head.flags & CONVOY_WITH_RELU) ||
        !small_problem(&rig->problem, &c, most_work, &first_image, &problem))
        return true;
    if (!tensors_open(&problem, &small))
        return finding_set(finding, VERDICT_NOT_RUN, "the harness has no memory for the checksum");
    collapse_inputs(&c, inputs, first_image, &small);
    bool ok = oracle_answer(oracle, &small, outputs[problem.head.op], NULL, 0, &answer, finding);
    if (ok) {
        ok = compare_sums(&c, rig, &answer, first_image, finding);
        oracle_free(&answer);
    }
    tensors_close(&small);
    return ok;
}
