#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include "core/fpenv.h"
#include "core/host.h"
#include "core/loader.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PLUGIN(name) BUILD_DIR "/tests/plugins/convoy_" name ".so"

static void assert_says(const struct convoy_error *err, const char *words)
{
    if (strstr(err->text, words))
        return;
    fail_msg("\"%s\" does not say \"%s\"", err->text, words);
}

static const struct convoy_plugin *load(const char *path)
{
    struct convoy_error err = {.struct_size = sizeof err};
    const struct convoy_plugin *plugin = NULL;
    const convoy_status status = loader_open(path, &plugin, NULL, &err);
    if (status)
        fail_msg("%s", err.text);
    assert_non_null(plugin);
    return plugin;
}

/* Every file that must not load, with the words that its refusal must contain besides the end of the path. */
static void refusals_are_explained(void **state)
{
    (void)state;
    static const struct {
        const char *path, *names, *says;
    } refused[] = {
        {BUILD_DIR "/tests/plugins/convoy_nothing.so", "convoy_nothing.so", "no such file"},
        {SOURCE_DIR "/Makefile/convoy_nothing.so", "convoy_nothing.so", "no such file"},
        {BUILD_DIR "/tests/plugins", "/tests/plugins", "is not a file"},
        {SOURCE_DIR "/Makefile", "/Makefile", "is not a shared object"},
        {"/dev/null", "/dev/null", "is not a file"},
        {PLUGIN("no_symbol"), "convoy_no_symbol.so", "does not export convoy_plugin_v1"},
        {PLUGIN("wrong_major"), "convoy_wrong_major.so", "built for ABI 2, this harness speaks 1"},
        {PLUGIN("old_major"), "convoy_old_major.so", "built for ABI 0, this harness speaks 1"},
        {PLUGIN("unresolved"), "convoy_unresolved.so", "undefined symbol: convoy_test_function_from_nowhere"},
        {PLUGIN("missing_library"), "convoy_missing_library.so", "libconvoy_nowhere.so.1: cannot open shared object file"},
        {PLUGIN("no_name"), "convoy_no_name.so", "has no name"},
        {PLUGIN("bad_name"), "convoy_bad_name.so", "\"Bad Name\" is not made of"},
        {PLUGIN("wrong_name"), "convoy_wrong_name.so", "calls itself \"right_name\", so its file must be convoy_right_name.so"},
        {PLUGIN("no_threading"), "convoy_no_threading.so", "threading 0"},
        {PLUGIN("no_open"), "convoy_no_open.so", "has no open function"},
    };
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        struct convoy_error err = {.struct_size = sizeof err};
        const struct convoy_plugin *plugin = (const struct convoy_plugin *)&err;
        int changed = 1;
        assert_int_equal(loader_open(refused[i].path, &plugin, &changed, &err), CONVOY_FAILED);
        assert_null(plugin);
        assert_int_equal(changed, 0);
        assert_int_equal(err.status, CONVOY_FAILED);
        assert_says(&err, refused[i].names);
        assert_says(&err, refused[i].says);
        assert_null(strchr(err.text, '\n'));
        /* Nobody need ask for the reason. */
        assert_int_equal(loader_open(refused[i].path, &plugin, NULL, NULL), CONVOY_FAILED);
    }
}

static void short_struct_tells_both_sizes(void **state)
{
    (void)state;
    struct convoy_error err = {.struct_size = sizeof err};
    const struct convoy_plugin *plugin = NULL;
    char sizes[120];
    assert_int_equal(loader_open(PLUGIN("short_struct"), &plugin, NULL, &err), CONVOY_FAILED);
    snprintf(sizes, sizeof sizes, "is %zu, the least for ABI 1 is %zu", offsetof(struct convoy_plugin, open),
             sizeof(struct convoy_plugin));
    assert_says(&err, "convoy_short_struct.so");
    assert_says(&err, sizes);
}

