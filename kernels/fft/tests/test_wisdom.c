/* What FFTW's planner learned is kept in a file, and the file is never needed: a missing, broken or unwritable one is no error.
 * The planner's state belongs to the process, so each case runs in one of its own. */
#include "transform.h"
#include <convoy/plugin.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

static char folder[64], file[96];

static int make_folder(void **state)
{
    (void)state;
    strcpy(folder, "/tmp/convoy-wisdom-XXXXXX");
    if (!mkdtemp(folder) || setenv("CONVOY_CACHE_DIR", folder, 1) != 0)
        return -1;
    snprintf(file, sizeof file, "%s/fftw-wisdom", folder);
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    remove(file);
    return rmdir(folder);
}

static bool open_transform(int32_t tile_h, int32_t tile_w)
{
    const struct fft_transform *transform;
    struct convoy_error err = {.struct_size = sizeof err};
    if (fft_library_open(tile_h, tile_w, 4, &transform, &err) != CONVOY_OK)
        return false;
    fft_library_close(transform);
    return true;
}

static bool one_transform(void)
{
    return open_transform(6, 10);
}

static void *open_many(void *context)
{
    for (int32_t tile = 2; tile < 16; tile += 2)
        if (!open_transform(tile, 18 - tile))
            return NULL;
    return context;
}

static bool many_threads(void)
{
    pthread_t thread[4];
    bool good = true;
    for (int t = 0; t < 4; t++)
        if (pthread_create(&thread[t], NULL, open_many, folder) != 0)
            return false;
    for (int t = 0; t < 4; t++) {
        void *result;
        good = pthread_join(thread[t], &result) == 0 && result && good;
    }
    return good;
}

static void run_apart(bool (*action)(void))
{
    int status;
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0)
        _exit(action() ? 0 : 1);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static ino_t file_number(void)
{
    struct stat status;
    assert_int_equal(stat(file, &status), 0);
    assert_true(status.st_size > 0);
    return status.st_ino;
}

static void write_file(const char *text)
{
    FILE *to = fopen(file, "w");
    assert_non_null(to);
    assert_true(fputs(text, to) >= 0);
    assert_int_equal(fclose(to), 0);
}

static void test_kept_and_used(void **state)
{
    (void)state;
    run_apart(one_transform);
    const ino_t first = file_number();
    run_apart(one_transform);
    assert_true(file_number() == first); /* nothing was measured, so nothing was written */
}

static void test_broken(void **state)
{
    static const char *const contents[] = {"", "(fftw-3.3.10 fftwf_wisdom #x0 #x1 #x2 #x3\n  (fftwf_codelet",
                                           "no wisdom at all\n"};
    (void)state;
    for (size_t i = 0; i < sizeof contents / sizeof *contents; i++) {
        write_file(contents[i]);
        run_apart(one_transform);
        char begin[6] = {0};
        FILE *from = fopen(file, "r");
        assert_non_null(from);
        assert_int_equal(fread(begin, 1, 5, from), 5);
        fclose(from);
        assert_string_equal(begin, "(fftw"); /* replaced by what was measured */
        run_apart(one_transform);
    }
}

static void test_unwritable(void **state)
{
    (void)state;
    assert_int_equal(setenv("CONVOY_CACHE_DIR", "/dev/null/nowhere", 1), 0);
    run_apart(one_transform);
    assert_int_equal(setenv("CONVOY_CACHE_DIR", folder, 1), 0);
}

static void test_threads(void **state)
{
    (void)state;
    remove(file);
    run_apart(many_threads);
    file_number();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kept_and_used),
        cmocka_unit_test(test_broken),
        cmocka_unit_test(test_unwritable),
        cmocka_unit_test(test_threads),
    };
    return cmocka_run_group_tests_name("wisdom", tests, make_folder, remove_folder);
}
