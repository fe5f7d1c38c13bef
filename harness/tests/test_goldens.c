/* Worked examples and second oracles, on the reference and on im2col: numbers from lectures and by hand (golden/), the
 * convolution as an explicit matrix, and gradients against finite differences of the forward pass. Through the ABI only. */
#include "golden/rig.h"

#include "golden/convolution.h"
#include "golden/elements.h"
#include "golden/pooling.h"

#define LENGTH(array) (sizeof(array) / sizeof *(array))

enum { NAIVE, IM2COL, BACKENDS };
static const char *const backend_names[BACKENDS] = {[NAIVE] = "naive", [IM2COL] = "im2col"};
static struct backend backends[BACKENDS];

enum { VALUES_MAX = 16384 };

/* Ends a test whose backend is absent or declines; the reference may do neither. */
static void skip_unless(bool runs, const struct backend *backend, const char *text, const struct convoy_error *err)
{
    if (runs)
        return;
    if (backend == &backends[NAIVE])
        fail_msg("%s: %s", text, backend->instance ? err->text : "the reference is not built");
    print_message("%s skips %s: %s\n", backend->name, text, backend->instance ? err->text : "not built here");
    skip();
}

/* ---- goldens ---- */

/* Reads values up to ';' or the end; see golden.h. */
static size_t read_values(const char **cursor, double *values)
{
    size_t count = 0;
    while (**cursor && **cursor != ';') {
        if (**cursor == ' ' || **cursor == '/') {
            (*cursor)++;
            continue;
        }
        char *end;
        const double value = strtod(*cursor, &end);
        if (end == *cursor)
            fail_msg("no number at \"%s\"", *cursor);
        /* strtod takes the first point of "0..8" for a decimal point. */
        const char *rest = end[-1] == '.' ? end - 1 : end;
        double times = 1, step = 0;
        if (rest[0] == '.' && rest[1] == '.') {
            times = strtod(rest + 2, &end) - value + 1;
            step = 1;
        } else if (*rest == '*') {
            times = strtod(rest + 1, &end);
        }
        for (double repeat = 0; repeat < times; repeat++) {
            assert_true(count < VALUES_MAX);
            values[count++] = value + repeat * step;
        }
        *cursor = end;
    }
    if (**cursor == ';')
        (*cursor)++;
    return count;
}

/* Reads "slot: values;" and returns the slot, or -1 at the end of the text. */
static int read_tensor(const char **cursor, double *values, size_t *count)
{
    char name[32];
    size_t length = 0;
    *cursor += strspn(*cursor, " ");
    if (!**cursor)
        return -1;
    length = strcspn(*cursor, ":");
    assert_true(length < sizeof name);
    memcpy(name, *cursor, length);
    name[length] = '\0';
    *cursor += length + 1;
    const int slot = slot_by_name(name);
    if (slot < 0)
        fail_msg("no slot named \"%s\"", name);
    *count = read_values(cursor, values);
    return slot;
}

struct golden_case {
    const struct backend *backend;
    const struct golden *golden;
    char title[96];
};

static bool same(double got, double want, double tolerance)
{
    if (isnan(want) || isinf(want))
        return isnan(want) ? isnan(got) : got == want;
    return fabs(got - want) <= tolerance;
}

static void test_golden(void **state)
{
    const struct golden_case *test = *state;
    const struct golden *golden = test->golden;
    static double values[VALUES_MAX];
    size_t count = 0;
    struct convoy_error err = error_none();
    struct trial *trial = trial_new(golden->problem);
    int slot;

    for (const char *cursor = golden->inputs; (slot = read_tensor(&cursor, values, &count)) >= 0;) {
        assert_true(trial->info[slot].role == SLOT_INPUT || trial->info[slot].role == SLOT_INOUT);
        assert_int_equal(count, trial->info[slot].elements);
        for (size_t element = 0; element < count; element++)
            trial_set(trial, (uint32_t)slot, (int64_t)element, values[element]);
    }
    const bool runs = test->backend->instance && trial_run(trial, test->backend, &err);
    const char *cursor = golden->outputs;
    while (runs && (slot = read_tensor(&cursor, values, &count)) >= 0) {
        assert_int_equal(count, trial->info[slot].elements);
        for (size_t element = 0; element < count; element++) {
            const double value = trial_get(trial, (uint32_t)slot, (int64_t)element),
                         got = golden->squared ? value * value : value;
            const double want = values[element] / (golden->divide != 0 ? golden->divide : 1);
            if (!same(got, want, golden->tolerance))
                fail_msg("%s: %s[%zu] is %.9g, expected %.9g", golden->problem, slot_name((uint32_t)slot), element, got, want);
        }
    }
    trial_free(trial);
    skip_unless(runs, test->backend, golden->problem, &err);
}

