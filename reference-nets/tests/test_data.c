/* Data sets from files written here, damaged ones among them, and batches. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/error.h"
#include "data/batches.h"
#include "formats/picture.h"

#include <ftw.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

static char folder[64];

static int make_folder(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/convoy-data-XXXXXX");
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_one(const char *path, const struct stat *info, int kind, struct FTW *place)
{
    (void)info, (void)kind, (void)place;
    return remove(path);
}

static int remove_folder(void **state)
{
    (void)state;
    return nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static const char *in_folder(const char *name)
{
    static char path[4096];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static void write_file(const char *name, const void *bytes, size_t count)
{
    FILE *out = fopen(in_folder(name), "wb");
    assert_non_null(out);
    assert_int_equal(fwrite(bytes, 1, count, out), count);
    assert_int_equal(fclose(out), 0);
}

static void open_set(enum dataset_part part, struct dataset *set)
{
    struct convoy_error err = error_none();
    if (dataset_open(folder, part, 0, 0, 0, set, &err))
        fail_msg("%s", err.text);
}

/* Opening, or reading the first sample, fails and names the file. */
static void must_refuse(const char *name)
{
    struct dataset set;
    struct convoy_error err = error_none();
    convoy_status status = dataset_open(folder, DATASET_TRAIN, 0, 0, 0, &set, &err);
    if (!status) {
        float *pixels = malloc((size_t)set.c * (size_t)set.h * (size_t)set.w * sizeof *pixels);
        int32_t label;
        assert_non_null(pixels);
        status = set.read(&set, 0, pixels, &label, &err);
        free(pixels);
        dataset_close(&set);
    }
    assert_int_not_equal(status, CONVOY_OK);
    if (!strstr(err.text, name))
        fail_msg("the error does not name %s: %s", name, err.text);
}

/* Two images of 2 x 3 pixels. */
static const uint8_t images[] = {0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0, 3, 0, 51, 102, 153, 204, 255, 255, 0, 255, 0, 255, 0};
static const uint8_t labels[] = {0, 0, 8, 1, 0, 0, 0, 2, 7, 3};
#define IMAGES "train-images-idx3-ubyte"
#define LABELS "train-labels-idx1-ubyte"

static void check_idx(void)
{
    struct dataset set;
    open_set(DATASET_TRAIN, &set);
    assert_int_equal(set.count, 2);
    assert_true(set.c == 1 && set.h == 2 && set.w == 3 && set.classes == 10);
    float pixels[6];
    int32_t label;
    struct convoy_error err = error_none();
    assert_int_equal(set.read(&set, 0, pixels, &label, &err), CONVOY_OK);
    assert_int_equal(label, 7);
    for (int p = 0; p < 6; p++)
        assert_true(fabsf(pixels[p] - (float)p / 5) < 1e-6f);
    assert_int_equal(set.read(&set, 1, pixels, &label, &err), CONVOY_OK);
    assert_int_equal(label, 3);
    assert_true(pixels[0] == 1 && pixels[1] == 0);
    dataset_close(&set);
}

static void idx_is_read_plain_and_compressed(void **state)
{
    (void)state;
    write_file(IMAGES, images, sizeof images);
    write_file(LABELS, labels, sizeof labels);
    check_idx();
    remove(in_folder(IMAGES));
    gzFile out = gzopen(in_folder(IMAGES ".gz"), "wb");
    assert_non_null(out);
    assert_int_equal(gzwrite(out, images, sizeof images), sizeof images);
    assert_int_equal(gzclose(out), Z_OK);
    check_idx();
    assert_int_equal(truncate(in_folder(IMAGES ".gz"), 30), 0);
    must_refuse(IMAGES ".gz");
}

static void damaged_idx_is_refused(void **state)
{
    (void)state;
    write_file(LABELS, labels, sizeof labels);
    static const struct {
        size_t at, count;
        uint8_t value;
    } damage[] = {
        {0, sizeof images, 1},     /* no IDX file                        */
        {2, sizeof images, 0x0d},  /* floats                             */
        {3, sizeof images, 2},     /* rank                               */
        {7, sizeof images, 3},     /* an image more than there is        */
        {4, sizeof images, 0xff},  /* very many images                   */
        {0, sizeof images - 1, 0}, /* cut off                            */
        {0, 10, 0},                /* cut off in its head                */
        {0, 0, 0},                 /* empty                              */
    };
    for (size_t row = 0; row < sizeof damage / sizeof *damage; row++) {
        uint8_t bytes[sizeof images];
        memcpy(bytes, images, sizeof images);
        bytes[damage[row].at] = damage[row].value;
        write_file(IMAGES, bytes, damage[row].count);
        must_refuse(IMAGES);
    }
    write_file(IMAGES, images, sizeof images);
    static const uint8_t fewer[] = {0, 0, 8, 1, 0, 0, 0, 1, 7};
    write_file(LABELS, fewer, sizeof fewer);
    must_refuse(LABELS);
    static const uint8_t large[] = {0, 0, 8, 1, 0, 0, 0, 2, 7, 10};
    write_file(LABELS, large, sizeof large);
    must_refuse("");
    remove(in_folder(LABELS));
    must_refuse(LABELS);
}

