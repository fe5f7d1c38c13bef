/* The reference backend's promises beyond its values: what it refuses, the extension "convoy.referee/1" against its own
 * execute, against a brute-force D and norm, and against itself on samples; the same bits for every thread count. */
#include "core/rng.h"
#include "golden/rig.h"

#include <convoy/plugin.h>
#include <convoy/shape.h>

#define LENGTH(array) (sizeof(array) / sizeof *(array))

static struct backend naive, single;
static const struct convoy_referee *referee;

static const char *const problems[] = {
    "conv_fwd:n2c3h9w70k4kh3p1b1r1",
    "conv_fwd:n1c4h19w11k6kh3kw2g2s2d2p2b1",
    "conv_bwd_data:n2c4h9w11k6kh3kw2g2s2p1",
    "conv_bwd_data:n1c2h21w67k3kh5p2",
    "conv_bwd_data:n1c3h11k2kh3s3d2p2",
    "conv_bwd_weights:n2c4h12w140k6kh3kw2g2p1b1",
    "conv_bwd_weights:n3c2h9k3kh3s2d2p2b1",
    "conv_transpose:n2c3h5w6k2kh3s2p1oph1",
    "maxpool_fwd:n2c3h11w9kh3s2p1",
    "maxpool_bwd:n2c3h11w9kh3s2p1",
    "avgpool_fwd:n2c3h11w9kh3s2p1ceil1",
    "avgpool_bwd:n2c3h11w9kh3s2p1ceil1",
    "avgpoolx_fwd:n2c3h11w9kh3s2p1ceil2",
    "avgpoolx_bwd:n2c3h11w9kh3s2p1ceil2",
    "l2pool_fwd:n2c3h11w9kh3s2p1",
    "l2pool_bwd:n2c3h11w9kh3s2p1",
    "bn_train:n3c5h7w6",
    "bn_train:n3c5h7w6r1",
    "bn_infer:n3c5h7w6",
    "bn_bwd:n3c5h7w6",
    "relu:n5000",
    "leaky:n5000alpha0.1",
    "sigmoid:n5000",
    "tanh:n5000",
    "elu:n5000",
    "softplus:n5000",
    "hardtanh:n5000",
    "softsign:n5000",
    "relu_bwd:n5000",
    "leaky_bwd:n5000alpha0.1",
    "sigmoid_bwd:n5000",
    "tanh_bwd:n5000",
    "elu_bwd:n5000",
    "softplus_bwd:n5000",
    "hardtanh_bwd:n5000",
    "softsign_bwd:n5000",
    "add:n5000alpha2beta-1",
    "mul:n5000",
    "scale:n5000alpha2beta-1",
    "xent:n5000classes10",
    "xent_bwd:n5000classes10",
    "sgd:n5000",
};

/* Uniform in (-1,1); variances and deviations positive, indices small. */
static void fill_random(struct trial *trial)
{
    for (uint32_t slot = 0; slot < CONVOY_NSLOTS; slot++) {
        if (trial->info[slot].role != SLOT_INPUT && trial->info[slot].role != SLOT_INOUT)
            continue;
        for (int64_t element = 0; element < trial->info[slot].elements; element++) {
            const double uniform = (double)rng_uniform(11, slot, (uint64_t)element);
            if (slot == CONVOY_INDEX)
                trial_set(trial, slot, element, (double)rng_below(11, slot, (uint64_t)element, 9));
            else
                trial_set(trial, slot, element, slot == CONVOY_RUN_VAR || slot == CONVOY_SAVE_ISTD ? 1.5 + uniform : uniform);
        }
    }
}

static struct convoy_verdict_terms *evaluate(const struct backend *backend, const struct trial *trial, uint32_t slot,
                                             const uint64_t *index, uint64_t count)
{
    struct convoy_error err = error_none();
    struct convoy_verdict_terms *terms = trial_block(count * sizeof *terms);
    if (referee->evaluate(host_table(backend->host), &trial->problem.head, &trial->args, slot, index, count, terms, &err) !=
        CONVOY_OK)
        fail_msg("%s", err.text);
    return terms;
}

static bool is_output(const struct trial *trial, uint32_t slot)
{
    return trial->info[slot].role == SLOT_OUTPUT || trial->info[slot].role == SLOT_INOUT;
}

