/* The committed layer tables: their form, the multiplicities and totals of the networks, and the lectures' numbers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/error.h"
#include "core/problem.h"
#include "report/csv.h"
#include "report/table.h"

#include <convoy/shape.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TABLES SOURCE_DIR "/harness/tables/"

static void load(const char *name, struct table *table)
{
    char path[4096];
    assert_in_range(snprintf(path, sizeof path, TABLES "%s.csv", name), 1, sizeof path - 1);
    struct convoy_error err = error_none();
    if (table_load(path, table, &err))
        fail_msg("%s", err.text);
}

/* ---- form ---- */

struct form {
    char name[64];
    int64_t rows;
};

static bool starts_with(const char *text, const char *start)
{
    return !strncmp(text, start, strlen(start));
}

/* Only transposed convolutions, and what no forward row leads to, stand in a table as a backward pass. */
static bool may_be_backward(const char *text)
{
    return starts_with(text, "conv_transpose:") || starts_with(text, "xent_bwd:") || starts_with(text, "sgd:");
}

static bool check_row(void *context, int64_t line, size_t fields, char *const *field, struct convoy_error *err)
{
    struct form *form = context;
    static const char *const header[] = {"network", "layer", "count", "problem", "note"};
    assert_in_range(fields, 4, 5);
    if (line == 1) {
        for (size_t at = 0; at < fields; at++)
            assert_string_equal(field[at], header[at]);
        return true;
    }
    form->rows++;
    assert_string_equal(field[0], form->name);
    union problem problem;
    if (problem_parse(field[3], &problem, err))
        fail_msg("%s:%lld: %s", form->name, (long long)line, err->text);
    char text[PROBLEM_TEXT_BYTES];
    problem_print(&problem, text, sizeof text);
    if (!starts_with(field[3], "conv_transpose:"))
        assert_string_equal(text, field[3]);
    if (problem_pass(&problem) != PASS_FWD && !may_be_backward(field[3]))
        fail_msg("%s:%lld: %s is not a forward problem", form->name, (long long)line, field[3]);
    return true;
}

static void every_table_is_canonical_and_loads(void **state)
{
    (void)state;
    glob_t files;
    assert_int_equal(glob(TABLES "*.csv", 0, NULL, &files), 0);
    assert_int_equal(files.gl_pathc, 17);
    for (size_t file = 0; file < files.gl_pathc; file++) {
        struct form form = {.rows = 0};
        const char *base = strrchr(files.gl_pathv[file], '/') + 1;
        snprintf(form.name, sizeof form.name, "%.*s", (int)strcspn(base, "."), base);
        struct convoy_error err = error_none();
        if (csv_read(files.gl_pathv[file], false, check_row, &form, &err))
            fail_msg("%s", err.text);
        struct table table = {0};
        load(form.name, &table);
        assert_int_equal(table.count, form.rows);
        for (size_t row = 0; row < table.count; row++)
            for (size_t other = 0; other < row; other++)
                if (!strcmp(table.row[row].layer, table.row[other].layer))
                    fail_msg("%s: two rows are named %s", form.name, table.row[row].layer);
        table_free(&table);
    }
    globfree(&files);
}

/* Smoke is what a new backend meets first: with the passes that follow from its rows it must leave nothing out. */
static void smoke_reaches_every_operation_and_kind(void **state)
{
    (void)state;
    bool op_seen[CONVOY_OP_COUNT] = {false}, elt_seen[CONVOY_ELT_COUNT] = {false}, pool_seen[CONVOY_POOL_L2 + 1] = {false};
    struct table table = {0};
    load("smoke", &table);
    for (size_t row = 0; row < table.count; row++) {
        for (int pass = 0; pass < PASS_COUNT; pass++) {
            union problem other;
            if (!problem_other_pass(&table.row[row].problem, (enum problem_pass)pass, &other))
                continue;
            op_seen[other.head.op] = true;
            if (problem_family(&other) == FAMILY_ELTWISE)
                elt_seen[other.eltwise.kind] = true;
            if (other.head.op == CONVOY_POOL_BWD)
                pool_seen[other.pool.kind] = true;
        }
        op_seen[table.row[row].problem.head.op] = true;
        if (problem_family(&table.row[row].problem) == FAMILY_ELTWISE)
            elt_seen[table.row[row].problem.eltwise.kind] = true;
    }
    for (int op = 1; op < CONVOY_OP_COUNT; op++)
        if (!op_seen[op])
            fail_msg("smoke has no operation %d", op);
    for (int kind = 1; kind < CONVOY_ELT_COUNT; kind++)
        if (!elt_seen[kind])
            fail_msg("smoke has no element-wise kind %d", kind);
    for (int kind = 1; kind <= CONVOY_POOL_L2; kind++)
        if (!pool_seen[kind])
            fail_msg("smoke has no backward pooling of kind %d", kind);
    table_free(&table);
}

