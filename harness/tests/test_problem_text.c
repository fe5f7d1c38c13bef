/* Problem strings: round trips of random problems, the canonical form, every class of error. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include <convoy/shape.h>
#include "core/problem.h"
#include "core/rng.h"

static void parse(const char *text, union problem *problem)
{
    struct convoy_error err = {.struct_size = sizeof err};
    if (problem_parse(text, problem, &err))
        fail_msg("%s: %s", text, err.text);
}

/* ---- random problems, valid by construction ---- */

static uint64_t drawn;
static int32_t below(int32_t bound)
{
    return (int32_t)rng_below(11, 0, drawn++, (uint64_t)bound);
}
static bool sometimes(void)
{
    return below(3) == 0;
}

static float any_float(void)
{
    for (;;) {
        const uint32_t bits = (uint32_t)rng_u64(11, 0, drawn++);
        float value;
        memcpy(&value, &bits, sizeof value);
        if (isfinite(value))
            return value;
    }
}

static void assert_round_trip(const union problem *problem)
{
    char text[PROBLEM_TEXT_BYTES], again[PROBLEM_TEXT_BYTES];
    union problem back;
    const int length = problem_print(problem, text, sizeof text);
    assert_int_equal(length, strlen(text));
    parse(text, &back);
    if (!problem_equal(problem, &back))
        fail_msg("%s reads back as another problem", text);
    problem_print(&back, again, sizeof again);
    assert_string_equal(again, text);
}

static void assert_complete(union problem *problem)
{
    struct convoy_error err = {.struct_size = sizeof err};
    char text[PROBLEM_TEXT_BYTES];
    if (problem_complete(problem, &err)) {
        problem_print(problem, text, sizeof text);
        fail_msg("%s: %s", text, err.text);
    }
}

static void test_conv_round_trips(void **state)
{
    (void)state;
    static const uint32_t flags[] = {
        [CONVOY_CONV_FWD] = CONVOY_WITH_BIAS | CONVOY_WITH_RELU, [CONVOY_CONV_BWD_WEIGHTS] = CONVOY_WITH_BIAS};
    for (int trial = 0; trial < 3000; trial++) {
        union problem problem = {.conv = {.head = {.op = CONVOY_CONV_FWD + (convoy_op)below(3)}}};
        struct convoy_conv *const p = &problem.conv;
        p->head.flags = (uint32_t)below(8) & flags[p->head.op];
        p->n = sometimes() ? 1 : 1 + below(5);
        p->groups = sometimes() ? 1 + below(4) : 1;
        p->c = p->groups * (1 + below(5));
        p->k = p->groups * (1 + below(5));
        p->kh = 1 + below(7);
        p->kw = sometimes() ? 1 + below(7) : p->kh;
        p->stride_h = 1 + below(4);
        p->stride_w = sometimes() ? 1 + below(4) : p->stride_h;
        p->dil_h = 1 + below(3);
        p->dil_w = sometimes() ? 1 + below(3) : p->dil_h;
        p->pad_t = below(4);
        p->pad_b = sometimes() ? below(4) : p->pad_t;
        p->pad_l = sometimes() ? below(4) : p->pad_t;
        p->pad_r = sometimes() ? below(4) : p->pad_t;
        p->h = (int32_t)fmax(1, (double)convoy_span(p->kh, p->dil_h) - p->pad_t - p->pad_b) + below(20);
        p->w = (int32_t)fmax(1, (double)convoy_span(p->kw, p->dil_w) - p->pad_l - p->pad_r) + below(20);
        if (sometimes() && p->h + p->pad_l + p->pad_r >= convoy_span(p->kw, p->dil_w))
            p->w = p->h;
        assert_complete(&problem);
        assert_round_trip(&problem);
    }
}

/* Windows of one axis that hold no element of the image, counted. */
static bool sees_image(int32_t in, int32_t out, int32_t kernel, int32_t stride, int32_t dilation, int32_t pad)
{
    for (int32_t o = 0; o < out; o++) {
        bool seen = false;
        for (int32_t tap = 0; tap < kernel; tap++) {
            const int32_t position = o * stride - pad + tap * dilation;
            seen = seen || (position >= 0 && position < in);
        }
        if (!seen)
            return false;
    }
    return true;
}

