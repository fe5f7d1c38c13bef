/* Layers and first values against numbers worked by hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/error.h"
#include "core/rng.h"
#include "nets/catalog.h"
#include "runtime/init.h"

#include <math.h>
#include <string.h>

static const char *const folders[] = {BUILD_DIR "/plugins", NULL};

static bool naive(const void *context, const union problem *problem, int rank, char name[BACKEND_NAME_BYTES])
{
    (void)context, (void)problem;
    strcpy(name, "naive");
    return rank == 0;
}

struct bench {
    struct net net;
    struct model model;
    struct backends *backends;
    struct exec *exec;
};

#define MUST(call)                                                                                                               \
    do {                                                                                                                         \
        struct convoy_error err = error_none();                                                                                  \
        if (call)                                                                                                                \
            fail_msg("%s: %s", #call, err.text);                                                                                 \
    } while (0)

static void open_exec(struct bench *b, uint32_t threads, int32_t batch, enum exec_mode mode)
{
    MUST(model_create(&b->net, &b->model, &err));
    MUST(init_model(&b->model, &(struct init_options){.kind = INIT_HE_NORMAL}, 1, &err));
    MUST(!(b->backends = backends_open(threads, folders, (struct chooser){naive, NULL}, &err)));
    MUST(exec_create(&b->model, b->backends, batch, mode, &b->exec, &err));
}

static void open_layer(struct bench *b, struct net_extent image, const struct net_spec *spec, uint32_t threads, int32_t batch,
                       enum exec_mode mode)
{
    *b = (struct bench){0};
    int32_t at = NET_IMAGE;
    net_init(&b->net, "one layer", image, image.c);
    MUST(net_append(&b->net, "", spec, 1, &at, &err));
    MUST(net_finish(&b->net, &err));
    open_exec(b, threads, batch, mode);
}

static void close_bench(struct bench *b)
{
    exec_free(b->exec);
    model_free(&b->model);
    backends_close(b->backends);
    net_free(&b->net);
}

static float *host(struct tensor *tensor, enum tensor_access access)
{
    struct convoy_error err = error_none();
    float *at = tensor_host(tensor, access, &err);
    assert_non_null(at);
    return at;
}

static float *parameter(struct bench *b, enum param_role role, enum tensor_access access)
{
    return host(&model_param(&b->model, 0, role)->value, access);
}

static void near(const float *values, const double *expected, int count, const char *what)
{
    for (int i = 0; i < count; i++)
        if (!(fabs(values[i] - expected[i]) < 2e-6 * fmax(1, fabs(expected[i]))))
            fail_msg("%s[%d]: %.9g instead of %.9g", what, i, (double)values[i], expected[i]);
}

/* x = 1, 2, 3, 4, gamma 2, beta 1, eps 1e-5, dy = 1, 0, 0, 0. */
static void batch_norm_is_its_formulas(void **state)
{
    (void)state;
    struct bench b;
    open_layer(&b, (struct net_extent){1, 2, 2}, &(struct net_spec){"bn", .kind = NET_BN}, 1, 1, EXEC_CHECK);
    static const float x[] = {1, 2, 3, 4}, dy[] = {1, 0, 0, 0};
    *parameter(&b, PARAM_GAMMA, TENSOR_WRITE) = 2;
    *parameter(&b, PARAM_BETA, TENSOR_WRITE) = 1;
    memcpy(host(exec_input(b.exec), TENSOR_WRITE), x, sizeof x);
    MUST(exec_forward(b.exec, &err));
    near(host(exec_head(b.exec, 0), TENSOR_READ), (double[]){-1.683271, 0.105576, 1.894424, 3.683271}, 4, "y");
    memcpy(host(exec_head_grad(b.exec, 0), TENSOR_WRITE), dy, sizeof dy);
    MUST(exec_backward(b.exec, &err));
    near(host(exec_input_grad(b.exec), TENSOR_READ), (double[]){0.536661, -0.715537, -0.178887, 0.357763}, 4, "dx");
    near(host(&model_param(&b.model, 0, PARAM_GAMMA)->grad, TENSOR_READ), (double[]){-1.341635}, 1, "dgamma");
    near(host(&model_param(&b.model, 0, PARAM_BETA)->grad, TENSOR_READ), (double[]){1}, 1, "dbeta");
    /* 0.9 of what was, 0 and 1, and 0.1 of the batch's, the variance unbiased: 5/3. */
    near(parameter(&b, PARAM_RUN_MEAN, TENSOR_READ), (double[]){0.25}, 1, "running mean");
    near(parameter(&b, PARAM_RUN_VAR, TENSOR_READ), (double[]){0.9 + 0.1 * 5 / 3}, 1, "running variance");
    close_bench(&b);
}

