#include "examinee.h"
#include "verify/fill.h"
#include "verify/sample.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static struct host *host;
static struct oracle oracle;

static int open_oracle(void **state)
{
    struct examinee_plugins plugins;
    struct convoy_error err = error_none();
    (void)state;
    host = host_open(2, &err);
    if (!host || !examinee_load(BUILD_DIR "/plugins/convoy_naive.so", &plugins, &err))
        return -1;
    oracle = (struct oracle){plugins.reference->extension(CONVOY_REFEREE_ID), host_table(host)};
    return 0;
}

static int close_oracle(void **state)
{
    (void)state;
    host_close(host);
    return 0;
}

static struct tensors fill_problem(const char *text)
{
    union problem problem;
    struct tensors tensors;
    struct convoy_error err = error_none();
    struct finding finding = finding_none();
    assert_int_equal(problem_parse(text, &problem, &err), CONVOY_OK);
    assert_true(tensors_open(&problem, &tensors));
    assert_true(fill_with_pattern(&tensors, &oracle, 3, FILL_UNIFORM, &finding));
    return tensors;
}

/* The sampled answer is the whole one at those elements. */
static void test_sample_is_part_of_the_whole(void **state)
{
    static const struct {
        const char *text;
        uint32_t slot;
    } cases[] = {
        {"conv_fwd:n2c3h30k40kh3p1", CONVOY_Y}, {"conv_bwd_weights:n2c30h9k40kh3p1", CONVOY_DW}, {"bn_train:n3c4h30", CONVOY_Y}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct tensors tensors = fill_problem(cases[i].text);
        struct answer whole, part;
        struct sample sample;
        struct finding finding = finding_none();
        assert_true(sample_open(&tensors.info[cases[i].slot], 6, 6, 500, 1, &sample));
        assert_true(oracle_answer(&oracle, &tensors, cases[i].slot, NULL, 0, &whole, &finding));
        assert_true(oracle_answer(&oracle, &tensors, cases[i].slot, sample.index, sample.count, &part, &finding));
        assert_int_equal(whole.count, tensors.info[cases[i].slot].elements);
        for (uint64_t e = 0; e < part.count; e++)
            assert_true(fabs(part.terms[e].value - whole.terms[sample.index[e]].value) < 1e-12);
        oracle_free(&whole);
        oracle_free(&part);
        sample_close(&sample);
        tensors_close(&tensors);
    }
}

static void test_refusal(void **state)
{
    struct tensors tensors = fill_problem("conv_fwd:c1h4k1kh3");
    struct answer answer;
    struct finding finding = finding_none();
    (void)state;
    assert_false(oracle_answer(&oracle, &tensors, CONVOY_DX, &(uint64_t){0}, 1, &answer, &finding));
    assert_int_equal(finding.verdict, VERDICT_NOT_RUN);
    assert_null(answer.terms);
    tensors_close(&tensors);
}

static bool holds(const struct sample *sample, uint64_t element)
{
    for (uint64_t i = 0; i < sample->count; i++) {
        if (sample->index[i] == element)
            return true;
    }
    return false;
}

static void test_sample_holds_corners_and_seams(void **state)
{
    const struct slot_info info = {.rank = 4, .extent = {2, 64, 56, 56}, .elements = 2 * 64 * 56 * 56};
    struct sample sample;
    bool seam[57] = {false};
    (void)state;
    assert_true(sample_open(&info, 11, 13, 8192, 1, &sample));
    assert_true(sample.count > 4096 && sample.count < 16384);
    for (uint64_t i = 1; i < sample.count; i++)
        assert_true(sample.index[i] > sample.index[i - 1]);
    assert_true(sample.index[sample.count - 1] < (uint64_t)info.elements);
    for (int corner = 0; corner < 16; corner++) {
        const uint64_t n = corner & 8 ? 1 : 0, k = corner & 4 ? 63 : 0, h = corner & 2 ? 55 : 0, w = corner & 1 ? 55 : 0;
        assert_true(holds(&sample, ((n * 64 + k) * 56 + h) * 56 + w));
    }
    for (uint64_t i = 0; i < sample.count; i++)
        seam[sample.index[i] / 56 % 56] = true;
    for (int m = 2; m <= 8; m++)
        assert_true(seam[m - 1] && seam[m]);
    assert_true(seam[10] && seam[11]);
    sample_close(&sample);
}

static void test_small_sample(void **state)
{
    const struct slot_info vector = {.rank = 1, .extent = {10}, .elements = 10};
    const struct slot_info large = {.rank = 4, .extent = {4, 512, 512, 3}, .elements = 4 * 512 * 512 * 3};
    struct sample sample;
    (void)state;
    assert_true(sample_open(&vector, 0, 0, 64, 1, &sample));
    assert_int_equal(sample.count, 10);
    sample_close(&sample);
    assert_true(sample_open(&large, 0, 0, 64, 1, &sample));
    assert_true(sample.count >= 16 && sample.count <= 128);
    sample_close(&sample);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sample_is_part_of_the_whole),
        cmocka_unit_test(test_refusal),
        cmocka_unit_test(test_sample_holds_corners_and_seams),
        cmocka_unit_test(test_small_sample),
    };
    return cmocka_run_group_tests_name("oracle", tests, open_oracle, close_oracle);
}
