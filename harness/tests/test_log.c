#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include "core/log.h"
#include <convoy/convoy.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* What `act` writes to stderr, in a child so that level and stream are its own. */
static void capture(void (*act)(void), const char *level, char *text, size_t size)
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    fflush(NULL);
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        if (level)
            setenv("CONVOY_LOG", level, 1);
        else
            unsetenv("CONVOY_LOG");
        dup2(ends[1], STDERR_FILENO);
        close(ends[0]);
        act();
        _exit(0);
    }
    close(ends[1]);
    size_t used = 0;
    ssize_t got;
    while (used + 1 < size && (got = read(ends[0], text + used, size - 1 - used)) > 0)
        used += (size_t)got;
    text[used] = '\0';
    close(ends[0]);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void say_all(void)
{
    log_text(CONVOY_LOG_ERROR, "one");
    log_write(CONVOY_LOG_WARNING, "two %d", 2);
    log_text(CONVOY_LOG_INFO, "three");
    log_text(CONVOY_LOG_DEBUG, "four");
}

static void level_comes_from_the_environment(void **state)
{
    (void)state;
    char text[1024];
    capture(say_all, NULL, text, sizeof text);
    assert_string_equal(text, "convoy: error: one\nconvoy: warning: two 2\n");
    capture(say_all, "error", text, sizeof text);
    assert_string_equal(text, "convoy: error: one\n");
    capture(say_all, "debug", text, sizeof text);
    assert_string_equal(text, "convoy: error: one\nconvoy: warning: two 2\nconvoy: info: three\nconvoy: debug: four\n");
}

static void unknown_level_is_told_once(void **state)
{
    (void)state;
    char text[1024];
    capture(say_all, "loud", text, sizeof text);
    assert_non_null(strstr(text, "CONVOY_LOG is none of error, warning, info, debug"));
    assert_null(strstr(strstr(text, "CONVOY_LOG") + 1, "CONVOY_LOG"));
    assert_non_null(strstr(text, "convoy: warning: two 2\n"));
    assert_null(strstr(text, "three"));
}

static void raise_level(void)
{
    log_set_level(CONVOY_LOG_INFO);
    if (log_level() != CONVOY_LOG_INFO)
        log_text(CONVOY_LOG_ERROR, "the level was not taken");
    log_text(CONVOY_LOG_INFO, "heard");
    log_text(CONVOY_LOG_DEBUG, "not heard");
    log_text(99, "not heard either");
}

static void program_sets_level(void **state)
{
    (void)state;
    char text[1024];
    capture(raise_level, "error", text, sizeof text);
    assert_string_equal(text, "convoy: info: heard\n");
}

static void say_lines(void)
{
    log_text(CONVOY_LOG_ERROR, "first\nsecond\n\n");
    log_text(CONVOY_LOG_ERROR, NULL);
}

static void every_line_has_the_prefix(void **state)
{
    (void)state;
    char text[1024];
    capture(say_lines, NULL, text, sizeof text);
    assert_string_equal(text, "convoy: error: first\nconvoy: error: second\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(level_comes_from_the_environment),
        cmocka_unit_test(unknown_level_is_told_once),
        cmocka_unit_test(program_sets_level),
        cmocka_unit_test(every_line_has_the_prefix),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