/* Five steps of gradient 1 with momentum 0.9; the rate falls from 0.1 to 0.01 after two. The velocity does not hold the
 * rate, so a change acts at once. */
static void test_momentum(void **state)
{
    static const double rate[] = {0.1, 0.1, 0.01, 0.01, 0.01}, want[] = {-0.1, -0.29, -0.3171, -0.35149, -0.392441};
    const struct backend *backend = *state;
    struct convoy_error err = error_none();
    struct trial *trial = trial_new("sgd:n1");
    bool runs = backend->instance != NULL;
    trial_set(trial, CONVOY_W, 0, 0);
    trial_set(trial, CONVOY_X2, 0, 0);
    trial_set(trial, CONVOY_DW, 0, 1);
    for (size_t step = 0; runs && step < LENGTH(rate); step++) {
        const double scalars[4] = {rate[step], 0.9, 0, 0};
        for (int64_t scalar = 0; scalar < 4; scalar++)
            trial_set(trial, CONVOY_SCALARS, scalar, scalars[scalar]);
        runs = trial_run(trial, backend, &err);
        if (runs)
            assert_true(same(trial_get(trial, CONVOY_W, 0), want[step], 5e-7));
    }
    trial_free(trial);
    skip_unless(runs, backend, "momentum", &err);
}

/* A hundred shifted sigmoids approach softplus: sum of sigmoid(z - i + 0.5) over i = 1..100. */
static void test_stepped_sigmoids(void **state)
{
    static const double z[] = {-2, 0, 1, 5}, want[] = {0.122603, 0.682569, 1.305029, 5.006446};
    const struct backend *backend = *state;
    struct convoy_error err = error_none();
    struct trial *trial = trial_new("sigmoid:n100");
    bool runs = backend->instance != NULL;
    for (size_t point = 0; runs && point < LENGTH(z); point++) {
        double sum = 0;
        for (int64_t step = 0; step < 100; step++)
            trial_set(trial, CONVOY_X, step, z[point] - (double)(step + 1) + 0.5);
        runs = trial_run(trial, backend, &err);
        for (int64_t step = 0; step < 100; step++)
            sum += trial_get(trial, CONVOY_Y, step);
        if (runs)
            assert_true(same(sum, want[point], 1e-6));
    }
    trial_free(trial);
    skip_unless(runs, backend, "stepped sigmoids", &err);
}

/* ---- second oracle: convolution as a matrix ---- */

/* Deterministic data: small integers in -4..4, different for each slot. */
static void fill_integers(struct trial *trial, uint32_t slot)
{
    for (int64_t element = 0; element < trial->info[slot].elements; element++)
        trial_set(trial, slot, element, (double)((element * 7919 + element / 5 + (int64_t)slot * 31) % 9 - 4));
}

/* The matrix that one image is multiplied with: rows are outputs (k,oh,ow), columns pixels (c,h,w). It is filled as a band
 * over the padded image, in which every tap is a plain offset, and the columns of the padding are dropped. */
static double *conv_matrix(const struct convoy_conv *p, const double *weights)
{
    const int64_t rows = (int64_t)p->k * p->oh * p->ow, columns = (int64_t)p->c * p->h * p->w;
    const int64_t width = (int64_t)p->w + p->pad_l + p->pad_r, group_c = p->c / p->groups, taps = group_c * p->kh * p->kw;
    double *matrix = trial_block((uint64_t)(rows * columns) * sizeof *matrix);
    memset(matrix, 0, (size_t)(rows * columns) * sizeof *matrix);
    for (int64_t row = 0; row < rows; row++) {
        const int64_t k = row / p->oh / p->ow, corner = row / p->ow % p->oh * p->stride_h * width + row % p->ow * p->stride_w;
        for (int64_t tap = 0; tap < taps; tap++) {
            const int64_t c = k / (p->k / p->groups) * group_c + tap / p->kh / p->kw;
            const int64_t pixel = corner + tap / p->kw % p->kh * p->dil_h * width + tap % p->kw * p->dil_w;
            const int64_t h = pixel / width - p->pad_t, w = pixel % width - p->pad_l;
            if (h >= 0 && h < p->h && w >= 0 && w < p->w)
                matrix[row * columns + (c * p->h + h) * p->w + w] += weights[k * taps + tap];
        }
    }
    return matrix;
}

