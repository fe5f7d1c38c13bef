/* Every operation's tensors, with their roles, types and extents, against the rules in convoy.h. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "core/slots.h"

static void parse(const char *text, union problem *problem)
{
    struct convoy_error err = {.struct_size = sizeof err};
    if (problem_parse(text, problem, &err))
        fail_msg("%s: %s", text, err.text);
}

/* "x<4,3 dy<u8:2,2 y>4" : < input, > output, = both; f32 is not written. */
static void render(const struct slot_info *info, char *text, size_t size)
{
    static const char roles[] = {[SLOT_INPUT] = '<', [SLOT_OUTPUT] = '>', [SLOT_INOUT] = '='};
    size_t length = 0;
    text[0] = '\0';
    for (uint32_t slot = 0; slot < CONVOY_NSLOTS; slot++) {
        if (info[slot].role == SLOT_UNUSED)
            continue;
        length += (size_t)snprintf(text + length, size - length, "%s%s%c%s", length ? " " : "", slot_name(slot),
                                   roles[info[slot].role], info[slot].type == SLOT_F32 ? "" : slot_type_name(info[slot].type));
        for (int32_t axis = 0; axis < info[slot].rank; axis++)
            length += (size_t)snprintf(text + length, size - length, "%s%lld",
                                       axis                          ? ","
                                       : info[slot].type == SLOT_F32 ? ""
                                                                     : ":",
                                       (long long)info[slot].extent[axis]);
        assert_true(length < size);
    }
}

static const struct {
    const char *problem, *slots;
} cases[] = {
    {"conv_fwd:n2c4h5w6k8kh3kw2g2", "x<2,4,5,6 w<8,2,3,2 y>2,8,3,5"},
    {"conv_fwd:n2c4h5w6k8kh3kw2g2b1r1", "x<2,4,5,6 w<8,2,3,2 bias<8 y>2,8,3,5"},
    {"conv_bwd_data:n2c4h5w6k8kh3kw2g2", "w<8,2,3,2 dx>2,4,5,6 dy<2,8,3,5"},
    {"conv_bwd_weights:n2c4h5w6k8kh3kw2g2", "x<2,4,5,6 dw>8,2,3,2 dy<2,8,3,5"},
    {"conv_bwd_weights:n2c4h5w6k8kh3kw2g2b1", "x<2,4,5,6 dw>8,2,3,2 dbias>8 dy<2,8,3,5"},
    {"conv_transpose:n2c8h3w5k4kh3kw2", "w<8,4,3,2 dx>2,4,5,6 dy<2,8,3,5"},
    {"maxpool_fwd:n2c3h7w9kh3s2", "x<2,3,7,9 y>2,3,3,4 index>u8:2,3,3,4"},
    {"maxpool_fwd:n2c3h7w9kh3s2noindex1", "x<2,3,7,9 y>2,3,3,4"},
    {"maxpool_fwd:c3h16kh16", "x<1,3,16,16 y>1,3,1,1 index>u8:1,3,1,1"},
    {"maxpool_fwd:c3h17kh17kw16", "x<1,3,17,17 y>1,3,1,2 index>s32:1,3,1,2"},
    {"maxpool_bwd:n2c3h7w9kh3s2", "dx>2,3,7,9 dy<2,3,3,4 index<u8:2,3,3,4"},
    {"maxpool_bwd:c3h17kh17", "dx>1,3,17,17 dy<1,3,1,1 index<s32:1,3,1,1"},
    {"avgpool_fwd:n2c3h7w9kh3s2", "x<2,3,7,9 y>2,3,3,4"},
    {"avgpool_bwd:n2c3h7w9kh3s2", "dx>2,3,7,9 dy<2,3,3,4"},
    {"avgpoolx_fwd:n2c3h7w9kh3s2", "x<2,3,7,9 y>2,3,3,4"},
    {"avgpoolx_bwd:n2c3h7w9kh3s2", "dx>2,3,7,9 dy<2,3,3,4"},
    {"l2pool_fwd:n2c3h7w9kh3s2", "x<2,3,7,9 y>2,3,3,4"},
    {"l2pool_bwd:n2c3h7w9kh3s2", "x<2,3,7,9 y<2,3,3,4 dx>2,3,7,9 dy<2,3,3,4"},
    {"bn_train:n2c3h4w5r1", "x<2,3,4,5 y>2,3,4,5 gamma<3 beta<3 run_mean=3 run_var=3 save_mean>3 save_istd>3"},
    {"bn_infer:n2c3h4w5", "x<2,3,4,5 y>2,3,4,5 gamma<3 beta<3 run_mean<3 run_var<3"},
    {"bn_bwd:n2c3h4w5", "x<2,3,4,5 dx>2,3,4,5 dy<2,3,4,5 gamma<3 save_mean<3 save_istd<3 dgamma>3 dbeta>3"},
    {"relu:n7", "x<7 y>7"},
    {"leaky:n7", "x<7 y>7"},
    {"sigmoid:n7", "x<7 y>7"},
    {"tanh:n7", "x<7 y>7"},
    {"elu:n7", "x<7 y>7"},
    {"softplus:n7", "x<7 y>7"},
    {"hardtanh:n7", "x<7 y>7"},
    {"softsign:n7", "x<7 y>7"},
    {"scale:n7", "x<7 y>7"},
    {"relu_bwd:n7", "y<7 dx>7 dy<7"},
    {"leaky_bwd:n7", "y<7 dx>7 dy<7"},
    {"sigmoid_bwd:n7", "y<7 dx>7 dy<7"},
    {"tanh_bwd:n7", "y<7 dx>7 dy<7"},
    {"elu_bwd:n7", "y<7 dx>7 dy<7"},
    {"softplus_bwd:n7", "y<7 dx>7 dy<7"},
    {"hardtanh_bwd:n7", "y<7 dx>7 dy<7"},
    {"softsign_bwd:n7", "y<7 dx>7 dy<7"},
    {"add:n7", "x<7 y>7 x2<7"},
    {"mul:n7", "x<7 y>7 x2<7"},
    {"xent:n30classes10", "x<3,10 y>3 index<s32:3"},
    {"xent_bwd:n30classes10", "x<3,10 dx>3,10 index<s32:3"},
    {"sgd:n7", "w=7 dw<7 x2=7 scalars<4"},
};
enum { CASES = sizeof cases / sizeof *cases };