static void activation(const struct net_spec *spec, const float *x, const double *expected, int count)
{
    struct bench b;
    open_layer(&b, (struct net_extent){1, 1, count}, spec, 1, 1, EXEC_CHECK);
    memcpy(host(exec_input(b.exec), TENSOR_WRITE), x, (size_t)count * sizeof *x);
    MUST(exec_forward(b.exec, &err));
    near(host(exec_head(b.exec, 0), TENSOR_READ), expected, count, spec->name);
    close_bench(&b);
}

/* Softplus is near the sum of 100 stepped sigmoids, whose values are known as well; LeCun's tanh maps 1 to 1. */
static void smooth_functions_have_their_values(void **state)
{
    (void)state;
    static const float x[] = {-2, 0, 1, 5};
    static const double steps[] = {0.122603, 0.682569, 1.305029, 5.006446}, softplus[] = {0.126928, 0.693147, 1.313262, 5.006715};
    for (int i = 0; i < 4; i++) {
        double sum = 0;
        for (int step = 1; step <= 100; step++)
            sum += 1 / (1 + exp(-((double)x[i] - step + 0.5)));
        assert_true(fabs(sum - steps[i]) < 1e-6);
        assert_true(fabs(sum - softplus[i]) < 0.011);
    }
    activation(&(struct net_spec){"softplus", .kind = NET_ACT, .act = CONVOY_ELT_SOFTPLUS}, x, softplus, 4);
    const double squashed[] = {1.7159 * tanh(-4.0 / 3), 0, 1.7159 * tanh(2.0 / 3), 1.7159 * tanh(10.0 / 3)};
    assert_true(fabs(squashed[2] - 1) < 1e-4);
    activation(&(struct net_spec){"tanh", .kind = NET_ACT, .act = CONVOY_ELT_TANH, .alpha = 1.7159f, .beta = 2.0f / 3}, x,
               squashed, 4);
}

/* A layer by itself, on one sample: what it gives for x, and the gradient it hands on for dy; NULL: not looked at. */
struct golden {
    const char *what;
    struct net_spec spec;
    struct net_extent in;
    const float *x, *dy;
    int outputs;
    const double *y, *dx;
};

static void check_golden(const struct golden *golden, enum exec_mode mode)
{
    struct bench b;
    const int inputs = (int)net_elements(golden->in);
    struct net_spec spec = golden->spec;
    spec.name = golden->what;
    open_layer(&b, golden->in, &spec, 2, 1, mode);
    memcpy(host(exec_input(b.exec), TENSOR_WRITE), golden->x, (size_t)inputs * sizeof *golden->x);
    MUST(exec_forward(b.exec, &err));
    near(host(exec_head(b.exec, 0), TENSOR_READ), golden->y, golden->outputs, golden->what);
    if (golden->dx) {
        memcpy(host(exec_head_grad(b.exec, 0), TENSOR_WRITE), golden->dy, (size_t)golden->outputs * sizeof *golden->dy);
        MUST(exec_backward(b.exec, &err));
        near(host(exec_input_grad(b.exec), TENSOR_READ), golden->dx, inputs, golden->what);
    }
    close_bench(&b);
}

#define F(...) ((const float[]){__VA_ARGS__})
#define D(...) ((const double[]){__VA_ARGS__})
#define ACT .kind = NET_ACT, .act