static double *matrix_of_slot(const struct trial *trial)
{
    double *weights = trial_block((uint64_t)trial->info[CONVOY_W].elements * sizeof *weights);
    for (int64_t element = 0; element < trial->info[CONVOY_W].elements; element++)
        weights[element] = trial_get(trial, CONVOY_W, element);
    double *matrix = conv_matrix(&trial->problem.conv, weights);
    free(weights);
    return matrix;
}

static const char *const matrix_layers[] = {
    "n2c2h5k3kh3b1",
    "n1c3h6w4k2kh3p1b1",
    "n2c4h7w6k6kh3kw2g2s2b1",
    "n1c2h9w7k2kh3d2p2b1",
    "n1c4h5k4kh3g4p1b1",
    "n1c1h8w5k2kh4kw1sh3pt2b1",
    "n2c2h4w6k3kh2sw2pb1pr1pt0pl2b1",
    "n1c3h1k5kh1b1",
    "n1c2h7w9k4kh5kw3p2s2b1",
    "n1c2h4k2kh2s3b1",
    "n1c2h6w70k2kh3p1b1",
    "n1c2h20w3k2kh3sh2p1b1",
    "n2c2h9w12k3kh3kw2sw3dh2dw3pt1pl2b1",
    "n1c2h11w8k2kh2kw3sh2dw2pb2pr1b1",
};

static void check_slot(const struct trial *trial, uint32_t slot, int64_t element, double want, const char *text)
{
    const double got = trial_get(trial, slot, element);
    if (got != want)
        fail_msg("%s: %s[%lld] is %.9g, expected %.9g", text, slot_name(slot), (long long)element, got, want);
}

static void check_forward(const struct trial *trial, const char *text)
{
    const struct convoy_conv *p = &trial->problem.conv;
    const int64_t rows = (int64_t)p->k * p->oh * p->ow, columns = (int64_t)p->c * p->h * p->w;
    double *matrix = matrix_of_slot(trial);
    for (int64_t n = 0; n < p->n; n++) {
        for (int64_t row = 0; row < rows; row++) {
            double sum = trial_get(trial, CONVOY_BIAS, row / p->oh / p->ow);
            for (int64_t column = 0; column < columns; column++)
                sum += matrix[row * columns + column] * trial_get(trial, CONVOY_X, n * columns + column);
            check_slot(trial, CONVOY_Y, n * rows + row, sum, text);
        }
    }
    free(matrix);
}

/* dx = transpose(matrix) dy */
static void check_data(const struct trial *trial, const char *text)
{
    const struct convoy_conv *p = &trial->problem.conv;
    const int64_t rows = (int64_t)p->k * p->oh * p->ow, columns = (int64_t)p->c * p->h * p->w;
    double *matrix = matrix_of_slot(trial);
    for (int64_t n = 0; n < p->n; n++) {
        for (int64_t column = 0; column < columns; column++) {
            double sum = 0;
            for (int64_t row = 0; row < rows; row++)
                sum += matrix[row * columns + column] * trial_get(trial, CONVOY_DY, n * rows + row);
            check_slot(trial, CONVOY_DX, n * columns + column, sum, text);
        }
    }
    free(matrix);
}

