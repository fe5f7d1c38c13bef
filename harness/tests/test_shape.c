/* Sizes, counts and ranges of shape.h against worked examples and against counting. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
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

/* Exercises from university lectures, and what they come to. */
static const struct {
    const char *problem;
    int32_t k, oh, ow;
    int64_t macs, params;
} exercises[] = {
    {"conv_fwd:c32h64k64kh5b1", 64, 60, 60, 184320000, 51264},
    {"conv_fwd:c32h64k64kh3b1", 64, 62, 62, 70852608, 18496},
    {"conv_fwd:c64h62k64kh3b1", 64, 60, 60, 132710400, 36928},
    {"conv_fwd:c32h64k64kh5p2b1", 64, 64, 64, 209715200, 51264},
    {"conv_fwd:c32h64k64kh3p1b1", 64, 64, 64, 75497472, 18496},
    {"conv_fwd:c64h64k64kh3p1b1", 64, 64, 64, 150994944, 36928},
    {"conv_fwd:c3h32k64kh3b1", 64, 30, 30, 1555200, 1792},
    {"conv_fwd:c3h32k64kh3p1b1", 64, 32, 32, 1769472, 1792},
    {"conv_fwd:c3h10k1kh3b1", 1, 8, 8, 1728, 28},
    {"conv_fwd:c75h1k5kh1", 5, 1, 1, 375, 375},
    {"conv_fwd:c25h1k6kh1b1", 6, 1, 1, 150, 156},
    {"conv_fwd:c1h5k6kh5b1", 6, 1, 1, 150, 156},
    {"conv_fwd:c3h12k16kh3b1", 16, 10, 10, 43200, 448},
    {"conv_fwd:c400h1k60kh1b1", 60, 1, 1, 24000, 24060},
    {"conv_fwd:c1h4k1kh3", 1, 2, 2, 36, 9},
    {"conv_fwd:c1h5k1kh4p2", 1, 6, 6, 576, 16}, /* "same" by half the kernel is right for odd kernels only */
    {"conv_fwd:c1h5k1kh4pt1pb2pl1pr2", 1, 5, 5, 400, 16},
    {"conv_fwd:c1h5k1kh3s2p1", 1, 3, 3, 81, 9},
    {"conv_fwd:c2h8k3kh3", 3, 6, 6, 1944, 54},
    {"conv_fwd:c64h8k64kh3g64p1", 64, 8, 8, 36864, 576}, /* depthwise, then 1x1: 576 + 8192 = 8768 against 73728 */
    {"conv_fwd:c64h8k128kh1", 128, 8, 8, 524288, 8192},
    {"conv_fwd:c64h8k128kh3p1", 128, 8, 8, 4718592, 73728},
    {"conv_fwd:c1h6k1kh3s2", 1, 2, 2, 36, 9}, /* a remainder is dropped */
    {"conv_fwd:c3h224k64kh7s2p3", 64, 112, 112, 118013952, 9408},
};

static void test_exercises(void **state)
{
    (void)state;
    for (size_t at = 0; at < sizeof exercises / sizeof *exercises; at++) {
        union problem p;
        parse(exercises[at].problem, &p);
        if (p.conv.k != exercises[at].k || p.conv.oh != exercises[at].oh || p.conv.ow != exercises[at].ow ||
            convoy_conv_macs(&p.conv) != exercises[at].macs || convoy_conv_params(&p.conv) != exercises[at].params)
            fail_msg("%s: %d@%dx%d, %lld MACs, %lld parameters", exercises[at].problem, p.conv.k, p.conv.oh, p.conv.ow,
                     (long long)convoy_conv_macs(&p.conv), (long long)convoy_conv_params(&p.conv));
        assert_true(convoy_conv_flops(&p.conv) == 2 * exercises[at].macs);
        for (int pass = PASS_BWD_DATA; pass < PASS_COUNT; pass++) {
            union problem other;
            assert_true(problem_other_pass(&p, (enum problem_pass)pass, &other));
            assert_true(convoy_conv_macs(&other.conv) == exercises[at].macs);
        }
    }
}

static void test_two_small_kernels_for_a_large_one(void **state)
{
    (void)state;
    union problem first, second;
    parse("conv_fwd:c32h64k64kh3b1", &first);
    parse("conv_fwd:c64h62k64kh3b1", &second);
    assert_int_equal(convoy_conv_macs(&first.conv) + convoy_conv_macs(&second.conv), 203563008);
    assert_int_equal(convoy_conv_params(&first.conv) + convoy_conv_params(&second.conv), 55424);
    parse("conv_fwd:c32h64k64kh3p1b1", &first);
    parse("conv_fwd:c64h64k64kh3p1b1", &second);
    assert_int_equal(convoy_conv_macs(&first.conv) + convoy_conv_macs(&second.conv), 226492416);
}

static int64_t pool_extent(int32_t in, int32_t kernel, int32_t stride, int32_t pad, int rule)
{
    return convoy_pool_extent(in, pad, pad, kernel, stride, 1, rule);
}

