/* The executor: memory that is planned changes no result, and an evaluation needs little of it. Gradients are test_gradients'. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/error.h"
#include "core/rng.h"
#include "nets/catalog.h"
#include "runtime/exec.h"
#include "runtime/fold.h"

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
    model_free(&b->model);
    backends_close(b->backends);
    net_free(&b->net);
}

static void open_net(struct bench *b, const char *backend, uint32_t threads, int32_t batch, enum exec_mode mode)
{
    MUST(model_create(&b->net, &b->model, &err));
    MUST(!(b->backends = backends_open(threads, folders, (struct chooser){only, backend}, &err)));
    draw(&b->model);
    MUST(exec_create(&b->model, b->backends, batch, mode, &b->exec, &err));
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

static int32_t batch_norms(const struct net *net)
{
    int32_t count = 0;
    for (size_t l = 0; l < net->count; l++)
        count += net->layer[l].kind == NET_BN;
    return count;
}

/* Small variances, so that eps matters, with small gammas, so that activations keep their size. */
static void scale_down(struct model *model)
{
    struct convoy_error err = error_none();
    for (size_t p = 0; p < model->params; p++) {
        struct param *param = &model->param[p];
        if (param->role != PARAM_GAMMA && param->role != PARAM_RUN_VAR)
            continue;
        float *value = tensor_host(&param->value, TENSOR_UPDATE, &err);
        assert_non_null(value);
        for (int64_t i = 0; i < param->count; i++)
            value[i] *= param->role == PARAM_GAMMA ? 0.03f : 1e-3f;
    }
}

/* Convolutions with a bias of their own (LeNet-5) and without; in the pre-activation network only the second batch norm of a
 * block reads a convolution that nobody else does. */
static void folded_batch_norms_change_nothing(void **state)
{
    (void)state;
    static const struct {
        const char *net;
        struct catalog_options options;
        int32_t all, left;
    } rows[] = {
        {"lenet5", {.width = 0.5, .bn_place = NET_BN_BEFORE}, 2, 0},
        {"resnet20", {.width = 0.25}, 19, 0},
        {"preact-resnet20", {.width = 0.25}, 19, 10},
    };
    for (size_t row = 0; row < sizeof rows / sizeof *rows; row++) {
        struct bench b = {0};
        struct net net;
        struct model folded;
        struct exec *exec;
        MUST(catalog_build(rows[row].net, &rows[row].options, &b.net, &err));
        open_net(&b, "im2col", 2, 4, EXEC_EVAL);
        scale_down(&b.model);
        MUST(fold_net(&b.net, &net, &err));
        assert_int_equal(batch_norms(&b.net), rows[row].all);
        assert_int_equal(batch_norms(&net), rows[row].left);
        MUST(model_create(&net, &folded, &err));
        MUST(fold_values(&b.model, &folded, &err));
        MUST(exec_create(&folded, b.backends, 4, EXEC_EVAL, &exec, &err));
        fill_input(b.exec);
        fill_input(exec);
        MUST(exec_forward(b.exec, &err));
        MUST(exec_forward(exec, &err));
        struct convoy_error err = error_none();
        const float *y = tensor_host(exec_head(b.exec, 0), TENSOR_READ, &err);
        const float *z = tensor_host(exec_head(exec, 0), TENSOR_READ, &err);
        assert_true(y && z);
        double apart = 0, size = 0;
        for (int64_t i = 0; i < exec_head(exec, 0)->bytes / (int64_t)sizeof *y; i++) {
            apart = fmax(apart, fabs((double)y[i] - (double)z[i]));
            size = fmax(size, fabs((double)y[i]));
        }
        if (!(apart < 1e-5 * size))
            fail_msg("%s: folded, it differs by %.2g of its largest output", rows[row].net, apart / size);
        exec_free(exec);
        model_free(&folded);
        net_free(&net);
        close_bench(&b);
    }
}

/* Batch norm on one device, pooling on another and the rest on the host, or all of it on the host. */
static bool across(const void *context, const union problem *problem, int rank, char name[BACKEND_NAME_BYTES])
{
    static const char *const by_family[FAMILY_COUNT] = {[FAMILY_BN] = "vulkan:gemm", [FAMILY_POOL] = "opencl:gemm"};
    const char *device = by_family[problem_family(problem)];
    snprintf(name, BACKEND_NAME_BYTES, "%s", *(const bool *)context && device ? device : "im2col");
    return rank == 0;
}

static void forward_and_backward(struct bench *b, bool *devices, float head[4 * 5], float **grads)
{
    const struct catalog_options options = {.image = {3, 32, 32}, .width = 0.125, .classes = 5};
    MUST(catalog_build("resnet18", &options, &b->net, &err));
    MUST(model_create(&b->net, &b->model, &err));
    MUST(!(b->backends = backends_open(2, folders, (struct chooser){across, devices}, &err)));
    draw(&b->model);
    MUST(exec_create(&b->model, b->backends, 4, EXEC_TRAIN, &b->exec, &err));
    fill_input(b->exec);
    MUST(exec_forward(b->exec, &err));
    struct convoy_error err = error_none();
    memcpy(head, tensor_host(exec_head(b->exec, 0), TENSOR_READ, &err), 4 * 5 * sizeof *head);
    float *dy = tensor_host(exec_head_grad(b->exec, 0), TENSOR_WRITE, &err);
    for (int i = 0; i < 4 * 5; i++)
        dy[i] = rng_uniform(6, 1, (uint64_t)i);
    assert_int_equal(exec_backward(b->exec, &err), CONVOY_OK);
    *grads = model_grads(&b->model, TENSOR_READ, &err);
    assert_non_null(*grads);
}

static double relative_distance(const float *is, const float *wanted, int64_t count)
{
    double apart = 0, size = 0;
    for (int64_t i = 0; i < count; i++) {
        const double d = (double)is[i] - wanted[i];
        apart += d * d;
        size += (double)wanted[i] * wanted[i];
    }
    return sqrt(apart / size);
}

/* What one device wrote and another overwrites in place is brought over first: gradients through ReLUs that lie between them. */
static void domains_change_only_rounding(void **state)
{
    (void)state;
    struct bench host = {0}, mixed = {0};
    float head[2][4 * 5], *grads[2];
    bool devices[2] = {false, true};
    int on_vulkan = 0, on_opencl = 0;
    forward_and_backward(&host, &devices[0], head[0], &grads[0]);
    forward_and_backward(&mixed, &devices[1], head[1], &grads[1]);
    for (int32_t l = 0; l < (int32_t)mixed.net.count; l++) {
        on_vulkan += !strcmp(exec_backend(mixed.exec, l, PASS_BWD_DATA), "vulkan:gemm");
        on_opencl += !strcmp(exec_backend(mixed.exec, l, PASS_BWD_DATA), "opencl:gemm");
    }
    const double heads = relative_distance(head[1], head[0], 4 * 5);
    const double gradients = relative_distance(grads[1], grads[0], host.model.learned_count);
    close_bench(&mixed);
    close_bench(&host);
    if (!on_vulkan && !on_opencl) {
        print_message("no Vulkan or OpenCL device or plugin here\n");
        skip();
    }
    print_message("apart by %.2g, gradients by %.2g\n", heads, gradients);
    assert_true(heads < 1e-3);
    assert_true(gradients < 1e-2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(planned_memory_changes_nothing),
        cmocka_unit_test(evaluation_reuses_memory),
        cmocka_unit_test(folded_batch_norms_change_nothing),
        cmocka_unit_test(domains_change_only_rounding),
    };
    return cmocka_run_group_tests_name("exec", tests, NULL, NULL);
}
