/* Gradients beside central differences: every kind of layer and every family of networks with every backend. For im2col each
 * tensor of a network is checked by itself; the others must give the gradients that the reference gives, tensor by tensor, and
 * are checked along directions of all tensors together. With CONVOY_GRADIENTS=each they are checked tensor by tensor too. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/error.h"
#include "core/host.h"
#include "core/loader.h"
#include "core/registry.h"
#include "core/rng.h"
#include "nets/catalog.h"
#include "runtime/gradcheck.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
    struct exec *exec;
};

#define MUST(call)                                                                                                               \
    do {                                                                                                                         \
        struct convoy_error err = error_none();                                                                                  \
        if (call)                                                                                                                \
            fail_msg("%s: %s", #call, err.text);                                                                                 \
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

static void close_net(struct bench *b)
{
    exec_free(b->exec);
    model_free(&b->model);
    net_free(&b->net);
}

/* The same graph with smooth functions in place of those with kinks, so that central differences are exact to rounding. An ELU
 * keeps the means of what it gives near 0 as no softplus does, so that gradients do not drown in the loss's rounding. */
static void smooth(struct net *net)
{
    for (size_t l = 0; l < net->count; l++) {
        struct net_layer *layer = &net->layer[l];
        if (layer->kind == NET_ACT && layer->spec.act == CONVOY_ELT_RELU) {
            layer->spec.act = CONVOY_ELT_ELU;
            layer->problem.eltwise.kind = CONVOY_ELT_ELU;
        } else if (layer->kind == NET_MAXPOOL) {
            layer->kind = layer->spec.kind = NET_AVGPOOL;
            layer->problem.pool.kind = CONVOY_POOL_AVG_PAD;
        }
    }
}

static struct backends *open_backends(const char *name, uint32_t threads)
{
    struct convoy_error err = error_none();
    struct backends *backends = backends_open(threads, folders, (struct chooser){only, name}, &err);
    if (!backends)
        fail_msg("%s", err.text);
    return backends;
}

static void open_net(struct bench *b, struct backends *backends, int32_t batch)
{
    MUST(model_create(&b->net, &b->model, &err));
    draw(&b->model);
    MUST(exec_create(&b->model, backends, batch, EXEC_CHECK, &b->exec, &err));
}

static const double tolerance = 1e-2;

/* Returns how many gradients rounding hides. */
static int32_t check_gradients(struct bench *b, enum gradcheck_extent extent, const char *what, const char *backend)
{
    struct gradcheck result;
    MUST(gradcheck_run(b->exec, &b->model, extent, 3, &result, &err));
    if (!(result.worst < tolerance))
        fail_msg("%s with %s: %.2g in %s", what, backend, result.worst, result.worst_name);
    return result.hidden;
}

/* Passes of layers that the backend computes, and all that any backend does. */
static void count_computed(const struct bench *b, const char *backend, int *its, int *all)
{
    for (int32_t l = 0; l < (int32_t)b->net.count; l++)
        for (enum problem_pass pass = PASS_FWD; pass < PASS_COUNT; pass++) {
            const char *name = exec_backend(b->exec, l, pass);
            *its += !strcmp(name, backend);
            *all += name[0] != '\0';
        }
}

/* Skips the test where the backend is not built, or has no device. */
static void need(const char *name)
{
    struct convoy_error err = error_none();
    struct registry registry;
    const struct convoy_plugin *plugin;
    struct convoy_instance *instance = NULL;
    int fpenv_changed;
    char file[BACKEND_NAME_BYTES];
    snprintf(file, sizeof file, "%.*s", (int)strcspn(name, ":"), name);
    struct host *host = host_open(1, &err);
    assert_non_null(host);
    assert_int_equal(registry_scan(folders, &registry, &err), CONVOY_OK);
    const struct registry_entry *entry = registry_find(&registry, file);
    convoy_status status = entry ? loader_open(entry->path, &plugin, &fpenv_changed, &err) : CONVOY_UNSUPPORTED;
    if (!entry)
        snprintf(err.text, sizeof err.text, "not built");
    if (!status)
        status = loader_instance(plugin, host_table(host), name[strlen(file)] ? name + strlen(file) + 1 : NULL, &instance, &err);
    if (instance)
        instance->ops->close(instance);
    registry_free(&registry);
    host_close(host);
    if (!status)
        return;
    print_message("%s: %s\n", name, err.text);
    if (status == CONVOY_UNSUPPORTED)
        skip();
    fail();
}

