#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "bench/bench.h"
#include "bench/inputs.h"
#include "core/error.h"
#include "core/host.h"
#include "core/hostmem.h"
#include "core/loader.h"
#include "core/slots.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { BATCH_NS = 100000 };

/* ---- an instance of our own, which counts and looks ---- */

struct fake {
    struct convoy_instance base;
    uint64_t workspace_bytes, prepared_bytes;
    bool has_prepare;
    int64_t plans_alive, plans, prepares, executes, syncs;
    int64_t fail_execute; /* the number of the execute that fails; 0: none */
    bool prepare_saw_w, execute_saw_w, execute_saw_all;
    struct convoy_plan_ops plan_ops;
    struct convoy_instance_ops instance_ops;
};
struct fake_plan {
    struct convoy_plan base;
    struct fake *fake;
};

static void fake_info(const struct convoy_plan *plan, struct convoy_plan_info *info)
{
    const struct fake *fake = ((const struct fake_plan *)plan)->fake;
    info->workspace_bytes = fake->workspace_bytes;
    info->prepared_bytes = fake->prepared_bytes;
    info->numerics = (struct convoy_numerics){.kind = CONVOY_NUM_GEMM, .split = 3};
    strcpy(info->algorithm, "fake");
}

static convoy_status fake_prepare(struct convoy_plan *plan, const struct convoy_args *args, struct convoy_error *err)
{
    (void)err;
    struct fake *fake = ((struct fake_plan *)plan)->fake;
    fake->prepares++;
    fake->prepare_saw_w = convoy_slot(args, CONVOY_W) && convoy_slot(args, CONVOY_PREPARED);
    return CONVOY_OK;
}

static convoy_status fake_execute(struct convoy_plan *plan, const struct convoy_args *args, struct convoy_error *err)
{
    struct fake *fake = ((struct fake_plan *)plan)->fake;
    if (++fake->executes == fake->fail_execute)
        return convoy_fail(err, CONVOY_FAILED, CONVOY_WHY_HARDWARE, "the fake device is gone");
    fake->execute_saw_w = convoy_slot(args, CONVOY_W) != NULL;
    const struct convoy_buffer *workspace = args->slot[CONVOY_WORKSPACE].buffer;
    const struct convoy_buffer *prepared = args->slot[CONVOY_PREPARED].buffer;
    fake->execute_saw_all = convoy_slot(args, CONVOY_X) && convoy_slot(args, CONVOY_Y) && !convoy_slot(args, CONVOY_DX) &&
                            (workspace ? workspace->bytes : 0) == fake->workspace_bytes &&
                            (prepared ? prepared->bytes : 0) == fake->prepared_bytes;
    return CONVOY_OK;
}

static void fake_destroy(struct convoy_plan *plan)
{
    ((struct fake_plan *)plan)->fake->plans_alive--;
    free(plan);
}

static convoy_status fake_supports(const struct convoy_instance *instance, const struct convoy_problem *problem,
                                   struct convoy_error *err)
{
    (void)instance, (void)problem, (void)err;
    return CONVOY_OK;
}

static convoy_status fake_make_plan(struct convoy_instance *instance, const struct convoy_problem *problem,
                                    struct convoy_plan **out, struct convoy_error *err)
{
    (void)problem;
    struct fake *fake = (struct fake *)instance;
    struct fake_plan *plan = malloc(sizeof *plan);
    if (!plan)
        return convoy_fail(err, CONVOY_NO_MEMORY, CONVOY_WHY_MEMORY, "no memory for a fake plan");
    *plan = (struct fake_plan){.base.ops = &fake->plan_ops, .fake = fake};
    fake->plans++;
    fake->plans_alive++;
    *out = &plan->base;
    return CONVOY_OK;
}

static convoy_status fake_sync(struct convoy_instance *instance, struct convoy_error *err)
{
    (void)err;
    ((struct fake *)instance)->syncs++;
    return CONVOY_OK;
}

static void fake_close(struct convoy_instance *instance)
{
    (void)instance;
}

