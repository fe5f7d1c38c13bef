/* Files: safetensors and what a reader must refuse, event files byte by byte, pictures, checkpoints. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/error.h"
#include "core/rng.h"
#include "formats/checkpoint.h"
#include "formats/events.h"
#include "formats/picture.h"
#include "formats/safetensors.h"
#include "nets/catalog.h"

#include <ftw.h>
#include <glob.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[64], path[128];

static int make_folder(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/convoy-formats-XXXXXX");
    if (!mkdtemp(folder))
        return -1;
    snprintf(path, sizeof path, "%s/file", folder);
    return 0;
}

static int remove_one(const char *name, const struct stat *info, int kind, struct FTW *place)
{
    (void)info, (void)kind, (void)place;
    return remove(name);
}

static int remove_folder(void **state)
{
    (void)state;
    return nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

#define MUST(call)                                                                                                                          \
    do {                                                                                                                                    \
        struct convoy_error err = error_none();                                                                                             \
        if (call)                                                                                                                           \
            fail_msg("%s: %s", #call, err.text);                                                                                            \
    } while (0)

/* A file of a header and a buffer of zeros; length is what its first eight bytes say. */
static void write_raw(uint64_t length, const char *header, size_t header_bytes, size_t buffer_bytes)
{
    FILE *out = fopen(path, "wb");
    assert_non_null(out);
    for (int byte = 0; byte < 8; byte++)
        fputc((int)(length >> 8 * byte & 0xff), out);
    fwrite(header, 1, header_bytes, out);
    for (size_t byte = 0; byte < buffer_bytes; byte++)
        fputc(0, out);
    assert_int_equal(fclose(out), 0);
}

#define TENSOR(name, dtype, shape, begin, end) "\"" name "\":{\"dtype\":\"" dtype "\",\"shape\":" shape ",\"data_offsets\":[" #begin "," #end "]}"

static void well_formed_files_are_taken(void **state)
{
    (void)state;
    static const struct {
        const char *header;
        size_t buffer_bytes, tensors;
    } rows[] = {
        {"{}", 0, 0},
        {"{" TENSOR("a", "F32", "[2]", 0, 8) "}", 8, 1},
        {"{" TENSOR("a", "F32", "[2]", 0, 8) "}       ", 8, 1},                                     /* spaces    */
        {"{" TENSOR("a", "F32", "[]", 0, 4) "}", 4, 1},                                             /* rank 0    */
        {"{" TENSOR("a", "F32", "[0,5]", 0, 0) "," TENSOR("b", "U8", "[3]", 0, 3) "}", 3, 2},       /* empty     */
        {"{" TENSOR("b", "I64", "[1]", 4, 12) "," TENSOR("a", "F32", "[1]", 0, 4) "}", 12, 2},      /* any order */
        {"{\"__metadata__\":{\"k\":\"v\"}," TENSOR("a", "F64", "[1]", 0, 8) "}", 8, 1},
    };
    for (size_t row = 0; row < sizeof rows / sizeof *rows; row++) {
        struct st_file *file;
        write_raw(strlen(rows[row].header), rows[row].header, strlen(rows[row].header), rows[row].buffer_bytes);
        MUST(st_open(path, &file, &err));
        assert_int_equal(st_count(file), rows[row].tensors);
        st_close(file);
    }
}