/* Random windows, some of which must be refused: exactly those that the counting finds. */
static void test_pool_round_trips(void **state)
{
    (void)state;
    int refused = 0, ceiled = 0;
    for (int trial = 0; trial < 6000; trial++) {
        union problem problem = {.pool = {.head = {.op = sometimes() ? CONVOY_POOL_BWD : CONVOY_POOL_FWD}, .kind = 1 + below(4)}};
        struct convoy_pool *const p = &problem.pool;
        if (p->head.op == CONVOY_POOL_FWD && p->kind == CONVOY_POOL_MAX && sometimes())
            p->head.flags = CONVOY_NO_INDEX;
        p->n = 1 + below(3);
        p->c = 1 + below(5);
        p->kh = 1 + below(5);
        p->kw = sometimes() ? 1 + below(5) : p->kh;
        p->stride_h = 1 + below(5);
        p->stride_w = sometimes() ? 1 + below(4) : p->stride_h;
        p->dil_h = sometimes() ? 1 + below(6) : 1;
        p->dil_w = sometimes() ? 1 + below(6) : p->dil_h;
        const int32_t span_h = (int32_t)convoy_span(p->kh, p->dil_h), span_w = (int32_t)convoy_span(p->kw, p->dil_w);
        p->pad_t = below(span_h);
        p->pad_b = below(span_h);
        p->pad_l = below(span_w);
        p->pad_r = below(span_w);
        p->h = (int32_t)fmax(1, span_h - p->pad_t - p->pad_b) + below(12);
        p->w = (int32_t)fmax(1, span_w - p->pad_l - p->pad_r) + below(12);
        const int rule = below(3);
        p->oh = (int32_t)convoy_pool_extent(p->h, p->pad_t, p->pad_b, p->kh, p->stride_h, p->dil_h, rule);
        p->ow = (int32_t)convoy_pool_extent(p->w, p->pad_l, p->pad_r, p->kw, p->stride_w, p->dil_w, rule);
        const int32_t oh = p->oh, ow = p->ow;
        if (!sees_image(p->h, oh, p->kh, p->stride_h, p->dil_h, p->pad_t) ||
            !sees_image(p->w, ow, p->kw, p->stride_w, p->dil_w, p->pad_l)) {
            struct convoy_error err = {.struct_size = sizeof err};
            assert_int_equal(problem_complete(&problem, &err), CONVOY_INVALID);
            assert_int_equal(err.why, CONVOY_WHY_PAD);
            assert_non_null(strstr(err.text, "holds no element of x"));
            refused++;
            continue;
        }
        assert_complete(&problem);
        assert_int_equal(p->oh, oh);
        assert_int_equal(p->ow, ow);
        assert_round_trip(&problem);
        ceiled += oh != convoy_pool_extent(p->h, p->pad_t, p->pad_b, p->kh, p->stride_h, p->dil_h, CONVOY_SIZE_FLOOR);
    }
    assert_true(refused > 100 && ceiled > 100);
}

static void test_bn_round_trips(void **state)
{
    (void)state;
    for (int trial = 0; trial < 2000; trial++) {
        union problem problem = {.bn = {.head = {.op = CONVOY_BN_TRAIN + (convoy_op)below(3)}, .eps = 1e-5f, .momentum = 0.1f}};
        struct convoy_bn *const p = &problem.bn;
        if (p->head.op != CONVOY_BN_BWD && sometimes())
            p->head.flags = CONVOY_WITH_RELU;
        p->n = 1 + below(9);
        p->c = 1 + below(9);
        p->h = 1 + below(9);
        p->w = sometimes() ? 1 + below(9) : p->h;
        if (!sometimes()) {
            do
                p->eps = fabsf(any_float());
            while (p->eps == 0);
        }
        if (!sometimes())
            p->momentum = (float)rng_unit(11, 1, drawn++);
        assert_complete(&problem);
        assert_round_trip(&problem);
    }
}

static void test_eltwise_round_trips(void **state)
{
    (void)state;
    for (int trial = 0; trial < 4000; trial++) {
        union problem problem = {.eltwise = {.head = {.op = CONVOY_ELTWISE}, .kind = 1 + below(CONVOY_ELT_COUNT - 1)}};
        struct convoy_eltwise *const p = &problem.eltwise;
        p->classes = 1 + below(1000);
        p->count = p->classes * (int64_t)(1 + rng_below(11, 0, drawn++, UINT64_C(1) << below(48)));
        p->alpha = sometimes() ? 1 : any_float();
        p->beta = sometimes() ? 1 : any_float();
        if (p->kind == CONVOY_ELT_LEAKY || p->kind == CONVOY_ELT_LEAKY_BWD || p->kind == CONVOY_ELT_ELU ||
            p->kind == CONVOY_ELT_ELU_BWD) {
            p->alpha = fabsf(p->alpha);
            p->beta = fabsf(p->beta);
        }
        assert_complete(&problem);
        assert_round_trip(&problem);
    }
}