static void fake_setup(struct fake *fake)
{
    fake->plan_ops = (struct convoy_plan_ops){.struct_size = sizeof fake->plan_ops,
                                              .info = fake_info,
                                              .prepare = fake->has_prepare ? fake_prepare : NULL,
                                              .execute = fake_execute,
                                              .destroy = fake_destroy};
    fake->instance_ops = (struct convoy_instance_ops){
        .struct_size = sizeof fake->instance_ops, .supports = fake_supports, .plan = fake_make_plan, .close = fake_close};
    fake->base = (struct convoy_instance){.ops = &fake->instance_ops, .memory = hostmem()};
}

static struct host *host;

static int open_host(void **state)
{
    (void)state;
    host = host_open(1, NULL);
    return host ? 0 : -1;
}

static int close_host(void **state)
{
    (void)state;
    host_close(host);
    return 0;
}

static union problem parsed(const char *text)
{
    union problem problem;
    struct convoy_error err = error_none();
    if (problem_parse(text, &problem, &err) != CONVOY_OK)
        fail_msg("%s: %s", text, err.text);
    return problem;
}

static convoy_status open_fake(struct fake *fake, uint64_t limit_bytes, struct bench_case **bench, struct bench_info *info,
                               struct convoy_error *err)
{
    const union problem problem = parsed("conv_fwd:n1c3h8k4kh3p1");
    return bench_open(&fake->base, host_table(host), &problem, 1, BATCH_NS, 0, limit_bytes, bench, info, err);
}

static void plan_without_preparation_reads_weights(void **state)
{
    (void)state;
    struct fake fake = {.workspace_bytes = 1001};
    fake_setup(&fake);
    struct bench_case *bench;
    struct bench_info info;
    struct convoy_error err = error_none();
    assert_int_equal(open_fake(&fake, 0, &bench, &info, &err), CONVOY_OK);
    assert_true(info.plan_ns >= 0);
    assert_int_equal(info.prepare_ns, 0);
    assert_int_equal(info.workspace_bytes, 1001);
    assert_int_equal(info.prepared_bytes, 0);
    assert_int_equal(info.numerics.kind, CONVOY_NUM_GEMM);
    assert_int_equal(info.numerics.split, 3);
    assert_string_equal(info.algorithm, "fake");
    assert_true(fake.execute_saw_w && fake.execute_saw_all);
    assert_int_equal(fake.plans_alive, 1);

    assert_true(info.iterations >= 1);
    assert_int_equal(info.iterations & (info.iterations - 1), 0);
    const int64_t before = fake.executes;
    struct bench_sample sample;
    assert_int_equal(bench_batch(bench, &sample, &err), CONVOY_OK);
    assert_int_equal(fake.executes - before, info.iterations);
    assert_true(sample.min_ns >= 0 && sample.min_ns <= sample.mean_ns);
    bench_close(bench);
    assert_int_equal(fake.plans_alive, 0);
}

static void prepared_plan_gets_weights_in_prepare_only(void **state)
{
    (void)state;
    struct fake fake = {.workspace_bytes = 64, .prepared_bytes = 130, .has_prepare = true};
    fake_setup(&fake);
    struct bench_case *bench;
    struct bench_info info;
    assert_int_equal(open_fake(&fake, 0, &bench, &info, NULL), CONVOY_OK);
    assert_true(fake.prepares >= 1 && fake.prepare_saw_w);
    assert_true(!fake.execute_saw_w && fake.execute_saw_all);
    assert_int_equal(info.prepared_bytes, 130);
    bench_close(bench);
}

static void asynchronous_work_is_waited_for_once_per_batch(void **state)
{
    (void)state;
    struct fake fake = {.has_prepare = true, .prepared_bytes = 4};
    fake_setup(&fake);
    fake.instance_ops.sync = fake_sync;
    struct bench_case *bench;
    struct bench_info info;
    struct convoy_error err = error_none();
    assert_int_equal(open_fake(&fake, 0, &bench, &info, &err), CONVOY_OK);
    const int64_t syncs = fake.syncs, executes = fake.executes;
    struct bench_sample sample;
    assert_int_equal(bench_batch(bench, &sample, &err), CONVOY_OK);
    assert_int_equal(fake.syncs - syncs, 1);
    assert_int_equal(fake.executes - executes, info.iterations);
    assert_true(sample.min_ns == sample.mean_ns);
    bench_close(bench);
}