static void malformed_files_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *why, *header;
        size_t buffer_bytes;
    } rows[] = {
        {"begins with no brace", " {}", 0},
        {"no JSON", "{\"a\":", 0},
        {"no UTF-8", "{\"\xff\":1}", 0},
        {"no object", "[]", 0},
        {"more behind the object", "{}x", 0},
        {"the same name twice", "{" TENSOR("a", "F32", "[1]", 0, 4) "," TENSOR("a", "F32", "[1]", 4, 8) "}", 8},
        {"does not start at 0", "{" TENSOR("a", "F32", "[1]", 4, 8) "}", 8},
        {"a hole", "{" TENSOR("a", "F32", "[1]", 0, 4) "," TENSOR("b", "F32", "[1]", 8, 12) "}", 12},
        {"an overlap", "{" TENSOR("a", "F32", "[2]", 0, 8) "," TENSOR("b", "F32", "[1]", 4, 8) "}", 8},
        {"the same place", "{" TENSOR("a", "F32", "[1]", 0, 4) "," TENSOR("b", "F32", "[1]", 0, 4) "}", 4},
        {"not the size of its shape", "{" TENSOR("a", "F32", "[2]", 0, 4) "}", 4},
        {"backwards", "{" TENSOR("a", "F32", "[1]", 4, 0) "}", 4},
        {"overflow", "{" TENSOR("a", "F32", "[4294967296,4294967296]", 0, 0) "}", 0},
        {"overflow by the size of an element", "{" TENSOR("a", "F32", "[4611686018427387904]", 0, 0) "}", 0},
        {"negative extent", "{" TENSOR("a", "F32", "[-1,-1]", 0, 4) "}", 4},
        {"extent is no integer", "{" TENSOR("a", "F32", "[1.0]", 0, 4) "}", 4},
        {"bytes behind the last tensor", "{" TENSOR("a", "F32", "[1]", 0, 4) "}", 5},
        {"beyond the file", "{" TENSOR("a", "F32", "[2]", 0, 8) "}", 7},
        {"unknown type", "{" TENSOR("a", "F31", "[1]", 0, 4) "}", 4},
        {"no type", "{\"a\":{\"shape\":[1],\"data_offsets\":[0,4]}}", 4},
        {"no shape", "{\"a\":{\"dtype\":\"F32\",\"data_offsets\":[0,4]}}", 4},
        {"no offsets", "{\"a\":{\"dtype\":\"F32\",\"shape\":[1]}}", 4},
        {"metadata that is no text", "{\"__metadata__\":{\"k\":1}}", 0},
        {"a tensor that is no object", "{\"a\":3}", 0},
    };
    for (size_t row = 0; row < sizeof rows / sizeof *rows; row++) {
        struct st_file *file;
        struct convoy_error err = error_none();
        write_raw(strlen(rows[row].header), rows[row].header, strlen(rows[row].header), rows[row].buffer_bytes);
        if (st_open(path, &file, &err) == CONVOY_OK)
            fail_msg("taken in spite of: %s", rows[row].why);
        if (!strstr(err.text, path))
            fail_msg("%s: the error does not name the file: %s", rows[row].why, err.text);
    }
    static const struct {
        uint64_t length;
        size_t header_bytes;
    } sizes[] = {{3, 2}, {100000001, 2}, {UINT64_MAX, 2}, {UINT64_MAX - 7, 2}, {0, 0}, {0, 2}, {1, 2}};
    for (size_t row = 0; row < sizeof sizes / sizeof *sizes; row++) {
        struct st_file *file;
        struct convoy_error err = error_none();
        write_raw(sizes[row].length, "{}", sizes[row].header_bytes, 0);
        assert_int_not_equal(st_open(path, &file, &err), CONVOY_OK);
    }
    for (int bytes = 0; bytes < 8; bytes++) {
        struct st_file *file;
        struct convoy_error err = error_none();
        assert_int_equal(truncate(path, bytes), 0);
        assert_int_not_equal(st_open(path, &file, &err), CONVOY_OK);
    }
}

