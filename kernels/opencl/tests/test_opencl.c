/* The backend on whatever device there is, beside what both backends are tested for: a damaged or missing program cache. Skips where
 * there is no device. */
#include "backend.h"
#include <dirent.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static char cache_folder[] = BUILD_DIR "/tests/opencl-XXXXXX";
static float out[COUNT];

/* Calls `change` with the path of every program in the cache; their number. */
static int each_cached(void (*change)(const char *path))
{
    DIR *const folder = opendir(cache_folder);
    int count = 0;
    assert_non_null(folder);
    for (const struct dirent *entry = readdir(folder); entry; entry = readdir(folder)) {
        char path[1024];
        if (strncmp(entry->d_name, "opencl-", 7) != 0)
            continue;
        snprintf(path, sizeof path, "%s/%s", cache_folder, entry->d_name);
        count++;
        if (change)
            change(path);
    }
    closedir(folder);
    return count;
}

static void flip_a_byte(const char *path)
{
    FILE *const file = fopen(path, "r+b");
    assert_non_null(file);
    fseek(file, -100, SEEK_END);
    const int byte = fgetc(file);
    fseek(file, -1, SEEK_CUR);
    fputc(byte ^ 0x55, file);
    fclose(file);
}

static void cut(const char *path)
{
    assert_int_equal(truncate(path, 700), 0);
}

static void empty(const char *path)
{
    assert_int_equal(truncate(path, 0), 0);
}

static void put_noise(const char *path)
{
    FILE *const file = fopen(path, "wb");
    assert_non_null(file);
    for (int e = 0; e < 5000; e++)
        fputc(e * 37 & 255, file);
    fclose(file);
}

/* A file that is written again is another file with another number. */
static off_t bytes_seen;
static ino_t numbers_seen;
static void add_up(const char *path)
{
    struct stat file;
    assert_int_equal(stat(path, &file), 0);
    bytes_seen += file.st_size;
    numbers_seen += file.st_ino;
}

static int add_up_all(void)
{
    bytes_seen = 0;
    numbers_seen = 0;
    return each_cached(add_up);
}

static void test_damaged_cache(void **state)
{
    (void)state;
    static void (*const damage[])(const char *) = {flip_a_byte, cut, empty, put_noise};
    run_chain(NULL, out, NULL, NULL);
    const int programs = add_up_all();
    const off_t whole_bytes = bytes_seen;
    const ino_t whole_numbers = numbers_seen;
    assert_true(programs > 0);
    run_chain(NULL, out, NULL, NULL);
    assert_int_equal(add_up_all(), programs);
    assert_true(numbers_seen == whole_numbers); /* all were taken as they are */
    for (size_t d = 0; d < sizeof damage / sizeof *damage; d++) {
        assert_int_equal(each_cached(damage[d]), programs);
        add_up_all();
        const ino_t damaged_numbers = numbers_seen;
        run_chain(NULL, out, NULL, NULL);
        assert_int_equal(add_up_all(), programs); /* built again and written again */
        assert_true(bytes_seen > whole_bytes / 2);
        assert_true(numbers_seen != damaged_numbers);
    }
}

static void test_no_cache_folder(void **state)
{
    (void)state;
    setenv("CONVOY_CACHE_PATH", "/proc/no/folder/here", 1);
    run_chain("direct", out, NULL, NULL);
    setenv("CONVOY_CACHE_PATH", cache_folder, 1);
}

int main(void)
{
    /* PoCL wants a folder of its own before its first call, and shows no device without. */
    if (!mkdtemp(cache_folder))
        return 1;
    setenv("CONVOY_CACHE_PATH", cache_folder, 1);
    setenv("POCL_CACHE_DIR", cache_folder, 1);
    unsetenv("CONVOY_GPU_FAMILY");
    unsetenv("CONVOY_GPU_RANGE");
    unsetenv(CONVOY_DEVICE_VARIABLE);
    if (!backend_load(BUILD_DIR "/plugins/convoy_opencl.so"))
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_damaged_cache), /* first, while the cache holds nothing else */
        cmocka_unit_test(test_no_cache_folder),
        BACKEND_TESTS,
    };
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    char command[sizeof cache_folder + 16];
    snprintf(command, sizeof command, "rm -rf '%s'", cache_folder);
    if (system(command) != 0)
        print_error("%s stays\n", cache_folder);
    return failed;
}