/* ---- networks ---- */

static bool is_conv(const struct table_row *row)
{
    return problem_family(&row->problem) == FAMILY_CONV;
}

static bool is_fc(const struct table_row *row)
{
    const struct convoy_conv *conv = &row->problem.conv;
    return is_conv(row) && conv->kh == conv->h && conv->kw == conv->w && conv->oh == 1 && conv->ow == 1;
}

/* Exact totals, published by the papers or by frameworks that count them (multiply-adds of convolutions and fully connected
 * layers; parameters with gamma and beta); millions of multiply-adds of the convolutions alone, rounded. */
static const struct {
    const char *table;
    int64_t convs, distinct, fcs, pools, bns;
    int64_t macs, params, conv_mmacs;
} networks[] = {
    {"lenet5", 2, 2, 3, 2, 0, 416520, 61706, 0},
    {"alexnet", 5, 5, 3, 3, 0, 724406816, 60965224, 666},
    {"vgg-a", 8, 7, 3, 5, 0, 7609090048, 132863336, 7485},
    {"vgg-a-lrn", 8, 7, 3, 5, 0, 7609090048, 132863336, 7485},
    {"vgg-b", 10, 9, 3, 5, 0, 11308466176, 133047848, 11185},
    {"vgg-c", 13, 12, 3, 5, 0, 11770888192, 133638952, 11647},
    {"vgg-d", 13, 9, 3, 5, 0, 15470264320, 138357544, 15347},
    {"vgg-e", 16, 9, 3, 5, 0, 19632062464, 143667240, 19508},
    {"resnet18", 20, 11, 1, 2, 20, 1814073344, 11689512, 1814},
    {"resnet34", 36, 11, 1, 2, 36, 3663761408, 21797672, 3663},
    {"resnet50", 53, 23, 1, 2, 53, 4089184256, 25557032, 4087},
    {"resnet101", 104, 23, 1, 2, 104, 7801405440, 44549160, 7799},
    {"resnet152", 155, 23, 1, 2, 155, 11513626624, 60192808, 11512},
};

static void networks_have_their_totals(void **state)
{
    (void)state;
    for (size_t at = 0; at < sizeof networks / sizeof *networks; at++) {
        struct table table = {0};
        load(networks[at].table, &table);
        int64_t convs = 0, distinct = 0, fcs = 0, pools = 0, bns = 0, macs = 0, params = 0, conv_macs = 0;
        for (size_t index = 0; index < table.count; index++) {
            const struct table_row *row = &table.row[index];
            const enum problem_family family = problem_family(&row->problem);
            if (family == FAMILY_CONV) {
                assert_int_equal(row->problem.conv.n, 1);
                macs += row->count * convoy_conv_macs(&row->problem.conv);
                params += row->count * convoy_conv_params(&row->problem.conv);
            }
            if (is_fc(row)) {
                fcs += row->count;
            } else if (family == FAMILY_CONV) {
                convs += row->count;
                distinct++;
                conv_macs += row->count * convoy_conv_macs(&row->problem.conv);
            } else if (family == FAMILY_POOL) {
                pools += row->count;
            } else if (family == FAMILY_BN) {
                bns += row->count;
                params += row->count * 2 * row->problem.bn.c;
            }
        }
        if (macs != networks[at].macs || params != networks[at].params)
            fail_msg("%s: %lld multiply-adds, %lld parameters", networks[at].table, (long long)macs, (long long)params);
        assert_int_equal((conv_macs + 500000) / 1000000, networks[at].conv_mmacs);
        assert_int_equal(convs, networks[at].convs);
        assert_int_equal(distinct, networks[at].distinct);
        assert_int_equal(fcs, networks[at].fcs);
        assert_int_equal(pools, networks[at].pools);
        assert_int_equal(bns, networks[at].bns);
        table_free(&table);
    }
}

