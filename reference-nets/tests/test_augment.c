/* Augmentation: every kind by itself does to pictures what it says, within its range and over the whole of it; what is drawn for
 * a sample stays what it is, since runs that go on depend on it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "data/augment.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { SIDE = 16, PLANE = SIDE * SIDE, CHANNELS = 3, DRAWS = 400 };

static const struct dataset set = {.c = CHANNELS, .h = SIDE, .w = SIDE, .classes = 1};
static float picture[CHANNELS * PLANE], made[CHANNELS * PLANE];

static void augment(struct augment_options options, uint64_t index)
{
    static float scratch[PLANE];
    const struct batches_options batches = {.c = CHANNELS, .h = SIDE, .w = SIDE, .augment = options};
    augment_sample(&batches, &set, (struct augment_key){7, 3, index}, picture, made, scratch);
}

/* Channel 0 is the row of a pixel, channel 1 its column, 2 is one: bilinear interpolation keeps what is linear. */
static void draw_ramps(void)
{
    for (int h = 0; h < SIDE; h++)
        for (int w = 0; w < SIDE; w++) {
            picture[h * SIDE + w] = (float)h;
            picture[PLANE + h * SIDE + w] = (float)w;
            picture[2 * PLANE + h * SIDE + w] = 1;
        }
}

/* Draws of a kind: the least, the largest and the mean must be those of a uniform distribution over the range. */
struct range {
    double least, most, sum;
};

static void note(struct range *range, int draw, double value)
{
    range->least = draw ? fmin(range->least, value) : value;
    range->most = draw ? fmax(range->most, value) : value;
    range->sum += value;
}

static void must_fill(const struct range *range, double least, double most, const char *what)
{
    const double width = most - least, mean = range->sum / DRAWS;
    if (!(range->least >= least - 1e-4 * width && range->least < least + 0.05 * width && range->most <= most + 1e-4 * width &&
          range->most > most - 0.05 * width && fabs(mean - (least + most) / 2) < 5 * width / sqrt(12.0 * DRAWS)))
        fail_msg("%s: %g to %g, mean %g", what, range->least, range->most, mean);
}

static void nothing_asked_changes_nothing(void **state)
{
    (void)state;
    draw_ramps();
    augment((struct augment_options){0}, 5);
    assert_memory_equal(picture, made, sizeof made);
}

static void flips_are_half_of_the_samples(void **state)
{
    (void)state;
    int flipped = 0;
    draw_ramps();
    for (uint64_t draw = 0; draw < DRAWS; draw++) {
        augment((struct augment_options){.flip = true}, draw);
        const bool flips = made[PLANE] != 0;
        for (int at = 0; at < PLANE; at++) {
            assert_true(made[at] == (float)(at / SIDE));
            assert_true(made[PLANE + at] == (float)(flips ? SIDE - 1 - at % SIDE : at % SIDE));
        }
        flipped += flips;
    }
    assert_in_range(flipped, DRAWS / 2 - 50, DRAWS / 2 + 50);
}

/* Every one of the 5 x 5 windows of a picture with two pixels of zeros around it. */
static void crops_take_every_window(void **state)
{
    (void)state;
    int seen[5][5] = {{0}};
    draw_ramps();
    for (uint64_t draw = 0; draw < DRAWS; draw++) {
        augment((struct augment_options){.pad_crop = 2}, draw);
        const int middle = SIDE / 2 * SIDE + SIDE / 2;
        const int top = (int)made[middle] - SIDE / 2, left = (int)made[PLANE + middle] - SIDE / 2;
        assert_true(top >= -2 && top <= 2 && left >= -2 && left <= 2);
        seen[top + 2][left + 2]++;
        for (int h = 0; h < SIDE; h++)
            for (int w = 0; w < SIDE; w++) {
                const bool inside = h + top >= 0 && h + top < SIDE && w + left >= 0 && w + left < SIDE;
                assert_true(made[h * SIDE + w] == (float)(inside ? h + top : 0));
                assert_true(made[2 * PLANE + h * SIDE + w] == (float)inside);
            }
    }
    for (int window = 0; window < 25; window++)
        assert_in_range(seen[window / 5][window % 5], 1, DRAWS);
}

/* The affine map of a made picture, from pixels that came whole from inside; false where too few did. */
struct map {
    double top, left, a, b, c, d;
};

static bool inside(int h, int w)
{
    return fabs(made[2 * PLANE + h * SIDE + w] - 1.0) < 1e-6;
}

static bool find_map(struct map *map)
{
    const int m = SIDE / 2;
    if (!inside(m, m) || !inside(m + 1, m) || !inside(m, m + 1))
        return false;
    const float *row = made, *column = made + PLANE;
    const int at = m * SIDE + m;
    *map = (struct map){.a = row[at + SIDE] - row[at],
                        .b = row[at + 1] - row[at],
                        .c = column[at + SIDE] - column[at],
                        .d = column[at + 1] - column[at]};
    map->top = row[at] - map->a * m - map->b * m;
    map->left = column[at] - map->c * m - map->d * m;
    for (int h = 0; h < SIDE; h++)
        for (int w = 0; w < SIDE; w++)
            if (inside(h, w)) {
                assert_true(fabs(row[h * SIDE + w] - (map->top + map->a * h + map->b * w)) < 1e-3);
                assert_true(fabs(column[h * SIDE + w] - (map->left + map->c * h + map->d * w)) < 1e-3);
            }
    return true;
}

