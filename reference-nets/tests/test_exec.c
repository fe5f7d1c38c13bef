/* The executor: gradients of whole networks beside central differences, equal results for every thread count and batch split,
 * evaluation beside training. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/error.h"
#include "core/rng.h"
#include "nets/catalog.h"
#include "runtime/gradcheck.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PLUGINS BUILD_DIR "/plugins"
static const char *const folders[] = {PLUGINS, NULL};

static bool only(const void *context, const union problem *problem, int rank, char name[BACKEND_NAME_BYTES])
{
    (void)problem;
    snprintf(name, BACKEND_NAME_BYTES, "%s", (const char *)context);
    return rank == 0;
}

struct bench {
    struct net net;
    struct model model;
    struct backends *backends;
    struct exec *exec;
};

#define MUST(call)                                                                                                                          \
    do {                                                                                                                                    \
        struct convoy_error err = error_none();                                                                                             \
        if (call)                                                                                                                           \
            fail_msg("%s: %s", #call, err.text);                                                                                            \
    } while (0)

/* Values with the spread of He's initialisation; gamma near 1. */
static void draw(struct model *model)
{
    struct convoy_error err = error_none();
    for (size_t index = 0; index < model->params; index++) {
        struct param *param = &model->param[index];
        float *value = tensor_host(&param->value, TENSOR_WRITE, &err);
        assert_non_null(value);
        const double spread = param->fan_in && param->role == PARAM_WEIGHT ? sqrt(6.0 / (double)param->fan_in) : 0.2;
        const double middle = param->role == PARAM_GAMMA || param->role == PARAM_RUN_VAR ? 1 : 0;
        for (int64_t i = 0; i < param->count; i++)
            value[i] = (float)(middle + spread * rng_uniform(7, index, (uint64_t)i));
    }
}

static void close_bench(struct bench *b)
{
    exec_free(b->exec);
    backends_close(b->backends);
    model_free(&b->model);
    net_free(&b->net);
}

/* The same graph with smooth functions in place of those with kinks, so that central differences are exact to rounding. */
static void smooth(struct net *net)
{
    for (size_t l = 0; l < net->count; l++) {
        struct net_layer *layer = &net->layer[l];
        if (layer->kind == NET_ACT && layer->spec.act == CONVOY_ELT_RELU) {
            layer->spec.act = CONVOY_ELT_SOFTPLUS;
            layer->problem.eltwise.kind = CONVOY_ELT_SOFTPLUS;
        } else if (layer->kind == NET_MAXPOOL) {
            layer->kind = layer->spec.kind = NET_AVGPOOL;
            layer->problem.pool.kind = CONVOY_POOL_AVG_PAD;
        }
    }
}

static void open_net(struct bench *b, const char *backend, uint32_t threads, int32_t batch, enum exec_mode mode)
{
    MUST(model_create(&b->net, &b->model, &err));
    MUST(!(b->backends = backends_open(threads, folders, (struct chooser){only, backend}, &err)));
    draw(&b->model);
    MUST(exec_create(&b->model, b->backends, batch, mode, &b->exec, &err));
}

static void check_gradients(struct bench *b, const char *what, const char *backend, double most)
{
    struct gradcheck result;
    MUST(gradcheck_run(b->exec, &b->model, 3, &result, &err));
    if (!(result.worst < most))
        fail_msg("%s with %s: %.2g in %s", what, backend, result.worst, result.worst_name);
}