static void tensors_come_back(void **state)
{
    (void)state;
    const float a[6] = {1, -2, NAN, INFINITY, 0x1p-140f, 6};
    const int64_t b = -5;
    const uint8_t c[3] = {1, 2, 3};
    const struct st_tensor tensor[] = {
        {"conv \"1\".weight", ST_F32, 2, {2, 3}, a, sizeof a},
        {"bytes", ST_U8, 1, {3}, c, sizeof c},
        {"count", ST_I64, 0, {0}, &b, sizeof b},
    };
    const struct st_text text = {"note", "two\nlines"};
    MUST(st_write(path, tensor, 3, &text, 1, &err));
    struct st_file *file;
    MUST(st_open(path, &file, &err));
    assert_int_equal(st_count(file), 3);
    for (size_t i = 0; i < 3; i++) {
        const struct st_tensor *read = st_find(file, tensor[i].name);
        assert_non_null(read);
        assert_int_equal(read->type, tensor[i].type);
        assert_int_equal(read->rank, tensor[i].rank);
        assert_memory_equal(read->extent, tensor[i].extent, (size_t)read->rank * sizeof *read->extent);
        assert_int_equal(read->bytes, tensor[i].bytes);
        assert_memory_equal(read->data, tensor[i].data, (size_t)read->bytes);
    }
    assert_string_equal(st_text(file, "note"), "two\nlines");
    assert_null(st_find(file, "none"));
    st_close(file);
    /* Widest first; the header ends at a multiple of 8. */
    FILE *in = fopen(path, "rb");
    assert_non_null(in);
    char head[512] = {0};
    assert_true(fread(head, 1, sizeof head - 1, in) > 8);
    fclose(in);
    assert_int_equal(head[0] % 8, 0);
    assert_true(strstr(head + 8, "\"count\"") < strstr(head + 8, "conv "));
    assert_true(strstr(head + 8, "conv ") < strstr(head + 8, "\"bytes\""));
}

/* brain.Event:2, then loss 0.5 at step 300, both at wall time 1; made by hand from the message formats. */
static void events_are_written_byte_by_byte(void **state)
{
    (void)state;
    static const uint8_t expected[] = {
        0x1a, 0, 0, 0, 0, 0, 0, 0, 0x12, 0x9b, 0xd8, 0x2d,                                         /* 26 bytes         */
        0x09, 0, 0, 0, 0, 0, 0, 0xf0, 0x3f, 0x10, 0x00,                                            /* wall_time, step  */
        0x1a, 0x0d, 'b', 'r', 'a', 'i', 'n', '.', 'E', 'v', 'e', 'n', 't', ':', '2', 0xcc, 0x31, 0x4e, 0x92,
        0x1b, 0, 0, 0, 0, 0, 0, 0, 0x1a, 0x0d, 0x9e, 0x13,                                         /* 27 bytes         */
        0x09, 0, 0, 0, 0, 0, 0, 0xf0, 0x3f, 0x10, 0xac, 0x02,                                      /* step 300         */
        0x2a, 0x0d, 0x0a, 0x0b, 0x0a, 0x04, 'l', 'o', 's', 's', 0x15, 0, 0, 0, 0x3f, 0x4e, 0x5c, 0x1f, 0xd1,
    };
    assert_int_equal(crc32c(0, "123456789", 9), 0xe3069283);
    struct events *events;
    MUST(events_open(folder, 1, &events, &err));
    MUST(events_scalar(events, 300, "loss", 0.5f, &err));
    MUST(events_close(events, &err));
    char pattern[128];
    snprintf(pattern, sizeof pattern, "%s/events.out.tfevents.1.*", folder);
    glob_t found;
    assert_int_equal(glob(pattern, 0, NULL, &found), 0);
    assert_int_equal(found.gl_pathc, 1);
    FILE *in = fopen(found.gl_pathv[0], "rb");
    assert_non_null(in);
    uint8_t bytes[256];
    assert_int_equal(fread(bytes, 1, sizeof bytes, in), sizeof expected);
    fclose(in);
    assert_memory_equal(bytes, expected, sizeof expected);
    globfree(&found);
}