/* Rows c -> k, kernel, stride, input size, and their multiplicity in each of up to five tables. */
enum { COLUMNS = 5 };
struct conv_counts {
    int32_t c, k, kernel, stride, h;
    int64_t count[COLUMNS];
};
struct bn_counts {
    int32_t c, h;
    int64_t count[COLUMNS];
};

/* Simonyan & Zisserman, arXiv 1409.1556, table 1. */
static const char *const vgg_tables[] = {"vgg-a", "vgg-b", "vgg-c", "vgg-d", "vgg-e"};
static const struct conv_counts vgg_convs[] = {
    {3, 64, 3, 1, 224, {1, 1, 1, 1, 1}},    {64, 64, 3, 1, 224, {0, 1, 1, 1, 1}},  {64, 128, 3, 1, 112, {1, 1, 1, 1, 1}},
    {128, 128, 3, 1, 112, {0, 1, 1, 1, 1}}, {128, 256, 3, 1, 56, {1, 1, 1, 1, 1}}, {256, 256, 3, 1, 56, {1, 1, 1, 2, 3}},
    {256, 256, 1, 1, 56, {0, 0, 1, 0, 0}},  {256, 512, 3, 1, 28, {1, 1, 1, 1, 1}}, {512, 512, 3, 1, 28, {1, 1, 1, 2, 3}},
    {512, 512, 1, 1, 28, {0, 0, 1, 0, 0}},  {512, 512, 3, 1, 14, {2, 2, 2, 3, 4}}, {512, 512, 1, 1, 14, {0, 0, 1, 0, 0}},
};

/* He et al., arXiv 1512.03385, table 1, with the stride of a bottleneck in its 3x3. */
static const char *const basic_tables[] = {"resnet18", "resnet34"};
static const struct conv_counts basic_convs[] = {
    {3, 64, 7, 2, 224, {1, 1}},   {64, 64, 3, 1, 56, {4, 6}},   {64, 128, 3, 2, 56, {1, 1}},  {64, 128, 1, 2, 56, {1, 1}},
    {128, 128, 3, 1, 28, {3, 7}}, {128, 256, 3, 2, 28, {1, 1}}, {128, 256, 1, 2, 28, {1, 1}}, {256, 256, 3, 1, 14, {3, 11}},
    {256, 512, 3, 2, 14, {1, 1}}, {256, 512, 1, 2, 14, {1, 1}}, {512, 512, 3, 1, 7, {3, 5}},
};
static const struct bn_counts basic_bns[] = {
    {64, 112, {1, 1}}, {64, 56, {4, 6}}, {128, 28, {5, 9}}, {256, 14, {5, 13}}, {512, 7, {5, 7}},
};