static void memory_limit_is_a_refusal_with_both_sizes(void **state)
{
    (void)state;
    struct fake fake = {.workspace_bytes = 3 << 20, .prepared_bytes = 2 << 20, .has_prepare = true};
    fake_setup(&fake);
    struct bench_case *bench = NULL;
    struct bench_info info;
    struct convoy_error err = error_none();
    assert_int_equal(open_fake(&fake, 4 << 20, &bench, &info, &err), CONVOY_UNSUPPORTED);
    assert_int_equal(err.why, CONVOY_WHY_MEMORY);
    assert_string_equal(err.text, "workspace of 3.0 MiB and prepared weights of 2.0 MiB are above the memory limit of 4.0 MiB");
    assert_int_equal(fake.plans_alive, 0);
    assert_int_equal(fake.executes, 0);
    assert_int_equal(open_fake(&fake, 5 << 20, &bench, &info, &err), CONVOY_OK);
    bench_close(bench);
}

static void failures_are_passed_on_and_cleaned_up(void **state)
{
    (void)state;
    struct bench_case *bench = NULL;
    struct bench_info info;
    struct fake failing = {.fail_execute = 2};
    fake_setup(&failing);
    struct convoy_error err = error_none();
    assert_int_equal(open_fake(&failing, 0, &bench, &info, &err), CONVOY_FAILED);
    assert_string_equal(err.text, "the fake device is gone");
    assert_int_equal(failing.plans_alive, 0);

    struct fake unprepared = {.prepared_bytes = 8};
    fake_setup(&unprepared);
    assert_int_equal(open_fake(&unprepared, 0, &bench, &info, &err), CONVOY_FAILED);
    assert_int_equal(unprepared.plans_alive, 0);
    assert_int_equal(unprepared.executes, 0);
    assert_null(bench);
}

/* ---- inputs ---- */

static void *filled(const union problem *problem, uint32_t slot, struct slot_info *info)
{
    struct slot_info all[CONVOY_NSLOTS];
    slots_describe(problem, all);
    *info = all[slot];
    assert_true(info->bytes > 0);
    void *memory = malloc((size_t)info->bytes);
    assert_non_null(memory);
    struct convoy_buffer buffer;
    const struct convoy_tensor tensor = hostmem_wrap(&buffer, memory, (uint64_t)info->bytes);
    struct convoy_error err = error_none();
    if (inputs_fill(problem, slot, info, 1, hostmem(), tensor, &err) != CONVOY_OK)
        fail_msg("%s: %s", slot_name(slot), err.text);
    return memory;
}

static int64_t tap_at(const void *index, enum slot_type type, int64_t at)
{
    return type == SLOT_U8 ? ((const uint8_t *)index)[at] : ((const int32_t *)index)[at];
}

static void pool_index_is_inside_image_and_window(void **state)
{
    (void)state;
    static const char *const text[] = {
        "maxpool_bwd:n2c3h8kh3s2p1",          "maxpool_bwd:n1c70h37w41kh3kw5s2p1", "maxpool_bwd:c2h9kh3s1p2d2",
        "maxpool_bwd:n1c2h40kh17s3p8",        "maxpool_bwd:n1c1h300kh2s1",         "maxpool_bwd:n3c1h7global1",
        "maxpool_bwd:c2h10kh4s2pt0pb3pl2pr1", "maxpool_bwd:c2h12kh3s2ceil1",
    };
    for (size_t at = 0; at < sizeof text / sizeof *text; at++) {
        const union problem problem = parsed(text[at]);
        const struct convoy_pool *p = &problem.pool;
        struct slot_info info;
        void *index = filled(&problem, CONVOY_INDEX, &info);
        int64_t element = 0, least = INT64_MAX, most = 0;
        for (int32_t plane = 0; plane < p->n * p->c; plane++)
            for (int32_t oh = 0; oh < p->oh; oh++)
                for (int32_t ow = 0; ow < p->ow; ow++, element++) {
                    const int64_t tap = tap_at(index, info.type, element);
                    assert_in_range(tap, 0, (int64_t)p->kh * p->kw - 1);
                    const int64_t h = (int64_t)oh * p->stride_h - p->pad_t + tap / p->kw * p->dil_h;
                    const int64_t w = (int64_t)ow * p->stride_w - p->pad_l + tap % p->kw * p->dil_w;
                    assert_true(h >= 0 && h < p->h && w >= 0 && w < p->w);
                    least = tap < least ? tap : least;
                    most = tap > most ? tap : most;
                }
        assert_int_equal(element, info.elements);
        assert_true(least < most); /* not all the same tap */
        free(index);
    }
}