/* ---- the canonical form, and keys in any order ---- */

static void test_canonical_text(void **state)
{
    (void)state;
    static const struct {
        const char *given, *canonical;
    } cases[] = {
        {"conv_fwd:n16c64h56k64kh3p1b1", "conv_fwd:n16c64h56k64kh3p1b1"},
        {"conv_fwd:b1p1kh3kw3k64w56h56c64n1g1s1d1r0", "conv_fwd:c64h56k64kh3p1b1"},
        {"conv_fwd:c3h9w8k4kh3kw2", "conv_fwd:c3h9w8k4kh3kw2"},
        {"conv_fwd:c3h9k4kh3sh2", "conv_fwd:c3h9k4kh3s2"}, /* sw follows sh */
        {"conv_fwd:c3h9k4kh3sh2sw1", "conv_fwd:c3h9k4kh3sh2sw1"},
        {"conv_fwd:c3h9k4kh3sw2", "conv_fwd:c3h9k4kh3sw2"},
        {"conv_fwd:c3h9k4kh3s2sw3", "conv_fwd:c3h9k4kh3sh2sw3"},
        {"conv_fwd:c3h9k4kh3sh3s2", "conv_fwd:c3h9k4kh3sh3sw2"}, /* the order does not matter */
        {"conv_fwd:c3h9k4kh3dw2d3", "conv_fwd:c3h9k4kh3dh3dw2"},
        {"conv_fwd:c3h9k4kh3pt1pb1pl1pr1", "conv_fwd:c3h9k4kh3p1"},
        {"conv_fwd:c3h9k4kh3pt0p2", "conv_fwd:c3h9k4kh3pb2pl2pr2"},
        {"conv_fwd:c3h9k4kh3pr2", "conv_fwd:c3h9k4kh3pr2"},
        {"conv_fwd:c4h0009k4kh3g2", "conv_fwd:c4h9k4kh3g2"},
        {"maxpool_fwd:n1c64h112kh3s2p1", "maxpool_fwd:c64h112kh3s2p1"},
        {"maxpool_fwd:c64h112kh3s2ceil1noindex1", "maxpool_fwd:c64h112kh3s2ceil1noindex1"},
        {"maxpool_fwd:c64h112kh3s2p1ceil1", "maxpool_fwd:c64h112kh3s2p1ceil1"},
        {"maxpool_fwd:c64h55kh3s2ceil2", "maxpool_fwd:c64h55kh3s2"}, /* all rules agree */
        {"avgpool_fwd:c512h7global1", "avgpool_fwd:c512h7kh7"},
        {"avgpoolx_bwd:c512h7w5global1", "avgpoolx_bwd:c512h7w5kh7kw5"},
        {"l2pool_bwd:c2h4kh2s2", "l2pool_bwd:c2h4kh2s2"},
        {"bn_train:n16c64h56eps1e-5mom0.1", "bn_train:n16c64h56"},
        {"bn_train:c64h56mom0.01eps1e-3r1", "bn_train:c64h56eps0.001mom0.01r1"},
        {"bn_infer:c4h1eps0.00001000", "bn_infer:c4h1"},
        {"bn_infer:c4h1eps1e-12", "bn_infer:c4h1eps1e-12"},
        {"bn_bwd:c4h1eps100000", "bn_bwd:c4h1eps1e5"},
        {"bn_bwd:c4h1eps1.5e+07mom0", "bn_bwd:c4h1eps1.5e7mom0"},
        {"bn_bwd:mom1eps2c4h1", "bn_bwd:c4h1eps2mom1"},                             /* the e of eps is no exponent */
        {"bn_train:n1073741824c1073741824h1", "bn_train:n1073741824c1073741824h1"}, /* 2^62 bytes */
        {"relu:n1", "relu:n1"},
        {"relu:n4294967296", "relu:n4294967296"},
        {"leaky:n8alpha0.01", "leaky:n8alpha0.01"},
        {"tanh:alpha1.7159beta0.6666667n8", "tanh:n8alpha1.7159beta0.6666667"},
        {"add:n8beta-1", "add:n8beta-1"},
        {"scale:n8alpha-0.5e-3beta0", "scale:n8alpha-0.0005beta0"},
        {"xent:classes10n100", "xent:n100classes10"},
        {"xent_bwd:n100classes10alpha0.1", "xent_bwd:n100classes10alpha0.1"},
        {"conv_transpose:c8h7k4kh3s2p1oph1opw1", "conv_bwd_data:c4h14k8kh3s2p1"},
    };
    for (size_t at = 0; at < sizeof cases / sizeof *cases; at++) {
        union problem problem;
        char text[PROBLEM_TEXT_BYTES];
        parse(cases[at].given, &problem);
        problem_print(&problem, text, sizeof text);
        assert_string_equal(text, cases[at].canonical);
        assert_round_trip(&problem);
    }
}