/* The output is linear in the weights: dw[e] = <dy, matrix(unit weight e) x>. */
static void check_weights(const struct trial *trial, const char *text)
{
    const struct convoy_conv *p = &trial->problem.conv;
    const int64_t rows = (int64_t)p->k * p->oh * p->ow, columns = (int64_t)p->c * p->h * p->w;
    const int64_t elements = trial->info[CONVOY_DW].elements;
    double *weights = trial_block((uint64_t)elements * sizeof *weights);
    for (int64_t element = 0; element < elements; element++) {
        memset(weights, 0, (size_t)elements * sizeof *weights);
        weights[element] = 1;
        double *matrix = conv_matrix(p, weights), sum = 0;
        for (int64_t at = 0; at < rows * columns; at++)
            for (int64_t n = 0; matrix[at] != 0 && n < p->n; n++)
                sum +=
                    trial_get(trial, CONVOY_DY, n * rows + at / columns) * trial_get(trial, CONVOY_X, n * columns + at % columns);
        check_slot(trial, CONVOY_DW, element, sum, text);
        free(matrix);
    }
    for (int64_t k = 0; k < p->k; k++) {
        double sum = 0;
        for (int64_t element = 0; element < trial->info[CONVOY_DY].elements; element++)
            sum += element / p->oh / p->ow % p->k == k ? trial_get(trial, CONVOY_DY, element) : 0;
        check_slot(trial, CONVOY_DBIAS, k, sum, text);
    }
    free(weights);
}

static void check_matrix(const struct backend *backend, const char *op, bool bias,
                         void (*check)(const struct trial *, const char *))
{
    struct convoy_error err = error_none();
    size_t ran = 0;
    for (size_t layer = 0; backend->instance && layer < LENGTH(matrix_layers); layer++) {
        char text[PROBLEM_TEXT_BYTES];
        const int length = (int)strlen(matrix_layers[layer]) - (bias ? 0 : 2);
        snprintf(text, sizeof text, "%s:%.*s", op, length, matrix_layers[layer]);
        struct trial *trial = trial_new(text);
        for (uint32_t slot = 0; slot < CONVOY_NSLOTS; slot++)
            if (trial->info[slot].role == SLOT_INPUT)
                fill_integers(trial, slot);
        if (trial_run(trial, backend, &err)) {
            check(trial, text);
            ran++;
        } else {
            print_message("%s declines %s: %s\n", backend->name, text, err.text);
        }
        trial_free(trial);
    }
    if (backend == &backends[NAIVE])
        assert_int_equal(ran, LENGTH(matrix_layers));
    skip_unless(ran > 0, backend, op, &err);
}

static void test_matrix_forward(void **state)
{
    check_matrix(*state, "conv_fwd", true, check_forward);
}

static void test_matrix_data(void **state)
{
    check_matrix(*state, "conv_bwd_data", false, check_data);
}

static void test_matrix_weights(void **state)
{
    check_matrix(*state, "conv_bwd_weights", true, check_weights);
}

/* ---- finite differences ---- */

/* Steps are exact: the data are multiples of 2^-6 below 2, so x +- 2^-12 is a float. Distinct values 2^-5 apart, none of them
 * 0 or +-1, keep maxima and clamps away from their kinks. */
#define STEP 0x1p-12

static double smooth(int64_t element, uint32_t slot)
{
    return (double)((element * 37 + slot * 11) % 101 - 50) / 32 + 1.0 / 64;
}

struct gradient_pair {
    const char *forward, *backward;
};
static const struct gradient_pair gradient_pairs[] = {
    {"bn_train:n2c3h3w2", "bn_bwd:n2c3h3w2"},
    {"avgpool_fwd:n1c2h5w4kh3kw2s2p1ceil1", "avgpool_bwd:n1c2h5w4kh3kw2s2p1ceil1"},
    {"avgpoolx_fwd:n1c2h5w4kh3kw2s2p1ceil1", "avgpoolx_bwd:n1c2h5w4kh3kw2s2p1ceil1"},
    {"l2pool_fwd:n1c2h5w6kh3kw2p1", "l2pool_bwd:n1c2h5w6kh3kw2p1"},
    {"l2pool_fwd:n1c1h7kh2d2s2", "l2pool_bwd:n1c1h7kh2d2s2"},
    {"maxpool_fwd:n2c2h4w5kh3s1p1", "maxpool_bwd:n2c2h4w5kh3s1p1"},
    {"maxpool_fwd:n1c1h9w7kh2kw3d2s2", "maxpool_bwd:n1c1h9w7kh2kw3d2s2"},
    {"conv_fwd:n2c2h4w5k2kh3kw2s2p1", "conv_bwd_data:n2c2h4w5k2kh3kw2s2p1"},
    {"conv_fwd:n2c2h4w5k2kh3kw2sw2p1dh2b1", "conv_bwd_weights:n2c2h4w5k2kh3kw2sw2p1dh2b1"},
    {"relu:n50", "relu_bwd:n50"},
    {"leaky:n50alpha0.125", "leaky_bwd:n50alpha0.125"},
    {"sigmoid:n50", "sigmoid_bwd:n50"},
    {"tanh:n50alpha1.75beta0.625", "tanh_bwd:n50alpha1.75beta0.625"},
    {"elu:n50alpha0.75beta1.25", "elu_bwd:n50alpha0.75beta1.25"},
    {"softplus:n50", "softplus_bwd:n50"},
    {"hardtanh:n50", "hardtanh_bwd:n50"},
    {"softsign:n50", "softsign_bwd:n50"},
    {"xent:n40classes5", "xent_bwd:n40classes5"},
};

