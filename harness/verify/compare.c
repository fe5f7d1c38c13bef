#include "verify/compare.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

/* Below this u * D is no normal float, and no error can be relative to it. */
static const double relative_least = 0x1p-102;

static double element_value(const void *output, enum slot_type type, uint64_t e)
{
    switch (type) {
    case SLOT_U8:
        return ((const uint8_t *)output)[e];
    case SLOT_S32:
        return ((const int32_t *)output)[e];
    default:
        return (double)((const float *)output)[e];
    }
}

static bool is_poison(const void *output, enum slot_type type, uint64_t e)
{
    uint32_t word;
    if (type == SLOT_U8)
        return ((const uint8_t *)output)[e] == (COMPARE_POISON & 0xff);
    memcpy(&word, (const char *)output + e * sizeof word, sizeof word);
    return word == COMPARE_POISON;
}

/* |got - want|; NaN wants NaN, an infinity itself, and anything else that is not finite is infinitely wrong. */
static double element_error(double got, double want)
{
    if (isnan(want))
        return isnan(got) ? 0 : INFINITY;
    if (isinf(want))
        return got == want ? 0 : INFINITY;
    return isfinite(got) ? fabs(got - want) : INFINITY;
}

static double in_bounds(double error, double bound)
{
    if (error == 0)
        return 0;
    return bound > 0 && isfinite(error) ? error / bound : INFINITY;
}

/* A poisoned float or int32 is found anywhere; a byte only where the reference says that it should be another one. */
static void find_poison(const void *output, enum slot_type type, uint64_t elements, const struct answer *answer,
                        struct comparison *result)
{
    if (type != SLOT_U8) {
        for (uint64_t e = 0; e < elements && !result->unwritten; e++) {
            if (is_poison(output, type, e)) {
                result->unwritten = true;
                result->unwritten_at = e;
            }
        }
        return;
    }
    for (uint64_t i = 0; i < answer->count && !result->unwritten; i++) {
        const uint64_t e = answer->index ? answer->index[i] : i;
        if (is_poison(output, type, e) && element_value(output, type, e) != answer->terms[i].value) {
            result->unwritten = true;
            result->unwritten_at = e;
        }
    }
}

void compare_output(const void *output, enum slot_type type, uint64_t elements, bool poisoned, const struct answer *answer,
                    const double *bound, const double *unstable, struct comparison *result)
{
    double error_squares = 0, want_squares = 0, most_error = 0, most_want = 0, most_got = 0;
    memset(result, 0, sizeof *result);
    result->count = answer->count;
    result->unstable = true;
    if (poisoned)
        find_poison(output, type, elements, answer, result);
    for (uint64_t i = 0; i < answer->count; i++) {
        const struct convoy_verdict_terms *const term = &answer->terms[i];
        const uint64_t e = answer->index ? answer->index[i] : i;
        const double got = element_value(output, type, e), want = term->value;
        const double error = element_error(got, want), units = in_bounds(error, bound[i]);
        if (!(units <= 1))
            result->wrong++;
        if (!(in_bounds(error, unstable[i]) <= 1))
            result->unstable = false;
        if (i == 0 || units > result->error_in_bounds) {
            result->error_in_bounds = units;
            result->worst = e;
            result->got = got;
            result->want = want;
            result->bound = bound[i];
        }
        if (term->abs_sum > 0) {
            result->with_terms++;
            result->nonzero += want != 0;
            if (term->abs_sum >= relative_least)
                result->backward_error = fmax(result->backward_error, error / term->abs_sum / 0x1p-24);
        }
        if (isfinite(want)) {
            error_squares += error * error;
            want_squares += want * want;
            most_error = fmax(most_error, error);
            most_want = fmax(most_want, fabs(want));
            most_got = fmax(most_got, isfinite(got) ? fabs(got) : INFINITY);
        }
    }
    const double range = fmax(most_got, most_want);
    result->l2_rel = want_squares > 0 ? sqrt(error_squares / want_squares) : error_squares > 0 ? INFINITY : 0;
    result->max_rel = most_want > 0 ? most_error / most_want : most_error > 0 ? INFINITY : 0;
    result->rms_range = range > 0 && isfinite(range) ? sqrt(error_squares / (double)result->count) / range : 0;
}

void compare_element_name(const struct slot_info *info, uint32_t slot, uint64_t element, char *buf, size_t size)
{
    int64_t position[4] = {0};
    uint64_t rest = element;
    for (int32_t axis = info->rank - 1; axis >= 0; axis--) {
        position[axis] = (int64_t)(rest % (uint64_t)info->extent[axis]);
        rest /= (uint64_t)info->extent[axis];
    }
    size_t length = (size_t)snprintf(buf, size, "%s[", slot_name(slot));
    for (int32_t axis = 0; axis < info->rank && length < size; axis++)
        length += (size_t)snprintf(buf + length, size - length, axis ? ",%lld" : "%lld", (long long)position[axis]);
    if (length < size)
        snprintf(buf + length, size - length, "]");
}
