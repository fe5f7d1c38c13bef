/* Optimizers against steps worked by hand, on a fully connected layer of one input. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/error.h"
#include "core/rng.h"
#include "runtime/backends.h"
#include "runtime/optim.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char *const folders[] = {BUILD_DIR "/plugins", NULL};

static bool any(const void *context, const union problem *problem, int rank, char name[BACKEND_NAME_BYTES])
{
    (void)context, (void)problem, (void)rank, (void)name;
    return false;
}

struct bench {
    struct net net;
    struct model model;
    struct backends *backends;
    struct optim *optim;
};

#define MUST(call)                                                                                                                          \
    do {                                                                                                                                    \
        struct convoy_error err = error_none();                                                                                             \
        if (call)                                                                                                                           \
            fail_msg("%s: %s", #call, err.text);                                                                                            \
    } while (0)

/* A layer of k x c weights and k biases. */
static void open_bench(struct bench *b, int32_t c, int32_t k, uint32_t threads, const struct optim_options *options)
{
    *b = (struct bench){0};
    int32_t at = NET_IMAGE;
    net_init(&b->net, "one layer", (struct net_extent){c, 1, 1}, k);
    MUST(net_append(&b->net, "", &(struct net_spec){"fc", .kind = NET_FC, .k = k, .bias = true}, 1, &at, &err));
    MUST(net_finish(&b->net, &err));
    MUST(model_create(&b->net, &b->model, &err));
    MUST(!(b->backends = backends_open(threads, folders, (struct chooser){any, NULL}, &err)));
    MUST(optim_create(&b->model, options, &b->optim, &err));
}

static void close_bench(struct bench *b)
{
    optim_free(b->optim);
    model_free(&b->model);
    backends_close(b->backends);
    net_free(&b->net);
}

static float *values(struct bench *b)
{
    struct convoy_error err = error_none();
    float *w = model_values(&b->model, TENSOR_UPDATE, &err);
    assert_non_null(w);
    return w;
}

static float *grads(struct bench *b)
{
    struct convoy_error err = error_none();
    float *g = model_grads(&b->model, TENSOR_WRITE, &err);
    assert_non_null(g);
    return g;
}

static double step(struct bench *b, double rate)
{
    double norm = 0;
    MUST(optim_step(b->optim, backends_host(b->backends), rate, &norm, &err));
    return norm;
}

static void near(double value, double expected, const char *what)
{
    if (!(fabs(value - expected) <= 2e-6 * fmax(1, fabs(expected))))
        fail_msg("%s: %.9g instead of %.9g", what, value, expected);
}

/* Gradient 1, rate 0.1 for two steps, then 0.01: the two forms of momentum part when the rate changes. */
static void both_forms_of_momentum_are_theirs(void **state)
{
    (void)state;
    static const double rate[] = {0.1, 0.1, 0.01, 0.01, 0.01};
    static const double inside[] = {-0.1, -0.29, -0.471, -0.6439, -0.80951}, outside[] = {-0.1, -0.29, -0.3171, -0.35149, -0.392441};
    for (int form = 0; form < 2; form++) {
        struct bench b;
        const struct optim_options options = {.kind = OPTIM_SGD, .momentum = 0.9, .rate_inside = form};
        open_bench(&b, 1, 1, 1, &options);
        for (int t = 0; t < 5; t++) {
            grads(&b)[0] = 1;
            step(&b, rate[t]);
            near(values(&b)[0], form ? inside[t] : outside[t], form ? "inside" : "outside");
        }
        close_bench(&b);
    }
}

/* theta and v by v = mu v - rate f'(theta + mu v), theta += v on f = 1.5 w^2; the optimizer holds w = theta + mu v. */
static void nesterov_is_the_direct_form(void **state)
{
    (void)state;
    for (int form = 0; form < 2; form++) {
        struct bench b;
        const struct optim_options options = {.kind = OPTIM_SGD, .momentum = 0.8, .nesterov = true, .rate_inside = form};
        open_bench(&b, 1, 1, 1, &options);
        double theta = 2, v = 0;
        values(&b)[0] = 2;
        for (int t = 0; t < 12; t++) {
            grads(&b)[0] = 3 * values(&b)[0];
            step(&b, 0.1);
            v = 0.8 * v - 0.1 * 3 * (theta + 0.8 * v);
            theta += v;
            near(values(&b)[0], theta + 0.8 * v, "nesterov");
        }
        close_bench(&b);
    }
}