/* By hand. SELU is an ELU with alpha and beta of its paper (arXiv 1706.02515); the derivative at 0 is 0 for a ReLU. */
static void activations_have_their_values(void **state)
{
    (void)state;
    static const float x[] = {-2, -1, 0, 2}, ones[] = {1, 1, 1, 1};
    const struct golden rows[] = {
        {"relu", {ACT = CONVOY_ELT_RELU}, {1, 1, 4}, x, ones, 4, D(0, 0, 0, 2), D(0, 0, 0, 1)},
        {"leaky", {ACT = CONVOY_ELT_LEAKY, .alpha = 0.01f}, {1, 1, 4}, x, ones, 4, D(-0.02, -0.01, 0, 2), D(0.01, 0.01, 0.01, 1)},
        {"sigmoid",
         {ACT = CONVOY_ELT_SIGMOID},
         {1, 1, 4},
         F(-200, -2, 2, 200),
         ones,
         4,
         D(0, 0.1192029220, 0.8807970780, 1),
         D(0, 0.1049935854, 0.1049935854, 0)},
        {"elu",
         {ACT = CONVOY_ELT_ELU},
         {1, 1, 4},
         x,
         ones,
         4,
         D(-0.8646647168, -0.6321205588, 0, 2),
         D(0.1353352832, 0.3678794412, 1, 1)},
        {"selu",
         {ACT = CONVOY_ELT_ELU, .alpha = 1.6732632423543772f, .beta = 1.0507009873554805f},
         {1, 1, 4},
         x,
         ones,
         4,
         D(-1.5201664685, -1.1113307378, 0, 2.1014019747),
         NULL},
        {"hardtanh", {ACT = CONVOY_ELT_HARDTANH}, {1, 1, 4}, F(-2, -0.5, 0.25, 3), ones, 4, D(-1, -0.5, 0.25, 1), D(0, 1, 1, 0)},
        {"softsign",
         {ACT = CONVOY_ELT_SOFTSIGN},
         {1, 1, 4},
         x,
         ones,
         4,
         D(-2.0 / 3, -0.5, 0, 2.0 / 3),
         D(1.0 / 9, 0.25, 1, 1.0 / 9)},
        {"maxout", {.kind = NET_MAXOUT, .window = 2}, {4, 1, 1}, F(1, 5, -3, -4), F(2, 3), 2, D(5, -3), D(0, 2, 3, 0)},
        {"prelu", {.kind = NET_PRELU}, {1, 1, 4}, x, ones, 4, D(-0.5, -0.25, 0, 2), D(0.25, 0.25, 0.25, 1)},
    };
    for (size_t row = 0; row < sizeof rows / sizeof *rows; row++)
        check_golden(&rows[row], EXEC_CHECK);
    const double middle = (1.0 / 8 + 1.0 / 3) / 2;
    const struct golden judged = {
        "rrelu", {.kind = NET_RRELU, .alpha = 1.0f / 8, .beta = 1.0f / 3}, {1, 1, 4}, x, NULL, 4, D(-2 * middle, -middle, 0, 2),
        NULL};
    check_golden(&judged, EXEC_EVAL);
}

/* Adaptive pools: 2x4 to 1x2 has equal windows. 1x5 to 1x3 averages 0-1, 1-3 and 3-4; 1x2 to 1x3 averages 0, 0-1 and 1. */
static void adaptive_pools_have_their_values(void **state)
{
    (void)state;
    const struct golden rows[] = {
        {"even",
         {.kind = NET_AVGPOOL_ADAPTIVE, .kernel = 1, .kernel_w = 2},
         {1, 2, 4},
         F(1, 2, 3, 4, 5, 6, 7, 8),
         F(4, 8),
         2,
         D(3.5, 5.5),
         D(1, 1, 2, 2, 1, 1, 2, 2)},
        {"uneven",
         {.kind = NET_AVGPOOL_ADAPTIVE, .kernel = 1, .kernel_w = 3},
         {1, 1, 5},
         F(1, 2, 6, 4, 8),
         F(2, 3, 4),
         3,
         D(1.5, 4, 6),
         D(1, 2, 1, 3, 2)},
        {"uneven, to more",
         {.kind = NET_AVGPOOL_ADAPTIVE, .kernel = 1, .kernel_w = 3},
         {2, 1, 2},
         F(1, 2, 6, 4),
         F(2, 3, 4, 5, 6, 7),
         6,
         D(1, 1.5, 2, 6, 5, 4),
         D(3.5, 5.5, 8, 10)},
    };
    for (size_t row = 0; row < sizeof rows / sizeof *rows; row++)
        check_golden(&rows[row], EXEC_CHECK);
}

/* In training the slopes are uniform in [1/8, 1/3): mean 11/48 within five deviations; the gradient is the slope that was drawn.
 */