static void test_defaults(void **state)
{
    (void)state;
    union problem problem;
    parse("conv_fwd:c3h9k4kh3", &problem);
    const struct convoy_conv conv = {
        .head = {.struct_size = sizeof conv, .op = CONVOY_CONV_FWD, .dtype = CONVOY_F32, .layout = CONVOY_NCHW},
        .n = 1,
        .c = 3,
        .h = 9,
        .w = 9,
        .k = 4,
        .kh = 3,
        .kw = 3,
        .groups = 1,
        .stride_h = 1,
        .stride_w = 1,
        .dil_h = 1,
        .dil_w = 1,
        .oh = 7,
        .ow = 7,
    };
    assert_memory_equal(&problem, &conv, sizeof conv);
    parse("bn_infer:c3h9", &problem);
    assert_true(problem.bn.eps == 1e-5f && problem.bn.momentum == 0.1f);
    parse("elu:n3", &problem);
    assert_true(problem.eltwise.alpha == 1 && problem.eltwise.beta == 1 && problem.eltwise.classes == 0);
}

static void test_print_cuts(void **state)
{
    (void)state;
    union problem problem;
    char cut[12];
    parse("conv_fwd:n16c64h56k64kh3p1b1", &problem);
    assert_int_equal(problem_print(&problem, cut, sizeof cut), 28);
    assert_string_equal(cut, "conv_fwd:n1");
    assert_int_equal(problem_print(&problem, NULL, 0), 28);
}

/* Every number with as many digits as it can have. */
static void test_longest_text(void **state)
{
    (void)state;
    union problem problem = {.conv = {.head = {.op = CONVOY_CONV_BWD_WEIGHTS, .flags = UINT32_MAX},
                                      .n = INT32_MIN,
                                      .c = INT32_MIN,
                                      .h = INT32_MIN,
                                      .w = INT32_MIN + 1,
                                      .k = INT32_MIN,
                                      .kh = INT32_MIN,
                                      .kw = INT32_MIN + 1,
                                      .groups = INT32_MIN,
                                      .stride_h = INT32_MIN,
                                      .stride_w = INT32_MIN + 1,
                                      .dil_h = INT32_MIN,
                                      .dil_w = INT32_MIN + 1,
                                      .pad_t = INT32_MIN,
                                      .pad_b = INT32_MIN + 1,
                                      .pad_l = INT32_MIN,
                                      .pad_r = INT32_MIN}};
    assert_true(problem_print(&problem, NULL, 0) < PROBLEM_TEXT_BYTES);
}

/* ---- errors: the sentence names what is wrong and where ---- */