/* One of every family. Dropout and the like draw the same in every forward of a check. */
static const struct family {
    const char *net;
    struct catalog_options options;
} families[] = {
    {"lenet5", {.width = 0.5}},
    {"lenet5-original", {.image = {1, 28, 28}, .width = 0.5}},
    {"perceptron", {.image = {1, 8, 8}, .width = 0.1}},
    {"simplenet", {.image = {1, 26, 26}, .width = 0.4, .classes = 5}},
    {"convnet", {.width = 0.5, .classes = 5}},
    {"alexnet", {.image = {3, 67, 67}, .width = 0.03, .classes = 5}},
    {"zfnet", {.image = {3, 65, 65}, .width = 0.03, .classes = 5}},
    {"vgg-a-lrn", {.image = {3, 32, 32}, .width = 0.03, .classes = 5}},
    {"vgg-c", {.image = {3, 32, 32}, .width = 0.03, .classes = 5}},
    {"googlenet", {.image = {3, 9, 9}, .width = 0.04, .classes = 5}},
    {"resnet18", {.image = {3, 33, 33}, .width = 0.0625, .classes = 5}},
    {"resnet18-c", {.image = {3, 33, 33}, .width = 0.03125, .classes = 5}},
    {"resnet20", {.image = {3, 9, 9}, .width = 0.25, .classes = 5}},
    {"resnet50", {.image = {3, 33, 33}, .width = 0.03125, .classes = 5}},
    {"resnet50-v1", {.image = {3, 33, 33}, .width = 0.03125, .classes = 5}},
    {"resnext50-32x4d", {.image = {3, 33, 33}, .width = 0.01, .classes = 5}},
    {"preact-resnet20", {.image = {3, 9, 9}, .width = 0.25, .classes = 5}},
    {"wrn-16-4", {.image = {3, 9, 9}, .width = 0.125, .classes = 5}},
    {"densenet-40", {.image = {3, 8, 8}, .width = 0.17, .classes = 5}},
    {"densenet-bc-100", {.image = {3, 8, 8}, .width = 0.17, .classes = 5}},
    {"vgg-a", {.image = {3, 32, 32}, .width = 0.03, .classes = 5, .bn_place = NET_BN_AFTER}},
    {"resnet20", {.image = {3, 9, 9}, .width = 0.25, .classes = 5, .bn_place = NET_BN_AFTER}},
    {"mobilenet", {.image = {3, 33, 33}, .width = 0.125, .classes = 5}},
};
enum { FAMILIES = sizeof families / sizeof *families, FAMILY_BATCH = 4 };

static void open_family(struct bench *b, const struct family *family, struct backends *backends)
{
    *b = (struct bench){0};
    MUST(catalog_build(family->net, &family->options, &b->net, &err));
    smooth(&b->net);
    open_net(b, backends, FAMILY_BATCH);
}

/* Gradients of the learned tensors of each family, made by the reference. */
static float *reference[FAMILIES];

static void find_reference(size_t f)
{
    if (reference[f])
        return;
    struct bench b;
    struct convoy_error err = error_none();
    struct backends *naive = open_backends("naive", 1);
    open_family(&b, &families[f], naive);
    check_gradients(&b, GRADCHECK_WHOLE, families[f].net, "naive");
    const float *grads = model_grads(&b.model, TENSOR_READ, &err);
    const size_t bytes = (size_t)b.model.learned_count * sizeof *grads;
    reference[f] = malloc(bytes);
    assert_true(grads && reference[f]);
    memcpy(reference[f], grads, bytes);
    close_net(&b);
    backends_close(naive);
}