/* One of every family. Dropout and the like draw the same in every forward of a check. */
static void gradients_of_networks_are_those_of_differences(void **state)
{
    (void)state;
    static const struct {
        const char *net;
        struct catalog_options options;
    } rows[] = {
        {"lenet5", {.width = 0.5}},
        {"lenet5-original", {.image = {1, 28, 28}, .width = 0.5}},
        {"perceptron", {.image = {1, 8, 8}, .width = 0.1}},
        {"simplenet", {.image = {1, 26, 26}, .width = 0.4, .classes = 5}},
        {"convnet", {.width = 0.5, .classes = 5}},
        {"alexnet", {.image = {3, 67, 67}, .width = 0.03, .classes = 5}},
        {"zfnet", {.image = {3, 65, 65}, .width = 0.03, .classes = 5}},
        {"vgg-a-lrn", {.image = {3, 32, 32}, .width = 0.03, .classes = 5}},
        {"googlenet", {.image = {3, 9, 9}, .width = 0.04, .classes = 5}},
        {"resnet18", {.image = {3, 33, 33}, .width = 0.0625, .classes = 5}},
        {"resnet18-c", {.image = {3, 33, 33}, .width = 0.03125, .classes = 5}},
        {"resnet20", {.image = {3, 9, 9}, .width = 0.25, .classes = 5}},
        {"resnet50", {.image = {3, 33, 33}, .width = 0.03125, .classes = 5}},
        {"resnext50-32x4d", {.image = {3, 33, 33}, .width = 0.01, .classes = 5}},
        {"preact-resnet20", {.image = {3, 9, 9}, .width = 0.25, .classes = 5}},
        {"wrn-16-4", {.image = {3, 9, 9}, .width = 0.125, .classes = 5}},
        {"densenet-40", {.image = {3, 8, 8}, .width = 0.17, .classes = 5}},
        {"mobilenet", {.image = {3, 33, 33}, .width = 0.125, .classes = 5}},
    };
    for (size_t row = 0; row < sizeof rows / sizeof *rows; row++) {
        struct bench b = {0};
        MUST(catalog_build(rows[row].net, &rows[row].options, &b.net, &err));
        smooth(&b.net);
        open_net(&b, "im2col", 1, 4, EXEC_CHECK);
        check_gradients(&b, rows[row].net, "im2col", 1e-2);
        close_bench(&b);
    }
}

static void gradients_of_every_backend_are_those_of_differences(void **state)
{
    (void)state;
    static const char *const backends[] = {"naive", "im2col", "direct", "fft", "winograd", "onednn"};
    for (size_t index = 0; index < sizeof backends / sizeof *backends; index++) {
        char path[4096];
        snprintf(path, sizeof path, PLUGINS "/convoy_%s.so", backends[index]);
        if (access(path, R_OK)) {
            print_message("%s is not built\n", backends[index]);
            continue;
        }
        struct bench b = {0};
        MUST(catalog_build("lenet5", &(struct catalog_options){.width = 0.5}, &b.net, &err));
        smooth(&b.net);
        open_net(&b, backends[index], 2, 3, EXEC_CHECK);
        check_gradients(&b, "lenet5", backends[index], 1e-2);
        close_bench(&b);
    }
}

/* A map that an affine layer makes all zero sits on the kink of a ReLU, whose gradient there is 0 by choice while the loss does
 * change with the layer's parameters: the check must see that, for all maps and for some of them. */
static void a_wrong_gradient_is_found(void **state)
{
    (void)state;
    for (int64_t dead = 0; dead <= 8; dead += 4) {
        const struct net_spec spec[] = {
            {"first", .kind = NET_CONV, .k = 8, .kernel = 3, .pad = 1, .bias = true},
            {"affine", .kind = NET_AFFINE},
            {"relu", .kind = NET_ACT, .act = CONVOY_ELT_RELU},
            {"last", .kind = NET_FC, .k = 5, .bias = true},
        };
        struct bench b = {0};
        int32_t at = NET_IMAGE;
        net_init(&b.net, "wrong", (struct net_extent){2, 8, 8}, 5);
        MUST(net_append(&b.net, "", spec, sizeof spec / sizeof *spec, &at, &err));
        MUST(net_finish(&b.net, &err));
        open_net(&b, "naive", 2, 3, EXEC_CHECK);
        for (int32_t place = b.model.first[1]; place < b.model.first[2]; place++) {
            struct convoy_error err = error_none();
            float *value = tensor_host(&b.model.param[place].value, TENSOR_UPDATE, &err);
            assert_non_null(value);
            memset(value, 0, (size_t)dead * sizeof *value);
        }
        struct gradcheck result;
        MUST(gradcheck_run(b.exec, &b.model, 3, &result, &err));
        if (dead == 0)
            assert_true(result.worst < 1e-2);
        else if (!(result.worst > 0.05) || strncmp(result.worst_name, "affine", 6))
            fail_msg("%d of 8 maps wrong: %.2g in %s", (int)dead, result.worst, result.worst_name);
        close_bench(&b);
    }
}