static void truncated_and_unreadable_files_are_refused(void **state)
{
    (void)state;
    char folder[] = "/tmp/convoy-loader-XXXXXX", path[64];
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/convoy_cut.so", folder);
    struct convoy_error err = {.struct_size = sizeof err};
    const struct convoy_plugin *plugin = NULL;
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    fclose(file);
    assert_int_equal(loader_open(path, &plugin, NULL, &err), CONVOY_FAILED);
    assert_says(&err, "convoy_cut.so is not a shared object");
    file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite("\177ELF\2\1\1", 1, 7, file), 7);
    fclose(file);
    assert_int_equal(loader_open(path, &plugin, NULL, &err), CONVOY_FAILED);
    assert_says(&err, "cannot load");
    assert_says(&err, "convoy_cut.so: file too short");
    /* Root may read everything, so be nobody for a while. */
    const uid_t user = geteuid();
    if (user != 0 || seteuid(65534) == 0) {
        assert_int_equal(seteuid(user), 0);
        assert_int_equal(chmod(folder, 0755), 0);
        assert_int_equal(chmod(path, 0), 0);
        const int changed = user == 0 ? seteuid(65534) : 0;
        const convoy_status status = loader_open(path, &plugin, NULL, &err);
        assert_int_equal(seteuid(user), 0);
        assert_int_equal(changed, 0);
        assert_int_equal(status, CONVOY_FAILED);
        assert_says(&err, "convoy_cut.so: Permission denied");
    }
    unlink(path);
    rmdir(folder);
}

/* The path is longer than a sentence may be: its end and the reason are still there. */
static void long_paths_keep_the_reason(void **state)
{
    (void)state;
    char path[1000];
    memset(path, 'x', sizeof path);
    for (size_t i = 0; i < sizeof path; i += 100)
        path[i] = '/';
    strcpy(path + sizeof path - 20, "/convoy_long.so");
    struct convoy_error err = {.struct_size = sizeof err};
    const struct convoy_plugin *plugin = NULL;
    assert_int_equal(loader_open(path, &plugin, NULL, &err), CONVOY_FAILED);
    assert_says(&err, "/convoy_long.so: no such file");
}

static void path_without_a_folder_means_here(void **state)
{
    (void)state;
    char before[4096];
    assert_non_null(getcwd(before, sizeof before));
    assert_int_equal(chdir(BUILD_DIR "/tests/plugins"), 0);
    const struct convoy_plugin *plugin = load("convoy_mini.so");
    assert_string_equal(plugin->name, "mini");
    assert_int_equal(chdir(before), 0);
}

/* The first load runs the constructors, so this test must stay the only one that loads the plugin. */
static void constructor_cannot_change_the_modes(void **state)
{
    (void)state;
    struct convoy_error err = {.struct_size = sizeof err};
    const struct convoy_plugin *plugin = NULL;
    const uint64_t before = fpenv_get();
    int changed = 0;
    assert_int_equal(loader_open(PLUGIN("fpenv_ctor"), &plugin, &changed, &err), CONVOY_OK);
    const uint64_t after = fpenv_get();
    fpenv_set(before);
    assert_int_equal(changed, 1);
    assert_true(after == before);
    assert_int_equal(loader_open(PLUGIN("mini"), &plugin, &changed, &err), CONVOY_OK);
    assert_int_equal(changed, 0);
}

static void good_plugin_works(void **state)
{
    struct host *host = *state;
    struct convoy_error err = {.struct_size = sizeof err};
    const struct convoy_plugin *plugin = load(PLUGIN("mini"));
    assert_ptr_equal(plugin, load(PLUGIN("mini")));
    static const char *const variants[] = {NULL, "", "first", "second"};
    for (size_t i = 0; i < sizeof variants / sizeof variants[0]; i++) {
        struct convoy_instance *instance = NULL;
        struct convoy_plan *plan = NULL;
        struct convoy_plan_info info;
        const struct convoy_conv conv = {.head = {.struct_size = sizeof conv, .op = CONVOY_CONV_FWD}};
        assert_int_equal(loader_instance(plugin, host_table(host), variants[i], &instance, &err), CONVOY_OK);
        assert_int_equal(instance->ops->supports(instance, &conv.head, &err), CONVOY_UNSUPPORTED);
        assert_int_equal(loader_plan(instance, &conv.head, &plan, &info, &err), CONVOY_UNSUPPORTED);
        assert_null(plan);
        assert_int_equal(err.why, CONVOY_WHY_OP);
        assert_string_equal(err.text, "mini computes nothing, so not operation 1 either");
        instance->ops->close(instance);
    }
}

static void unknown_variant_is_refused(void **state)
{
    struct host *host = *state;
    struct convoy_error err = {.struct_size = sizeof err};
    struct convoy_instance *instance = NULL;
    assert_int_equal(loader_instance(load(PLUGIN("mini")), host_table(host), "third", &instance, &err), CONVOY_INVALID);
    assert_null(instance);
    assert_string_equal(err.text, "mini has no variant \"third\", only first second");
}