/* Rounding errors count beside the largest gradient too: some are of nothing else. */
static void compare_gradients(struct bench *b, size_t f, const char *backend)
{
    struct convoy_error err = error_none();
    const float *grads = model_grads(&b->model, TENSOR_READ, &err);
    assert_non_null(grads);
    double most = 0;
    for (int64_t i = 0; i < b->model.learned_count; i++)
        most = fmax(most, fabs((double)reference[f][i]));
    for (size_t index = 0; index < b->model.params; index++) {
        const struct param *param = &b->model.param[index];
        double apart = 0, size = 0;
        for (int64_t i = param->offset; param->learned && i < param->offset + param->count; i++) {
            apart += pow((double)grads[i] - reference[f][i], 2);
            size += pow((double)reference[f][i], 2);
        }
        if (!(sqrt(apart) < 1e-3 * sqrt(size) + 1e-6 * most))
            fail_msg("%s with %s: the gradient of %s differs from the reference's by %.2g of its size", families[f].net, backend,
                     param->name, sqrt(apart / size));
    }
}

static void gradients_of_families_are_right(void **state)
{
    const char *const backend = *state, *const asked = getenv("CONVOY_GRADIENTS");
    need(backend);
    struct backends *backends = open_backends(backend, 1);
    const bool each = !strcmp(backend, "im2col") || (asked && !strcmp(asked, "each"));
    int its = 0, all = 0;
    for (size_t f = 0; f < FAMILIES; f++) {
        struct bench b;
        find_reference(f);
        open_family(&b, &families[f], backends);
        count_computed(&b, backend, &its, &all);
        const int32_t hidden = check_gradients(&b, each ? GRADCHECK_EACH : GRADCHECK_WHOLE, families[f].net, backend);
        assert_true(hidden <= (each ? (int32_t)b.model.params / 50 : 0));
        compare_gradients(&b, f, backend);
        close_net(&b);
    }
    assert_true(its > 0);
    print_message("%s computes %d of %d passes of layers\n", backend, its, all);
    backends_close(backends);
}

/* A map that an affine layer makes all zero sits on the kink of a ReLU, whose gradient there is 0 by choice while the loss does
 * change with the layer's parameters: the check must see that, for all maps and for some of them. */
static void a_wrong_gradient_is_found(void **state)
{
    (void)state;
    struct backends *naive = open_backends("naive", 2);
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
        open_net(&b, naive, 3);
        for (int32_t place = b.model.first[1]; place < b.model.first[2]; place++) {
            struct convoy_error err = error_none();
            float *value = tensor_host(&b.model.param[place].value, TENSOR_UPDATE, &err);
            assert_non_null(value);
            memset(value, 0, (size_t)dead * sizeof *value);
        }
        struct gradcheck result;
        MUST(gradcheck_run(b.exec, &b.model, GRADCHECK_EACH, 3, &result, &err));
        if (dead == 0)
            assert_true(result.worst < 1e-2);
        else if (!(result.worst > 0.05) || strncmp(result.worst_name, "affine", 6))
            fail_msg("%d of 8 maps wrong: %.2g in %s", (int)dead, result.worst, result.worst_name);
        close_net(&b);
    }
    backends_close(naive);
}

/* Sums and concatenations, an output that several layers read, and two heads. */
static void check_joins(struct backends *backends, const char *backend)
{
    struct bench b = {0};
    net_init(&b.net, "joins", (struct net_extent){2, 6, 6}, 5);
    int32_t stem = NET_IMAGE, left, right, sum, all, head;
    const struct net_spec conv = {"stem", .kind = NET_CONV, .k = 4, .kernel = 3, .pad = 1};
    const struct net_spec branch[] = {{"left", .kind = NET_CONV, .k = 4, .kernel = 1},
                                      {"right", .kind = NET_CONV, .k = 4, .kernel = 3, .pad = 1}};
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
    open_net(&b, backends, 3);
    check_gradients(&b, GRADCHECK_EACH, "joins", backend);
    close_net(&b);
}