static void random_slopes_have_their_range(void **state)
{
    (void)state;
    enum { COUNT = 10000 };
    struct bench b;
    const struct net_spec spec = {"rrelu", .kind = NET_RRELU, .alpha = 1.0f / 8, .beta = 1.0f / 3};
    open_layer(&b, (struct net_extent){1, 100, 100}, &spec, 2, 1, EXEC_CHECK);
    float *x = host(exec_input(b.exec), TENSOR_WRITE);
    for (int i = 0; i < COUNT; i++)
        x[i] = -1;
    MUST(exec_forward(b.exec, &err));
    const float *y = host(exec_head(b.exec, 0), TENSOR_READ);
    double sum = 0;
    for (int i = 0; i < COUNT; i++) {
        assert_true(-y[i] >= 0.125f && -y[i] < 0.33334f);
        sum -= y[i];
    }
    assert_true(fabs(sum / COUNT - 11.0 / 48) < 5 * (5.0 / 24) / sqrt(12.0 * COUNT));
    float *dy = host(exec_head_grad(b.exec, 0), TENSOR_WRITE);
    for (int i = 0; i < COUNT; i++)
        dy[i] = 1;
    MUST(exec_backward(b.exec, &err));
    const float *dx = host(exec_input_grad(b.exec), TENSOR_READ);
    for (int i = 0; i < COUNT; i++)
        assert_true(dx[i] == -y[i]);
    close_bench(&b);
}

/* LRN with window 3, k 1, alpha 1/2, beta 1: s = 3.5, 8, 15.5, 13.5; dx from dy = 1 at the first channel reaches its neighbour.
 * AlexNet's constants, alpha not divided by n: the middle one is 30/2.55^0.75. LCN by its definition in layers/norms.c, on three
 * pixels. Group norm over one group is the batch norm of the same numbers. */
static void normalisations_have_their_values(void **state)
{
    (void)state;
    const struct golden rows[] = {
        {"lrn",
         {.kind = NET_LRN, .window = 3, .alpha = 0.5f, .beta = 1, .bias_k = 1},
         {4, 1, 1},
         F(1, 2, 3, 4),
         F(1, 0, 0, 0),
         4,
         D(1 / 3.5, 2.0 / 8, 3 / 15.5, 4 / 13.5),
         D(1 / 3.5 - 1 / 12.25, -2 / 12.25, 0, 0)},
        {"lrn of alexnet",
         {.kind = NET_LRN, .window = 5, .alpha = 1e-4f, .beta = 0.75f, .bias_k = 2},
         {5, 1, 1},
         F(10, 20, 30, 40, 50),
         NULL,
         5,
         D(5.651837544, 10.708635064, 14.866752774, 19.880838797, 25.148668594),
         NULL},
        {"lcn",
         {.kind = NET_LCN, .kernel = 3},
         {1, 1, 3},
         F(0, 3, 0),
         NULL,
         3,
         D(-0.8485281374, 1.1881770516, -0.8485281374),
         NULL},
        {"l2 features", {.kind = NET_L2FEATURES, .window = 2}, {4, 1, 1}, F(3, 4, 0, 0), F(1, 1), 2, D(5, 0), D(0.6, 0.8, 0, 0)},
        {"subsample",
         {.kind = NET_SUBSAMPLE, .stride = 2, .k = 2},
         {1, 3, 3},
         F(0, 1, 2, 3, 4, 5, 6, 7, 8),
         F(1, 2, 3, 4, 5, 6, 7, 8),
         8,
         D(0, 2, 6, 8, 0, 0, 0, 0),
         D(1, 0, 2, 0, 0, 0, 3, 0, 4)},
        {"rbf", {.kind = NET_RBF, .k = 2, .codes = F(1, -1, 0, 2)}, {2, 1, 1}, F(3, 1), F(1, 0), 2, D(-8, -10), D(-4, -4)},
    };
    for (size_t row = 0; row < sizeof rows / sizeof *rows; row++)
        check_golden(&rows[row], EXEC_CHECK);
    struct bench b;
    open_layer(&b, (struct net_extent){2, 1, 2}, &(struct net_spec){"group norm", .kind = NET_GROUPNORM, .window = 1}, 1, 1,
               EXEC_CHECK);
    float *gamma = parameter(&b, PARAM_GAMMA, TENSOR_WRITE), *beta = parameter(&b, PARAM_BETA, TENSOR_WRITE);
    gamma[0] = gamma[1] = 2;
    beta[0] = beta[1] = 1;
    memcpy(host(exec_input(b.exec), TENSOR_WRITE), F(1, 2, 3, 4), 4 * sizeof(float));
    MUST(exec_forward(b.exec, &err));
    near(host(exec_head(b.exec, 0), TENSOR_READ), D(-1.683271, 0.105576, 1.894424, 3.683271), 4, "group norm");
    memcpy(host(exec_head_grad(b.exec, 0), TENSOR_WRITE), F(1, 0, 0, 0), 4 * sizeof(float));
    MUST(exec_backward(b.exec, &err));
    near(host(exec_input_grad(b.exec), TENSOR_READ), D(0.536661, -0.715537, -0.178887, 0.357763), 4, "group norm dx");
    near(host(&model_param(&b.model, 0, PARAM_GAMMA)->grad, TENSOR_READ), D(-1.341635, 0), 2, "group norm dgamma");
    near(host(&model_param(&b.model, 0, PARAM_BETA)->grad, TENSOR_READ), D(1, 0), 2, "group norm dbeta");
    close_bench(&b);
}