static const struct {
    const char *text;
    convoy_why why;
    const char *sentence; /* a part of it */
} errors[] = {
    {"", CONVOY_WHY_OP, "unknown operation '': conv_{fwd,bwd_data,bwd_weights}, conv_transpose"},
    {"conv_fw:c1h1k1kh1", CONVOY_WHY_OP, "unknown operation 'conv_fw'; near it: conv_fwd"},
    {"conv_bwd_wieghts:c1h1k1kh1", CONVOY_WHY_OP, "near it: conv_bwd_weights"},
    {"maxpool:c1h1kh1", CONVOY_WHY_OP, "near it: maxpool_fwd, maxpool_bwd"},
    {"convolution:c1", CONVOY_WHY_OP, "bn_{train,infer,bwd}"},
    {"CONV_FWD:c1h1k1kh1", CONVOY_WHY_OP, "unknown operation 'CONV_FWD'"},
    {" conv_fwd:c1h1k1kh1", CONVOY_WHY_OP, "unknown operation ' conv_fwd'"},
    {"conv_fwd", CONVOY_WHY_OTHER, "conv_fwd: a colon"},
    {"conv_fwd:c1h5k1kh3q7", CONVOY_WHY_OTHER, "conv_fwd: unknown key 'q' in 'q7'; its keys are n c h w k kh kw g s sh sw"},
    {"conv_fwd:c1h5k1kh3eps1e-5", CONVOY_WHY_OTHER, "unknown key 'eps' in 'eps1'"},
    {"conv_bwd_data:c1h5k1kh3b1", CONVOY_WHY_OTHER, "unknown key 'b'"},
    {"conv_bwd_weights:c1h5k1kh3r1", CONVOY_WHY_OTHER, "unknown key 'r'"},
    {"conv_fwd:c1h5k1kh3oph1", CONVOY_WHY_OTHER, "unknown key 'oph'"},
    {"maxpool_bwd:c1h5kh3noindex1", CONVOY_WHY_OTHER, "unknown key 'noindex'"},
    {"avgpool_fwd:c1h5kh3k4", CONVOY_WHY_OTHER, "unknown key 'k'"},
    {"bn_bwd:c1h5r1", CONVOY_WHY_OTHER, "unknown key 'r'"},
    {"relu:n5alpha2", CONVOY_WHY_OTHER, "relu: unknown key 'alpha' in 'alpha2'; its keys are n"},
    {"conv_fwd:c1h5k1kh3c2", CONVOY_WHY_OTHER, "key 'c' is given twice, again at character 19"},
    {"conv_fwd:", CONVOY_WHY_OTHER, "key 'c' is missing"},
    {"conv_fwd:c1h5kh3", CONVOY_WHY_OTHER, "key 'k' is missing"},
    {"conv_fwd:c1h5k3", CONVOY_WHY_OTHER, "key 'kh' is missing"},
    {"conv_fwd:c1w5k3kh1", CONVOY_WHY_OTHER, "key 'h' is missing"},
    {"maxpool_fwd:c1h5", CONVOY_WHY_OTHER, "key 'kh' is missing"},
    {"maxpool_fwd:c1h5global0", CONVOY_WHY_OTHER, "key 'kh' is missing"},
    {"bn_train:n3h5", CONVOY_WHY_OTHER, "key 'c' is missing"},
    {"relu:", CONVOY_WHY_OTHER, "key 'n' is missing"},
    {"xent:n10", CONVOY_WHY_OTHER, "key 'classes' is missing"},
    {"conv_fwd:c2147483648h5k1kh3", CONVOY_WHY_SIZE, "c 2147483648 is too large, at most 2147483647"},
    {"conv_fwd:c99999999999999999999999999h5k1kh3", CONVOY_WHY_SIZE, "c 999999999999999999999999 is too large"},
    {"relu:n9223372036854775808", CONVOY_WHY_SIZE, "n 9223372036854775808 is too large, at most 9223372036854775807"},
    {"conv_fwd:c1h5k1kh3b2", CONVOY_WHY_SIZE, "b 2 is too large, at most 1"},
    {"maxpool_fwd:c1h5kh3ceil3", CONVOY_WHY_SIZE, "ceil 3 is too large, at most 2"},
    {"bn_train:c1h5eps1e39", CONVOY_WHY_OTHER, "eps 1e39 is too large"},
    {"bn_train:c1h5eps0.0000000000000000000000000000000000000000000000000000000000000001", CONVOY_WHY_OTHER,
     "has too many digits"},
    {"conv_fwd:c0h5k1kh3", CONVOY_WHY_SIZE, "c is 0, must be at least 1"},
    {"conv_fwd:c1h5k1kh3s0", CONVOY_WHY_SIZE, "s is 0, must be at least 1"},
    {"relu:n0", CONVOY_WHY_SIZE, "n is 0, must be at least 1"},
    {"conv_fwd:c1h5k1kh3p", CONVOY_WHY_OTHER, "the text ends at character 20"},
    {"conv_fwd:c1h5k1kh3?", CONVOY_WHY_OTHER, "unexpected '?' at character 19"},
    {"conv_fwd:c1 h5k1kh3", CONVOY_WHY_OTHER, "unexpected ' ' at character 12"},
    {"conv_fwd:c1h5k1kh3\n", CONVOY_WHY_OTHER, "unexpected byte 0x0a at character 19"},
    {"conv_fwd:c1.5h5k1kh3", CONVOY_WHY_OTHER, "unexpected '.' at character 12"},
    {"conv_fwd:c+1h5k1kh3", CONVOY_WHY_OTHER, "unexpected '+' at character 11"},
    {"conv_fwd:c1h5k1kh3P1", CONVOY_WHY_OTHER, "unexpected 'P' at character 19"},
    {"conv_fwd:5c1h5k1kh3", CONVOY_WHY_OTHER, "unexpected '5' at character 10"},
    {"bn_train:c1h5eps.5", CONVOY_WHY_OTHER, "unexpected '.' at character 17"},
    {"bn_train:c1h5eps1e", CONVOY_WHY_OTHER, "unknown key 'e' in 'e'"},
    {"bn_train:c1h5eps5.", CONVOY_WHY_OTHER, "unexpected '.' at character 18"},
    {"leaky:n3alpha-", CONVOY_WHY_OTHER, "unexpected '-' at character 14"},
    {"conv_fwd:c1h5k1kh3pt-1", CONVOY_WHY_PAD, "pt -1: must not be negative"},
    {"conv_fwd:c-1h5k1kh3", CONVOY_WHY_OTHER, "c -1: must not be negative"},
    {"bn_train:c1h5eps-1", CONVOY_WHY_OTHER, "eps -1: must not be negative"},
    {"bn_train:c1h5eps0", CONVOY_WHY_OTHER, "eps is 0, must be above 0"},
    {"bn_train:c1h5eps1e-60", CONVOY_WHY_OTHER, "eps is 0, must be above 0"},
    {"bn_train:c1h5mom1.5", CONVOY_WHY_OTHER, "mom is 1.5, must be from 0 to 1"},
    {"leaky:n5alpha0", CONVOY_WHY_OTHER, "alpha is 0, must be above 0"},
    {"leaky_bwd:n5alpha-1", CONVOY_WHY_OTHER, "alpha is -1, must be above 0"},
    {"elu:n5beta-1", CONVOY_WHY_OTHER, "beta is -1, must be above 0"},
    {"tanh_bwd:n5alpha0", CONVOY_WHY_OTHER, "alpha is 0"},
    {"conv_fwd:c6h5k4kh3g3", CONVOY_WHY_GROUPS, "3 groups do not divide k 4"},
    {"conv_fwd:c4h5k6kh3g3", CONVOY_WHY_GROUPS, "3 groups do not divide c 4"},
    {"conv_fwd:c1h9k1kh7d2", CONVOY_WHY_KERNEL, "kernel kh 7 (span 13 with dilation 2) is larger than the padded height 9"},
    {"conv_fwd:c1h9w4k1kh3kw9pl2pr1", CONVOY_WHY_KERNEL, "kernel kw 9 is larger than the padded width 7"},
    {"maxpool_fwd:c1h2kh5p1", CONVOY_WHY_KERNEL, "kernel kh 5 is larger than the padded height 4"},
    {"maxpool_fwd:c1h2kh2147483647d2147483647", CONVOY_WHY_KERNEL, "(span 4611686011984936963 with dilation 2147483647)"},
    {"maxpool_fwd:c1h5kh2s2p2", CONVOY_WHY_PAD, "pad pt 2 must be smaller than the span 2"},
    {"maxpool_fwd:c1h5kh2s2pr2", CONVOY_WHY_PAD, "pad pr 2 must be smaller than the span 2"},
    {"maxpool_fwd:c1h2w9kh2d3p2", CONVOY_WHY_PAD, "holds no element of x"},
    {"avgpool_fwd:c1h5kh1s5ceil2", CONVOY_WHY_PAD, "window 1 over the height holds no element of x"}, /* Caffe keeps it */
    {"avgpool_fwd:c3h7global1kh2", CONVOY_WHY_KERNEL, "global1 leaves no choice for key 'kh'"},
    {"avgpool_fwd:c3h7global1p1", CONVOY_WHY_KERNEL, "global1 leaves no choice for key 'p'"},
    {"xent:n100classes7", CONVOY_WHY_SIZE, "7 classes do not divide n 100"},
    {"conv_transpose:c1h5k1kh3s2oph2", CONVOY_WHY_PAD, "oph 2 must be smaller than the stride 2 or the dilation 1"},
    {"conv_transpose:c1h5k1kh3s2d3opw2", CONVOY_WHY_PAD, "gives 5x6 instead of the input's 5x5"},
    {"conv_transpose:c1h1k1kh3p2", CONVOY_WHY_SIZE, "the output height would be -1"},
    {"conv_transpose:c1h2147483647k1kh3s2", CONVOY_WHY_SIZE, "the output height would be 4294967295"},
    {"conv_fwd:c2147483647h2147483647k1kh1", CONVOY_WHY_SIZE, "the bytes of x would be over 2^62"},
    {"conv_fwd:c1h2147483647w1k1kh1p2147483647", CONVOY_WHY_SIZE, "output oh would be 6442450941, at most 2147483647"},
    {"conv_fwd:c2147483647h1k2147483647kh1", CONVOY_WHY_SIZE, "the bytes of the weights would be over 2^62"},
    {"conv_fwd:c1h1048576k2097152kh1", CONVOY_WHY_SIZE, "the bytes of y would be over 2^62"},
    {"conv_fwd:c1024h32768k1048576kh7", CONVOY_WHY_SIZE, "the multiply-adds would be over 2^62"},
    {"maxpool_fwd:c4096h1048576kh1024", CONVOY_WHY_SIZE, "the window taps would be over 2^62"},
    {"maxpool_fwd:n1024c4096h1048576kh1", CONVOY_WHY_SIZE, "the bytes of x would be over 2^62"},
    {"bn_train:n2147483647c2147483647h2", CONVOY_WHY_SIZE, "the bytes of x would be over 2^62"},
    {"bn_train:n1073741824c1073741825h1", CONVOY_WHY_SIZE, "the bytes of x would be over 2^62"},
    {"relu:n1152921504606846977", CONVOY_WHY_SIZE, "the bytes of 1152921504606846977 elements would be over 2^62"},
};