static const uint32_t gradient_of[][2] = {
    {CONVOY_X, CONVOY_DX},         {CONVOY_W, CONVOY_DW},       {CONVOY_BIAS, CONVOY_DBIAS},
    {CONVOY_GAMMA, CONVOY_DGAMMA}, {CONVOY_BETA, CONVOY_DBETA},
};

static void fill_smooth(struct trial *trial)
{
    for (uint32_t slot = 0; slot < CONVOY_NSLOTS; slot++)
        for (int64_t element = 0; trial->info[slot].role == SLOT_INPUT && element < trial->info[slot].elements; element++)
            trial_set(trial, slot, element,
                      slot == CONVOY_INDEX ? (double)(element % 4 - (element == 7)) : smooth(element, slot));
    for (uint32_t slot = 0; slot < CONVOY_NSLOTS; slot++)
        for (int64_t element = 0; trial->info[slot].role == SLOT_INOUT && element < trial->info[slot].elements; element++)
            trial_set(trial, slot, element, 1);
}

/* sum of dy*y, with the forward pass in double, unrounded; the loss itself where the backward pass takes no dy. */
static double weighted_output(const struct trial *forward, const struct trial *backward, struct convoy_verdict_terms *terms)
{
    const struct convoy_referee *referee = backends[NAIVE].plugin->extension(CONVOY_REFEREE_ID);
    struct convoy_error err = error_none();
    const uint64_t elements = (uint64_t)forward->info[CONVOY_Y].elements;
    if (referee->evaluate(host_table(backends[NAIVE].host), &forward->problem.head, &forward->args, CONVOY_Y, NULL, elements,
                          terms, &err) != CONVOY_OK)
        fail_msg("%s", err.text);
    double sum = 0;
    for (uint64_t element = 0; element < elements; element++)
        sum += terms[element].value * (backward->buffer[CONVOY_DY].host ? trial_get(backward, CONVOY_DY, (int64_t)element) : 1.0);
    return sum;
}

static void check_gradient(struct trial *forward, const struct trial *backward, uint32_t input, uint32_t gradient,
                           const char *text)
{
    struct convoy_verdict_terms *terms = trial_block((uint64_t)forward->info[CONVOY_Y].elements * sizeof *terms);
    for (int64_t element = 0; element < forward->info[input].elements; element++) {
        const double at = trial_get(forward, input, element);
        trial_set(forward, input, element, at + STEP);
        const double above = weighted_output(forward, backward, terms);
        trial_set(forward, input, element, at - STEP);
        const double below = weighted_output(forward, backward, terms);
        trial_set(forward, input, element, at);
        const double want = (above - below) / (2 * STEP), got = trial_get(backward, gradient, element);
        if (!(fabs(got - want) <= 5e-6 * (1 + fabs(want))))
            fail_msg("%s: %s[%lld] is %.9g, finite difference %.9g", text, slot_name(gradient), (long long)element, got, want);
    }
    free(terms);
}

struct gradient_case {
    const struct backend *backend;
    const struct gradient_pair *pair;
    char title[96];
};