struct broken {
    const char *variant;
    convoy_status status;
    const char *says;
};

static void broken_instances_are_refused(void **state)
{
    struct host *host = *state;
    static const struct broken broken[] = {
        {"no_instance", CONVOY_FAILED, "contract: open of null_ops succeeds without an instance"},
        {"no_ops", CONVOY_FAILED, "contract: open of null_ops: the instance has no ops"},
        {"no_supports", CONVOY_FAILED, "contract: open of null_ops: the instance has no supports function"},
        {"no_plan", CONVOY_FAILED, "contract: open of null_ops: the instance has no plan function"},
        {"no_close", CONVOY_FAILED, "contract: open of null_ops: the instance has no close function"},
        {"no_memory", CONVOY_FAILED, "contract: open of null_ops: the instance has no memory"},
        {"foreign_memory", CONVOY_FAILED, "contract: open of null_ops: a plugin that runs on the host must use host->memory"},
        {"bad_status", CONVOY_FAILED, "contract: open of null_ops returned the unknown status 77"},
        {"silent", CONVOY_UNSUPPORTED, "open of null_ops gives no reason"},
    };
    const struct convoy_plugin *plugin = load(PLUGIN("null_ops"));
    for (size_t i = 0; i < sizeof broken / sizeof broken[0]; i++) {
        struct convoy_error err = {.struct_size = sizeof err};
        struct convoy_instance *instance = (struct convoy_instance *)&err;
        assert_int_equal(loader_instance(plugin, host_table(host), broken[i].variant, &instance, &err), broken[i].status);
        assert_null(instance);
        assert_int_equal(err.status, broken[i].status);
        assert_string_equal(err.text, broken[i].says);
        assert_int_equal(loader_instance(plugin, host_table(host), broken[i].variant, &instance, NULL), broken[i].status);
    }
}

static void short_instance_table_tells_both_sizes(void **state)
{
    struct host *host = *state;
    struct convoy_error err = {.struct_size = sizeof err};
    struct convoy_instance *instance = NULL;
    char sizes[120];
    assert_int_equal(loader_instance(load(PLUGIN("short_ops")), host_table(host), NULL, &instance, &err), CONVOY_FAILED);
    snprintf(sizes, sizeof sizes, "is %zu, the least is %zu", offsetof(struct convoy_instance_ops, close),
             sizeof(struct convoy_instance_ops));
    assert_says(&err, "contract: open of short_ops");
    assert_says(&err, sizes);
}

static void device_memory_is_checked(void **state)
{
    struct host *host = *state;
    static const struct broken broken[] = {
        {"short", CONVOY_FAILED, "struct_size of its memory is too short"},
        {"align", CONVOY_FAILED, "the alignment of its memory is no power of two from 64 up"},
        {"name", CONVOY_FAILED, "its memory has no name"},
        {"upload", CONVOY_FAILED, "its memory lacks a function"},
    };
    const struct convoy_plugin *plugin = load(PLUGIN("bad_memory"));
    struct convoy_error err = {.struct_size = sizeof err};
    struct convoy_instance *instance = NULL;
    for (size_t i = 0; i < sizeof broken / sizeof broken[0]; i++) {
        assert_int_equal(loader_instance(plugin, host_table(host), broken[i].variant, &instance, &err), broken[i].status);
        assert_null(instance);
        assert_says(&err, "contract: open of bad_memory");
        assert_says(&err, broken[i].says);
    }
    assert_int_equal(loader_instance(plugin, host_table(host), "whole", &instance, &err), CONVOY_OK);
    assert_ptr_not_equal(instance->memory, host_table(host)->memory);
    instance->ops->close(instance);
}