static void test_every_operation(void **state)
{
    (void)state;
    for (size_t at = 0; at < CASES; at++) {
        union problem problem;
        struct slot_info info[CONVOY_NSLOTS];
        char text[256];
        memset(info, 0x5a, sizeof info);
        parse(cases[at].problem, &problem);
        slots_describe(&problem, info);
        render(info, text, sizeof text);
        if (strcmp(text, cases[at].slots))
            fail_msg("%s: %s, expected %s", cases[at].problem, text, cases[at].slots);
    }
}

static void test_sizes(void **state)
{
    (void)state;
    for (size_t at = 0; at < CASES; at++) {
        union problem problem;
        struct slot_info info[CONVOY_NSLOTS];
        int64_t traffic = 0;
        parse(cases[at].problem, &problem);
        slots_describe(&problem, info);
        for (uint32_t slot = 0; slot < CONVOY_NSLOTS; slot++) {
            int64_t elements = info[slot].role == SLOT_UNUSED ? 0 : 1;
            for (int32_t axis = 0; axis < info[slot].rank; axis++)
                elements *= info[slot].extent[axis];
            assert_true(info[slot].elements == elements);
            assert_true(info[slot].bytes == elements * (info[slot].type == SLOT_U8 ? 1 : 4));
            traffic += info[slot].bytes * (info[slot].role == SLOT_INOUT ? 2 : 1);
        }
        assert_int_equal(info[CONVOY_WORKSPACE].role, SLOT_UNUSED);
        assert_int_equal(info[CONVOY_PREPARED].role, SLOT_UNUSED);
        assert_true(slots_traffic_bytes(&problem) == traffic);
    }
}

static void test_traffic(void **state)
{
    (void)state;
    union problem problem;
    parse("sgd:n7", &problem);
    assert_int_equal(slots_traffic_bytes(&problem), 4 * (7 + 4 + 2 * 7 + 2 * 7));
    parse("maxpool_fwd:n2c3h7w9kh3s2", &problem);
    assert_int_equal(slots_traffic_bytes(&problem), 4 * 2 * 3 * 7 * 9 + 5 * 2 * 3 * 3 * 4);
    parse("relu:n1152921504606846976", &problem); /* two tensors of 2^62 bytes */
    assert_true(slots_traffic_bytes(&problem) == INT64_MAX);
}

static void test_names(void **state)
{
    (void)state;
    static const char *const names[CONVOY_NSLOTS] = {
        "workspace", "prepared", "x",        "w",       "bias",      "y",         "dx",     "dw",    "dbias", "dy",      "index",
        "gamma",     "beta",     "run_mean", "run_var", "save_mean", "save_istd", "dgamma", "dbeta", "x2",    "scalars",
    };
    for (uint32_t slot = 0; slot < CONVOY_NSLOTS; slot++) {
        assert_string_equal(slot_name(slot), names[slot]);
        assert_int_equal(slot_by_name(names[slot]), slot);
    }
    assert_string_equal(slot_name(CONVOY_NSLOTS), "unknown");
    assert_int_equal(slot_by_name("X"), -1);
    assert_int_equal(slot_by_name(""), -1);
    assert_string_equal(slot_type_name(SLOT_F32), "f32");
    assert_string_equal(slot_type_name(SLOT_U8), "u8");
    assert_string_equal(slot_type_name(SLOT_S32), "s32");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_operation),
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_traffic),
        cmocka_unit_test(test_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
