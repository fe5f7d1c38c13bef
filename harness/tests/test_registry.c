#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include "core/pluginname.h"
#include "core/registry.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Names that no real plugin has, so that the standard folders of the machine cannot interfere. */
#define ALPHA "ztest_alpha"
#define BETA "ztest_beta"
#define GAMMA "ztest_gamma"

struct folders {
    char root[40], first[56], second[56];
};

static void write_file(const char *folder, const char *name, const char *content)
{
    char path[160];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(content, 1, strlen(content), file), strlen(content));
    assert_int_equal(fclose(file), 0);
}

static int make_folders(void **state)
{
    struct folders *folders = calloc(1, sizeof *folders);
    if (!folders)
        return -1;
    strcpy(folders->root, "/tmp/convoy-registry-XXXXXX");
    if (!mkdtemp(folders->root))
        return -1;
    snprintf(folders->first, sizeof folders->first, "%s/first", folders->root);
    snprintf(folders->second, sizeof folders->second, "%s/second", folders->root);
    if (mkdir(folders->first, 0755) != 0 || mkdir(folders->second, 0755) != 0)
        return -1;
    write_file(folders->first, "convoy_" BETA ".so", "a");
    write_file(folders->first, "convoy_" ALPHA ".so", "");
    write_file(folders->second, "convoy_" ALPHA ".so", "foobar");
    write_file(folders->second, "convoy_" GAMMA ".so", "not even a shared object");
    /* None of these is a plugin's file name. */
    write_file(folders->first, "convoy_.so", "");
    write_file(folders->first, "convoy_ztest_Upper.so", "");
    write_file(folders->first, "convoy_ztest_old.so.1", "");
    write_file(folders->first, "libztest.so", "");
    char path[120];
    snprintf(path, sizeof path, "%s/convoy_ztest_folder.so", folders->first);
    if (mkdir(path, 0755) != 0)
        return -1;
    unsetenv("CONVOY_PLUGIN_PATH");
    *state = folders;
    return 0;
}

static int remove_folders(void **state)
{
    struct folders *folders = *state;
    char command[80];
    snprintf(command, sizeof command, "rm -r %s", folders->root);
    const int failed = system(command);
    free(folders);
    return failed;
}

/* Number of entries whose name starts with ztest. */
static size_t ours(const struct registry *registry)
{
    size_t count = 0;
    for (size_t i = 0; i < registry->count; i++)
        count += strncmp(registry->entry[i].name, "ztest", 5) == 0;
    return count;
}

static void assert_in(const struct registry_entry *entry, const char *folder)
{
    assert_non_null(entry);
    char path[160];
    snprintf(path, sizeof path, "%s/convoy_%s.so", folder, entry->name);
    assert_string_equal(entry->path, path);
}

static void scan(const char *const *extra, struct registry *registry)
{
    struct convoy_error err = {.struct_size = sizeof err};
    if (registry_scan(extra, registry, &err) != CONVOY_OK)
        fail_msg("%s", err.text);
}

static void first_of_a_name_wins(void **state)
{
    const struct folders *folders = *state;
    struct registry registry;
    const char *const extra[] = {folders->first, folders->second, NULL};
    scan(extra, &registry);
    assert_int_equal(ours(&registry), 4);
    assert_in(registry_find(&registry, ALPHA), folders->first);
    assert_in(registry_find(&registry, BETA), folders->first);
    assert_in(registry_find(&registry, GAMMA), folders->second);
    assert_null(registry_find(&registry, "ztest_nobody"));
    assert_null(registry_find(&registry, "ztest_folder"));
    /* Sorted by name, the shadowed one behind the one that shadows it. */
    for (size_t i = 1; i < registry.count; i++)
        assert_true(strcmp(registry.entry[i - 1].name, registry.entry[i].name) <= 0);
    const struct registry_entry *alpha = registry_find(&registry, ALPHA);
    assert_false(alpha->shadowed);
    assert_string_equal(alpha[1].name, ALPHA);
    assert_true(alpha[1].shadowed);
    assert_in(&alpha[1], folders->second);
    registry_free(&registry);
    assert_int_equal(registry.count, 0);
    assert_null(registry.entry);

    const char *const turned[] = {folders->second, folders->first, NULL};
    scan(turned, &registry);
    assert_in(registry_find(&registry, ALPHA), folders->second);
    registry_free(&registry);
}