/* The message of an image, cut out of its record, in another implementation's words. */
static void events_are_read_by_protoc(void **state)
{
    (void)state;
    if (system("protoc --version >/dev/null 2>&1")) {
        print_message("protoc is not installed\n");
        skip();
    }
    struct events *events;
    MUST(events_open(folder, 1, &events, &err));
    MUST(events_image(events, 7, "filters", 4, 5, 3, "PNG", 3, &err));
    MUST(events_close(events, &err));
    char command[512];
    /* The first record takes 42 bytes, the head of the second 12 and the checksum behind it 4. */
    snprintf(command, sizeof command, "tail -c +55 %s/events.out.tfevents.1.* | head -c -4 | protoc --decode_raw", folder);
    FILE *out = popen(command, "r");
    assert_non_null(out);
    char text[1024];
    text[fread(text, 1, sizeof text - 1, out)] = '\0';
    assert_int_equal(pclose(out), 0);
    assert_string_equal(text, "1: 0x3ff0000000000000\n2: 7\n5 {\n  1 {\n    1: \"filters\"\n    4 {\n      1: 4\n      2: 5\n      3: 3\n"
                              "      4: \"PNG\"\n    }\n  }\n}\n");
}

static void pictures_come_back(void **state)
{
    (void)state;
    uint8_t pixels[3 * 4 * 3];
    for (size_t i = 0; i < sizeof pixels; i++)
        pixels[i] = (uint8_t)(7 * i);
    for (int32_t channels = 1; channels <= 3; channels += 2) {
        const struct picture picture = {3, 4, channels, pixels};
        struct picture read;
        MUST(picture_write(path, &picture, &err));
        MUST(picture_read(path, &read, &err));
        assert_true(read.h == 3 && read.w == 4 && read.channels == channels);
        assert_memory_equal(read.pixels, pixels, (size_t)(12 * channels));
        picture_free(&read);
        struct convoy_error err = error_none();
        assert_int_equal(truncate(path, 50), 0);
        assert_int_equal(picture_read(path, &read, &err), CONVOY_FAILED);
        assert_non_null(strstr(err.text, path));
    }
    struct convoy_error err = error_none();
    struct picture read;
    write_raw(5, "no picture", 10, 0);
    assert_int_equal(picture_read(path, &read, &err), CONVOY_FAILED);
}

/* ---- checkpoints ---- */

static void open_model(const char *name, int32_t classes, struct net *net, struct model *model, uint64_t seed)
{
    MUST(catalog_build(name, &(struct catalog_options){.classes = classes, .width = 0.25}, net, &err));
    MUST(model_create(net, model, &err));
    for (size_t index = 0; index < model->params; index++) {
        struct convoy_error err = error_none();
        float *value = tensor_host(&model->param[index].value, TENSOR_WRITE, &err);
        assert_non_null(value);
        for (int64_t i = 0; i < model->param[index].count; i++)
            value[i] = rng_uniform(seed, index, (uint64_t)i);
    }
}

static void close_model(struct net *net, struct model *model)
{
    model_free(model);
    net_free(net);
}

static const float *value_of(struct model *model, size_t index)
{
    struct convoy_error err = error_none();
    return tensor_host(&model->param[index].value, TENSOR_READ, &err);
}

static void weights_come_back_under_pytorchs_names(void **state)
{
    (void)state;
    struct net net[2];
    struct model model[2];
    open_model("resnet20-b", 10, &net[0], &model[0], 1);
    open_model("resnet20-b", 10, &net[1], &model[1], 2);
    MUST(checkpoint_save_weights(path, &model[0], &err));
    static const struct load_options all;
    MUST(checkpoint_load_weights(path, &model[1], &all, &err));
    for (size_t index = 0; index < model[0].params; index++)
        assert_memory_equal(value_of(&model[0], index), value_of(&model[1], index), (size_t)model[0].param[index].count * sizeof(float));
    struct st_file *file;
    MUST(st_open(path, &file, &err));
    static const char *const names[] = {"conv1.weight", "bn1.running_var", "layer2.0.downsample.0.weight", "fc.bias"};
    for (size_t name = 0; name < sizeof names / sizeof *names; name++)
        if (!st_find(file, names[name]))
            fail_msg("no %s", names[name]);
    assert_int_equal(st_find(file, "conv1.weight")->rank, 4);
    assert_int_equal(st_find(file, "fc.weight")->rank, 2);
    st_close(file);
    close_model(&net[0], &model[0]);
    close_model(&net[1], &model[1]);
}

