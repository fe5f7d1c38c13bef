/* The generator against published vectors; the values made from it against their ranges and moments. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>

#include "core/rng.h"

enum { SEED = 20, SAMPLES = 200000 };

/* Known answers of philox4x32 with 10 rounds (Random123, kat_vectors). */
static void test_known_answers(void **state)
{
    (void)state;
    static const struct {
        uint32_t counter[4], key[2], answer[4];
    } vectors[] = {
        {{0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
        {{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff},
         {0xffffffff, 0xffffffff},
         {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
        {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
         {0xa4093822, 0x299f31d0},
         {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
    };
    for (size_t at = 0; at < sizeof vectors / sizeof *vectors; at++) {
        uint32_t block[4];
        rng_block(vectors[at].key, vectors[at].counter, block);
        assert_memory_equal(block, vectors[at].answer, sizeof block);
    }
}

/* A value is the first two words of the block whose key is the seed and whose counter is the index and the stream. */
static void test_position_of_seed_stream_index(void **state)
{
    (void)state;
    assert_true(rng_u64(0, 0, 0) == UINT64_C(0xe169c58d6627e8d5));
    assert_true(rng_u64(UINT64_C(0x299f31d0a4093822), UINT64_C(0x0370734413198a2e), UINT64_C(0x85a308d3243f6a88)) ==
                UINT64_C(0x94fdccebd16cfe09));
    assert_true(rng_u64(UINT64_MAX, UINT64_MAX, UINT64_MAX) == UINT64_C(0x41c83b0e408f276d));
}

static void test_every_argument_counts(void **state)
{
    (void)state;
    const uint64_t base = rng_u64(1, 2, 3);
    for (int bit = 0; bit < 64; bit++) {
        const uint64_t flip = UINT64_C(1) << bit;
        assert_true(rng_u64(1 ^ flip, 2, 3) != base);
        assert_true(rng_u64(1, 2 ^ flip, 3) != base);
        assert_true(rng_u64(1, 2, 3 ^ flip) != base);
    }
    assert_true(rng_u64(1, 2, 3) == base);
}

/* |mean of n values - its expectation| stays below five standard deviations of that mean. */
static void assert_mean(double sum, double expected, double deviation)
{
    assert_true(fabs(sum / SAMPLES - expected) < 5 * deviation / sqrt(SAMPLES));
}

static void test_unit(void **state)
{
    (void)state;
    double sum = 0, squares = 0;
    int decile[10] = {0};
    for (uint64_t at = 0; at < SAMPLES; at++) {
        const double value = rng_unit(SEED, 1, at);
        assert_true(value >= 0 && value < 1);
        sum += value;
        squares += value * value;
        decile[(int)(value * 10)]++;
    }
    assert_mean(sum, 0.5, sqrt(1.0 / 12));
    assert_mean(squares, 1.0 / 3, sqrt(4.0 / 45));
    for (int at = 0; at < 10; at++)
        assert_true(fabs(decile[at] - SAMPLES / 10.0) < 5 * sqrt(SAMPLES * 0.09));
}

static void test_uniform(void **state)
{
    (void)state;
    double sum = 0, squares = 0;
    float least = 1, most = -1;
    for (uint64_t at = 0; at < SAMPLES; at++) {
        const float value = rng_uniform(SEED, 2, at);
        const float steps = (value + 1) * 0x1p23f;
        assert_true(value >= -1 && value < 1);
        assert_true(steps == rintf(steps)); /* a multiple of 2^-23: no value was rounded */
        sum += (double)value;
        squares += (double)value * (double)value;
        least = value < least ? value : least;
        most = value > most ? value : most;
    }
    assert_mean(sum, 0, sqrt(1.0 / 3));
    assert_mean(squares, 1.0 / 3, sqrt(4.0 / 45));
    assert_true(least < -0.999f && most > 0.999f);
}

static void test_normal(void **state)
{
    (void)state;
    double sum = 0, squares = 0, cubes = 0;
    int within_one = 0, beyond_three = 0;
    for (uint64_t at = 0; at < SAMPLES; at++) {
        const double value = rng_normal(SEED, 3, at);
        assert_true(isfinite(value));
        sum += value;
        squares += value * value;
        cubes += value * value * value;
        within_one += fabs(value) < 1;
        beyond_three += fabs(value) > 3;
    }
    assert_mean(sum, 0, 1);
    assert_mean(squares, 1, sqrt(2));
    assert_mean(cubes, 0, sqrt(15));
    assert_mean(within_one, 0.6826894921, sqrt(0.6826894921 * 0.3173105079));
    assert_mean(beyond_three, 0.0026997961, sqrt(0.0026997961));
}

static void test_below(void **state)
{
    (void)state;
    int count[7] = {0};
    for (uint64_t at = 0; at < SAMPLES; at++) {
        const uint64_t value = rng_below(SEED, 4, at, 7);
        assert_true(value < 7);
        count[value]++;
        assert_true(rng_below(SEED, 4, at, 1) == 0);
        assert_true(rng_below(SEED, 4, at, UINT64_C(1) << 63) == rng_u64(SEED, 4, at) >> 1);
        assert_true(rng_below(SEED, 4, at, UINT64_MAX) < UINT64_MAX);
    }
    for (int at = 0; at < 7; at++)
        assert_true(fabs(count[at] - SAMPLES / 7.0) < 5 * sqrt(SAMPLES * 6.0 / 49));
}

/* Neighbouring indices and neighbouring streams show no linear relation. */
static void test_no_correlation(void **state)
{
    (void)state;
    double neighbours = 0, streams = 0;
    for (uint64_t at = 0; at < SAMPLES; at++) {
        const double value = (double)rng_uniform(SEED, 5, at);
        neighbours += value * (double)rng_uniform(SEED, 5, at + 1);
        streams += value * (double)rng_uniform(SEED, 6, at);
    }
    assert_mean(neighbours, 0, 1.0 / 3);
    assert_mean(streams, 0, 1.0 / 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known_answers),
        cmocka_unit_test(test_position_of_seed_stream_index),
        cmocka_unit_test(test_every_argument_counts),
        cmocka_unit_test(test_unit),
        cmocka_unit_test(test_uniform),
        cmocka_unit_test(test_normal),
        cmocka_unit_test(test_below),
        cmocka_unit_test(test_no_correlation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