static const char *const bottleneck_tables[] = {"resnet50", "resnet101", "resnet152"};
static const struct conv_counts bottleneck_convs[] = {
    {3, 64, 7, 2, 224, {1, 1, 1}},     {64, 64, 1, 1, 56, {1, 1, 1}},      {64, 64, 3, 1, 56, {3, 3, 3}},
    {64, 256, 1, 1, 56, {4, 4, 4}},    {256, 64, 1, 1, 56, {2, 2, 2}},     {256, 128, 1, 1, 56, {1, 1, 1}},
    {128, 128, 3, 2, 56, {1, 1, 1}},   {128, 128, 3, 1, 28, {3, 3, 7}},    {128, 512, 1, 1, 28, {4, 4, 8}},
    {256, 512, 1, 2, 56, {1, 1, 1}},   {512, 128, 1, 1, 28, {3, 3, 7}},    {512, 256, 1, 1, 28, {1, 1, 1}},
    {256, 256, 3, 2, 28, {1, 1, 1}},   {256, 256, 3, 1, 14, {5, 22, 35}},  {256, 1024, 1, 1, 14, {6, 23, 36}},
    {512, 1024, 1, 2, 28, {1, 1, 1}},  {1024, 256, 1, 1, 14, {5, 22, 35}}, {1024, 512, 1, 1, 14, {1, 1, 1}},
    {512, 512, 3, 2, 14, {1, 1, 1}},   {512, 512, 3, 1, 7, {2, 2, 2}},     {512, 2048, 1, 1, 7, {3, 3, 3}},
    {1024, 2048, 1, 2, 14, {1, 1, 1}}, {2048, 512, 1, 1, 7, {2, 2, 2}},
};
static const struct bn_counts bottleneck_bns[] = {
    {64, 112, {1, 1, 1}},    {64, 56, {6, 6, 6}},     {256, 56, {4, 4, 4}}, {128, 56, {1, 1, 1}},
    {128, 28, {7, 7, 15}},   {512, 28, {5, 5, 9}},    {256, 28, {1, 1, 1}}, {512, 14, {1, 1, 1}},
    {256, 14, {11, 45, 71}}, {1024, 14, {7, 24, 37}}, {512, 7, {5, 5, 5}},  {2048, 7, {4, 4, 4}},
};

static bool matches(const struct convoy_conv *conv, const struct conv_counts *counts)
{
    return conv->c == counts->c && conv->k == counts->k && conv->kh == counts->kernel && conv->kw == counts->kernel &&
           conv->stride_h == counts->stride && conv->stride_w == counts->stride && conv->h == counts->h && conv->w == counts->h &&
           conv->pad_t == counts->kernel / 2 && conv->pad_b == counts->kernel / 2 && conv->pad_l == counts->kernel / 2 &&
           conv->pad_r == counts->kernel / 2 && conv->groups == 1 && conv->dil_h == 1 && conv->dil_w == 1;
}

/* Every expected row has its count, and there are no others. */
static void check_convs(const char *name, size_t column, const struct conv_counts *counts, size_t rows)
{
    struct table table = {0};
    load(name, &table);
    int64_t expected = 0, found = 0;
    for (size_t at = 0; at < rows; at++) {
        int64_t count = 0;
        for (size_t row = 0; row < table.count; row++)
            if (is_conv(&table.row[row]) && !is_fc(&table.row[row]) && matches(&table.row[row].problem.conv, &counts[at]))
                count += table.row[row].count;
        if (count != counts[at].count[column])
            fail_msg("%s: %d -> %d, %dx%d stride %d at %d: %lld times, not %lld", name, counts[at].c, counts[at].k,
                     counts[at].kernel, counts[at].kernel, counts[at].stride, counts[at].h, (long long)count,
                     (long long)counts[at].count[column]);
        expected += count;
    }
    for (size_t row = 0; row < table.count; row++)
        if (is_conv(&table.row[row]) && !is_fc(&table.row[row]))
            found += table.row[row].count;
    assert_int_equal(found, expected);
    table_free(&table);
}

static void check_bns(const char *name, size_t column, const struct bn_counts *counts, size_t rows)
{
    struct table table = {0};
    load(name, &table);
    size_t found = 0;
    for (size_t row = 0; row < table.count; row++) {
        if (problem_family(&table.row[row].problem) != FAMILY_BN)
            continue;
        const struct convoy_bn *bn = &table.row[row].problem.bn;
        found++;
        size_t at = 0;
        while (at < rows && (counts[at].c != bn->c || counts[at].h != bn->h || bn->w != bn->h))
            at++;
        if (at == rows)
            fail_msg("%s: unexpected batch norm of %d channels at %d", name, bn->c, bn->h);
        assert_int_equal(table.row[row].count, counts[at].count[column]);
    }
    assert_int_equal(found, rows);
    table_free(&table);
}

#define COUNT(array) (sizeof(array) / sizeof *(array))