/* Two samples with means 0.3 and 0.05 of their channels: the gradient is that of weight times -p log q - (1-p) log(1-q), by
 * differences, and nothing at q = p. */
static void sparsity_pulls_means_to_its_share(void **state)
{
    (void)state;
    static const float x[] = {0.2f, 0.02f, 0.4f, 0.08f}, dy[] = {1, 0, 2, 0};
    struct bench b;
    open_layer(&b, (struct net_extent){2, 1, 1}, &(struct net_spec){"sparsity", .kind = NET_SPARSITY, .p = 0.05f, .alpha = 3}, 1, 2,
               EXEC_CHECK);
    memcpy(host(exec_input(b.exec), TENSOR_WRITE), x, sizeof x);
    MUST(exec_forward(b.exec, &err));
    assert_memory_equal(host(exec_head(b.exec, 0), TENSOR_READ), x, sizeof x);
    memcpy(host(exec_head_grad(b.exec, 0), TENSOR_WRITE), dy, sizeof dy);
    MUST(exec_backward(b.exec, &err));
    double loss[2];
    for (int side = 0; side < 2; side++) {
        const double q = 0.3 + (side ? -1e-5 : 1e-5) / 2; /* one of two elements moves */
        loss[side] = 3 * (-0.05 * log(q) - 0.95 * log(1 - q));
    }
    const double slope = (loss[0] - loss[1]) / 2e-5;
    near(host(exec_input_grad(b.exec), TENSOR_READ), D(1 + slope, 0, 2 + slope, 0), 4, "sparsity");
    close_bench(&b);
}

/* Of 40,000 zeros with noise of deviation 0.3: their moments within five deviations; an evaluation adds none. */
static void noise_has_its_deviation(void **state)
{
    (void)state;
    enum { COUNT = 40000 };
    for (int judged = 0; judged < 2; judged++) {
        struct bench b;
        open_layer(&b, (struct net_extent){1, 200, 200}, &(struct net_spec){"noise", .kind = NET_NOISE, .p = 0.3f}, 1, 1,
                   judged ? EXEC_EVAL : EXEC_CHECK);
        memset(host(exec_input(b.exec), TENSOR_WRITE), 0, COUNT * sizeof(float));
        MUST(exec_forward(b.exec, &err));
        const float *y = host(exec_head(b.exec, 0), TENSOR_READ);
        double sum = 0, square = 0;
        for (int i = 0; i < COUNT; i++) {
            sum += y[i];
            square += (double)y[i] * y[i];
        }
        assert_true(fabs(sum) <= (judged ? 0 : 5 * 0.3 * sqrt(COUNT)));
        assert_true(judged ? square == 0 : fabs(square / COUNT / 0.09 - 1) < 5 * sqrt(2.0 / COUNT));
        close_bench(&b);
    }
}

/* Of 40,000 ones a share of 0.3 is dropped within five deviations, the rest is 1/0.7; threads change nothing, a step does; what
 * was dropped has no gradient; an evaluation changes nothing. */