static void cifar_is_read(void **state)
{
    (void)state;
    enum { RECORD = 3073 };
    static uint8_t bytes[2 * RECORD];
    for (int i = 0; i < 2 * RECORD; i++)
        bytes[i] = (uint8_t)(i % 251);
    bytes[0] = 9;
    bytes[RECORD] = 4;
    write_file("data_batch_1.bin", bytes, sizeof bytes);
    write_file("data_batch_2.bin", bytes, RECORD);
    struct dataset set;
    open_set(DATASET_TRAIN, &set);
    assert_int_equal(set.count, 3);
    assert_true(set.c == 3 && set.h == 32 && set.w == 32 && set.classes == 10);
    float pixels[3072];
    int32_t label;
    struct convoy_error err = error_none();
    assert_int_equal(set.read(&set, 1, pixels, &label, &err), CONVOY_OK);
    assert_int_equal(label, 4);
    assert_true(fabsf(pixels[1024] - (float)bytes[RECORD + 1 + 1024] / 255) < 1e-6f);
    dataset_close(&set);
    write_file("data_batch_2.bin", bytes, RECORD + 5);
    must_refuse("data_batch_2.bin");
}

static void rows_are_read(void **state)
{
    (void)state;
    static const char text[] = "3,0,255,0,51\n1,255,255,102,0\n";
    write_file("train.csv", text, strlen(text));
    struct dataset set;
    open_set(DATASET_TRAIN, &set);
    assert_int_equal(set.count, 2);
    assert_int_equal(set.c * set.h * set.w, 4);
    assert_int_equal(set.classes, 4);
    float pixels[4];
    int32_t label;
    struct convoy_error err = error_none();
    assert_int_equal(set.read(&set, 0, pixels, &label, &err), CONVOY_OK);
    assert_int_equal(label, 3);
    assert_true(pixels[1] == 1 && fabsf(pixels[3] - 0.2f) < 1e-6f);
    dataset_close(&set);
    static const char *const damaged[] = {"3,0,255,0,51\n1,255,255,102\n", "3,0,255,0,51\n1,255,x,102,0\n", ""};
    for (size_t row = 0; row < sizeof damaged / sizeof *damaged; row++) {
        write_file("train.csv", damaged[row], strlen(damaged[row]));
        must_refuse("train.csv");
    }
}

static void pictures_in_folders_are_read(void **state)
{
    (void)state;
    static const char *const names[] = {"train", "train/cat", "train/dog"};
    for (size_t name = 0; name < sizeof names / sizeof *names; name++)
        assert_int_equal(mkdir(in_folder(names[name]), 0700), 0);
    uint8_t pixels[2][12] = {{255, 0, 0, 255, 0, 0, 255, 0, 0, 255, 0, 0}, {0, 51, 0, 0, 51, 0, 0, 51, 0, 0, 51, 0}};
    struct convoy_error err = error_none();
    const struct picture cat = {2, 2, 3, pixels[0]}, dog = {2, 2, 3, pixels[1]};
    assert_int_equal(picture_write(in_folder("train/cat/a.png"), &cat, &err), CONVOY_OK);
    assert_int_equal(picture_write(in_folder("train/dog/b.png"), &dog, &err), CONVOY_OK);
    struct dataset set;
    open_set(DATASET_TRAIN, &set);
    assert_int_equal(set.count, 2);
    assert_true(set.c == 3 && set.h == 2 && set.w == 2 && set.classes == 2);
    assert_string_equal(set.class_name(&set, 1), "dog");
    for (int64_t i = 0; i < 2; i++) {
        float read[12];
        int32_t label;
        assert_int_equal(set.read(&set, i, read, &label, &err), CONVOY_OK);
        assert_true(fabsf(read[0] - (label == 0 ? 1 : 0)) < 1e-6f);
        assert_true(fabsf(read[4] - (label == 0 ? 0 : 0.2f)) < 1e-6f);
    }
    dataset_close(&set);
    assert_int_equal(truncate(in_folder("train/cat/a.png"), 40), 0);
    must_refuse("a.png");
}