static void networks_have_their_multiplicities(void **state)
{
    (void)state;
    for (size_t column = 0; column < COUNT(vgg_tables); column++)
        check_convs(vgg_tables[column], column, vgg_convs, COUNT(vgg_convs));
    check_convs("vgg-a-lrn", 0, vgg_convs, COUNT(vgg_convs));
    for (size_t column = 0; column < COUNT(basic_tables); column++) {
        check_convs(basic_tables[column], column, basic_convs, COUNT(basic_convs));
        check_bns(basic_tables[column], column, basic_bns, COUNT(basic_bns));
    }
    for (size_t column = 0; column < COUNT(bottleneck_tables); column++) {
        check_convs(bottleneck_tables[column], column, bottleneck_convs, COUNT(bottleneck_convs));
        check_bns(bottleneck_tables[column], column, bottleneck_bns, COUNT(bottleneck_bns));
    }
}

/* ---- lectures ---- */

/* Output extents, multiply-adds and parameters as the lectures compute them (where they do not, by their formulas:
 * oh*ow*k*(c/groups)*kh*kw and k*(c/groups)*kh*kw + k). 0 multiply-adds: not a convolution. */
static const struct {
    const char *layer;
    int32_t c, h, w;
    int64_t macs, params;
} lecture[] = {
    {"s0-5x5-valid", 64, 60, 60, 184320000, 51264},
    {"s0-3x3-valid-1", 64, 62, 62, 70852608, 18496},
    {"s0-3x3-valid-2", 64, 60, 60, 132710400, 36928},
    {"s0-5x5-same", 64, 64, 64, 209715200, 51264},
    {"s0-3x3-same-1", 64, 64, 64, 75497472, 18496},
    {"s0-3x3-same-2", 64, 64, 64, 150994944, 36928},
    {"s0-3x32x32-valid", 64, 30, 30, 1555200, 1792},
    {"s0-3x32x32-same", 64, 32, 32, 1769472, 1792},
    {"s0-net-conv1", 64, 30, 30, 1555200, 1792},
    {"s0-net-pool1", 64, 15, 15, 0, 0},
    {"s0-net-conv2", 128, 13, 13, 12460032, 73856},
    {"s0-net-pool2", 128, 6, 6, 0, 0},
    {"s0-net-fc1", 512, 1, 1, 2359296, 2359808},
    {"s0-net-fc2", 10, 1, 1, 5120, 5130},
    {"s0-bn", 1, 1, 1, 0, 0},
    {"s1-10x10x3", 1, 8, 8, 1728, 28},
    {"s1-ann", 5, 1, 1, 375, 375},
    {"s1-fc", 6, 1, 1, 150, 156},
    {"s1-convnet-conv", 16, 10, 10, 43200, 448},
    {"s1-convnet-pool", 16, 5, 5, 0, 0},
    {"s1-convnet-fc", 60, 1, 1, 24000, 24060},
    {"s2-simplenet-conv1", 10, 60, 60, 900000, 260},
    {"s2-simplenet-pool1", 10, 20, 20, 0, 0},
    {"s2-simplenet-conv2", 20, 16, 16, 1280000, 5020},
    {"s2-simplenet-pool2", 20, 5, 5, 0, 0},
    {"s2-simplenet-fc1", 100, 1, 1, 50000, 50100},
    {"s2-simplenet-fc2", 15, 1, 1, 1500, 1515},
    {"s2-l2pool", 1, 3, 3, 0, 0},
    {"s3-i4k3", 1, 2, 2, 36, 9},
    {"s3-i5k4p2", 1, 6, 6, 576, 16},
    {"s3-5x5-s1p0", 1, 3, 3, 81, 9},
    {"s3-5x5-s2p1", 1, 3, 3, 81, 9},
    {"s3-5x5-s1p1", 1, 5, 5, 225, 9},
    {"s3-5x5-dilated", 1, 1, 1, 9, 9},
    {"s3-two-to-three", 3, 3, 3, 486, 54},
    {"s3-two-channels", 1, 2, 2, 32, 8},
    {"s3-average", 1, 3, 3, 0, 0},
    {"s3-max", 1, 3, 3, 0, 0},
    {"s4-matrix", 1, 2, 2, 36, 9},
    {"s4-transposed", 1, 4, 4, 36, 9},
    {"s4-transposed-s2", 1, 5, 5, 81, 9},
    {"s4-transposed-s2-outpad", 1, 6, 6, 81, 9},
    {"s4-depthwise", 64, 32, 32, 589824, 576},
    {"s4-pointwise", 128, 32, 32, 8388608, 8192},
    {"s4-full", 128, 32, 32, 75497472, 73728},
    {"pool-max-floor", 1, 2, 2, 0, 0},
    {"pool-max-ceil", 1, 3, 3, 0, 0},
    {"pool-average-ceil-valid", 1, 3, 3, 0, 0},
    {"pool-googlenet", 64, 56, 56, 0, 0},
    {"pool-resnet", 64, 56, 56, 0, 0},
    {"pool-alexnet-1", 96, 27, 27, 0, 0},
    {"pool-alexnet-2", 256, 13, 13, 0, 0},
    {"pool-alexnet-5", 256, 6, 6, 0, 0},
};