/* One layer between a convolution, which gives it a gradient to hand on, and a fully connected one. */
static void gradients_of_layers_are_those_of_differences(void **state)
{
    (void)state;
    static const float codes[5 * 8] = {0.5f, -0.5f, 1, 0, 0.25f, -1, 0.75f, -0.25f, 1, 1, -1, 0.5f};
    static const struct net_spec kinds[] = {
        {"layer", .kind = NET_CONV, .k = 6, .kernel = 3, .stride = 2, .pad = 1, .groups = 2, .bias = true},
        {"layer", .kind = NET_BN},
        {"layer", .kind = NET_MAXPOOL, .kernel = 3, .stride = 2, .pad = 1},
        {"layer", .kind = NET_AVGPOOL, .kernel = 3, .stride = 2, .pad = 1, .valid_only = true},
        {"layer", .kind = NET_L2POOL, .kernel = 2, .stride = 2},
        {"layer", .kind = NET_AVGPOOL_GLOBAL},
        {"layer", .kind = NET_ACT, .act = CONVOY_ELT_RELU},
        {"layer", .kind = NET_ACT, .act = CONVOY_ELT_LEAKY, .alpha = 0.1f},
        {"layer", .kind = NET_ACT, .act = CONVOY_ELT_SIGMOID},
        {"layer", .kind = NET_ACT, .act = CONVOY_ELT_TANH, .alpha = 1.7159f, .beta = 2.0f / 3},
        {"layer", .kind = NET_ACT, .act = CONVOY_ELT_ELU, .alpha = 1, .beta = 1},
        {"layer", .kind = NET_ACT, .act = CONVOY_ELT_SOFTPLUS},
        {"layer", .kind = NET_ACT, .act = CONVOY_ELT_HARDTANH},
        {"layer", .kind = NET_ACT, .act = CONVOY_ELT_SOFTSIGN},
        {"layer", .kind = NET_PRELU},
        {"layer", .kind = NET_RRELU, .alpha = 0.125f, .beta = 1.0f / 3},
        {"layer", .kind = NET_MAXOUT, .window = 2},
        {"layer", .kind = NET_AFFINE},
        {"layer", .kind = NET_GROUPNORM, .window = 4},
        {"layer", .kind = NET_LRN, .window = 5, .alpha = 0.1f, .beta = 0.75f, .bias_k = 2},
        {"layer", .kind = NET_LCN, .kernel = 3},
        {"layer", .kind = NET_L2FEATURES, .window = 2},
        {"layer", .kind = NET_DROPOUT, .p = 0.4f},
        {"layer", .kind = NET_NOISE, .p = 0.3f},
        {"layer", .kind = NET_SUBSAMPLE, .stride = 2, .k = 12},
    };
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
        const struct net_spec first = {"first", .kind = NET_CONV, .k = 8, .kernel = 3, .pad = 1, .bias = true};
        const struct net_spec last = {"last", .kind = NET_FC, .k = 5, .bias = true};
        struct bench b = {0};
        int32_t at = NET_IMAGE;
        net_init(&b.net, "one layer", (struct net_extent){2, 8, 8}, 5);
        MUST(net_append(&b.net, "", &first, 1, &at, &err));
        MUST(net_append(&b.net, "", &kinds[k], 1, &at, &err));
        MUST(net_append(&b.net, "", &last, 1, &at, &err));
        MUST(net_finish(&b.net, &err));
        open_net(&b, "naive", 2, 3, EXEC_CHECK);
        check_gradients(&b, net_kind_name(kinds[k].kind), "naive", 1e-2);
        close_bench(&b);
    }
    const struct net_spec codes_layer = {"layer", .kind = NET_RBF, .k = 5, .codes = codes};
    const struct net_spec squash = {"first", .kind = NET_FC, .k = 8, .bias = true};
    struct bench b = {0};
    int32_t at = NET_IMAGE;
    net_init(&b.net, "codes", (struct net_extent){2, 4, 4}, 5);
    MUST(net_append(&b.net, "", &squash, 1, &at, &err));
    MUST(net_append(&b.net, "", &codes_layer, 1, &at, &err));
    MUST(net_finish(&b.net, &err));
    open_net(&b, "naive", 2, 3, EXEC_CHECK);
    check_gradients(&b, "rbf", "naive", 1e-2);
    close_bench(&b);
}

