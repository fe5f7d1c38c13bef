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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(planned_memory_changes_nothing),
        cmocka_unit_test(evaluation_reuses_memory),
    };
    return cmocka_run_group_tests_name("exec", tests, NULL, NULL);
}
