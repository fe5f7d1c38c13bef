/* The builders: totals of every network against the published ones, receptive fields, and the committed layer tables, which
 * must be what the generator makes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/error.h"
#include "nets/catalog.h"
#include "nets/layer_table.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TABLES SOURCE_DIR "/harness/tables"
#define GENERATOR BUILD_DIR "/tools/convoy-tables"

static void build(const char *name, struct net *net)
{
    struct convoy_error err = error_none();
    if (catalog_build(name, NULL, net, &err))
        fail_msg("%s: %s", name, err.text);
}

/* The whole of a stream as a string; the caller frees it. */
static char *read_all(FILE *in)
{
    size_t used = 0, size = 1 << 16;
    char *text = malloc(size);
    assert_non_null(text);
    while ((used += fread(text + used, 1, size - 1 - used, in)) == size - 1) {
        size *= 2;
        text = realloc(text, size);
        assert_non_null(text);
    }
    assert_false(ferror(in));
    text[used] = '\0';
    return text;
}

static char *read_file(const char *path)
{
    FILE *in = fopen(path, "r");
    if (!in)
        fail_msg("%s cannot be read", path);
    char *text = read_all(in);
    fclose(in);
    return text;
}

static char *committed_table(const char *name)
{
    char path[4096];
    assert_in_range(snprintf(path, sizeof path, TABLES "/%s.csv", name), 1, sizeof path - 1);
    return read_file(path);
}

static void committed_tables_are_what_the_builders_make(void **state)
{
    (void)state;
    for (size_t index = 0; index < catalog_count; index++) {
        if (!catalog[index].tabled)
            continue;
        struct net net;
        build(catalog[index].name, &net);
        char *made = NULL;
        size_t bytes = 0;
        FILE *out = open_memstream(&made, &bytes);
        assert_non_null(out);
        struct convoy_error err = error_none();
        assert_int_equal(layer_table_write(&net, out, &err), CONVOY_OK);
        assert_int_equal(fclose(out), 0);
        char *committed = committed_table(catalog[index].name);
        if (strcmp(made, committed))
            fail_msg("harness/tables/%s.csv is not what the builder makes; run make tables", catalog[index].name);
        free(committed);
        free(made);
        net_free(&net);
    }
}

static void a_failing_stream_is_reported(void **state)
{
    (void)state;
    FILE *out = fopen("/dev/full", "w");
    if (!out)
        skip();
    struct net net;
    build("lenet5", &net);
    struct convoy_error err = error_none();
    assert_int_equal(layer_table_write(&net, out, &err), CONVOY_FAILED);
    assert_non_null(strstr(err.text, "lenet5"));
    fclose(out);
    net_free(&net);
}

static void the_generator_prints_one_table(void **state)
{
    (void)state;
    FILE *out = popen("'" GENERATOR "' resnet50", "r");
    assert_non_null(out);
    char *printed = read_all(out), *committed = committed_table("resnet50");
    assert_int_equal(pclose(out), 0);
    assert_string_equal(printed, committed);
    free(committed);
    free(printed);
}

static void the_generator_writes_all_tables(void **state)
{
    (void)state;
    char folder[] = "/tmp/convoy-tables-XXXXXX", command[4096], path[4096];
    assert_non_null(mkdtemp(folder));
    snprintf(command, sizeof command, "'" GENERATOR "' --write %s", folder);
    assert_int_equal(system(command), 0);
    for (size_t index = 0; index < catalog_count; index++) {
        snprintf(path, sizeof path, "%s/%s.csv", folder, catalog[index].name);
        if (!catalog[index].tabled) {
            assert_int_not_equal(access(path, F_OK), 0);
            continue;
        }
        char *written = read_file(path), *committed = committed_table(catalog[index].name);
        assert_string_equal(written, committed);
        free(committed);
        free(written);
        assert_int_equal(unlink(path), 0);
    }
    assert_int_equal(rmdir(folder), 0);
}

static void the_generator_refuses_what_it_does_not_know(void **state)
{
    (void)state;
    assert_int_not_equal(system("'" GENERATOR "' no-such-net 2>/dev/null"), 0);
    assert_int_not_equal(system("'" GENERATOR "' 2>/dev/null"), 0);
    assert_int_not_equal(system("'" GENERATOR "' --write /nonexistent/folder 2>/dev/null"), 0);
}

