#include "verify/adversarial.h"
#include "verify/examine.h"
#include "verify/fill.h"
#include "verify/lanes.h"
#include <convoy/plugin.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

struct trial {
    struct rig *rig;
    const struct oracle *oracle;
    const struct tolerance *tolerance;
    uint64_t seed;
    struct tensors *inputs;
    struct finding *finding;
};

/* ---- patterns within the bounds ---- */

enum { CONV = 1 << FAMILY_CONV, POOL = 1 << FAMILY_POOL, BN = 1 << FAMILY_BN, ELTWISE = 1 << FAMILY_ELTWISE };

/* Batch norm has its large mean among the regular checks; its other worst cases are those of sums. */
static const unsigned pattern_families[FILL_PATTERN_COUNT] = {
    [FILL_POSITIVE] = CONV | POOL | BN,
    [FILL_CANCELLING] = CONV | POOL,
    [FILL_WIDE_RANGE] = CONV,
    [FILL_DENORMAL] = CONV | POOL | ELTWISE,
};

static bool judge_inputs(const struct trial *t, const char *name)
{
    struct examination e;
    if (!examine_open(&e, name, t->oracle, t->inputs, t->tolerance, false, 0, 0, t->finding))
        return false;
    const bool ok = rig_run(t->rig, t->inputs, GUARD_LEFT, t->finding) && examine_judge(&e, t->rig, NULL, t->finding);
    examine_close(&e);
    return ok;
}

static bool check_pattern(const struct trial *t, enum fill_pattern pattern)
{
    char name[48];
    const bool flushes = t->rig->info.numerics.flags & CONVOY_MAY_FLUSH_DENORMALS;
    /* A transform's error follows its largest terms before they cancel; the constants, made with random data of one size, know
     * nothing of sums that a few terms dominate. */
    if ((pattern == FILL_CANCELLING || pattern == FILL_WIDE_RANGE) && t->tolerance->tiled)
        return true;
    /* Copies have no bound that a flushed denormal could stay in, and no error that it would hide. */
    if (pattern == FILL_DENORMAL && flushes && problem_family(&t->rig->problem) != FAMILY_CONV)
        return true;
    snprintf(name, sizeof name, "%s data", fill_pattern_name(pattern));
    return fill_with_pattern(t->inputs, t->oracle, t->seed, pattern, t->finding) && judge_inputs(t, name);
}

/* ---- powers of two commute with rounding ---- */

static void scale_slot(struct tensors *tensors, uint32_t slot, float factor)
{
    float *const data = tensors_f32(tensors, slot);
    for (int64_t e = 0; data && e < tensors->info[slot].elements; e++)
        data[e] *= factor;
}

static void scale_outputs(const struct rig *rig, void *const kept[CONVOY_NSLOTS], float factor)
{
    for (uint32_t slot = 0; slot < CONVOY_NSLOTS; slot++) {
        const bool scales = rig->slots[slot].type == SLOT_F32 && slot != CONVOY_DBIAS; /* DBIAS sums up the second operand */
        float *const data = scales ? kept[slot] : NULL;
        for (int64_t e = 0; data && e < rig->slots[slot].elements; e++)
            data[e] *= factor;
    }
}

/* Every output is linear in its first operand and bias (a maximum and a 2-norm at least in positive factors). */
static bool check_scaling(const struct trial *t)
{
    static const float factors[] = {0x1p40f, 0x1p-80f, 0x1p40f}; /* one after the other: 2^40, 2^-40, 1 */
    static const char *const words[] = {"a run with data scaled by 2^40, scaled back",
                                        "a run with data scaled by 2^-40, scaled back"};
    void *kept[CONVOY_NSLOTS];
    if (!(t->rig->info.numerics.flags & CONVOY_DETERMINISTIC))
        return true;
    const uint32_t first = fill_first_operand(t->inputs);
    bool ok = fill_with_pattern(t->inputs, t->oracle, t->seed, FILL_UNIFORM, t->finding) &&
              rig_run(t->rig, t->inputs, GUARD_LEFT, t->finding) && lanes_keep(t->rig, kept, t->finding);
    if (!ok)
        return false;
    for (size_t turn = 0; ok && turn < sizeof words / sizeof words[0]; turn++) {
        scale_slot(t->inputs, first, factors[turn]);
        scale_slot(t->inputs, CONVOY_BIAS, factors[turn]);
        scale_outputs(t->rig, kept, factors[turn]);
        struct finding found = finding_none();
        ok = rig_run(t->rig, t->inputs, GUARD_LEFT, &found) && lanes_same_bits(t->rig, kept, words[turn], &found);
        if (!ok) {
            const enum verdict verdict = found.verdict == VERDICT_NONDETERMINISTIC ? VERDICT_FAIL : found.verdict;
            finding_set(t->finding, verdict, "power-of-two scaling: %s", found.reason);
        }
    }
    lanes_drop(kept);
    return ok;
}

/* ---- NaN ---- */

/* Each seventh element: windows with one, several and none. */
static bool check_pool_nan(const struct trial *t)
{
    if (!fill_with_pattern(t->inputs, t->oracle, t->seed, FILL_UNIFORM, t->finding))
        return false;
    float *const x = tensors_f32(t->inputs, CONVOY_X);
    for (int64_t e = 3; e < t->inputs->info[CONVOY_X].elements; e += 7)
        x[e] = NAN;
    return judge_inputs(t, "data with NaN");
}