static void dropout_drops_its_share(void **state)
{
    (void)state;
    enum { COUNT = 40000 };
    static float kept[COUNT];
    const struct net_spec spec = {"dropout", .kind = NET_DROPOUT, .p = 0.3f};
    for (int round = 0; round < 4; round++) {
        struct bench b;
        open_layer(&b, (struct net_extent){1, 100, 100}, &spec, round == 1 ? 3 : 1, 4, round == 3 ? EXEC_EVAL : EXEC_CHECK);
        exec_seed(b.exec, 5, round == 2);
        float *x = host(exec_input(b.exec), TENSOR_WRITE);
        for (int i = 0; i < COUNT; i++)
            x[i] = 1;
        MUST(exec_forward(b.exec, &err));
        const float *y = host(exec_head(b.exec, 0), TENSOR_READ);
        int zero = 0;
        for (int i = 0; i < COUNT; i++) {
            zero += y[i] == 0;
            assert_true(y[i] == 0 || fabsf(y[i] - (round == 3 ? 1 : 1 / 0.7f)) < 1e-6f);
        }
        if (round == 3)
            assert_int_equal(zero, 0);
        else
            assert_in_range(zero, 12000 - 460, 12000 + 460);
        if (round == 0)
            memcpy(kept, y, sizeof kept);
        else
            assert_int_equal(memcmp(kept, y, sizeof kept) == 0, round == 1);
        if (round == 0) {
            float *dy = host(exec_head_grad(b.exec, 0), TENSOR_WRITE);
            for (int i = 0; i < COUNT; i++)
                dy[i] = 1;
            MUST(exec_backward(b.exec, &err));
            assert_memory_equal(host(exec_input_grad(b.exec), TENSOR_READ), kept, sizeof kept);
        }
        close_bench(&b);
    }
}

/* A 300 x 200 layer: the deviation of 60,000 draws is within 2 % of its formula, their mean within five deviations of 0. */
static void first_values_have_their_moments(void **state)
{
    (void)state;
    static const struct {
        enum init_kind kind;
        double variance;
    } rows[] = {{INIT_HE_NORMAL, 2.0 / 200},      {INIT_HE_UNIFORM, 2.0 / 200}, {INIT_XAVIER_NORMAL, 2.0 / 500},
                {INIT_XAVIER_UNIFORM, 2.0 / 500}, {INIT_GAUSSIAN, 1e-4},        {INIT_ORTHONORMAL, 1.0 / 300}};
    struct bench b;
    open_layer(&b, (struct net_extent){200, 1, 1}, &(struct net_spec){"fc", .kind = NET_FC, .k = 300, .bias = true}, 1, 1,
               EXEC_EVAL);
    /* The only layer is the head, which starts near zero; without a head it is a layer like any other. */
    MUST(init_model(&b.model, &(struct init_options){.kind = INIT_HE_NORMAL}, 3, &err));
    const float *head = parameter(&b, PARAM_WEIGHT, TENSOR_READ);
    double head_square = 0;
    for (int i = 0; i < 60000; i++)
        head_square += (double)head[i] * head[i];
    assert_true(fabs(sqrt(head_square / 60000) / 0.01 - 1) < 0.02);
    b.net.heads = 0;
    for (size_t row = 0; row < sizeof rows / sizeof *rows; row++) {
        MUST(init_model(&b.model, &(struct init_options){.kind = rows[row].kind, .bias = 0.5}, 3, &err));
        const float *w = parameter(&b, PARAM_WEIGHT, TENSOR_READ);
        double sum = 0, square = 0, most = 0;
        for (int i = 0; i < 60000; i++) {
            sum += w[i];
            square += (double)w[i] * w[i];
            most = fmax(most, fabs((double)w[i]));
        }
        const double deviation = sqrt(rows[row].variance);
        if (!(fabs(sqrt(square / 60000) / deviation - 1) < 0.02) || !(fabs(sum) < 5 * deviation * sqrt(60000)))
            fail_msg("%s: deviation %g, not %g", init_name(rows[row].kind), sqrt(square / 60000), deviation);
        const bool uniform = rows[row].kind == INIT_HE_UNIFORM || rows[row].kind == INIT_XAVIER_UNIFORM;
        assert_true(!uniform || (most <= deviation * sqrt(3) * 1.000001 && most > deviation * 1.7));
        assert_true(parameter(&b, PARAM_BIAS, TENSOR_READ)[7] == 0.5f);
    }
    close_bench(&b);
}