static void labels_and_ranges_are_valid(void **state)
{
    (void)state;
    struct slot_info info;
    const union problem xent = parsed("xent:n700classes10");
    int32_t *label = filled(&xent, CONVOY_INDEX, &info);
    for (int64_t at = 0; at < info.elements; at++)
        assert_in_range(label[at], 0, 9);
    free(label);

    const union problem bn = parsed("bn_train:n2c64h4");
    static const struct {
        uint32_t slot;
        float low, high;
    } range[] = {{CONVOY_X, -1, 1}, {CONVOY_GAMMA, 0.9f, 1.1f}, {CONVOY_RUN_VAR, 0.5f, 1.5f}, {CONVOY_RUN_MEAN, -1, 1}};
    for (size_t at = 0; at < sizeof range / sizeof *range; at++) {
        float *value = filled(&bn, range[at].slot, &info);
        float low = value[0], high = value[0];
        for (int64_t element = 0; element < info.elements; element++) {
            low = fminf(low, value[element]);
            high = fmaxf(high, value[element]);
        }
        assert_true(low >= range[at].low && high <= range[at].high && low < high);
        free(value);
    }

    const union problem l2 = parsed("l2pool_bwd:n1c2h8kh2s2");
    float *y = filled(&l2, CONVOY_Y, &info);
    for (int64_t at = 0; at < info.elements; at++)
        assert_true(y[at] > 0);
    free(y);
}

/* A tensor longer than the period of the data is filled to its end, and two seeds differ. */
static void long_tensors_are_filled_to_the_end(void **state)
{
    (void)state;
    const union problem problem = parsed("relu:n200001");
    struct slot_info info;
    float *x = filled(&problem, CONVOY_X, &info);
    assert_int_equal(info.elements, 200001);
    int64_t zeros = 0;
    for (int64_t at = 0; at < info.elements; at++) {
        assert_true(x[at] >= -1 && x[at] < 1);
        zeros += x[at] == 0;
    }
    assert_true(zeros < 100);
    struct convoy_buffer buffer;
    float *other = malloc((size_t)info.bytes);
    assert_non_null(other);
    const struct convoy_tensor tensor = hostmem_wrap(&buffer, other, (uint64_t)info.bytes);
    assert_int_equal(inputs_fill(&problem, CONVOY_X, &info, 2, hostmem(), tensor, NULL), CONVOY_OK);
    assert_memory_not_equal(x, other, (size_t)info.bytes);
    free(other);
    free(x);
}

/* ---- a real backend ---- */

/* Copies of what execute wrote last, by wrapping the host's memory: free() looks at each buffer before it goes. */
static struct convoy_memory watching;
static int64_t not_finite;

static convoy_status watching_alloc(struct convoy_memory *memory, uint64_t bytes, struct convoy_buffer **out,
                                    struct convoy_error *err)
{
    (void)memory;
    return hostmem()->alloc(hostmem(), bytes, out, err);
}
static void watching_free(struct convoy_memory *memory, struct convoy_buffer *buffer)
{
    (void)memory;
    for (uint64_t at = 0; at + 4 <= buffer->bytes; at += 4) {
        float value;
        memcpy(&value, (const char *)buffer->host + at, sizeof value);
        not_finite += !isfinite(value);
    }
    hostmem()->free(hostmem(), buffer);
}
static convoy_status watching_fill(struct convoy_memory *memory, struct convoy_tensor tensor, uint64_t bytes, uint32_t word,
                                   struct convoy_error *err)
{
    (void)memory;
    return hostmem()->fill(hostmem(), tensor, bytes, word, err);
}
static convoy_status watching_upload(struct convoy_memory *memory, struct convoy_tensor to, const void *from, uint64_t bytes,
                                     struct convoy_error *err)
{
    (void)memory;
    return hostmem()->upload(hostmem(), to, from, bytes, err);
}

