/* Losses against numbers worked by hand, and their gradients against central differences. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/error.h"
#include "core/rng.h"
#include "runtime/loss.h"

#include <math.h>
#include <string.h>

static double run(const struct loss_options *options, const struct loss_batch *batch, struct loss_result *result)
{
    struct convoy_error err = error_none();
    struct loss_result ignored;
    if (!result)
        result = &ignored;
    if (loss_run(options, batch, result, &err))
        fail_msg("%s", err.text);
    return result->loss;
}

static void near(double value, double expected, double most)
{
    if (!(fabs(value - expected) <= most))
        fail_msg("%.9g instead of %.9g", value, expected);
}

/* Equal logits cost ln C: 0.693147 2.302585 2.708050 4.605170 6.907755. */
static void equal_logits_cost_the_logarithm_of_the_classes(void **state)
{
    (void)state;
    static const struct {
        int32_t classes;
        double loss;
    } rows[] = {{2, 0.693147}, {10, 2.302585}, {15, 2.708050}, {100, 4.605170}, {1000, 6.907755}};
    static float z[1000];
    const int32_t label = 1;
    for (size_t row = 0; row < sizeof rows / sizeof *rows; row++) {
        const struct loss_batch batch = {.batch = 1, .classes = rows[row].classes, .z = z, .label = &label, .weight = 1};
        near(run(&(struct loss_options){.kind = LOSS_XENT}, &batch, NULL), rows[row].loss, 1e-6);
    }
}

/* z = ln 1, ln 2, ln 5: p = 1/8, 2/8, 5/8. */
static void cross_entropy_is_that_of_softmax(void **state)
{
    (void)state;
    const float z[] = {0, (float)log(2), (float)log(5)};
    const int32_t label = 1;
    float dz[3];
    struct loss_result result;
    const struct loss_batch batch = {.batch = 1, .classes = 3, .z = z, .label = &label, .weight = 0.5f, .dz = dz};
    near(run(&(struct loss_options){.kind = LOSS_XENT}, &batch, &result), log(4), 1e-6);
    near(dz[0], 0.5 * 0.125, 1e-7);
    near(dz[1], 0.5 * -0.75, 1e-7);
    near(dz[2], 0.5 * 0.625, 1e-7);
    assert_int_equal(result.correct, 0);
    assert_int_equal(result.correct5, 1);
}

static void large_logits_do_not_overflow(void **state)
{
    (void)state;
    const float z[] = {1000, -1000, 990};
    const int32_t label = 1;
    float dz[3];
    const struct loss_batch batch = {.batch = 1, .classes = 3, .z = z, .label = &label, .weight = 1, .dz = dz};
    near(run(&(struct loss_options){.kind = LOSS_XENT}, &batch, NULL), 2000 + log1p(exp(-10)), 1e-3);
    near(dz[1], -1, 1e-6);
    near(run(&(struct loss_options){.kind = LOSS_BCE}, &batch, NULL), 1000 + 1000 + 990, 1e-3);
}

/* Labels that are ignored count for nothing; the mean is over the others, or by class weights over their sum. */
static void means_are_over_what_counts(void **state)
{
    (void)state;
    const float z[] = {0, (float)log(3), 5, 5, (float)log(3), 0};
    const int32_t label[] = {1, LOSS_IGNORE, 1};
    const float weight[] = {1, 3};
    float dz[6];
    struct loss_result result;
    struct loss_batch batch = {.batch = 3, .classes = 2, .z = z, .label = label, .weight = 1, .dz = dz};
    near(run(&(struct loss_options){.kind = LOSS_XENT}, &batch, &result), (log(4.0 / 3) + log(4)) / 2, 1e-6);
    assert_int_equal(result.counted, 2);
    assert_int_equal(result.correct, 1);
    near(dz[0], 0.25 / 2, 1e-7);
    assert_true(dz[2] == 0 && dz[3] == 0);
    near(dz[4], 0.75 / 2, 1e-7);
    const int32_t mixed[] = {1, LOSS_IGNORE, 0}; /* losses ln 4/3 of weight 3 and ln 4/3 of weight 1 */
    batch.label = mixed;
    near(run(&(struct loss_options){.kind = LOSS_XENT, .class_weight = weight}, &batch, NULL), log(4.0 / 3), 1e-6);
    near(dz[0], 0.25 * 3 / 4, 1e-7);
    near(dz[4], -0.25 * 1 / 4, 1e-7);
}