/* ---- batches ---- */

static void open_batches(const struct dataset *set, const struct batches_options *options, struct batches **batches)
{
    struct convoy_error err = error_none();
    if (batches_open(set, options, batches, &err))
        fail_msg("%s", err.text);
}

static void next(struct batches *batches, struct batch *batch)
{
    struct convoy_error err = error_none();
    if (batches_next(batches, batch, &err))
        fail_msg("%s", err.text);
}

static void open_made(int64_t count, struct dataset *set)
{
    struct convoy_error err = error_none();
    assert_int_equal(dataset_made(DATASET_TRAIN, count, 3, 8, 8, 5, 11, set, &err), CONVOY_OK);
}

enum { SIZE = 3 * 8 * 8 };
static const struct augment_options lively = {
    .pad_crop = 2, .flip = true, .rotate_degrees = 15, .scale = 0.1f, .shift = 0.1f, .brightness = 0.2f, .contrast = 0.2f, .colour = 0.1f,
    .cutout = 3, .mixup_alpha = 0.4f};

static void the_loader_thread_changes_nothing(void **state)
{
    (void)state;
    struct dataset set;
    open_made(22, &set);
    struct batches_options options = {.batch = 4, .c = 3, .h = 8, .w = 8, .shuffle = true, .keep_last = true, .seed = 5, .augment = lively};
    struct batches *ahead, *plain;
    open_batches(&set, &options, &ahead);
    options.no_thread = true;
    open_batches(&set, &options, &plain);
    assert_int_equal(batches_per_epoch(plain), 6);
    for (int b = 0; b < 15; b++) {
        struct batch one, other;
        next(ahead, &one);
        next(plain, &other);
        assert_int_equal(one.count, b % 6 == 5 ? 2 : 4);
        assert_int_equal(one.count, other.count);
        const size_t count = (size_t)one.count;
        assert_memory_equal(one.pixels, other.pixels, count * SIZE * sizeof(float));
        assert_memory_equal(one.label, other.label, count * sizeof(int32_t));
        assert_memory_equal(one.target, other.target, count * 5 * sizeof(float));
    }
    batches_close(ahead);
    batches_close(plain);
    dataset_close(&set);
}

static void a_sought_batch_is_that_of_the_way_there(void **state)
{
    (void)state;
    struct dataset set;
    open_made(22, &set);
    const struct batches_options options = {.batch = 4, .c = 3, .h = 8, .w = 8, .shuffle = true, .seed = 5, .augment = lively};
    struct batches *walked, *sought;
    open_batches(&set, &options, &walked);
    open_batches(&set, &options, &sought);
    const int64_t per_epoch = batches_per_epoch(walked);
    assert_int_equal(per_epoch, 5);
    struct batch one, other;
    for (int64_t b = 0; b < 2 * per_epoch + 3; b++)
        next(walked, &one);
    next(walked, &one);
    next(sought, &other);
    struct convoy_error err = error_none();
    assert_int_equal(batches_seek(sought, 2, 3, &err), CONVOY_OK);
    next(sought, &other);
    assert_memory_equal(one.pixels, other.pixels, 4 * SIZE * sizeof(float));
    batches_close(walked);
    batches_close(sought);
    dataset_close(&set);
}

static void an_epoch_holds_every_sample_once(void **state)
{
    (void)state;
    struct dataset set;
    open_made(25, &set);
    struct batches *batches;
    open_batches(&set, &(struct batches_options){.batch = 4, .c = 3, .h = 8, .w = 8, .shuffle = true, .keep_last = true, .seed = 5}, &batches);
    float first[2] = {0};
    for (int epoch = 0; epoch < 2; epoch++) {
        int seen[5] = {0};
        for (int64_t b = 0; b < batches_per_epoch(batches); b++) {
            struct batch batch;
            next(batches, &batch);
            if (b == 0)
                first[epoch] = batch.pixels[0];
            for (int32_t n = 0; n < batch.count; n++)
                seen[batch.label[n]]++;
        }
        for (int k = 0; k < 5; k++)
            assert_int_equal(seen[k], 5);
    }
    assert_true(first[0] != first[1]);
    batches_close(batches);
    dataset_close(&set);
}