static void every_operation_stays_finite_on_naive(void **state)
{
    (void)state;
    static const char path[] = BUILD_DIR "/plugins/convoy_naive.so";
    if (access(path, R_OK) != 0) {
        print_message("%s is not built\n", path);
        skip();
    }
    static const char *const text[] = {
        "conv_fwd:n1c3h6k4kh3p1b1",
        "conv_bwd_data:n1c3h6k4kh3p1",
        "conv_bwd_weights:n1c3h6k4kh3p1b1",
        "avgpool_fwd:n1c2h6kh2s2",
        "avgpool_bwd:n1c2h6kh2s2",
        "l2pool_fwd:n1c2h6kh2s2",
        "l2pool_bwd:n1c2h6kh2s2",
        "bn_train:n2c3h4",
        "bn_infer:n2c3h4",
        "bn_bwd:n2c3h4",
        "relu:n64",
        "sigmoid_bwd:n64",
        "elu:n64",
        "add:n64",
        "mul:n64",
        "scale:n64",
        "xent:n40classes10",
        "xent_bwd:n40classes10",
        "sgd:n64",
        "maxpool_fwd:n1c2h6kh3s2p1noindex1",
        "maxpool_fwd:n1c2h6kh3s2p1",
        "maxpool_bwd:n1c2h6kh3s2p1",
    };
    const struct convoy_plugin *plugin = NULL;
    struct convoy_instance *instance = NULL;
    int fpenv_changed = 0;
    struct convoy_error err = error_none();
    if (loader_open(path, &plugin, &fpenv_changed, &err) != CONVOY_OK)
        fail_msg("%s", err.text);
    if (loader_instance(plugin, host_table(host), NULL, &instance, &err) != CONVOY_OK)
        fail_msg("%s", err.text);
    watching = *hostmem();
    watching.alloc = watching_alloc;
    watching.free = watching_free;
    watching.fill = watching_fill;
    watching.upload = watching_upload;
    struct convoy_memory *const own = instance->memory;
    assert_ptr_equal(own, host_table(host)->memory);
    instance->memory = &watching;
    for (size_t at = 0; at < sizeof text / sizeof *text; at++) {
        const union problem problem = parsed(text[at]);
        struct bench_case *bench;
        struct bench_info info;
        struct bench_sample sample;
        not_finite = 0;
        if (bench_open(instance, host_table(host), &problem, 3, 20 * BATCH_NS, 0, 0, &bench, &info, &err) != CONVOY_OK)
            fail_msg("%s: %s", text[at], err.text);
        if (bench_batch(bench, &sample, &err) != CONVOY_OK)
            fail_msg("%s: %s", text[at], err.text);
        assert_true(sample.min_ns <= sample.mean_ns);
        bench_close(bench);
        if (not_finite)
            fail_msg("%s: %lld values are not finite after the batches", text[at], (long long)not_finite);
    }
    instance->memory = own;
    instance->ops->close(instance);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plan_without_preparation_reads_weights),
        cmocka_unit_test(prepared_plan_gets_weights_in_prepare_only),
        cmocka_unit_test(asynchronous_work_is_waited_for_once_per_batch),
        cmocka_unit_test(memory_limit_is_a_refusal_with_both_sizes),
        cmocka_unit_test(failures_are_passed_on_and_cleaned_up),
        cmocka_unit_test(pool_index_is_inside_image_and_window),
        cmocka_unit_test(labels_and_ranges_are_valid),
        cmocka_unit_test(long_tensors_are_filled_to_the_end),
        cmocka_unit_test(every_operation_stays_finite_on_naive),
    };
    return cmocka_run_group_tests(tests, open_host, close_host);
}