static void test_errors(void **state)
{
    (void)state;
    for (size_t at = 0; at < sizeof errors / sizeof *errors; at++) {
        struct convoy_error err = {.struct_size = sizeof err};
        union problem problem, untouched;
        memset(&problem, 0x5a, sizeof problem);
        memset(&untouched, 0x5a, sizeof untouched);
        const convoy_status status = problem_parse(errors[at].text, &problem, &err);
        if (status != CONVOY_INVALID || err.status != CONVOY_INVALID || err.why != errors[at].why ||
            !strstr(err.text, errors[at].sentence))
            fail_msg("'%s': status %d, why %u, '%s'", errors[at].text, status, err.why, err.text);
        assert_memory_equal(&problem, &untouched, sizeof problem);
        assert_int_equal(problem_parse(errors[at].text, &problem, NULL), CONVOY_INVALID);
    }
}

/* No byte sequence brings the parser down, and what it takes it prints. */
static void test_mutated_text(void **state)
{
    (void)state;
    static const char *const seeds[] = {
        "conv_fwd:n2c4h9w8k6kh3kw2g2s2d1p1b1r1",
        "maxpool_fwd:c3h9kh3s2p1ceil1",
        "bn_train:c3h4eps1e-5mom0.1",
        "tanh:n9alpha-1.5beta2e3",
        "conv_transpose:c8h7k4kh3s2p1oph1",
        "xent_bwd:n100classes10alpha0.1",
    };
    static const char letters[] = "nchwkhgsdptblrxeam0123456789.-+:_ \x80";
    int taken = 0;
    for (int trial = 0; trial < 30000; trial++) {
        char text[64];
        union problem problem;
        size_t length = strlen(strcpy(text, seeds[below(sizeof seeds / sizeof *seeds)]));
        for (int change = below(3); change >= 0; change--) {
            const size_t at = (size_t)below((int32_t)length);
            const char letter = letters[below(sizeof letters - 1)];
            if (below(2) || length + 2 > sizeof text) {
                text[at] = letter;
            } else {
                memmove(text + at + 1, text + at, length - at + 1);
                text[at] = letter;
                length++;
            }
        }
        if (!problem_parse(text, &problem, NULL)) {
            assert_round_trip(&problem);
            taken++;
        }
    }
    assert_true(taken > 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_conv_round_trips), cmocka_unit_test(test_pool_round_trips),
        cmocka_unit_test(test_bn_round_trips),   cmocka_unit_test(test_eltwise_round_trips),
        cmocka_unit_test(test_canonical_text),   cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_print_cuts),       cmocka_unit_test(test_longest_text),
        cmocka_unit_test(test_errors),           cmocka_unit_test(test_mutated_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