/* Sums and concatenations, an output that several layers read, and two heads. */
static void gradients_of_joins_are_those_of_differences(void **state)
{
    (void)state;
    struct bench b = {0};
    net_init(&b.net, "joins", (struct net_extent){2, 6, 6}, 5);
    int32_t stem = NET_IMAGE, left, right, sum, all, head;
    const struct net_spec conv = {"stem", .kind = NET_CONV, .k = 4, .kernel = 3, .pad = 1};
    const struct net_spec branch[] = {{"left", .kind = NET_CONV, .k = 4, .kernel = 1}, {"right", .kind = NET_CONV, .k = 4, .kernel = 3, .pad = 1}};
    const struct net_spec ends[] = {{"main", .kind = NET_FC, .k = 5, .bias = true}, {"side", .kind = NET_FC, .k = 5}};
    MUST(net_append(&b.net, "", &conv, 1, &stem, &err));
    left = right = stem;
    MUST(net_append(&b.net, "", &branch[0], 1, &left, &err));
    MUST(net_append(&b.net, "", &branch[1], 1, &right, &err));
    MUST(net_join(&b.net, "", "sum", NET_ADD, (int32_t[]){left, stem, right}, 3, &sum, &err));
    MUST(net_append(&b.net, "", &(struct net_spec){"act", .kind = NET_ACT, .act = CONVOY_ELT_SOFTPLUS}, 1, &sum, &err));
    MUST(net_join(&b.net, "", "all", NET_CAT, (int32_t[]){sum, left, stem}, 3, &all, &err));
    head = all;
    MUST(net_append(&b.net, "", &ends[0], 1, &head, &err));
    MUST(net_head_add(&b.net, head, 1, &err));
    head = right;
    MUST(net_append(&b.net, "", &ends[1], 1, &head, &err));
    MUST(net_head_add(&b.net, head, 0.3f, &err));
    open_net(&b, "naive", 2, 3, EXEC_CHECK);
    check_gradients(&b, "joins", "naive", 1e-2);
    close_bench(&b);
}

static void fill_input(struct exec *exec)
{
    struct convoy_error err = error_none();
    struct tensor *input = exec_input(exec);
    float *pixels = tensor_host(input, TENSOR_WRITE, &err);
    assert_non_null(pixels);
    for (int64_t i = 0; i < input->bytes / (int64_t)sizeof(float); i++)
        pixels[i] = rng_uniform(5, 1, (uint64_t)i);
}

/* Folding ReLUs, working in place and sharing memory change no bit of what comes out. */
static void planned_memory_changes_nothing(void **state)
{
    (void)state;
    float kept[2][4 * 5], *grads[2];
    for (int plain = 0; plain < 2; plain++) {
        struct bench b = {0};
        const struct catalog_options options = {.image = {3, 32, 32}, .width = 0.125, .classes = 5};
        MUST(catalog_build("resnet18", &options, &b.net, &err));
        open_net(&b, "naive", 2, 4, plain ? EXEC_PLAIN : EXEC_TRAIN);
        fill_input(b.exec);
        MUST(exec_forward(b.exec, &err));
        struct convoy_error err = error_none();
        memcpy(kept[plain], tensor_host(exec_head(b.exec, 0), TENSOR_READ, &err), sizeof kept[plain]);
        float *dy = tensor_host(exec_head_grad(b.exec, 0), TENSOR_WRITE, &err);
        for (int i = 0; i < 4 * 5; i++)
            dy[i] = rng_uniform(6, 1, (uint64_t)i);
        assert_int_equal(exec_backward(b.exec, &err), CONVOY_OK);
        const size_t bytes = (size_t)b.model.learned_count * sizeof(float);
        grads[plain] = malloc(bytes);
        assert_non_null(grads[plain]);
        memcpy(grads[plain], model_grads(&b.model, TENSOR_READ, &err), bytes);
        if (plain) {
            assert_memory_equal(kept[0], kept[1], sizeof kept[0]);
            assert_memory_equal(grads[0], grads[1], bytes);
        }
        close_bench(&b);
    }
    free(grads[0]);
    free(grads[1]);
}

/* An evaluation has room for only what is still read: of the maps of resnet20's first stage, the largest, three at a time (what a
 * block reads, and what goes in and out of a layer in it), where training keeps dozens. */
static void evaluation_reuses_memory(void **state)
{
    (void)state;
    struct bench b = {0};
    const struct catalog_options options = {.image = {3, 32, 32}, .width = 0.125, .classes = 5};
    struct exec *train;
    MUST(catalog_build("resnet20", &options, &b.net, &err));
    open_net(&b, "im2col", 2, 2, EXEC_EVAL);
    MUST(exec_create(&b.model, b.backends, 2, EXEC_TRAIN, &train, &err));
    assert_true(exec_activation_bytes(b.exec) < exec_activation_bytes(train) / 3);
    exec_free(train);
    close_bench(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gradients_of_layers_are_those_of_differences),
        cmocka_unit_test(gradients_of_joins_are_those_of_differences),
        cmocka_unit_test(gradients_of_networks_are_those_of_differences),
        cmocka_unit_test(gradients_of_every_backend_are_those_of_differences),
        cmocka_unit_test(a_wrong_gradient_is_found),
        cmocka_unit_test(planned_memory_changes_nothing),
        cmocka_unit_test(evaluation_reuses_memory),
    };
    return cmocka_run_group_tests_name("exec", tests, NULL, NULL);
}