static void the_other_losses_are_their_formulas(void **state)
{
    (void)state;
    const float z[] = {0.5f, -2, 3};
    const int32_t label = 0;
    const struct loss_batch batch = {.batch = 1, .classes = 3, .z = z, .label = &label, .weight = 1};
    near(run(&(struct loss_options){.kind = LOSS_MSE}, &batch, NULL), 0.5 * (0.25 + 4 + 9), 1e-6);
    near(run(&(struct loss_options){.kind = LOSS_L1}, &batch, NULL), 0.5 + 2 + 3, 1e-6);
    near(run(&(struct loss_options){.kind = LOSS_HUBER}, &batch, NULL), 0.125 + 1.5 + 2.5, 1e-6);
    near(run(&(struct loss_options){.kind = LOSS_HUBER, .delta = 2}, &batch, NULL), 0.125 + 2 + 4, 1e-6);
    near(run(&(struct loss_options){.kind = LOSS_HINGE}, &batch, NULL), 1 + 3 - 0.5, 1e-6);
    near(run(&(struct loss_options){.kind = LOSS_HINGE, .margin = 4}, &batch, NULL), 4 + 3 - 0.5, 1e-6);
    near(run(&(struct loss_options){.kind = LOSS_HINGE_EACH}, &batch, NULL), 0.5 + 0 + 4, 1e-6);
    near(run(&(struct loss_options){.kind = LOSS_BCE}, &batch, NULL), log1p(exp(-0.5)) + log1p(exp(-2)) + log1p(exp(3)), 1e-6);
}

/* Soft targets of mixup, smoothing and class weights included. */
static void gradients_are_those_of_differences(void **state)
{
    (void)state;
    enum { BATCH = 3, CLASSES = 4 };
    float z[BATCH * CLASSES], target[BATCH * CLASSES] = {0.7f, 0.3f, 0, 0, 0, 0, 0.2f, 0.8f, 1, 0, 0, 0}, dz[BATCH * CLASSES];
    const int32_t label[BATCH] = {3, LOSS_IGNORE, 1};
    const float weight[CLASSES] = {1, 2, 3, 0.5f};
    for (int i = 0; i < BATCH * CLASSES; i++)
        z[i] = 2 * rng_uniform(4, 1, (uint64_t)i);
    for (int kind = 0; kind < LOSS_KIND_COUNT; kind++) {
        for (int soft = 0; soft < 2; soft++) {
            const struct loss_options options = {
                .kind = (enum loss_kind)kind, .smoothing = 0.1f, .class_weight = soft ? NULL : weight, .delta = 0.7f};
            struct loss_batch batch = {
                .batch = BATCH, .classes = CLASSES, .z = z, .label = label, .target = soft ? target : NULL, .weight = 1, .dz = dz};
            run(&options, &batch, NULL);
            batch.dz = NULL;
            for (int i = 0; i < BATCH * CLASSES; i++) {
                const float kept = z[i];
                z[i] = kept + 0x1p-8f;
                const double above = run(&options, &batch, NULL);
                z[i] = kept - 0x1p-8f;
                const double below = run(&options, &batch, NULL);
                z[i] = kept;
                if (!(fabs((above - below) / 0x1p-7 - dz[i]) < 1e-4))
                    fail_msg("%s, element %d: %g, differences say %g", loss_name((enum loss_kind)kind), i, (double)dz[i],
                             (above - below) / 0x1p-7);
            }
        }
    }
}

static void a_label_out_of_range_is_refused(void **state)
{
    (void)state;
    const float z[4] = {0};
    for (int32_t wrong = -1; wrong <= 2; wrong += 3) {
        const int32_t label[] = {0, wrong};
        const struct loss_batch batch = {.batch = 2, .classes = 2, .z = z, .label = label, .weight = 1};
        struct loss_result result;
        struct convoy_error err = error_none();
        assert_int_equal(loss_run(&(struct loss_options){.kind = LOSS_XENT}, &batch, &result, &err), CONVOY_INVALID);
        assert_non_null(strstr(err.text, "sample 1"));
    }
}

static void names_are_found(void **state)
{
    (void)state;
    for (int kind = 0; kind < LOSS_KIND_COUNT; kind++) {
        enum loss_kind found = LOSS_KIND_COUNT;
        assert_true(loss_by_name(loss_name((enum loss_kind)kind), &found));
        assert_int_equal(found, kind);
    }
    enum loss_kind found;
    assert_false(loss_by_name("no such loss", &found));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equal_logits_cost_the_logarithm_of_the_classes),
        cmocka_unit_test(cross_entropy_is_that_of_softmax),
        cmocka_unit_test(large_logits_do_not_overflow),
        cmocka_unit_test(means_are_over_what_counts),
        cmocka_unit_test(the_other_losses_are_their_formulas),
        cmocka_unit_test(gradients_are_those_of_differences),
        cmocka_unit_test(a_label_out_of_range_is_refused),
        cmocka_unit_test(names_are_found),
    };
    return cmocka_run_group_tests_name("loss", tests, NULL, NULL);
}