static void test_gradient(void **state)
{
    const struct gradient_case *test = *state;
    struct convoy_error err = error_none();
    struct trial *forward = trial_new(test->pair->forward), *backward = trial_new(test->pair->backward);
    size_t checked = 0;
    fill_smooth(forward);
    assert_true(trial_run(forward, &backends[NAIVE], &err));
    fill_smooth(backward);
    for (uint32_t slot = 0; slot < CONVOY_NSLOTS; slot++)
        if (backward->info[slot].role == SLOT_INPUT && forward->info[slot].role != SLOT_UNUSED)
            memcpy(backward->buffer[slot].host, forward->buffer[slot].host, (size_t)forward->info[slot].bytes);
    const bool runs = test->backend->instance && trial_run(backward, test->backend, &err);
    for (size_t pair = 0; runs && pair < LENGTH(gradient_of); pair++) {
        if (backward->info[gradient_of[pair][1]].role != SLOT_OUTPUT)
            continue;
        check_gradient(forward, backward, gradient_of[pair][0], gradient_of[pair][1], test->pair->backward);
        checked++;
    }
    trial_free(forward);
    trial_free(backward);
    skip_unless(runs, test->backend, test->pair->backward, &err);
    assert_true(checked > 0);
}

/* ---- */

static int open_backends(void **state)
{
    (void)state;
    for (size_t backend = 0; backend < BACKENDS; backend++)
        backend_open(&backends[backend], backend_names[backend], 2);
    return 0;
}

static int close_backends(void **state)
{
    (void)state;
    for (size_t backend = 0; backend < BACKENDS; backend++)
        backend_close(&backends[backend]);
    return 0;
}

enum {
    GOLDENS = LENGTH(convolution_goldens) + LENGTH(pooling_goldens) + LENGTH(element_goldens),
    OTHERS = 5,
    PER_BACKEND = GOLDENS + LENGTH(gradient_pairs) + OTHERS
};

static const struct golden *golden_at(size_t golden)
{
    if (golden < LENGTH(convolution_goldens))
        return &convolution_goldens[golden];
    golden -= LENGTH(convolution_goldens);
    return golden < LENGTH(pooling_goldens) ? &pooling_goldens[golden] : &element_goldens[golden - LENGTH(pooling_goldens)];
}

int main(void)
{
    static const struct {
        const char *name;
        void (*run)(void **state);
    } others[OTHERS] = {
        {"momentum", test_momentum},
        {"stepped sigmoids", test_stepped_sigmoids},
        {"matrix, forward", test_matrix_forward},
        {"matrix, data gradient", test_matrix_data},
        {"matrix, weight gradient", test_matrix_weights},
    };
    static struct golden_case goldens[BACKENDS][GOLDENS];
    static struct gradient_case gradients[BACKENDS][LENGTH(gradient_pairs)];
    static char titles[BACKENDS][OTHERS][96];
    static struct CMUnitTest tests[BACKENDS * PER_BACKEND];
    struct CMUnitTest *test = tests;
    for (size_t backend = 0; backend < BACKENDS; backend++) {
        for (size_t golden = 0; golden < GOLDENS; golden++) {
            struct golden_case *at = &goldens[backend][golden];
            *at = (struct golden_case){.backend = &backends[backend], .golden = golden_at(golden)};
            snprintf(at->title, sizeof at->title, "%s: %s", backend_names[backend], at->golden->name);
            *test++ = (struct CMUnitTest){.name = at->title, .test_func = test_golden, .initial_state = at};
        }
        for (size_t pair = 0; pair < LENGTH(gradient_pairs); pair++) {
            struct gradient_case *at = &gradients[backend][pair];
            *at = (struct gradient_case){.backend = &backends[backend], .pair = &gradient_pairs[pair]};
            snprintf(at->title, sizeof at->title, "%s: finite differences, %s", backend_names[backend], at->pair->backward);
            *test++ = (struct CMUnitTest){.name = at->title, .test_func = test_gradient, .initial_state = at};
        }
        for (size_t other = 0; other < OTHERS; other++) {
            snprintf(titles[backend][other], sizeof titles[backend][other], "%s: %s", backend_names[backend], others[other].name);
            *test++ = (struct CMUnitTest){
                .name = titles[backend][other], .test_func = others[other].run, .initial_state = &backends[backend]};
        }
    }
    return cmocka_run_group_tests_name("goldens", tests, open_backends, close_backends);
}