/* Output positions of one image that see the NaN, as the half-open box rows x columns. */
struct box {
    int64_t n, row_first, row_last, column_first, column_last;
    bool empty;
};

static struct box box_of_nan(const struct slot_info *info, const struct answer *answer)
{
    struct box box = {.empty = true};
    for (uint64_t e = 0; e < answer->count; e++) {
        if (!isnan(answer->terms[e].value))
            continue;
        const int64_t column = (int64_t)e % info->extent[3], row = (int64_t)e / info->extent[3] % info->extent[2];
        const int64_t n = (int64_t)e / info->extent[3] / info->extent[2] / info->extent[1];
        if (box.empty)
            box = (struct box){n, row, row + 1, column, column + 1, false};
        box.row_first = convoy_min(box.row_first, row);
        box.row_last = convoy_max(box.row_last, row + 1);
        box.column_first = convoy_min(box.column_first, column);
        box.column_last = convoy_max(box.column_last, column + 1);
    }
    return box;
}

/* How far a transform may carry a NaN: the pixels of a tile. */
static int64_t tile_reach(const struct convoy_conv *p, const struct convoy_numerics *n)
{
    const int64_t tile = n->kind == CONVOY_NUM_FFT ? (int64_t)convoy_max(n->tile_h, n->tile_w) : (int64_t)n->m + n->r;
    return tile * convoy_max(p->stride_h, p->stride_w);
}

/* A transform spreads the NaN over its tile; elements beyond, and other images, stay finite. What depends on it is NaN. */
static bool check_containment(const struct trial *t, uint32_t slot)
{
    struct answer answer;
    const struct slot_info *const info = &t->rig->slots[slot];
    const int64_t reach = tile_reach(&t->rig->problem.conv, &t->rig->info.numerics);
    if (!rig_run(t->rig, t->inputs, GUARD_LEFT, t->finding) ||
        !oracle_answer(t->oracle, t->inputs, slot, NULL, 0, &answer, t->finding))
        return false;
    const float *const output = rig_output(t->rig, slot, t->finding);
    const struct box box = box_of_nan(info, &answer);
    bool ok = output != NULL;
    for (uint64_t e = 0; ok && e < answer.count; e++) {
        const int64_t column = (int64_t)e % info->extent[3], row = (int64_t)e / info->extent[3] % info->extent[2];
        const int64_t n = (int64_t)e / info->extent[3] / info->extent[2] / info->extent[1];
        const bool near = !box.empty && n == box.n && row >= box.row_first - reach && row < box.row_last + reach &&
                          column >= box.column_first - reach && column < box.column_last + reach;
        const bool wrong = isnan(answer.terms[e].value) ? !isnan(output[e]) : !near && !isfinite(output[e]);
        if (wrong) {
            char name[96];
            compare_element_name(info, slot, e, name, sizeof name);
            ok = finding_set(t->finding, VERDICT_FAIL, "one NaN in the input: %s is %.9g, though it %s", name, (double)output[e],
                             isnan(answer.terms[e].value) ? "depends on it" : "is farther than a tile from it");
        }
    }
    oracle_free(&answer);
    return ok;
}

static bool check_conv_nan(const struct trial *t)
{
    const uint32_t first = fill_first_operand(t->inputs);
    const bool gradient = t->rig->problem.head.op == CONVOY_CONV_BWD_WEIGHTS;
    if (!fill_with_pattern(t->inputs, t->oracle, t->seed, FILL_UNIFORM, t->finding))
        return false;
    const struct slot_info *const info = &t->inputs->info[first];
    const int64_t plane = info->extent[2] * info->extent[3];
    tensors_f32(t->inputs,
                first)[(info->elements / plane - 1) * plane + info->extent[2] / 2 * info->extent[3] + info->extent[3] / 2] = NAN;
    if (!t->tolerance->tiled)
        return judge_inputs(t, "data with one NaN");
    /* All tiles meet in a weight gradient. */
    return gradient || check_containment(t, first == CONVOY_X ? CONVOY_Y : CONVOY_DX);
}

bool adversarial_check(struct rig *rig, const struct oracle *oracle, const struct tolerance *tolerance, uint64_t seed,
                       struct finding *finding)
{
    struct tensors inputs;
    const enum problem_family family = problem_family(&rig->problem);
    const struct trial t = {
        .rig = rig, .oracle = oracle, .tolerance = tolerance, .seed = seed, .inputs = &inputs, .finding = finding};
    if (!tensors_open(&rig->problem, &inputs))
        return finding_set(finding, VERDICT_NOT_RUN, "the harness has no memory for the adversarial data");
    bool ok = true;
    for (int pattern = 0; ok && pattern < FILL_PATTERN_COUNT; pattern++) {
        if (pattern_families[pattern] & 1u << family)
            ok = check_pattern(&t, (enum fill_pattern)pattern);
    }
    if (ok && (family == FAMILY_CONV || family == FAMILY_POOL))
        ok = check_scaling(&t);
    if (ok && family == FAMILY_CONV)
        ok = check_conv_nan(&t);
    if (ok && rig->problem.head.op == CONVOY_POOL_FWD && rig->problem.pool.kind == CONVOY_POOL_MAX)
        ok = check_pool_nan(&t);
    tensors_close(&inputs);
    return ok;
}