static void test_pool_rules(void **state)
{
    (void)state;
    assert_int_equal(pool_extent(5, 2, 2, 0, CONVOY_SIZE_FLOOR), 2);
    assert_int_equal(pool_extent(5, 2, 2, 0, CONVOY_SIZE_CEIL), 3);
    assert_int_equal(pool_extent(5, 2, 2, 0, CONVOY_SIZE_CEIL_CAFFE), 3);
    assert_int_equal(pool_extent(112, 3, 2, 0, CONVOY_SIZE_FLOOR), 55);
    assert_int_equal(pool_extent(112, 3, 2, 0, CONVOY_SIZE_CEIL), 56);
    assert_int_equal(pool_extent(112, 3, 2, 1, CONVOY_SIZE_FLOOR), 56);
    const int32_t alexnet[] = {55, 27, 13, 6};
    for (size_t at = 0; at + 1 < sizeof alexnet / sizeof *alexnet; at++) {
        for (int rule = CONVOY_SIZE_FLOOR; rule <= CONVOY_SIZE_CEIL_CAFFE; rule++)
            assert_int_equal(pool_extent(alexnet[at], 3, 2, 0, rule), alexnet[at + 1]);
    }
    /* ONNX test_maxpool_2d_ceil_output_size_reduce_by_one: 2x2, kernel 1, stride 2. Caffe drops the window only with padding. */
    assert_int_equal(pool_extent(2, 1, 2, 0, CONVOY_SIZE_CEIL), 1);
    assert_int_equal(pool_extent(2, 1, 2, 0, CONVOY_SIZE_CEIL_CAFFE), 2);
    assert_int_equal(pool_extent(2, 2, 3, 1, CONVOY_SIZE_FLOOR), 1);
    assert_int_equal(pool_extent(2, 2, 3, 1, CONVOY_SIZE_CEIL), 1);
    assert_int_equal(pool_extent(2, 2, 3, 1, CONVOY_SIZE_CEIL_CAFFE), 1);
    assert_int_equal(pool_extent(4, 5, 1, 0, CONVOY_SIZE_FLOOR), 0);
    assert_int_equal(pool_extent(4, 5, 1, 0, CONVOY_SIZE_CEIL), 0);
}

static int32_t below(uint64_t *at, int32_t bound)
{
    return (int32_t)rng_below(7, 0, (*at)++, (uint64_t)bound);
}

/* Ceil: windows are laid while they start before the end of the input, after the first that is no longer whole there is no other.
 */
static int64_t count_ceil_windows(int32_t in, int32_t before, int32_t after, int64_t span, int32_t stride)
{
    int64_t count = 0;
    for (int64_t start = 0; start < in + before; start += stride) {
        count++;
        if (start + span >= in + before + after)
            break;
    }
    return count;
}

static void test_extents_by_counting(void **state)
{
    (void)state;
    uint64_t at = 0;
    for (int trial = 0; trial < 20000; trial++) {
        const int32_t kernel = 1 + below(&at, 5), dilation = 1 + below(&at, 3), stride = 1 + below(&at, 5);
        const int32_t before = below(&at, 4), after = below(&at, 4), in = 1 + below(&at, 20);
        const int64_t span = convoy_span(kernel, dilation);
        int64_t whole = 0;
        for (int64_t start = 0; start + span <= in + before + after; start += stride)
            whole++;
        assert_int_equal(convoy_out_extent(in, before, after, kernel, stride, dilation), whole);
        assert_int_equal(convoy_pool_extent(in, before, after, kernel, stride, dilation, CONVOY_SIZE_FLOOR), whole);
        if (whole && before < span && after < span)
            assert_int_equal(convoy_pool_extent(in, before, after, kernel, stride, dilation, CONVOY_SIZE_CEIL),
                             count_ceil_windows(in, before, after, span, stride));
    }
}

static void test_tap_ranges_by_counting(void **state)
{
    (void)state;
    uint64_t at = 0;
    for (int trial = 0; trial < 20000; trial++) {
        const int32_t in = 1 + below(&at, 12), out = 1 + below(&at, 12), pad = below(&at, 8), stride = 1 + below(&at, 5);
        const int32_t tap = below(&at, 5) * (1 + below(&at, 4));
        int32_t first, last;
        convoy_tap_range(in, out, pad, stride, tap, &first, &last);
        assert_true(first >= 0 && first <= last && last <= out);
        for (int32_t o = 0; o < out; o++) {
            const int32_t position = o * stride - pad + tap;
            assert_int_equal(o >= first && o < last, position >= 0 && position < in);
        }
    }
}

/* Far from zero the products must not leave 64 bits. */
static void test_large_values(void **state)
{
    (void)state;
    const int32_t most = INT32_MAX;
    int32_t first, last;
    assert_true(convoy_span(most, most) == (int64_t)most * (most - 1) + 1);
    assert_true(convoy_out_extent(most, most, most, 1, 1, 1) == 3 * (int64_t)most);
    assert_true(convoy_out_extent(most, 0, 0, most, most, 1) == 1);
    assert_true(convoy_out_extent(most, 0, 0, 2, 1, most) == 0);
    convoy_tap_range(most, most, most, most, 0, &first, &last);
    assert_int_equal(first, 1);
    assert_int_equal(last, 2);
}