/* From w = 1 with rate 0.1: first step, then a second one. */
static void adaptive_steps_are_those_worked_by_hand(void **state)
{
    (void)state;
    static const struct {
        const char *what;
        struct optim_options options;
        float g[2];
        double w[2];
    } rows[] = {
        /* sums 1/4 and 1/2 */
        {"adagrad", {.kind = OPTIM_ADAGRAD, .eps = 1e-10}, {0.5f, 0.5f}, {0.9, 0.9 - 0.070710678}},
        /* E = 0.01 g^2, 0.0199 g^2 */
        {"rmsprop", {.kind = OPTIM_RMSPROP, .beta2 = 0.99, .eps = 1e-8}, {0.5f, 0.5f}, {0, -0.70888121}},
        /* less the squared mean: 0.0099 g^2; then 0.0199 g^2 - (0.0199 g)^2 */
        {"rmsprop centred", {.kind = OPTIM_RMSPROP, .beta2 = 0.99, .eps = 1e-8, .centered = true}, {0.5f, 0.5f}, {-0.00503761, -0.72107913}},
        /* the second step is 0.708881 + 0.9*1 */
        {"rmsprop momentum", {.kind = OPTIM_RMSPROP, .beta2 = 0.99, .eps = 1e-8, .momentum = 0.9}, {0.5f, 0.5f}, {0, -1.60888121}},
        /* eps inside the root: sqrt(0.0025 + 0.0975) = 0.316228; sqrt(0.004975 + 0.0975) = 0.320117 */
        {"rmsprop eps inside",
         {.kind = OPTIM_RMSPROP, .beta2 = 0.99, .eps = 0.0975, .eps_inside = true},
         {0.5f, 0.5f},
         {1 - 0.15811388, 1 - 0.15811388 - 0.15619312}},
        /* m = 0.05 then -0.005, over 0.1 then 0.19; v over its correction is 1/4 both times */
        {"adam", {.kind = OPTIM_ADAM, .beta1 = 0.9, .beta2 = 0.999, .eps = 1e-8}, {0.5f, -0.5f}, {0.9, 0.90526316}},
        {"adam rest", {.kind = OPTIM_ADAM, .beta1 = 0.9, .beta2 = 0.999, .eps = 1e-8}, {0.5f, 0}, {0.9, 0.83299420}},
        {"amsgrad", {.kind = OPTIM_ADAM, .beta1 = 0.9, .beta2 = 0.999, .eps = 1e-8, .amsgrad = true}, {0.5f, 0}, {0.9, 0.83302771}},
        /* sqrt(1/4 + 3/4) = 1 */
        {"adam eps inside",
         {.kind = OPTIM_ADAM, .beta1 = 0.9, .beta2 = 0.999, .eps = 0.75, .eps_inside = true},
         {0.5f, 0.5f},
         {0.95, 0.9}},
    };
    for (size_t row = 0; row < sizeof rows / sizeof *rows; row++) {
        struct bench b;
        open_bench(&b, 1, 1, 1, &rows[row].options);
        values(&b)[0] = 1;
        for (int t = 0; t < 2; t++) {
            grads(&b)[0] = rows[row].g[t];
            step(&b, 0.1);
            near(values(&b)[0], rows[row].w[t], rows[row].what);
        }
        assert_int_equal(*optim_steps(b.optim), 2);
        close_bench(&b);
    }
}

/* Weight 2 and bias 2 without gradients, rate 0.5, lambda 0.1. */
static void decay_is_that_of_its_form(void **state)
{
    (void)state;
    static const struct {
        const char *what;
        struct optim_options options;
        double weight, bias, penalty;
    } rows[] = {
        {"l2", {.kind = OPTIM_SGD, .weight_decay = 0.1}, 1.9, 2, 0.2},
        {"l2 and biases", {.kind = OPTIM_SGD, .weight_decay = 0.1, .decay_all = true}, 1.9, 1.9, 0.4},
        {"l1", {.kind = OPTIM_SGD, .l1 = 0.1}, 1.95, 2, 0.2},
        {"decoupled", {.kind = OPTIM_SGD, .weight_decay = 0.1, .decoupled = true}, 1.9, 2, 0.2},
        {"adam, coupled", {.kind = OPTIM_ADAM, .beta1 = 0.9, .beta2 = 0.999, .weight_decay = 0.1}, 1.5, 2, 0.2},
        {"adamw",
         {.kind = OPTIM_ADAM, .beta1 = 0.9, .beta2 = 0.999, .eps = 1e-8, .weight_decay = 0.1, .decoupled = true},
         1.9,
         2,
         0.2},
    };
    for (size_t row = 0; row < sizeof rows / sizeof *rows; row++) {
        struct bench b;
        struct optim_options options = rows[row].options;
        if (options.kind == OPTIM_ADAM)
            options.eps = 1e-8;
        open_bench(&b, 1, 1, 1, &options);
        struct param *weight = model_find(&b.model, "fc.weight"), *bias = model_find(&b.model, "fc.bias");
        assert_non_null(weight);
        assert_non_null(bias);
        float *w = values(&b);
        w[weight->offset] = w[bias->offset] = 2;
        near(optim_penalty(b.optim), rows[row].penalty, rows[row].what);
        float *g = grads(&b);
        g[weight->offset] = g[bias->offset] = 0;
        step(&b, 0.5);
        near(values(&b)[weight->offset], rows[row].weight, rows[row].what);
        near(values(&b)[bias->offset], rows[row].bias, rows[row].what);
        close_bench(&b);
    }
}