/* W W' = I where there are more columns than rows (of k x c*kh*kw), W' W = I where there are more rows. */
static void orthonormal_weights_are(void **state)
{
    (void)state;
    static const struct {
        struct net_spec spec;
        int rows, columns;
    } layers[] = {
        {{"conv", .kind = NET_CONV, .k = 8, .kernel = 3, .pad = 1}, 8, 36},
        {{"fc", .kind = NET_FC, .k = 80}, 80, 64},
    };
    for (size_t l = 0; l < sizeof layers / sizeof *layers; l++) {
        struct bench b;
        open_layer(&b, (struct net_extent){4, 4, 4}, &layers[l].spec, 1, 1, EXEC_EVAL);
        MUST(init_model(&b.model, &(struct init_options){.kind = INIT_ORTHONORMAL}, 3, &err));
        const float *w = parameter(&b, PARAM_WEIGHT, TENSOR_READ);
        const int rows = layers[l].rows, columns = layers[l].columns;
        const int vectors = rows < columns ? rows : columns, length = rows < columns ? columns : rows;
        const int next = rows < columns ? columns : 1, step = rows < columns ? 1 : columns;
        for (int v = 0; v < vectors; v++)
            for (int other = 0; other <= v; other++) {
                double dot = 0;
                for (int i = 0; i < length; i++)
                    dot += (double)w[v * next + i * step] * w[other * next + i * step];
                if (!(fabs(dot - (v == other)) < 1e-6))
                    fail_msg("%s: vectors %d and %d: %g", layers[l].spec.name, v, other, dot);
            }
        close_bench(&b);
    }
}

/* Each layer of LeNet-5 gives variance 1 within 0.1 on the batch that it was scaled on. */
static void lsuv_makes_unit_variances(void **state)
{
    (void)state;
    struct bench b = {0};
    MUST(catalog_build("lenet5", NULL, &b.net, &err));
    open_exec(&b, 1, 8, EXEC_PLAIN);
    struct tensor *input = exec_input(b.exec);
    float *x = host(input, TENSOR_WRITE);
    for (int64_t i = 0; i < input->bytes / (int64_t)sizeof *x; i++)
        x[i] = rng_uniform(4, 1, (uint64_t)i);
    MUST(init_model(&b.model, &(struct init_options){.kind = INIT_LSUV}, 3, &err));
    MUST(init_lsuv(&b.model, b.exec, &err));
    MUST(exec_forward(b.exec, &err));
    for (size_t l = 0; l < b.net.count; l++) {
        if (b.net.layer[l].kind != NET_CONV && b.net.layer[l].kind != NET_FC)
            continue;
        struct tensor *out = exec_output(b.exec, (int32_t)l);
        const float *y = host(out, TENSOR_READ);
        const int64_t count = out->bytes / (int64_t)sizeof *y;
        double sum = 0, square = 0;
        for (int64_t i = 0; i < count; i++) {
            sum += y[i];
            square += (double)y[i] * y[i];
        }
        const double variance = square / (double)count - sum / (double)count * (sum / (double)count);
        if (!(fabs(variance - 1) < 0.101))
            fail_msg("%s: variance %g", b.net.layer[l].name, variance);
    }
    close_bench(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(batch_norm_is_its_formulas),
        cmocka_unit_test(smooth_functions_have_their_values),
        cmocka_unit_test(activations_have_their_values),
        cmocka_unit_test(adaptive_pools_have_their_values),
        cmocka_unit_test(random_slopes_have_their_range),
        cmocka_unit_test(normalisations_have_their_values),
        cmocka_unit_test(sparsity_pulls_means_to_its_share),
        cmocka_unit_test(noise_has_its_deviation),
        cmocka_unit_test(dropout_drops_its_share),
        cmocka_unit_test(first_values_have_their_moments),
        cmocka_unit_test(orthonormal_weights_are),
        cmocka_unit_test(lsuv_makes_unit_variances),
    };
    return cmocka_run_group_tests_name("layers", tests, NULL, NULL);
}