/* Ranks hold, in their order, what one process holds with the whole batch; a short last batch too. */
static void shares_of_ranks_make_the_whole(void **state)
{
    (void)state;
    struct dataset set;
    open_made(22, &set);
    struct batches_options options = {.batch = 6, .c = 3, .h = 8, .w = 8, .shuffle = true, .keep_last = true, .seed = 5, .augment = lively};
    struct batches *whole, *share[3];
    open_batches(&set, &options, &whole);
    options.batch = 2;
    options.ranks = 3;
    for (options.rank = 0; options.rank < 3; options.rank++)
        open_batches(&set, &options, &share[options.rank]);
    assert_int_equal(batches_per_epoch(whole), batches_per_epoch(share[0]));
    for (int64_t b = 0; b < 2 * batches_per_epoch(whole); b++) {
        struct batch all;
        next(whole, &all);
        int32_t at = 0;
        for (int rank = 0; rank < 3; rank++) {
            struct batch part;
            next(share[rank], &part);
            assert_true(at + part.count <= all.count);
            assert_memory_equal(part.pixels, all.pixels + at * SIZE, (size_t)part.count * SIZE * sizeof(float));
            assert_memory_equal(part.target, all.target + at * 5, (size_t)part.count * 5 * sizeof(float));
            at += part.count;
        }
        assert_int_equal(at, all.count);
    }
    batches_close(whole);
    for (int rank = 0; rank < 3; rank++)
        batches_close(share[rank]);
    dataset_close(&set);
}

/* Mixed images and targets are the same mixture of two samples: here of a black and a white one. */
static convoy_status read_plain(const struct dataset *set, int64_t i, float *pixels, int32_t *label, struct convoy_error *err)
{
    (void)err;
    for (int32_t p = 0; p < set->c * set->h * set->w; p++)
        pixels[p] = (float)(i % 2);
    *label = (int32_t)(i % 2);
    return CONVOY_OK;
}

static void mixup_mixes_images_and_targets_alike(void **state)
{
    (void)state;
    const struct dataset set = {.name = "plain", .count = 64, .c = 1, .h = 2, .w = 2, .classes = 2, .read = read_plain};
    struct batches *batches;
    open_batches(&set, &(struct batches_options){.batch = 16, .c = 1, .h = 2, .w = 2, .shuffle = true, .seed = 2, .augment.mixup_alpha = 1},
                 &batches);
    int between = 0;
    for (int b = 0; b < 8; b++) {
        struct batch batch;
        next(batches, &batch);
        for (int32_t n = 0; n < batch.count; n++) {
            const float white = batch.target[2 * n + 1];
            assert_true(fabsf(batch.target[2 * n] + white - 1) < 1e-6f);
            for (int p = 0; p < 4; p++)
                assert_true(fabsf(batch.pixels[4 * n + p] - white) < 1e-6f);
            between += white > 0.01f && white < 0.99f;
        }
    }
    assert_in_range(between, 20, 108);
    batches_close(batches);
}

static void views_and_moments_are_those_of_the_set(void **state)
{
    (void)state;
    write_file(IMAGES, images, sizeof images);
    write_file(LABELS, labels, sizeof labels);
    struct dataset set, half;
    struct convoy_error err = error_none();
    open_set(DATASET_TRAIN, &set);
    assert_int_equal(dataset_split(&set, 2, true, &half, &err), CONVOY_OK);
    assert_int_equal(half.count, 1);
    dataset_close(&half);
    assert_int_equal(dataset_head(&set, 1, &half, &err), CONVOY_OK);
    assert_int_equal(half.count, 1);
    dataset_close(&half);
    float mean, deviation;
    assert_int_equal(dataset_moments(&set, 2, &mean, &deviation, &err), CONVOY_OK);
    assert_true(fabsf(mean - 0.5f) < 1e-6f); /* 3/6 of each image */
    assert_true(fabsf(deviation - sqrtf((2.2f + 3) / 12 - 0.25f)) < 1e-5f);
    dataset_close(&set);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(idx_is_read_plain_and_compressed, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(damaged_idx_is_refused, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(cifar_is_read, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(rows_are_read, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(pictures_in_folders_are_read, make_folder, remove_folder),
        cmocka_unit_test(the_loader_thread_changes_nothing),
        cmocka_unit_test(a_sought_batch_is_that_of_the_way_there),
        cmocka_unit_test(an_epoch_holds_every_sample_once),
        cmocka_unit_test(shares_of_ranks_make_the_whole),
        cmocka_unit_test(mixup_mixes_images_and_targets_alike),
        cmocka_unit_test_setup_teardown(views_and_moments_are_those_of_the_set, make_folder, remove_folder),
    };
    return cmocka_run_group_tests_name("data", tests, NULL, NULL);
}