/* Rounded to the slot's type, the referee's values are the outputs of execute, in-place ones included. */
static void test_values_are_outputs(void **state)
{
    (void)state;
    for (size_t problem = 0; problem < LENGTH(problems); problem++) {
        struct convoy_error err = error_none();
        struct convoy_verdict_terms *terms[CONVOY_NSLOTS] = {NULL};
        struct trial *trial = trial_new(problems[problem]);
        fill_random(trial);
        for (uint32_t slot = 0; slot < CONVOY_NSLOTS; slot++)
            if (is_output(trial, slot))
                terms[slot] = evaluate(&naive, trial, slot, NULL, (uint64_t)trial->info[slot].elements);
        assert_true(trial_run(trial, &naive, &err));
        for (uint32_t slot = 0; slot < CONVOY_NSLOTS; slot++) {
            for (int64_t element = 0; terms[slot] && element < trial->info[slot].elements; element++) {
                const double value = terms[slot][element].value;
                const double rounded = trial->info[slot].type == SLOT_F32 ? (double)(float)value : value;
                if (rounded != trial_get(trial, slot, element))
                    fail_msg("%s: %s[%lld]: execute %.9g, referee %.17g", problems[problem], slot_name(slot), (long long)element,
                             trial_get(trial, slot, element), value);
            }
            free(terms[slot]);
        }
        trial_free(trial);
    }
}

static void check_close(const char *problem, const char *what, uint64_t element, double got, double want, double scale)
{
    if (!(fabs(got - want) <= 1e-13 * scale))
        fail_msg("%s: %s of element %llu is %.17g, expected %.17g", problem, what, (unsigned long long)element, got, want);
}

/* Samples, in any order and repeated, agree with the whole, and so do the first elements; |value| <= D <= s where the
 * definitions say so. */
static void test_samples_are_the_whole(void **state)
{
    (void)state;
    enum { SAMPLES = 500 };
    for (size_t problem = 0; problem < LENGTH(problems); problem++) {
        struct trial *trial = trial_new(problems[problem]);
        fill_random(trial);
        for (uint32_t slot = 0; slot < CONVOY_NSLOTS; slot++) {
            if (!is_output(trial, slot))
                continue;
            const uint64_t elements = (uint64_t)trial->info[slot].elements, part = (elements + 1) / 2;
            uint64_t index[SAMPLES];
            for (uint64_t sample = 0; sample < SAMPLES; sample++)
                index[sample] = sample ? rng_below(5, slot, sample, elements) : elements - 1;
            struct convoy_verdict_terms *whole = evaluate(&naive, trial, slot, NULL, elements);
            struct convoy_verdict_terms *some = evaluate(&naive, trial, slot, index, SAMPLES);
            struct convoy_verdict_terms *first = evaluate(&naive, trial, slot, NULL, part);
            for (uint64_t sample = 0; sample < SAMPLES + part; sample++) {
                const uint64_t element = sample < SAMPLES ? index[sample] : sample - SAMPLES;
                const struct convoy_verdict_terms *got = sample < SAMPLES ? &some[sample] : &first[element];
                const struct convoy_verdict_terms *want = &whole[element];
                check_close(problems[problem], "value", element, got->value, want->value, want->abs_sum);
                check_close(problems[problem], "abs_sum", element, got->abs_sum, want->abs_sum, want->abs_sum);
                check_close(problems[problem], "norm", element, got->norm, want->norm, want->norm);
                assert_true(fabs(want->value) <= want->abs_sum * (1 + 1e-14));
                assert_true((trial->problem.head.flags & CONVOY_WITH_BIAS) || want->abs_sum <= want->norm * (1 + 1e-14));
            }
            free(whole);
            free(some);
            free(first);
        }
        trial_free(trial);
    }
}

/* ---- D and norm by brute force ---- */

struct expected {
    double abs_sum, a_squares, b_squares;
};

/* All products of a forward convolution, by tap and output; `visit` adds each to the output of its pass. */
static void each_product(const struct convoy_conv *p, void (*visit)(void *, int64_t x, int64_t w, int64_t y), void *context)
{
    const int32_t group_c = p->c / p->groups;
    for (int64_t y = 0; y < (int64_t)p->n * p->k * p->oh * p->ow; y++) {
        for (int64_t tap = 0; tap < (int64_t)group_c * p->kh * p->kw; tap++) {
            const int64_t k = y / p->ow / p->oh % p->k, n = y / p->ow / p->oh / p->k;
            const int64_t c = k / (p->k / p->groups) * group_c + tap / p->kw / p->kh;
            const int64_t h = y / p->ow % p->oh * p->stride_h - p->pad_t + tap / p->kw % p->kh * p->dil_h;
            const int64_t w = y % p->ow * p->stride_w - p->pad_l + tap % p->kw * p->dil_w;
            if (h >= 0 && h < p->h && w >= 0 && w < p->w)
                visit(context, ((n * p->c + c) * p->h + h) * p->w + w, k * group_c * p->kh * p->kw + tap, y);
        }
    }
}