static void differing_names_are_listed(void **state)
{
    (void)state;
    struct net net[2];
    struct model model[2];
    static const struct load_options all;
    open_model("resnet20-b", 10, &net[0], &model[0], 1);
    MUST(checkpoint_save_weights(path, &model[0], &err));
    open_model("resnet20", 10, &net[1], &model[1], 2);
    struct convoy_error wrong = error_none();
    assert_int_not_equal(checkpoint_load_weights(path, &model[1], &all, &wrong), CONVOY_OK);
    if (!strstr(wrong.text, "layer2.0.downsample"))
        fail_msg("%s", wrong.text);
    MUST(checkpoint_load_weights(path, &model[1], &(struct load_options){.lenient = true}, &err));
    close_model(&net[1], &model[1]);
    /* Other classes: the last layer differs in its extents and may be left out. */
    open_model("resnet20-b", 7, &net[1], &model[1], 2);
    wrong = error_none();
    assert_int_not_equal(checkpoint_load_weights(path, &model[1], &all, &wrong), CONVOY_OK);
    if (!strstr(wrong.text, "fc."))
        fail_msg("%s", wrong.text);
    MUST(checkpoint_load_weights(path, &model[1], &(struct load_options){.exclude = "fc."}, &err));
    assert_memory_equal(value_of(&model[0], 0), value_of(&model[1], 0), (size_t)model[0].param[0].count * sizeof(float));
    close_model(&net[0], &model[0]);
    close_model(&net[1], &model[1]);
}

static void the_state_of_a_run_comes_back(void **state)
{
    (void)state;
    struct net net[2];
    struct model model[2];
    struct optim *optim[2];
    const struct optim_options options = optim_defaults(OPTIM_ADAM);
    for (int side = 0; side < 2; side++) {
        open_model("resnet20-b", 10, &net[side], &model[side], (uint64_t)side);
        MUST(optim_create(&model[side], &options, &optim[side], &err));
    }
    for (int s = 0; s < optim_states(optim[0]); s++)
        for (int64_t i = 0; i < model[0].learned_count; i++)
            optim_state(optim[0], s)[i] = rng_uniform(3, (uint64_t)s, (uint64_t)i);
    *optim_steps(optim[0]) = 12345;
    const struct progress saved = {.epoch = 3, .batch = 4, .step = 1234567890123, .seed = 0xfedcba9876543210, .best = 0.1, .bad_epochs = 2,
                                   .loss = 1.0 / 3, .correct = 17, .counted = 20, .schedule = {INFINITY, 0.25, 1}, .settings = "--lr 0.1"};
    MUST(checkpoint_save_state(path, &model[0], optim[0], &saved, &err));
    struct progress read = {0};
    MUST(checkpoint_load_state(path, &model[1], optim[1], &read, &err));
    assert_int_equal(read.epoch, 3);
    assert_int_equal(read.batch, 4);
    assert_true(read.step == saved.step && read.seed == saved.seed && read.best == saved.best && read.loss == saved.loss);
    assert_true(read.bad_epochs == 2 && read.correct == 17 && read.counted == 20);
    assert_true(read.schedule.best == INFINITY && read.schedule.scale == 0.25 && read.schedule.bad_epochs == 1);
    assert_string_equal(read.settings, "--lr 0.1");
    assert_int_equal(*optim_steps(optim[1]), 12345);
    for (int s = 0; s < optim_states(optim[0]); s++)
        assert_memory_equal(optim_state(optim[0], s), optim_state(optim[1], s), (size_t)model[0].learned_count * sizeof(float));
    for (int side = 0; side < 2; side++) {
        optim_free(optim[side]);
        close_model(&net[side], &model[side]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(well_formed_files_are_taken, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(malformed_files_are_refused, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(tensors_come_back, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(events_are_written_byte_by_byte, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(events_are_read_by_protoc, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(pictures_come_back, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(weights_come_back_under_pytorchs_names, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(differing_names_are_listed, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(the_state_of_a_run_comes_back, make_folder, remove_folder),
    };
    return cmocka_run_group_tests_name("formats", tests, NULL, NULL);
}