/* Gradient 3, 4 for two weights of one unit. */
static void gradients_are_clipped(void **state)
{
    (void)state;
    static const struct {
        struct optim_options options;
        double w[2];
    } rows[] = {
        {{.kind = OPTIM_SGD}, {-3, -4}},
        {{.kind = OPTIM_SGD, .clip_norm = 2.5}, {-1.5, -2}},
        {{.kind = OPTIM_SGD, .clip_norm = 6}, {-3, -4}},
        {{.kind = OPTIM_SGD, .clip_value = 3.5}, {-3, -3.5}},
        {{.kind = OPTIM_SGD, .max_norm = 2}, {-1.2, -1.6}},
        {{.kind = OPTIM_SGD, .max_norm = 5.5}, {-3, -4}},
    };
    for (size_t row = 0; row < sizeof rows / sizeof *rows; row++) {
        struct bench b;
        open_bench(&b, 2, 1, 1, &rows[row].options);
        const int64_t at = model_find(&b.model, "fc.weight")->offset;
        float *g = grads(&b);
        g[at] = 3;
        g[at + 1] = 4;
        near(step(&b, 1), 5, "norm");
        near(values(&b)[at], rows[row].w[0], "first");
        near(values(&b)[at + 1], rows[row].w[1], "second");
        close_bench(&b);
    }
}

/* The limit of norms is per output unit. */
static void max_norm_is_per_unit(void **state)
{
    (void)state;
    struct bench b;
    open_bench(&b, 2, 2, 1, &(struct optim_options){.kind = OPTIM_SGD, .max_norm = 2});
    const int64_t at = model_find(&b.model, "fc.weight")->offset;
    static const float before[] = {6, 8, 1, 1}, after[] = {1.2f, 1.6f, 1, 1};
    memcpy(values(&b) + at, before, sizeof before);
    step(&b, 1);
    for (int i = 0; i < 4; i++)
        near(values(&b)[at + i], after[i], "weight");
    close_bench(&b);
}

static void a_frozen_parameter_stays(void **state)
{
    (void)state;
    struct bench b;
    open_bench(&b, 1, 1, 1, &(struct optim_options){.kind = OPTIM_SGD, .momentum = 0.9, .weight_decay = 0.1});
    struct param *weight = model_find(&b.model, "fc.weight"), *bias = model_find(&b.model, "fc.bias");
    weight->rate_scale = 0;
    bias->rate_scale = 0.5f;
    float *w = values(&b), *g = grads(&b);
    w[weight->offset] = 2;
    g[weight->offset] = g[bias->offset] = 1;
    step(&b, 0.1);
    assert_true(values(&b)[weight->offset] == 2);
    near(values(&b)[bias->offset], -0.05, "scaled rate");
    close_bench(&b);
}

/* More elements than one run of a thread. */
static void threads_change_nothing(void **state)
{
    (void)state;
    enum { SIDE = 190 };
    static float kept[SIDE * (SIDE + 1)];
    for (int kind = 0; kind < OPTIM_KIND_COUNT; kind++) {
        for (uint32_t threads = 1; threads <= 3; threads += 2) {
            struct bench b;
            struct optim_options options = optim_defaults((enum optim_kind)kind);
            options.clip_norm = 1;
            options.weight_decay = 0.01;
            open_bench(&b, SIDE, SIDE, threads, &options);
            for (int t = 0; t < 3; t++) {
                float *g = grads(&b);
                for (int64_t i = 0; i < b.model.learned_count; i++)
                    g[i] = rng_uniform(9, (uint64_t)t, (uint64_t)i);
                step(&b, 0.1);
            }
            assert_true(b.model.learned_count >= (int64_t)(sizeof kept / sizeof *kept));
            if (threads == 1)
                memcpy(kept, values(&b), sizeof kept);
            else
                assert_memory_equal(kept, values(&b), sizeof kept);
            close_bench(&b);
        }
    }
}

static void states_have_names_of_their_own(void **state)
{
    (void)state;
    for (int kind = 0; kind < OPTIM_KIND_COUNT; kind++) {
        struct optim_options options = optim_defaults((enum optim_kind)kind);
        options.centered = options.amsgrad = true;
        struct bench b;
        open_bench(&b, 1, 1, 1, &options);
        assert_true(optim_states(b.optim) >= 1);
        for (int s = 0; s < optim_states(b.optim); s++) {
            assert_non_null(optim_state(b.optim, s));
            for (int other = 0; other < s; other++)
                assert_string_not_equal(optim_state_name(b.optim, s), optim_state_name(b.optim, other));
        }
        close_bench(&b);
        enum optim_kind found = OPTIM_KIND_COUNT;
        assert_true(optim_by_name(optim_name((enum optim_kind)kind), &found));
        assert_int_equal(found, kind);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_forms_of_momentum_are_theirs),
        cmocka_unit_test(nesterov_is_the_direct_form),
        cmocka_unit_test(adaptive_steps_are_those_worked_by_hand),
        cmocka_unit_test(decay_is_that_of_its_form),
        cmocka_unit_test(gradients_are_clipped),
        cmocka_unit_test(max_norm_is_per_unit),
        cmocka_unit_test(a_frozen_parameter_stays),
        cmocka_unit_test(threads_change_nothing),
        cmocka_unit_test(states_have_names_of_their_own),
    };
    return cmocka_run_group_tests_name("optim", tests, NULL, NULL);
}