struct tally {
    const struct trial *trial;
    struct expected *expected;
};

static void tally_product(void *context, int64_t x, int64_t w, int64_t y)
{
    const struct tally *tally = context;
    const struct trial *trial = tally->trial;
    double a, b;
    struct expected *to;
    if (trial->problem.head.op == CONVOY_CONV_FWD) {
        a = trial_get(trial, CONVOY_X, x);
        b = trial_get(trial, CONVOY_W, w);
        to = &tally->expected[y];
    } else if (trial->problem.head.op == CONVOY_CONV_BWD_DATA) {
        a = trial_get(trial, CONVOY_DY, y);
        b = trial_get(trial, CONVOY_W, w);
        to = &tally->expected[x];
    } else {
        a = trial_get(trial, CONVOY_X, x);
        b = trial_get(trial, CONVOY_DY, y);
        to = &tally->expected[w];
    }
    to->abs_sum += fabs(a * b);
    to->a_squares += a * a;
    to->b_squares += b * b;
}

static void test_conv_scales(void **state)
{
    (void)state;
    static const uint32_t output[] = {
        [CONVOY_CONV_FWD] = CONVOY_Y, [CONVOY_CONV_BWD_DATA] = CONVOY_DX, [CONVOY_CONV_BWD_WEIGHTS] = CONVOY_DW};
    for (size_t problem = 0; problem < LENGTH(problems); problem++) {
        struct trial *trial = trial_new(problems[problem]);
        if (problem_family(&trial->problem) == FAMILY_CONV) {
            const struct convoy_conv *p = &trial->problem.conv;
            const uint32_t slot = output[p->head.op];
            const uint64_t elements = (uint64_t)trial->info[slot].elements;
            struct tally tally = {.trial = trial, .expected = trial_block(elements * sizeof *tally.expected)};
            memset(tally.expected, 0, elements * sizeof *tally.expected);
            fill_random(trial);
            each_product(p, tally_product, &tally);
            struct convoy_verdict_terms *terms = evaluate(&naive, trial, slot, NULL, elements);
            for (uint64_t element = 0; element < elements; element++) {
                const struct expected *want = &tally.expected[element];
                const int64_t k = slot == CONVOY_Y ? (int64_t)element / p->ow / p->oh % p->k : 0;
                const double bias = trial->buffer[CONVOY_BIAS].host ? fabs(trial_get(trial, CONVOY_BIAS, k)) : 0;
                const double norm = sqrt(want->a_squares * want->b_squares);
                check_close(problems[problem], "abs_sum", element, terms[element].abs_sum, want->abs_sum + bias,
                            1 + want->abs_sum);
                check_close(problems[problem], "norm", element, terms[element].norm, norm, 1 + norm);
            }
            free(terms);
            free(tally.expected);
        }
        trial_free(trial);
    }
}

/* x = 1, -2 in one channel, dy = 3, -5, and given statistics mean 0, istd 1, gamma 2, so xhat = x:
 *   dgamma 3*1 + 5*2 = 13, D 13, norm sqrt(34)*sqrt(5)     dbeta -2, D 8
 *   dx[0] = 2*(3 + 2/2 - 1*13/2) = -5, D = 2*(3 + 8/2 + 1*13/2) = 27 */
static void test_bn_scales(void **state)
{
    (void)state;
    struct trial *trial = trial_new("bn_bwd:c1h1w2");
    trial_set(trial, CONVOY_X, 0, 1);
    trial_set(trial, CONVOY_X, 1, -2);
    trial_set(trial, CONVOY_DY, 0, 3);
    trial_set(trial, CONVOY_DY, 1, -5);
    trial_set(trial, CONVOY_GAMMA, 0, 2);
    trial_set(trial, CONVOY_SAVE_MEAN, 0, 0);
    trial_set(trial, CONVOY_SAVE_ISTD, 0, 1);
    static const struct {
        uint32_t slot;
        struct convoy_verdict_terms want;
    } rows[] = {
        {CONVOY_DGAMMA, {13, 13, 13.038404810405298}},
        {CONVOY_DBETA, {-2, 8, 8}},
        {CONVOY_DX, {-5, 27, 27}},
    };
    for (size_t row = 0; row < LENGTH(rows); row++) {
        struct convoy_verdict_terms *terms = evaluate(&naive, trial, rows[row].slot, NULL, 1);
        check_close("bn_bwd", "value", 0, terms->value, rows[row].want.value, 1);
        check_close("bn_bwd", "abs_sum", 0, terms->abs_sum, rows[row].want.abs_sum, 1);
        check_close("bn_bwd", "norm", 0, terms->norm, rows[row].want.norm, 10);
        free(terms);
    }
    trial_free(trial);
}