/* Where the middle of the made picture lies in the other, less that one's middle. */
static void middle(const struct map *map, double *h, double *w)
{
    const double m = (SIDE - 1) / 2.0;
    *h = map->top + (map->a + map->b) * m - m;
    *w = map->left + (map->c + map->d) * m - m;
}

static void geometry_is_what_was_asked(void **state)
{
    (void)state;
    struct range turn = {0}, zoom = {0}, down = {0}, right = {0};
    draw_ramps();
    for (int draw = 0; draw < DRAWS; draw++) {
        struct map map;
        double h, w;
        augment((struct augment_options){.rotate_degrees = 20}, (uint64_t)draw);
        assert_true(find_map(&map));
        note(&turn, draw, atan2(map.c, map.d) * 180 / acos(-1));
        assert_true(fabs(map.a - map.d) < 1e-3 && fabs(map.b + map.c) < 1e-3 && fabs(hypot(map.c, map.d) - 1) < 1e-3);
        middle(&map, &h, &w);
        assert_true(fabs(h) < 1e-3 && fabs(w) < 1e-3);
        augment((struct augment_options){.scale = 0.2f}, (uint64_t)draw);
        assert_true(find_map(&map));
        note(&zoom, draw, 1 / map.a);
        assert_true(fabs(map.a - map.d) < 1e-3 && fabs(map.b) < 1e-3 && fabs(map.c) < 1e-3);
        augment((struct augment_options){.shift = 0.25f}, (uint64_t)draw);
        assert_true(find_map(&map));
        assert_true(fabs(map.a - 1) < 1e-3 && fabs(map.d - 1) < 1e-3 && fabs(map.b) < 1e-3 && fabs(map.c) < 1e-3);
        middle(&map, &h, &w);
        note(&down, draw, h);
        note(&right, draw, w);
    }
    must_fill(&turn, -20, 20, "rotation");
    must_fill(&zoom, 0.8, 1.2, "scale");
    must_fill(&down, -4, 4, "shift of rows");
    must_fill(&right, -4, 4, "shift of columns");
}

/* A random part of 8 % to all of the picture, of aspect 3/4 to 4/3, fills the made one. */
static void resized_crops_are_parts(void **state)
{
    (void)state;
    double least = 1, most = 0;
    draw_ramps();
    for (uint64_t draw = 0; draw < DRAWS; draw++) {
        struct map map;
        augment((struct augment_options){.resized_crop = true}, draw);
        assert_true(find_map(&map));
        assert_true(fabs(map.b) < 1e-4 && fabs(map.c) < 1e-4);
        const double area = map.a * map.d, aspect = map.d / map.a;
        assert_true(area > 0.0799 && area < 1.0001 && aspect > 0.7499 && aspect < 1.3334);
        const double top = map.top + 0.5 - map.a / 2, left = map.left + 0.5 - map.d / 2;
        assert_true(top > -1e-3 && left > -1e-3 && top + map.a * SIDE < SIDE + 1e-3 && left + map.d * SIDE < SIDE + 1e-3);
        least = fmin(least, area);
        most = fmax(most, area);
    }
    assert_true(least < 0.12 && most > 0.9);
}

static void colours_are_what_was_asked(void **state)
{
    (void)state;
    struct range bright = {0}, contrast = {0}, colour[CHANNELS] = {{0}}, tint[CHANNELS] = {{0}};
    double mean = 0;
    for (int at = 0; at < CHANNELS * PLANE; at++) {
        picture[at] = (float)(at % 97 + 1) / 100;
        mean += picture[at] / (CHANNELS * PLANE);
    }
    for (int draw = 0; draw < DRAWS; draw++) {
        augment((struct augment_options){.brightness = 0.3f}, (uint64_t)draw);
        note(&bright, draw, made[0] / picture[0]);
        for (int at = 0; at < CHANNELS * PLANE; at++)
            assert_true(fabs(made[at] / picture[at] - made[0] / picture[0]) < 1e-5);
        augment((struct augment_options){.contrast = 0.5f}, (uint64_t)draw);
        const double factor = (made[0] - mean) / (picture[0] - mean);
        note(&contrast, draw, factor);
        for (int at = 0; at < CHANNELS * PLANE; at++)
            assert_true(fabs(made[at] - (mean + factor * (picture[at] - mean))) < 1e-5);
        for (int c = 0; c < CHANNELS; c++) {
            augment((struct augment_options){.colour = 0.1f}, (uint64_t)draw);
            note(&colour[c], draw, made[c * PLANE] / picture[c * PLANE]);
            for (int at = c * PLANE; at < (c + 1) * PLANE; at++)
                assert_true(fabs(made[at] / picture[at] - made[c * PLANE] / picture[c * PLANE]) < 1e-5);
            augment((struct augment_options){.tint = 0.2f}, (uint64_t)draw);
            note(&tint[c], draw, made[c * PLANE] - picture[c * PLANE]);
            for (int at = c * PLANE; at < (c + 1) * PLANE; at++)
                assert_true(fabs(made[at] - picture[at] - (made[c * PLANE] - picture[c * PLANE])) < 1e-5);
        }
    }
    must_fill(&bright, 0.7, 1.3, "brightness");
    must_fill(&contrast, 0.5, 1.5, "contrast");
    for (int c = 0; c < CHANNELS; c++) {
        must_fill(&colour[c], 0.9, 1.1, "colour");
        must_fill(&tint[c], -0.2, 0.2, "tint");
    }
}