/* Test vectors of the FNV reference: "", "a", "foobar". */
static void hash_is_fnv1a(void **state)
{
    const struct folders *folders = *state;
    struct registry registry;
    const char *const extra[] = {folders->first, folders->second, NULL};
    scan(extra, &registry);
    const struct registry_entry *alpha = registry_find(&registry, ALPHA);
    assert_non_null(alpha);
    assert_string_equal(alpha[0].hash, "cbf29ce484222325");
    assert_string_equal(alpha[1].hash, "85944171f73967e8");
    assert_string_equal(registry_find(&registry, BETA)->hash, "af63dc4c8601ec8c");
    registry_free(&registry);
}

static void environment_comes_after_the_hand(void **state)
{
    const struct folders *folders = *state;
    struct registry registry;
    char list[240];
    snprintf(list, sizeof list, ":%s/nowhere::%s:", folders->root, folders->second);
    setenv("CONVOY_PLUGIN_PATH", list, 1);
    setenv("CONVOY_LOG", "error", 1); /* the missing folder is worth a warning, but not in this test's output */
    scan(NULL, &registry);
    assert_int_equal(ours(&registry), 2);
    assert_in(registry_find(&registry, ALPHA), folders->second);
    registry_free(&registry);
    const char *const extra[] = {folders->first, NULL};
    scan(extra, &registry);
    assert_int_equal(ours(&registry), 4);
    assert_in(registry_find(&registry, ALPHA), folders->first);
    registry_free(&registry);
    unsetenv("CONVOY_PLUGIN_PATH");
}

static void single_file_can_be_added(void **state)
{
    const struct folders *folders = *state;
    struct registry registry;
    char path[120];
    snprintf(path, sizeof path, "%s/convoy_%s.so", folders->second, ALPHA);
    const char *const extra[] = {path, folders->first, NULL};
    scan(extra, &registry);
    assert_int_equal(ours(&registry), 3);
    assert_in(registry_find(&registry, ALPHA), folders->second);
    registry_free(&registry);
}

static void same_file_shadows_nothing(void **state)
{
    const struct folders *folders = *state;
    struct registry registry;
    char other_way[80];
    snprintf(other_way, sizeof other_way, "%s/../first/", folders->second);
    const char *const extra[] = {folders->first, folders->first, other_way, NULL};
    scan(extra, &registry);
    assert_int_equal(ours(&registry), 2);
    registry_free(&registry);
}