/* ---- thread counts ---- */

static void test_threads_change_no_bit(void **state)
{
    (void)state;
    for (size_t problem = 0; problem < LENGTH(problems); problem++) {
        struct convoy_error err = error_none();
        struct trial *many = trial_new(problems[problem]), *one = trial_new(problems[problem]);
        fill_random(many);
        fill_random(one);
        for (uint32_t slot = 0; slot < CONVOY_NSLOTS; slot++) {
            if (!is_output(one, slot))
                continue;
            const uint64_t elements = (uint64_t)one->info[slot].elements;
            struct convoy_verdict_terms *a = evaluate(&naive, many, slot, NULL, elements);
            struct convoy_verdict_terms *b = evaluate(&single, one, slot, NULL, elements);
            assert_memory_equal(a, b, elements * sizeof *a);
            free(a);
            free(b);
        }
        assert_true(trial_run(many, &naive, &err));
        assert_true(trial_run(one, &single, &err));
        for (uint32_t slot = 0; slot < CONVOY_NSLOTS; slot++)
            if (one->info[slot].role != SLOT_UNUSED)
                assert_memory_equal(many->buffer[slot].host, one->buffer[slot].host, (size_t)one->info[slot].bytes);
        trial_free(many);
        trial_free(one);
    }
}

/* ---- refusals ---- */

static void check_refusal(const union problem *problem, convoy_status status, convoy_why why)
{
    struct convoy_error err = error_none();
    struct convoy_plan *plan = NULL;
    assert_int_equal(naive.instance->ops->supports(naive.instance, &problem->head, &err), status);
    assert_int_equal(err.status, status);
    assert_int_equal(err.why, why);
    assert_true(strlen(err.text) > 0);
    assert_int_equal(naive.instance->ops->plan(naive.instance, &problem->head, &plan, NULL), status);
    assert_null(plan);
}

static union problem parsed(const char *text)
{
    union problem problem;
    assert_int_equal(problem_parse(text, &problem, NULL), CONVOY_OK);
    return problem;
}

static void test_refusals(void **state)
{
    (void)state;
    union problem problem = parsed("conv_fwd:c4h5k4kh3");
    problem.head.dtype = 2;
    check_refusal(&problem, CONVOY_UNSUPPORTED, CONVOY_WHY_DTYPE);
    problem = parsed("conv_fwd:c4h5k4kh3");
    problem.head.layout = 2;
    check_refusal(&problem, CONVOY_UNSUPPORTED, CONVOY_WHY_LAYOUT);
    problem = parsed("conv_fwd:c4h5k4kh3");
    problem.head.op = CONVOY_OP_COUNT;
    check_refusal(&problem, CONVOY_UNSUPPORTED, CONVOY_WHY_OP);
    problem = parsed("conv_fwd:c4h5k4kh3");
    problem.head.flags = CONVOY_NO_INDEX;
    check_refusal(&problem, CONVOY_UNSUPPORTED, CONVOY_WHY_FLAGS);
    problem = parsed("conv_bwd_data:c4h5k4kh3");
    problem.head.flags = CONVOY_WITH_RELU;
    check_refusal(&problem, CONVOY_UNSUPPORTED, CONVOY_WHY_FLAGS);
    problem = parsed("avgpool_fwd:c4h5kh3");
    problem.head.flags = CONVOY_NO_INDEX;
    check_refusal(&problem, CONVOY_UNSUPPORTED, CONVOY_WHY_FLAGS);
    problem = parsed("maxpool_fwd:c4h5kh3");
    problem.pool.kind = CONVOY_POOL_L2 + 1;
    check_refusal(&problem, CONVOY_UNSUPPORTED, CONVOY_WHY_OP);
    problem = parsed("relu:n5");
    problem.eltwise.kind = CONVOY_ELT_COUNT;
    check_refusal(&problem, CONVOY_UNSUPPORTED, CONVOY_WHY_OP);

    problem = parsed("conv_fwd:c4h5k4kh3");
    problem.conv.groups = 3;
    check_refusal(&problem, CONVOY_INVALID, CONVOY_WHY_GROUPS);
    problem = parsed("conv_fwd:c4h5k3kh3");
    problem.conv.groups = 2;
    check_refusal(&problem, CONVOY_INVALID, CONVOY_WHY_GROUPS);
    problem = parsed("conv_fwd:c4h5k4kh3");
    problem.conv.oh = 0;
    check_refusal(&problem, CONVOY_INVALID, CONVOY_WHY_SIZE);
    problem = parsed("bn_train:c4h5");
    problem.head.struct_size -= 4;
    check_refusal(&problem, CONVOY_INVALID, CONVOY_WHY_OTHER);
}