/* A square about any pixel, cut at the edges, the same in all channels. */
static void cutouts_are_squares(void **state)
{
    (void)state;
    int seen[PLANE] = {0};
    for (int at = 0; at < CHANNELS * PLANE; at++)
        picture[at] = 1;
    for (uint64_t draw = 0; draw < DRAWS; draw++) {
        augment((struct augment_options){.cutout = 5}, draw);
        int top = SIDE, end = 0, left = SIDE, right = 0, zeros = 0;
        for (int at = 0; at < PLANE; at++) {
            assert_true(made[at] == made[PLANE + at] && made[at] == made[2 * PLANE + at]);
            if (made[at] != 0)
                continue;
            zeros++;
            seen[at]++;
            top = top < at / SIDE ? top : at / SIDE;
            end = end > at / SIDE + 1 ? end : at / SIDE + 1;
            left = left < at % SIDE ? left : at % SIDE;
            right = right > at % SIDE + 1 ? right : at % SIDE + 1;
        }
        assert_int_equal(zeros, (end - top) * (right - left));
        assert_in_range(end - top, 3, 5);
        assert_in_range(right - left, 3, 5);
    }
    for (int at = 0; at < PLANE; at++)
        assert_in_range(seen[at], 1, DRAWS);
}

/* Mean 1/2 and variance 1/(4 (2 alpha + 1)) of Beta(alpha, alpha). */
static void mixtures_are_of_beta(void **state)
{
    (void)state;
    static const float alpha[] = {0.2f, 1, 4};
    enum { MIXTURES = 4000 };
    for (size_t row = 0; row < sizeof alpha / sizeof *alpha; row++) {
        double sum = 0, square = 0;
        for (uint64_t draw = 0; draw < MIXTURES; draw++) {
            const double lambda = augment_beta((struct augment_key){7, 3, draw}, alpha[row]);
            assert_true(lambda >= 0 && lambda <= 1);
            sum += lambda - 0.5;
            square += (lambda - 0.5) * (lambda - 0.5);
        }
        const double variance = 1 / (4 * (2 * (double)alpha[row] + 1));
        assert_true(fabs(sum / MIXTURES) < 5 * sqrt(variance / MIXTURES));
        assert_true(fabs(square / MIXTURES / variance - 1) < 0.12);
    }
}

/* All kinds at once: sums of the three channels, as they have always been for these samples. */
static void draws_stay_what_they_are(void **state)
{
    (void)state;
    static const double known[2][CHANNELS] = {{96.732155, 93.455443, 105.657596}, {85.768588, 92.508774, 115.390324}};
    const struct augment_options all = {.pad_crop = 2,
                                        .flip = true,
                                        .rotate_degrees = 15,
                                        .scale = 0.1f,
                                        .shift = 0.1f,
                                        .brightness = 0.2f,
                                        .contrast = 0.2f,
                                        .colour = 0.1f,
                                        .tint = 0.1f,
                                        .cutout = 3};
    for (int at = 0; at < CHANNELS * PLANE; at++)
        picture[at] = (float)(at % 97) / 97;
    for (uint64_t draw = 0; draw < 2; draw++) {
        augment(all, draw);
        for (int c = 0; c < CHANNELS; c++) {
            double sum = 0;
            for (int at = 0; at < PLANE; at++)
                sum += made[c * PLANE + at];
            if (!(fabs(sum - known[draw][c]) < 1e-3))
                fail_msg("sample %d, channel %d: %.6f instead of %.6f", (int)draw, c, sum, known[draw][c]);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_asked_changes_nothing),
        cmocka_unit_test(flips_are_half_of_the_samples),
        cmocka_unit_test(crops_take_every_window),
        cmocka_unit_test(geometry_is_what_was_asked),
        cmocka_unit_test(resized_crops_are_parts),
        cmocka_unit_test(colours_are_what_was_asked),
        cmocka_unit_test(cutouts_are_squares),
        cmocka_unit_test(mixtures_are_of_beta),
        cmocka_unit_test(draws_stay_what_they_are),
    };
    return cmocka_run_group_tests_name("augment", tests, NULL, NULL);
}