/* The plugin aborts at close if a refused plan was not destroyed. */
static void broken_plans_are_refused(void **state)
{
    struct host *host = *state;
    char endless[sizeof((struct convoy_error *)0)->text];
    memset(endless, 'x', sizeof endless);
    endless[sizeof endless - 1] = '\0';
    const struct broken broken[] = {
        {"no_plan", CONVOY_FAILED, "contract: plan: it succeeds without a plan"},
        {"no_ops", CONVOY_FAILED, "contract: plan: the plan has no ops"},
        {"short_ops", CONVOY_FAILED, NULL},
        {"no_info", CONVOY_FAILED, "contract: plan: the plan has no info function"},
        {"no_execute", CONVOY_FAILED, "contract: plan: the plan has no execute function"},
        {"no_destroy", CONVOY_FAILED, "contract: plan: the plan has no destroy function"},
        {"endless_name", CONVOY_FAILED, "contract: plan: the algorithm's name does not end"},
        {"too_large", CONVOY_FAILED, "contract: plan: it asks for more memory than there can be"},
        {"bytes_only", CONVOY_FAILED, "contract: plan: prepared_bytes is not 0, but there is no prepare function"},
        {"prepare_only", CONVOY_FAILED, "contract: plan: prepared_bytes is 0, but there is a prepare function"},
        {"no_numerics", CONVOY_FAILED, "contract: plan: its numerics are of no known kind"},
        {"bad_status", CONVOY_FAILED, "contract: plan of the plugin returned the unknown status -99"},
        {"silent", CONVOY_FAILED, "plan of the plugin gives no reason"},
        {"endless_text", CONVOY_FAILED, endless},
    };
    const struct convoy_plugin *plugin = load(PLUGIN("bad_plan"));
    const struct convoy_conv conv = {.head = {.struct_size = sizeof conv, .op = CONVOY_CONV_FWD}};
    for (size_t i = 0; i < sizeof broken / sizeof broken[0]; i++) {
        struct convoy_error err = {.struct_size = sizeof err};
        struct convoy_instance *instance = NULL;
        struct convoy_plan *plan = (struct convoy_plan *)&err;
        struct convoy_plan_info info;
        assert_int_equal(loader_instance(plugin, host_table(host), broken[i].variant, &instance, &err), CONVOY_OK);
        assert_int_equal(loader_plan(instance, &conv.head, &plan, &info, &err), broken[i].status);
        assert_null(plan);
        assert_int_equal(err.status, broken[i].status);
        if (broken[i].says) {
            assert_string_equal(err.text, broken[i].says);
        } else {
            char sizes[120];
            snprintf(sizes, sizeof sizes, "contract: plan: struct_size of the plan's ops is %zu, the least is %zu",
                     offsetof(struct convoy_plan_ops, destroy), sizeof(struct convoy_plan_ops));
            assert_string_equal(err.text, sizes);
        }
        instance->ops->close(instance);
    }
}

static void good_plan_is_described(void **state)
{
    struct host *host = *state;
    struct convoy_error err = {.struct_size = sizeof err};
    struct convoy_instance *instance = NULL;
    struct convoy_plan *plan = NULL;
    struct convoy_plan_info info;
    const struct convoy_conv conv = {.head = {.struct_size = sizeof conv, .op = CONVOY_CONV_FWD}};
    assert_int_equal(loader_instance(load(PLUGIN("bad_plan")), host_table(host), "whole", &instance, &err), CONVOY_OK);
    for (int with_info = 0; with_info < 2; with_info++) {
        assert_int_equal(loader_plan(instance, &conv.head, &plan, with_info ? &info : NULL, &err), CONVOY_OK);
        assert_non_null(plan);
        plan->ops->destroy(plan);
    }
    assert_int_equal(info.struct_size, sizeof info);
    assert_int_equal(info.prepared_bytes, 64);
    assert_int_equal(info.workspace_bytes, 0);
    assert_string_equal(info.algorithm, "nothing");
    instance->ops->close(instance);
}

static int open_host(void **state)
{
    *state = host_open(1, NULL);
    return *state ? 0 : -1;
}

static int close_host(void **state)
{
    host_close(*state);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refusals_are_explained),
        cmocka_unit_test(short_struct_tells_both_sizes),
        cmocka_unit_test(truncated_and_unreadable_files_are_refused),
        cmocka_unit_test(long_paths_keep_the_reason),
        cmocka_unit_test(path_without_a_folder_means_here),
        cmocka_unit_test(constructor_cannot_change_the_modes),
        cmocka_unit_test(good_plugin_works),
        cmocka_unit_test(unknown_variant_is_refused),
        cmocka_unit_test(broken_instances_are_refused),
        cmocka_unit_test(short_instance_table_tells_both_sizes),
        cmocka_unit_test(device_memory_is_checked),
        cmocka_unit_test(broken_plans_are_refused),
        cmocka_unit_test(good_plan_is_described),
    };
    return cmocka_run_group_tests(tests, open_host, close_host);
}
