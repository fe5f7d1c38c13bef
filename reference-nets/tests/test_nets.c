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
#include "nets/style.h"

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

/* Parameters and multiply-adds of convolutions and fully connected layers, without auxiliary heads. A total of one network that is
 * right while a single layer is wrong is unlikely; both totals right is more so. Those of three networks are by hand:
 *
 * mobilenet (arXiv 1704.04861, table 1; the paper prints 4.2 and 569 million). Parameters: conv1 3*9*32 = 864; depthwise 9 times
 * 32+64+128+128+256+256+5*512+512+1024 = 4960, 44,640; pointwise 2048+8192+16384+32768+65536+131072+5*262144+524288+1048576 =
 * 3,139,584; batch norm 2*(32+4960+5952) = 21,888; fc 1,025,000; 4,231,976 in all. Multiply-adds: conv1 864*112^2 = 10,838,016;
 * depthwise 17,385,984; pointwise 21 times 2048*112^2 = 539,492,352 (five blocks cost one unit, three cost two, the five equal ones
 * two each); fc 1,024,000; 568,740,352 in all.
 *
 * preact-resnet20: conv1 432; stage 1 6*2304+192; stage 2 4608+5*9216+512+96+256; stage 3 four times these weights, 192+512; bn 128;
 * fc 650; 272,282 in all. Multiply-adds: (432+13,824)*32^2 + 51,200*16^2 + 204,800*8^2 + 640 = 40,813,184.
 * preact-resnet110 has 15 more blocks per stage: 15*(4608+64), 15*(18,432+128), 15*(73,728+256) parameters more. */
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
    {"lenet5-original", 2, 2, 415680, 60000},
    {"perceptron", 0, 0, 101632, 101770},
    {"simplenet", 2, 2, 2231500, 56895},
    {"convnet", 1, 1, 67200, 24508},
    {"zfnet", 5, 5, 1168032896, 62357608},
    {"googlenet", 59, 51, 1582671872, 6998552},
    {"mobilenet", 27, 19, 568740352, 4231976},
    {"resnet18-a", 17, 8, 1794805760, 11515688},
    {"resnet18-c", 25, 15, 1878298624, 12043816},
    {"resnet34-a", 33, 8, 3644493824, 21623848},
    {"resnet34-c", 49, 15, 3830747136, 22716840},
    {"resnext50-32x4d", 53, 24, 4230479872, 25028904},
    {"densenet121", 120, 66, 2834161664, 7978856},
    {"resnet20", 19, 6, 40551040, 269722},
    {"resnet20-b", 21, 8, 40813184, 272474},
    {"resnet32", 31, 6, 68862592, 464154},
    {"resnet44", 43, 6, 97174144, 658586},
    {"resnet56", 55, 6, 125485696, 853018},
    {"resnet110", 109, 6, 252887680, 1727962},
    {"preact-resnet20", 21, 8, 40813184, 272282},
    {"preact-resnet110", 111, 8, 253149824, 1730522},
    {"preact-resnet164", 166, 15, 244500992, 1703258},
    {"wrn-28-10", 28, 10, 5243328768, 36479194},
    {"wrn-28-2", 28, 10, 214353152, 1467610},
    {"wrn-16-4", 16, 10, 392612352, 2748890},
    {"densenet-40", 39, 39, 264812928, 1019722},
    {"densenet-bc-100", 99, 54, 287929692, 769162},
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
        int64_t macs, params;
        assert_true(net_main_totals(&net, &macs, &params));
        if (convs != totals[index].convs || distinct != totals[index].distinct || macs != totals[index].macs ||
            params != totals[index].params)
            fail_msg("%s: %d convolutions, %d distinct, %lld multiply-adds, %lld parameters", net.name, convs, distinct,
                     (long long)macs, (long long)params);
        if (net.heads == 1 && (net_macs(&net) != macs || net_params(&net) != params))
            fail_msg("%s: layers that its only head does not depend on", net.name);
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