/* Totals over the rows whose name starts so. */
static const struct {
    const char *start;
    int64_t macs, params;
} lecture_sums[] = {
    {"s0-3x3-valid-", 203563008, 55424}, {"s0-3x3-same-", 226492416, 55424}, {"s0-net-", 16379648, 2440586},
    {"s1-convnet-", 67200, 24508},       {"s2-simplenet-", 2231500, 56895},
};

static void check_output(const char *layer, const union problem *problem, int32_t c, int32_t h, int32_t w)
{
    int32_t oc = problem->bn.c, oh = problem->bn.h, ow = problem->bn.w;
    switch (problem->head.op) {
    case CONVOY_CONV_FWD:
        oc = problem->conv.k, oh = problem->conv.oh, ow = problem->conv.ow;
        break;
    case CONVOY_CONV_BWD_DATA: /* a transposed convolution puts out what the convolution takes in */
        oc = problem->conv.c, oh = problem->conv.h, ow = problem->conv.w;
        break;
    case CONVOY_POOL_FWD:
        oc = problem->pool.c, oh = problem->pool.oh, ow = problem->pool.ow;
        break;
    default:
        break;
    }
    if (oc != c || oh != h || ow != w)
        fail_msg("%s: output %d@%dx%d, not %d@%dx%d", layer, oc, oh, ow, c, h, w);
}

static void lecture_rows_have_the_lectures_numbers(void **state)
{
    (void)state;
    struct table table = {0};
    load("lecture", &table);
    assert_int_equal(table.count, COUNT(lecture));
    for (size_t row = 0; row < table.count; row++) {
        const struct table_row *got = &table.row[row];
        assert_string_equal(got->layer, lecture[row].layer);
        check_output(got->layer, &got->problem, lecture[row].c, lecture[row].h, lecture[row].w);
        const int64_t macs = is_conv(got) ? convoy_conv_macs(&got->problem.conv) : 0;
        const int64_t params = is_conv(got) ? convoy_conv_params(&got->problem.conv) : 0;
        if (macs != lecture[row].macs || params != lecture[row].params)
            fail_msg("%s: %lld multiply-adds, %lld parameters", got->layer, (long long)macs, (long long)params);
    }
    for (size_t sum = 0; sum < COUNT(lecture_sums); sum++) {
        int64_t macs = 0, params = 0;
        for (size_t row = 0; row < table.count; row++) {
            if (!starts_with(table.row[row].layer, lecture_sums[sum].start) || !is_conv(&table.row[row]))
                continue;
            macs += convoy_conv_macs(&table.row[row].problem.conv);
            params += convoy_conv_params(&table.row[row].problem.conv);
        }
        assert_int_equal(macs, lecture_sums[sum].macs);
        assert_int_equal(params, lecture_sums[sum].params);
    }
    table_free(&table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_table_is_canonical_and_loads),
        cmocka_unit_test(smoke_reaches_every_operation_and_kind),
        cmocka_unit_test(networks_have_their_totals),
        cmocka_unit_test(networks_have_their_multiplicities),
        cmocka_unit_test(lecture_rows_have_the_lectures_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