/* Parameters and multiply-adds of convolutions and fully connected layers. A total of one network that is right while a single
 * layer is wrong is unlikely; both totals right is more so. */
static const struct {
    const char *name;
    int convs, distinct;
    int64_t macs, params;
} totals[] = {
    {"lenet5", 2, 2, 416520, 61706},
    {"lenet-caffe", 2, 2, 2293000, 431080},
    {"alexnet", 5, 5, 724406816, 60965224},
    {"alexnet-ungrouped", 5, 5, 1135256096, 62378344},
    {"vgg-a", 8, 7, 7609090048, 132863336},
    {"vgg-a-lrn", 8, 7, 7609090048, 132863336},
    {"vgg-b", 10, 9, 11308466176, 133047848},
    {"vgg-c", 13, 12, 11770888192, 133638952},
    {"vgg-d", 13, 9, 15470264320, 138357544},
    {"vgg-e", 16, 9, 19632062464, 143667240},
    {"resnet18", 20, 11, 1814073344, 11689512},
    {"resnet34", 36, 11, 3663761408, 21797672},
    {"resnet50", 53, 23, 4089184256, 25557032},
    {"resnet101", 104, 23, 7801405440, 44549160},
    {"resnet152", 155, 23, 11513626624, 60192808},
    {"resnet50-v1", 53, 20, 3857973248, 25557032},
    {"resnet101-v1", 104, 20, 7570194432, 44549160},
    {"resnet152-v1", 155, 20, 11282415616, 60192808},
};

static void totals_are_the_published_ones(void **state)
{
    (void)state;
    assert_int_equal(sizeof totals / sizeof *totals, catalog_count);
    for (size_t index = 0; index < catalog_count; index++) {
        struct net net;
        build(totals[index].name, &net);
        int convs = 0, distinct = 0;
        for (size_t layer = 0; layer < net.count; layer++) {
            if (net.layer[layer].kind != NET_CONV)
                continue;
            convs++;
            bool first = true;
            for (size_t earlier = 0; earlier < layer; earlier++)
                first = first && !problem_equal(&net.layer[earlier].problem, &net.layer[layer].problem);
            distinct += first;
        }
        if (convs != totals[index].convs || distinct != totals[index].distinct || net_macs(&net) != totals[index].macs ||
            net_params(&net) != totals[index].params)
            fail_msg("%s: %d convolutions, %d distinct, %lld multiply-adds, %lld parameters", net.name, convs, distinct,
                     (long long)net_macs(&net), (long long)net_params(&net));
        net_free(&net);
    }
}

/* v1 moves the stride from the 3x3 to the first 1x1 of three blocks: three batch norms shrink with it. */
static void v1_shrinks_three_batch_norms(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        int32_t c, h;
        int v15, v1;
    } rows[] = {
        {"resnet50", 128, 56, 1, 0},    {"resnet50", 128, 28, 7, 8},    {"resnet50", 256, 28, 1, 0},
        {"resnet50", 256, 14, 11, 12},  {"resnet50", 512, 14, 1, 0},    {"resnet50", 512, 7, 5, 6},
        {"resnet50", 64, 56, 6, 6},     {"resnet50", 2048, 7, 4, 4},    {"resnet101", 256, 14, 45, 46},
        {"resnet152", 128, 28, 15, 16}, {"resnet152", 256, 14, 71, 72}, {"resnet152", 512, 7, 5, 6},
    };
    for (size_t index = 0; index < sizeof rows / sizeof *rows; index++) {
        for (int v1 = 0; v1 <= 1; v1++) {
            char name[NET_NAME_BYTES];
            snprintf(name, sizeof name, "%s%s", rows[index].name, v1 ? "-v1" : "");
            struct net net;
            build(name, &net);
            int count = 0;
            for (size_t layer = 0; layer < net.count; layer++)
                count += net.layer[layer].kind == NET_BN && net.layer[layer].problem.bn.c == rows[index].c &&
                         net.layer[layer].problem.bn.h == rows[index].h;
            assert_int_equal(count, v1 ? rows[index].v1 : rows[index].v15);
            net_free(&net);
        }
    }
}