static void test_bad_arguments(void **state)
{
    (void)state;
    struct convoy_verdict_terms terms[4];
    const struct convoy_host *host = host_table(naive.host);
    struct convoy_error err = error_none();
    struct trial *trial = trial_new("conv_fwd:c1h4k1kh3");
    static const uint64_t beyond = 4;
    fill_random(trial);
    assert_int_equal(referee->evaluate(host, &trial->problem.head, &trial->args, CONVOY_X, NULL, 1, terms, &err), CONVOY_INVALID);
    assert_int_equal(referee->evaluate(host, &trial->problem.head, &trial->args, CONVOY_DX, NULL, 1, terms, &err),
                     CONVOY_INVALID);
    assert_int_equal(referee->evaluate(host, &trial->problem.head, &trial->args, 99, NULL, 1, terms, &err), CONVOY_INVALID);
    assert_int_equal(referee->evaluate(host, &trial->problem.head, &trial->args, CONVOY_Y, NULL, 5, terms, &err), CONVOY_INVALID);
    assert_int_equal(referee->evaluate(host, &trial->problem.head, &trial->args, CONVOY_Y, &beyond, 1, terms, &err),
                     CONVOY_INVALID);
    /* It evaluates without output slots, and says so when an input is missing. */
    trial->tensor[CONVOY_Y].buffer = NULL;
    assert_int_equal(referee->evaluate(host, &trial->problem.head, &trial->args, CONVOY_Y, NULL, 4, terms, &err), CONVOY_OK);
    trial->tensor[CONVOY_W].buffer = NULL;
    assert_int_equal(referee->evaluate(host, &trial->problem.head, &trial->args, CONVOY_Y, NULL, 4, terms, &err), CONVOY_INVALID);
    trial_free(trial);

    struct convoy_plan_info info = {.struct_size = sizeof info};
    struct convoy_plan *plan = NULL;
    trial = trial_new("xent:n6classes3");
    fill_random(trial);
    trial_set(trial, CONVOY_INDEX, 0, 2);
    trial_set(trial, CONVOY_INDEX, 1, 3);
    assert_int_equal(loader_plan(naive.instance, &trial->problem.head, &plan, &info, &err), CONVOY_OK);
    assert_int_equal(plan->ops->execute(plan, &trial->args, &err), CONVOY_INVALID);
    assert_non_null(strstr(err.text, "label 3 of row 1"));
    plan->ops->destroy(plan);
    trial_free(trial);

    assert_null(naive.plugin->extension("convoy.referee/2"));
    struct convoy_instance *instance = NULL;
    assert_int_equal(naive.plugin->open(host, "fast", &instance, &err), CONVOY_INVALID);
}

static int open_reference(void **state)
{
    (void)state;
    backend_open(&naive, "naive", 3);
    backend_open(&single, "naive", 1);
    if (!naive.instance || !single.instance)
        return -1;
    referee = naive.plugin->extension(CONVOY_REFEREE_ID);
    return referee ? 0 : -1;
}

static int close_reference(void **state)
{
    (void)state;
    backend_close(&naive);
    backend_close(&single);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values_are_outputs),    cmocka_unit_test(test_samples_are_the_whole),
        cmocka_unit_test(test_conv_scales),           cmocka_unit_test(test_bn_scales),
        cmocka_unit_test(test_threads_change_no_bit), cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_bad_arguments),
    };
    return cmocka_run_group_tests_name("referee", tests, open_reference, close_reference);
}