static void test_index_type(void **state)
{
    (void)state;
    struct convoy_pool pool = {.kh = 16, .kw = 16};
    assert_int_equal(convoy_index_bytes(&pool), 1);
    pool.kw = 17;
    assert_int_equal(convoy_index_bytes(&pool), 4);
    pool.kh = pool.kw = 65536; /* the product does not fit 32 bits */
    assert_int_equal(convoy_index_bytes(&pool), 4);
}

/* Dumoulin & Visin, section 4, and the output padding of the deep learning frameworks. */
static void test_transposed_sizes(void **state)
{
    (void)state;
    static const struct {
        const char *layer, *problem;
        int32_t h, w;
    } cases[] = {
        {"conv_transpose:c1h2k1kh3", "conv_bwd_data:c1h4k1kh3", 4, 4},
        {"conv_transpose:c1h6k1kh4p2", "conv_bwd_data:c1h5k1kh4p2", 5, 5},
        {"conv_transpose:c1h2k1kh3s2", "conv_bwd_data:c1h5k1kh3s2", 5, 5},
        {"conv_transpose:c1h3k1kh3s2p1", "conv_bwd_data:c1h5k1kh3s2p1", 5, 5},
        {"conv_transpose:c1h3k1kh3s2p1oph1opw1", "conv_bwd_data:c1h6k1kh3s2p1", 6, 6},
        {"conv_transpose:n4c8h7w9k6kh3kw5g2s2p1oph1", "conv_bwd_data:n4c6h14w19k8kh3kw5g2s2p1", 14, 19},
        {"conv_transpose:c256h16k128kh4s2p1", "conv_bwd_data:c128h32k256kh4s2p1", 32, 32},
        {"conv_transpose:c2h4k3kh2d3", "conv_bwd_data:c3h7k2kh2d3", 7, 7},
    };
    for (size_t at = 0; at < sizeof cases / sizeof *cases; at++) {
        union problem layer, problem;
        parse(cases[at].layer, &layer);
        parse(cases[at].problem, &problem);
        assert_true(problem_equal(&layer, &problem));
        assert_int_equal(layer.head.op, CONVOY_CONV_BWD_DATA);
        assert_int_equal(layer.conv.h, cases[at].h);
        assert_int_equal(layer.conv.w, cases[at].w);
    }
}

/* The convolution that a transposed one belongs to maps its output back to the size of its input. */
static void test_transposed_is_inverse(void **state)
{
    (void)state;
    uint64_t at = 0;
    for (int trial = 0; trial < 5000; trial++) {
        struct convoy_conv layer = {.head = {.struct_size = sizeof layer, .op = CONVOY_CONV_FWD}, .n = 1, .groups = 1}, back;
        layer.c = 1 + below(&at, 9);
        layer.k = 1 + below(&at, 9);
        layer.h = 1 + below(&at, 9);
        layer.w = 1 + below(&at, 9);
        layer.kh = 1 + below(&at, 4);
        layer.kw = 1 + below(&at, 4);
        layer.stride_h = 1 + below(&at, 3);
        layer.stride_w = 1 + below(&at, 3);
        layer.dil_h = 1 + below(&at, 2);
        layer.dil_w = 1 + below(&at, 2);
        layer.pad_t = below(&at, (int32_t)convoy_span(layer.kh, layer.dil_h) + 1) / 2;
        layer.pad_b = below(&at, (int32_t)convoy_span(layer.kh, layer.dil_h) + 1) / 2;
        layer.pad_l = below(&at, (int32_t)convoy_span(layer.kw, layer.dil_w) + 1) / 2;
        layer.pad_r = below(&at, (int32_t)convoy_span(layer.kw, layer.dil_w) + 1) / 2;
        convoy_conv_transpose(&layer, below(&at, layer.stride_h), below(&at, layer.stride_w), &back);
        if (back.h < 1 || back.w < 1)
            continue;
        assert_int_equal(back.head.op, CONVOY_CONV_BWD_DATA);
        assert_int_equal(back.c, layer.k);
        assert_int_equal(back.k, layer.c);
        assert_int_equal(convoy_out_extent(back.h, back.pad_t, back.pad_b, back.kh, back.stride_h, back.dil_h), layer.h);
        assert_int_equal(convoy_out_extent(back.w, back.pad_l, back.pad_r, back.kw, back.stride_w, back.dil_w), layer.w);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_exercises),
        cmocka_unit_test(test_two_small_kernels_for_a_large_one),
        cmocka_unit_test(test_pool_rules),
        cmocka_unit_test(test_extents_by_counting),
        cmocka_unit_test(test_tap_ranges_by_counting),
        cmocka_unit_test(test_large_values),
        cmocka_unit_test(test_index_type),
        cmocka_unit_test(test_transposed_sizes),
        cmocka_unit_test(test_transposed_is_inverse),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
