#include "verify/compare.h"
#include "verify/guard.h"
#include "verify/slotmem.h"
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
    int64_t offset; /* from the buffer's first byte */
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

/* ---- a device domain: memory that the host cannot address, made of host memory ---- */

struct device_buffer {
    struct convoy_buffer base;
    char *bytes;
};

static convoy_status device_alloc(struct convoy_memory *memory, uint64_t bytes, struct convoy_buffer **out,
                                  struct convoy_error *err)
{
    struct device_buffer *const buffer = calloc(1, sizeof *buffer);
    (void)err;
    buffer->base = (struct convoy_buffer){memory, NULL, bytes};
    buffer->bytes = calloc(1, (size_t)bytes);
    *out = &buffer->base;
    return CONVOY_OK;
}

static void device_free(struct convoy_memory *memory, struct convoy_buffer *buffer)
{
    (void)memory;
    free(((struct device_buffer *)buffer)->bytes);
    free(buffer);
}

static char *device_at(struct convoy_tensor tensor, uint64_t bytes)
{
    assert_true(tensor.offset % 4 == 0 && tensor.offset + bytes <= tensor.buffer->bytes);
    return ((struct device_buffer *)tensor.buffer)->bytes + tensor.offset;
}

static convoy_status device_fill(struct convoy_memory *memory, struct convoy_tensor tensor, uint64_t bytes, uint32_t word,
                                 struct convoy_error *err)
{
    char *const at = device_at(tensor, bytes);
    (void)memory;
    (void)err;
    assert_true(bytes % sizeof word == 0);
    for (uint64_t b = 0; b < bytes; b += sizeof word)
        memcpy(at + b, &word, sizeof word);
    return CONVOY_OK;
}

static convoy_status device_upload(struct convoy_memory *memory, struct convoy_tensor to, const void *from, uint64_t bytes,
                                   struct convoy_error *err)
{
    (void)memory;
    (void)err;
    memcpy(device_at(to, bytes), from, (size_t)bytes);
    return CONVOY_OK;
}

static convoy_status device_download(struct convoy_memory *memory, void *to, struct convoy_tensor from, uint64_t bytes,
                                     struct convoy_error *err)
{
    (void)memory;
    (void)err;
    memcpy(to, device_at(from, bytes), (size_t)bytes);
    return CONVOY_OK;
}

static void test_device_memory(void **state)
{
    struct convoy_memory domain = {sizeof domain, 256,         "test:0",      device_alloc,
                                   device_free,   device_fill, device_upload, device_download};
    static const float data[3] = {1, 2, 3};
    (void)state;
    for (int placement = 0; placement < GUARD_PLACEMENT_COUNT; placement++) {
        struct slotmem memory;
        struct finding finding = finding_none();
        assert_true(slotmem_open(&memory, &domain, "x", sizeof data, 4, &finding));
        assert_true(slotmem_place(&memory, (enum guard_placement)placement, &finding));
        assert_true(slotmem_write(&memory, data, &finding));
        assert_true(slotmem_protect(&memory, GUARD_READ_ONLY, &finding));
        const struct convoy_tensor tensor = slotmem_tensor(&memory);
        assert_int_equal(tensor.offset % 8, placement == GUARD_SHIFTED ? 4 : 0);
        assert_memory_equal(slotmem_read(&memory, &finding), data, sizeof data);
        assert_true(slotmem_intact(&memory, "execute", data, &finding));
        device_at(tensor, sizeof data)[5] ^= 1;
        assert_false(slotmem_intact(&memory, "execute", data, &finding));
        assert_int_equal(finding.verdict, VERDICT_DIRTY_INPUT);
        device_at(tensor, sizeof data)[5] ^= 1;
        for (int side = 0; side < 2; side++) {
            char *const outside = device_at(tensor, sizeof data) + (side ? (ptrdiff_t)sizeof data : -1);
            finding = finding_none();
            *outside ^= 1;
            assert_false(slotmem_intact(&memory, "execute", data, &finding));
            assert_int_equal(finding.verdict, VERDICT_OOB_WRITE);
            *outside ^= 1;
        }
        finding = finding_none();
        assert_true(slotmem_protect(&memory, GUARD_FORBIDDEN, &finding)); /* overwritten: nothing else can forbid it */
        uint32_t word;
        memcpy(&word, slotmem_read(&memory, &finding), sizeof word);
        assert_int_equal(word, COMPARE_POISON);
        slotmem_close(&memory);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sides), cmocka_unit_test(test_other_signals), cmocka_unit_test(test_placement),
        cmocka_unit_test(test_parse), cmocka_unit_test(test_device_memory),
    };
    return cmocka_run_group_tests_name("guard", tests, NULL, NULL);
}