/* Larger images leave the classifier as it is: maps of 8x8 and of 14x14 are averaged down to 7x7 in windows of two rows. Smaller
 * ones and those of the paper get no such layer. */
static void classifiers_fit_larger_images(void **state)
{
    (void)state;
    static const struct {
        const char *net;
        int32_t side;
        enum net_kind kind; /* CONV: none */
        int64_t params, field;
    } known[] = {
        {"vgg-d", 224, NET_CONV, 138357544, 0},
        {"vgg-d", 32, NET_CONV, 33638218, 0},
        {"vgg-d", 256, NET_AVGPOOL_UNEVEN, 138357544, 212 + 32},
        {"vgg-d", 448, NET_AVGPOOL_ADAPTIVE, 138357544, 212 + 32},
        {"alexnet", 300, NET_AVGPOOL_UNEVEN, 60965224, 195 + 32},
    };
    for (size_t row = 0; row < sizeof known / sizeof *known; row++) {
        struct net net;
        struct convoy_error err = error_none();
        const struct catalog_options options = {.image = {3, known[row].side, known[row].side},
                                                .classes = known[row].side == 32 ? 10 : 0};
        assert_int_equal(catalog_build(known[row].net, &options, &net, &err), CONVOY_OK);
        size_t layer = 0;
        while (layer < net.count && strcmp(net.layer[layer].name, "avgpool"))
            layer++;
        assert_int_equal(layer < net.count, known[row].kind != NET_CONV);
        if (layer < net.count) {
            assert_int_equal(net.layer[layer].kind, known[row].kind);
            assert_int_equal(net_receptive_field(&net, (int32_t)layer), known[row].field);
        }
        assert_int_equal(net_params(&net), known[row].params);
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

/* LeCun et al. 1998, section II.B: parameters, and connections, which count a bias as one. */
static void the_original_lenet_counts_as_its_paper(void **state)
{
    (void)state;
    static const struct {
        const char *layer;
        int64_t params, each, connections; /* each: inputs of one output pixel per parameter; see below */
    } known[] = {
        {"c1", 156, 1, 122304}, {"s2", 12, 0, 5880}, {"c3", 1516, 1, 151600}, {"s4", 32, 0, 2000}, {"c5", 48120, 1, 48120},
        {"f6", 10164, 1, 10164},
    };
    struct net net;
    build("lenet5-original", &net);
    for (size_t index = 0; index < sizeof known / sizeof *known; index++) {
        const struct net_layer *layer = &net.layer[named(&net, known[index].layer)];
        const int64_t params = net_layer_params(&net, layer), pixels = (int64_t)layer->out.h * layer->out.w;
        assert_int_equal(params, known[index].params);
        /* A pooled pixel has four inputs and a bias; every other parameter is used once per pixel. */
        assert_int_equal(known[index].each ? params * pixels : 5 * layer->out.c * pixels, known[index].connections);
    }
    const struct net_layer *c3 = &net.layer[named(&net, "c3")];
    int maps[7] = {0}, seen[6] = {0};
    for (int32_t k = 0; k < 16; k++) {
        int inputs = 0;
        for (int32_t c = 0; c < 6; c++) {
            inputs += c3->spec.mask[k * 6 + c];
            seen[c] += c3->spec.mask[k * 6 + c];
        }
        maps[inputs]++;
    }
    assert_int_equal(maps[3], 6);
    assert_int_equal(maps[4], 9);
    assert_int_equal(maps[6], 1);
    for (int32_t c = 0; c < 6; c++)
        assert_int_equal(seen[c], 10);
    const float *codes = net.layer[named(&net, "output")].spec.codes;
    for (int32_t k = 0; k < 10; k++)
        for (int32_t other = 0; other < k; other++) {
            int differ = 0;
            for (int32_t c = 0; c < 84; c++)
                differ += codes[k * 84 + c] != codes[other * 84 + c];
            assert_in_range(differ, 6, 84);
        }
    net_free(&net);
}

static void googlenet_has_two_auxiliary_heads(void **state)
{
    (void)state;
    struct net net;
    build("googlenet", &net);
    assert_int_equal(net.heads, 3);
    assert_int_equal(net.head[0].layer, named(&net, "fc"));
    assert_int_equal(net.head[1].layer, named(&net, "aux1.fc2"));
    assert_int_equal(net.head[2].layer, named(&net, "aux2.fc2"));
    assert_true(net.head[0].weight == 1 && net.head[1].weight == 0.3f && net.head[2].weight == 0.3f);
    assert_int_equal(net.layer[named(&net, "aux1.avgpool")].input[0], named(&net, "inception4a.cat"));
    assert_int_equal(net.layer[named(&net, "aux2.avgpool")].input[0], named(&net, "inception4d.cat"));
    int64_t heads[2] = {0, 0};
    for (size_t layer = 0; layer < net.count; layer++)
        if (!strncmp(net.layer[layer].name, "aux", 3))
            heads[net.layer[layer].name[3] == '2'] += net_layer_params(&net, &net.layer[layer]);
    assert_int_equal(heads[0], 3188840);
    assert_int_equal(heads[1], 3190888);
    assert_int_equal(net_params(&net), 13378280);
    static const struct {
        const char *layer;
        int32_t c, h;
    } known[] = {{"maxpool1", 64, 56},          {"maxpool2", 192, 28},        {"inception3a.cat", 256, 28}, {"inception3b.cat", 480, 28},
                 {"inception4a.cat", 512, 14},  {"inception4d.cat", 528, 14}, {"inception4e.cat", 832, 14}, {"inception5b.cat", 1024, 7},
                 {"aux1.avgpool", 512, 4}};
    for (size_t index = 0; index < sizeof known / sizeof *known; index++) {
        const struct net_extent out = net.layer[named(&net, known[index].layer)].out;
        assert_int_equal(out.c, known[index].c);
        assert_int_equal(out.h, known[index].h);
    }
    net_free(&net);
}

/* Option A has no weights, C has them in every shortcut, and a pre-activation block projects what its first ReLU gives. */
static void shortcuts_are_those_of_their_option(void **state)
{
    (void)state;
    struct net net;
    build("resnet18-a", &net);
    const struct net_layer *shortcut = &net.layer[named(&net, "layer2.0.downsample")];
    assert_int_equal(shortcut->kind, NET_SUBSAMPLE);
    assert_int_equal(shortcut->input[0], named(&net, "layer1.1.relu"));
    assert_int_equal(net_layer_params(&net, shortcut), 0);
    net_free(&net);
    build("resnet18-c", &net);
    assert_int_equal(net.layer[named(&net, "layer1.1.add")].input[1], named(&net, "layer1.1.downsample.1"));
    net_free(&net);
    build("wrn-16-4", &net);
    assert_int_equal(net.layer[named(&net, "layer2.0.shortcut")].input[0], named(&net, "layer2.0.relu1"));
    assert_int_equal(net.layer[named(&net, "layer2.1.add")].input[1], named(&net, "layer2.0.add"));
    net_free(&net);
    build("densenet121", &net);
    assert_int_equal(net.layer[named(&net, "features.norm5")].out.c, 1024);
    assert_int_equal(net.layer[named(&net, "features.transition1.conv")].out.c, 128);
    assert_int_equal(net.layer[named(&net, "features.denseblock4.denselayer16.conv1")].out.c, 128);
    net_free(&net);
}

/* Every network on the smallest square image that it takes, narrow and with other classes; on one pixel less the error names the
 * layer that does not fit. Networks that end in a global pool and whose layers all pad take any image. */
static void every_network_takes_other_extents(void **state)
{
    (void)state;
    static const struct {
        const char *name, *stops;
        int32_t smallest;
    } known[] = {
        {"lenet5", "pool2", 16},      {"lenet-caffe", "pool2", 16},   {"lenet5-original", "s4.average", 16}, {"alexnet", "pool5", 67},
        {"alexnet-ungrouped", "pool5", 63}, {"vgg-a", "pool5", 32},   {"vgg-a-lrn", "pool5", 32},            {"vgg-b", "pool5", 32},
        {"vgg-c", "pool5", 32},       {"vgg-d", "pool5", 32},         {"vgg-e", "pool5", 32},                {"simplenet", "pool2", 25},
        {"convnet", "pool1", 4},      {"zfnet", "pool5", 65},         {"densenet121", "features.transition3.pool", 29},
        {"densenet-40", "features.transition2.pool", 4}, {"densenet-bc-100", "features.transition2.pool", 4},
    };
    for (size_t index = 0; index < catalog_count; index++) {
        size_t row = 0;
        while (row < sizeof known / sizeof *known && strcmp(known[row].name, catalog[index].name))
            row++;
        const bool any = row == sizeof known / sizeof *known;
        const int32_t side = any ? 1 : known[row].smallest;
        struct catalog_options options = {.image = {2, side, side}, .classes = 7, .width = 0.1};
        struct net net;
        struct convoy_error err = error_none();
        if (catalog_build(catalog[index].name, &options, &net, &err))
            fail_msg("%s on %d pixels: %s", catalog[index].name, side, err.text);
        for (int32_t head = 0; head < net.heads; head++) {
            const struct net_extent out = net.layer[net.head[head].layer].out;
            assert_true(out.c == 7 && out.h == 1 && out.w == 1);
        }
        net_free(&net);
        if (any)
            continue;
        options.image.h = options.image.w = side - 1;
        assert_int_equal(catalog_build(catalog[index].name, &options, &net, &err), CONVOY_INVALID);
        if (!strstr(err.text, known[row].stops) || !strstr(err.text, catalog[index].name))
            fail_msg("%s on %d pixels: %s", catalog[index].name, side - 1, err.text);
    }
}

/* BN on either side of an activation: those of a builder move, one per convolution is added to VGG as in its variants with batch norm
 * (two parameters per channel of 5504), and what ends a branch stays. Other activations take the place of every ReLU. */
static void styles_change_any_network(void **state)
{
    (void)state;
    struct net net;
    struct convoy_error err = error_none();
    for (enum net_bn_place place = NET_BN_BEFORE; place <= NET_BN_AFTER; place++) {
        const char *const first = place == NET_BN_BEFORE ? "conv1_1.bn" : "relu1_1", *const second = place == NET_BN_BEFORE ? "relu1_1" : "conv1_1.bn";
        assert_int_equal(catalog_build("vgg-e", &(struct catalog_options){.bn_place = place}, &net, &err), CONVOY_OK);
        assert_int_equal(named(&net, first), named(&net, "conv1_1") + 1);
        assert_int_equal(named(&net, second), named(&net, "conv1_1") + 2);
        assert_int_equal(net_params(&net), 143667240 + 2 * 5504);
        net_free(&net);
        assert_int_equal(catalog_build("resnet18", &(struct catalog_options){.bn_place = place}, &net, &err), CONVOY_OK);
        assert_int_equal(net_params(&net), 11689512);
        assert_int_equal(named(&net, "layer1.0.relu1") - named(&net, "layer1.0.bn1"), place == NET_BN_BEFORE ? 1 : -1);
        assert_int_equal(net.layer[named(&net, "layer1.0.add")].input[0], named(&net, "layer1.0.bn2"));
        net_free(&net);
    }
    assert_int_equal(catalog_build("perceptron", &(struct catalog_options){.bn_place = NET_BN_AFTER}, &net, &err), CONVOY_INVALID);
    assert_non_null(strstr(err.text, "perceptron"));
    assert_int_equal(catalog_build("resnet20", &(struct catalog_options){.activation = style_activation("prelu")}, &net, &err), CONVOY_OK);
    assert_int_equal(net_params(&net), 269722 + 16 * 7 + 32 * 6 + 64 * 6);
    for (size_t layer = 0; layer < net.count; layer++)
        assert_int_not_equal(net.layer[layer].kind, NET_ACT);
    net_free(&net);
    assert_null(style_activation("rectifier"));
    const struct catalog_options sparse = {
        .activation = style_activation("sigmoid"), .sparsity = 0.1f, .sparsity_weight = 1, .bn_place = NET_BN_AFTER};
    assert_int_equal(catalog_build("lenet5", &sparse, &net, &err), CONVOY_OK);
    assert_int_equal(named(&net, "relu1.sparsity"), named(&net, "relu1") + 1);
    assert_int_equal(named(&net, "conv1.bn"), named(&net, "relu1") + 2);
    assert_int_equal(named(&net, "relu3.sparsity"), named(&net, "relu3") + 1);
    net_free(&net);
    assert_int_equal(catalog_build("lenet5", &(struct catalog_options){.sparsity_weight = 1}, &net, &err), CONVOY_INVALID);
}

/* K then a pool of P sees K+P-1; dilations 1, 2, 4 of 3x3 see 15; strides multiply what follows. */
static void receptive_fields_follow_the_formula(void **state)
{
    (void)state;
    static const struct {
        struct net_spec spec[4];
        size_t count;
        int64_t field;
    } rows[] = {
        {{{"a", .kind = NET_CONV, .k = 1, .kernel = 3}, {"b", .kind = NET_MAXPOOL, .kernel = 2, .stride = 2}}, 2, 4},
        {{{"a", .kind = NET_CONV, .k = 1, .kernel = 5}, {"b", .kind = NET_MAXPOOL, .kernel = 2, .stride = 2}}, 2, 6},
        {{{"a", .kind = NET_CONV, .k = 1, .kernel = 3}, {"b", .kind = NET_CONV, .k = 1, .kernel = 3}}, 2, 5},
        {{{"a", .kind = NET_CONV, .k = 1, .kernel = 3},
          {"b", .kind = NET_CONV, .k = 1, .kernel = 3},
          {"c", .kind = NET_CONV, .k = 1, .kernel = 3}}, 3, 7},
        {{{"a", .kind = NET_CONV, .k = 1, .kernel = 3},
          {"b", .kind = NET_CONV, .k = 1, .kernel = 3, .dilation = 2},
          {"c", .kind = NET_CONV, .k = 1, .kernel = 3, .dilation = 4}}, 3, 15},
        {{{"a", .kind = NET_SUBSAMPLE, .k = 1, .stride = 3}, {"b", .kind = NET_CONV, .k = 1, .kernel = 3}}, 2, 7},
    };
    for (size_t row = 0; row < sizeof rows / sizeof *rows; row++) {
        struct net net;
        struct convoy_error err = error_none();
        int32_t at = NET_IMAGE;
        net_init(&net, "field", (struct net_extent){1, 32, 32}, 1);
        assert_int_equal(net_append(&net, "", rows[row].spec, rows[row].count, &at, &err), CONVOY_OK);
        assert_int_equal(net_receptive_field(&net, at), rows[row].field);
        net_free(&net);
    }
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
        cmocka_unit_test(classifiers_fit_larger_images),
        cmocka_unit_test(a_projection_reads_the_input_of_its_block),
        cmocka_unit_test(the_original_lenet_counts_as_its_paper),
        cmocka_unit_test(googlenet_has_two_auxiliary_heads),
        cmocka_unit_test(shortcuts_are_those_of_their_option),
        cmocka_unit_test(every_network_takes_other_extents),
        cmocka_unit_test(styles_change_any_network),
        cmocka_unit_test(receptive_fields_follow_the_formula),
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