/* All but sparsity, whose penalty is in no loss: test_layers has its gradient. */
static const struct net_spec kinds[] = {
    {"layer", .kind = NET_CONV, .k = 6, .kernel = 3, .stride = 2, .pad = 1, .groups = 2, .bias = true},
    {"layer", .kind = NET_BN},
    {"layer", .kind = NET_CONV, .k = 8, .kernel = 3, .pad = 2, .dilation = 2, .groups = 8},
    {"layer", .kind = NET_CONV, .k = 6, .kernel = 1},
    {"layer", .kind = NET_MAXPOOL, .kernel = 3, .stride = 2, .pad = 1},
    {"layer", .kind = NET_AVGPOOL, .kernel = 3, .stride = 2, .pad = 1, .valid_only = true},
    {"layer", .kind = NET_L2POOL, .kernel = 2, .stride = 2},
    {"layer", .kind = NET_AVGPOOL_GLOBAL},
    {"layer", .kind = NET_AVGPOOL_ADAPTIVE, .kernel = 4, .kernel_w = 2},
    {"layer", .kind = NET_AVGPOOL_ADAPTIVE, .kernel = 3, .kernel_w = 9},
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

static void check_kind(const struct net_spec *spec, size_t count, struct net_extent image, struct backends *backends,
                       const char *backend)
{
    struct bench b = {0};
    int32_t at = NET_IMAGE;
    net_init(&b.net, "one layer", image, 5);
    MUST(net_append(&b.net, "", spec, count, &at, &err));
    MUST(net_finish(&b.net, &err));
    open_net(&b, backends, 3);
    check_gradients(&b, GRADCHECK_EACH, net_kind_name(spec[1].kind), backend);
    close_net(&b);
}

/* One layer between a convolution, which gives it a gradient to hand on, and a fully connected one. */
static void gradients_of_layers_are_right(void **state)
{
    static const float codes[5 * 8] = {0.5f, -0.5f, 1, 0, 0.25f, -1, 0.75f, -0.25f, 1, 1, -1, 0.5f};
    const char *const backend = *state;
    need(backend);
    struct backends *backends = open_backends(backend, 2);
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
        const struct net_spec spec[] = {
            {"first", .kind = NET_CONV, .k = 8, .kernel = 3, .pad = 1, .bias = true},
            kinds[k],
            {"last", .kind = NET_FC, .k = 5, .bias = true},
        };
        check_kind(spec, 3, (struct net_extent){2, 8, 8}, backends, backend);
    }
    const struct net_spec folded[] = {
        {"first", .kind = NET_CONV, .k = 8, .kernel = 3, .pad = 1},
        {"bn", .kind = NET_BN},
        {"relu", .kind = NET_ACT, .act = CONVOY_ELT_RELU},
        {"last", .kind = NET_FC, .k = 5, .bias = true},
    };
    check_kind(folded, 4, (struct net_extent){2, 8, 8}, backends, backend);
    const struct net_spec coded[] = {
        {"first", .kind = NET_FC, .k = 8, .bias = true},
        {"codes", .kind = NET_RBF, .k = 5, .codes = codes},
    };
    check_kind(coded, 2, (struct net_extent){2, 4, 4}, backends, backend);
    check_joins(backends, backend);
    backends_close(backends);
}

int main(void)
{
    static char *const backends[] = {"naive",       "im2col", "direct", "fft",   "winograd:f4",
                                     "winograd:f2", "onednn", "vulkan", "opencl"};
    enum { BACKENDS = sizeof backends / sizeof *backends };
    static char name[2 * BACKENDS][64];
    struct CMUnitTest tests[2 * BACKENDS + 1] = {cmocka_unit_test(a_wrong_gradient_is_found)};
    for (size_t b = 0; b < BACKENDS; b++) {
        snprintf(name[2 * b], sizeof *name, "layers_with_%s", backends[b]);
        snprintf(name[2 * b + 1], sizeof *name, "families_with_%s", backends[b]);
        tests[2 * b + 1] = (struct CMUnitTest){name[2 * b], gradients_of_layers_are_right, NULL, NULL, backends[b]};
        tests[2 * b + 2] = (struct CMUnitTest){name[2 * b + 1], gradients_of_families_are_right, NULL, NULL, backends[b]};
    }
    const int failed = cmocka_run_group_tests_name("gradients", tests, NULL, NULL);
    for (size_t f = 0; f < FAMILIES; f++)
        free(reference[f]);
    return failed;
}