static void what_is_asked_for_must_be_there(void **state)
{
    const struct folders *folders = *state;
    char missing[80], upper[120], library[120];
    snprintf(missing, sizeof missing, "%s/nowhere", folders->root);
    snprintf(upper, sizeof upper, "%s/convoy_ztest_Upper.so", folders->first);
    snprintf(library, sizeof library, "%s/libztest.so", folders->first);
    const struct {
        const char *path;
        convoy_status status;
        const char *says;
    } wrong[] = {
        {missing, CONVOY_FAILED, "/nowhere: No such file or directory"},
        {upper, CONVOY_INVALID, "convoy_ztest_Upper.so is neither a folder nor a file convoy_NAME.so"},
        {library, CONVOY_INVALID, "libztest.so is neither a folder nor a file convoy_NAME.so"},
        {"", CONVOY_INVALID, "empty name"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct convoy_error err = {.struct_size = sizeof err};
        struct registry registry;
        const char *const extra[] = {folders->first, wrong[i].path, NULL};
        assert_int_equal(registry_scan(extra, &registry, &err), wrong[i].status);
        assert_int_equal(err.status, wrong[i].status);
        if (!strstr(err.text, wrong[i].says))
            fail_msg("\"%s\" does not say \"%s\"", err.text, wrong[i].says);
        assert_int_equal(registry.count, 0);
        assert_null(registry.entry);
        registry_free(&registry);
    }
}

static void unreadable_folder_is_an_error(void **state)
{
    const struct folders *folders = *state;
    /* Root may read everything, so be nobody for a while. */
    const uid_t user = geteuid();
    if (user == 0 && seteuid(65534) != 0) {
        print_message("skipped: root may read every folder, and cannot be anybody else here\n");
        skip();
    }
    assert_int_equal(seteuid(user), 0);
    struct registry registry;
    struct convoy_error err = {.struct_size = sizeof err};
    const char *const extra[] = {folders->first, NULL};
    assert_int_equal(chmod(folders->root, 0755), 0);
    assert_int_equal(chmod(folders->first, 0), 0);
    const int changed = user == 0 ? seteuid(65534) : 0;
    const convoy_status status = registry_scan(extra, &registry, &err);
    const int back = seteuid(user);
    assert_int_equal(chmod(folders->first, 0755), 0);
    assert_int_equal(changed, 0);
    assert_int_equal(back, 0);
    assert_int_equal(status, CONVOY_FAILED);
    assert_non_null(strstr(err.text, "/first: Permission denied"));
}

/* This program lies in BUILD_DIR/tests, so BUILD_DIR/plugins is beside its folder. */
static void folder_beside_the_program_is_found(void **state)
{
    (void)state;
    char folder[4096], path[4200];
    snprintf(folder, sizeof folder, "%s/plugins", BUILD_DIR);
    snprintf(path, sizeof path, "%s/convoy_ztest_beside.so", folder);
    const int made = mkdir(folder, 0755) == 0;
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    fclose(file);
    struct registry registry;
    struct convoy_error err = {.struct_size = sizeof err};
    const convoy_status status = registry_scan(NULL, &registry, &err);
    unlink(path);
    if (made)
        rmdir(folder);
    assert_int_equal(status, CONVOY_OK);
    const struct registry_entry *entry = registry_find(&registry, "ztest_beside");
    assert_non_null(entry);
    assert_string_equal(entry->path, path);
    registry_free(&registry);
}

static void names_follow_the_rule(void **state)
{
    (void)state;
    char name[PLUGIN_NAME_BYTES];
    assert_true(plugin_name_of_path("a/b.so/convoy_im2col_2.so", name));
    assert_string_equal(name, "im2col_2");
    assert_true(plugin_name_of_path("convoy_x.so", name));
    assert_string_equal(name, "x");
    static const char *const wrong[] = {"",
                                        "convoy_.so",
                                        "convoy_a",
                                        "convoy_a.so.1",
                                        "xconvoy_a.so",
                                        "convoy_a-b.so",
                                        "convoy_A.so",
                                        "convoy_a.so/",
                                        "convoy_a.b.so",
                                        "convoy_0123456789012345678901234567890123456789abcdefgh.so"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_false(plugin_name_of_path(wrong[i], name));
    assert_true(plugin_name_of_path("convoy_0123456789012345678901234567890123456789abcdefg.so", name));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(first_of_a_name_wins),
        cmocka_unit_test(hash_is_fnv1a),
        cmocka_unit_test(environment_comes_after_the_hand),
        cmocka_unit_test(single_file_can_be_added),
        cmocka_unit_test(same_file_shadows_nothing),
        cmocka_unit_test(what_is_asked_for_must_be_there),
        cmocka_unit_test(unreadable_folder_is_an_error),
        cmocka_unit_test(folder_beside_the_program_is_found),
        cmocka_unit_test(names_follow_the_rule),
    };
    return cmocka_run_group_tests(tests, make_folders, remove_folders);
}
