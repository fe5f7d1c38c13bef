#include "verify/guard.h"
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

enum { BYTES = 1200 };

static void act_at(volatile char *at, bool write)
{
    if (write)
        *at = 1;
    else
        (void)*at;
}

struct act {
    size_t bytes, align;
    enum guard_placement placement;
    enum guard_access access;
    int64_t offset;   /* from the buffer's first byte */
    bool write;
};

/* What a child that does it reports; PASS if it survives. */
static struct finding outcome(const struct act *act, int signal_number)
{
    struct finding finding = finding_none();
    char line[GUARD_LINE_BYTES + 1] = "";
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    const pid_t child = fork();
    if (child == 0) {
        struct guard_region region;
        guard_install(ends[1]);
        guard_stage("execute", GUARD_LEFT);
        if (signal_number)
            raise(signal_number);
        if (!guard_open(&region, "x", act->bytes, act->align))
            _exit(2);
        guard_place(&region, act->placement);
        guard_protect(&region, act->access);
        act_at(region.data + act->offset, act->write);
        if (!guard_intact(&region, "execute", &finding))
            dprintf(ends[1], "fault\t%s\t%s\n", verdict_name(finding.verdict), finding.reason);
        _exit(0);
    }
    close(ends[1]);
    ssize_t got = read(ends[0], line, sizeof line - 1);
    close(ends[0]);
    int status;
    waitpid(child, &status, 0);
    assert_true(WIFEXITED(status));
    assert_true(WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == GUARD_EXIT_STATUS);
    if (got > 0)
        assert_true(guard_parse(line, &finding));
    return finding;
}

static void test_sides(void **state)
{
    (void)state;
    static const struct {
        struct act act;
        enum verdict verdict;
        const char *says;
    } cases[] = {
        {{BYTES, 4, GUARD_RIGHT, GUARD_WRITABLE, BYTES - 1, false}, VERDICT_PASS, ""},
        {{BYTES, 4, GUARD_RIGHT, GUARD_WRITABLE, 0, true}, VERDICT_PASS, ""},
        {{BYTES, 4, GUARD_RIGHT, GUARD_WRITABLE, BYTES, false}, VERDICT_OOB_READ, "0 bytes past the end of x"},
        {{BYTES, 4, GUARD_RIGHT, GUARD_WRITABLE, BYTES + 4096, true}, VERDICT_OOB_WRITE, "4096 bytes past the end of x"},
        {{BYTES, 4, GUARD_LEFT, GUARD_WRITABLE, -4, false}, VERDICT_OOB_READ, "4 bytes before the start of x"},
        {{BYTES, 4, GUARD_LEFT, GUARD_WRITABLE, -100000, true}, VERDICT_OOB_WRITE, "100000 bytes before the start of x"},
        {{BYTES, 4, GUARD_LEFT, GUARD_WRITABLE, BYTES, true}, VERDICT_OOB_WRITE, "wrote past x"},
        {{BYTES, 4, GUARD_RIGHT, GUARD_WRITABLE, -1, true}, VERDICT_OOB_WRITE, "wrote before x"},
        {{BYTES, 4, GUARD_SHIFTED, GUARD_WRITABLE, -1, true}, VERDICT_OOB_WRITE, "wrote before x"},
        {{BYTES, 64, GUARD_RIGHT, GUARD_WRITABLE, BYTES, true}, VERDICT_OOB_WRITE, "wrote past x"},
        {{5, 4, GUARD_RIGHT, GUARD_WRITABLE, 5, true}, VERDICT_OOB_WRITE, "wrote past x"},
        {{4096, 4, GUARD_RIGHT, GUARD_WRITABLE, 4096, false}, VERDICT_OOB_READ, "past the end of x (4096 bytes) during execute"},
        {{BYTES, 4, GUARD_LEFT, GUARD_READ_ONLY, 8, false}, VERDICT_PASS, ""},
        {{BYTES, 4, GUARD_LEFT, GUARD_READ_ONLY, 8, true}, VERDICT_DIRTY_INPUT, "input x at byte 8"},
        {{BYTES, 4, GUARD_LEFT, GUARD_READ_ONLY, BYTES, true}, VERDICT_OOB_WRITE, "past the end of x"},
        {{BYTES, 4, GUARD_LEFT, GUARD_FORBIDDEN, 8, false}, VERDICT_CONTRACT, "access to x"},
    };
#if !defined(__x86_64__)
    skip(); /* reads and writes are told apart by the page-fault error code of x86 */
#endif
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct finding found = outcome(&cases[i].act, 0);
        if (found.verdict != cases[i].verdict || !strstr(found.reason, cases[i].says))
            fail_msg("case %zu: %s \"%s\", expected %s \"%s\"", i, verdict_name(found.verdict), found.reason,
                     verdict_name(cases[i].verdict), cases[i].says);
        if (found.verdict == VERDICT_OOB_READ)
            assert_non_null(strstr(found.reason, "test_guard"));
    }
}

static void test_other_signals(void **state)
{
    (void)state;
    static const struct {
        int number;
        const char *name;
    } signals[] = {{SIGFPE, "SIGFPE"}, {SIGILL, "SIGILL"}, {SIGABRT, "SIGABRT"}, {SIGSEGV, "SIGSEGV"}};
    for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++) {
        const struct finding found = outcome(&(struct act){.bytes = 4, .align = 4}, signals[i].number);
        assert_int_equal(found.verdict, VERDICT_CRASH);
        assert_non_null(strstr(found.reason, signals[i].name));
    }
}

static void test_placement(void **state)
{
    struct guard_region region;
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    (void)state;
    assert_true(guard_open(&region, "x", 100, 4));
    assert_int_equal((uintptr_t)(region.data + 100) % page, 0);
    guard_place(&region, GUARD_LEFT);
    assert_int_equal((uintptr_t)region.data % page, 0);
    guard_place(&region, GUARD_SHIFTED);
    assert_int_equal((uintptr_t)region.data % page, 4);
    guard_close(&region);
    assert_true(guard_open(&region, "workspace", 100, 64));
    assert_int_equal((uintptr_t)region.data % 64, 0);
    assert_int_equal((uintptr_t)(region.data + 128) % page, 0);
    guard_close(&region);
    assert_true(guard_open(&region, "index", 7, 4)); /* bytes: aligned to 4 all the same */
    assert_int_equal((uintptr_t)region.data % 4, 0);
    guard_close(&region);
}

static void test_parse(void **state)
{
    struct finding finding = finding_none();
    (void)state;
    assert_false(guard_parse("case\tPASS\t\n", &finding));
    assert_false(guard_parse("fault\tNONSENSE\tx\n", &finding));
    assert_false(guard_parse("fault\tCRASH", &finding));
    assert_true(guard_parse("fault\tCRASH\tSIGSEGV at 0x0\nmore", &finding));
    assert_int_equal(finding.verdict, VERDICT_CRASH);
    assert_string_equal(finding.reason, "SIGSEGV at 0x0");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sides),
        cmocka_unit_test(test_other_signals),
        cmocka_unit_test(test_placement),
        cmocka_unit_test(test_parse),
    };
    return cmocka_run_group_tests_name("guard", tests, NULL, NULL);
}
