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

static void open_bench(struct bench *b, const char *name, struct catalog_options options, const char *backend, int32_t batch,
                       enum exec_mode mode)
{
    memset(b, 0, sizeof *b);
    MUST(catalog_build(name, &options, &b->net, &err));
    MUST(model_create(&b->net, &b->model, &err));
    MUST(!(b->backends = backends_open(2, folders, (struct chooser){only, backend}, &err)));
    draw(&b->model);
    MUST(exec_create(&b->model, b->backends, batch, mode, &b->exec, &err));
}

static void close_bench(struct bench *b)
{
    exec_free(b->exec);
    backends_close(b->backends);
    model_free(&b->model);
    net_free(&b->net);
}

static void gradients_are_those_of_differences(void **state)
{
    (void)state;
    static const struct {
        const char *net;
        struct catalog_options options;
        const char *backend;
    } rows[] = {
        {"lenet5", {.width = 0.5}, "naive"},
        {"lenet5", {.width = 0.5}, "im2col"},
        {"resnet18", {.image = {3, 64, 64}, .width = 0.0625, .classes = 5}, "im2col"},
        {"resnet50", {.image = {3, 64, 64}, .width = 0.0625, .classes = 5}, "im2col"},
    };
    for (size_t row = 0; row < sizeof rows / sizeof *rows; row++) {
        struct bench b;
        open_bench(&b, rows[row].net, rows[row].options, rows[row].backend, 4, EXEC_CHECK);
        struct gradcheck result;
        MUST(gradcheck_run(b.exec, &b.model, 3, &result, &err));
        if (!(result.worst < 1e-2))
            fail_msg("%s with %s: %.2g in %s", rows[row].net, rows[row].backend, result.worst, result.worst_name);
        close_bench(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gradients_are_those_of_differences),
    };
    return cmocka_run_group_tests_name("exec", tests, NULL, NULL);
}