static void receptive_fields_are_the_known_ones(void **state)
{
    (void)state;
    static const struct {
        const char *net, *layer;
        int64_t field;
    } known[] = {
        {"lenet5", "fc3", 32},   {"alexnet", "pool5", 195},           {"vgg-d", "conv1_2", 5},
        {"vgg-d", "pool5", 212}, {"resnet34", "layer4.2.conv2", 899}, {"resnet50", "layer4.2.conv3", 427},
    };
    for (size_t index = 0; index < sizeof known / sizeof *known; index++) {
        struct net net;
        build(known[index].net, &net);
        int32_t layer = 0;
        while ((size_t)layer < net.count && strcmp(net.layer[layer].name, known[index].layer))
            layer++;
        assert_true((size_t)layer < net.count);
        if (net_receptive_field(&net, layer) != known[index].field)
            fail_msg("%s %s: %lld", known[index].net, known[index].layer, (long long)net_receptive_field(&net, layer));
        net_free(&net);
    }
}

static int32_t named(const struct net *net, const char *name)
{
    for (size_t layer = 0; layer < net->count; layer++)
        if (!strcmp(net->layer[layer].name, name))
            return (int32_t)layer;
    fail_msg("%s has no layer %s", net->name, name);
    return -1;
}

/* A downsampling block forks: the projection reads what the main branch reads, and the sum reads both ends. */
static void a_projection_reads_the_input_of_its_block(void **state)
{
    (void)state;
    struct net net;
    build("resnet18", &net);
    const struct net_layer *conv1 = &net.layer[named(&net, "layer2.0.conv1")];
    const struct net_layer *projection = &net.layer[named(&net, "layer2.0.downsample.0")];
    const struct net_layer *sum = &net.layer[named(&net, "layer2.0.add")];
    assert_int_equal(projection->input[0], conv1->input[0]);
    assert_int_equal(sum->inputs, 2);
    assert_int_equal(sum->input[0], named(&net, "layer2.0.bn2"));
    assert_int_equal(sum->input[1], named(&net, "layer2.0.downsample.1"));
    assert_int_equal(net.layer[named(&net, "layer2.1.conv1")].input[0], named(&net, "layer2.0.relu"));
    net_free(&net);
}

static void a_layer_that_does_not_fit_is_refused(void **state)
{
    (void)state;
    struct net net;
    struct convoy_error err = error_none();
    int32_t at = NET_IMAGE;
    net_init(&net, "small", (struct net_extent){3, 4, 4}, 10);
    const struct net_spec spec[] = {
        {"fits", .kind = NET_CONV, .k = 2, .kernel = 3},
        {"does-not", .kind = NET_CONV, .k = 2, .kernel = 3},
    };
    assert_int_equal(net_append(&net, "", spec, 2, &at, &err), CONVOY_INVALID);
    assert_int_equal(net.count, 1);
    assert_int_equal(at, 0);
    const struct net_spec nameless = {"", .kind = NET_BN};
    char prefix[NET_NAME_BYTES + 1];
    memset(prefix, 'x', sizeof prefix - 1);
    prefix[sizeof prefix - 1] = '\0';
    assert_int_equal(net_append(&net, prefix, &nameless, 1, &at, &err), CONVOY_INVALID);
    net_free(&net);
}

static void an_unknown_network_is_refused(void **state)
{
    (void)state;
    struct net net;
    struct convoy_error err = error_none();
    assert_int_equal(catalog_build("vgg-f", NULL, &net, &err), CONVOY_INVALID);
    assert_non_null(strstr(err.text, "vgg-f"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(totals_are_the_published_ones),
        cmocka_unit_test(v1_shrinks_three_batch_norms),
        cmocka_unit_test(receptive_fields_are_the_known_ones),
        cmocka_unit_test(a_projection_reads_the_input_of_its_block),
        cmocka_unit_test(a_layer_that_does_not_fit_is_refused),
        cmocka_unit_test(an_unknown_network_is_refused),
        cmocka_unit_test(committed_tables_are_what_the_builders_make),
        cmocka_unit_test(a_failing_stream_is_reported),
        cmocka_unit_test(the_generator_prints_one_table),
        cmocka_unit_test(the_generator_writes_all_tables),
        cmocka_unit_test(the_generator_refuses_what_it_does_not_know),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
