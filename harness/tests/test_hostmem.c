#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include "core/hostmem.h"
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#endif

static struct convoy_buffer *allocate(uint64_t bytes)
{
    struct convoy_memory *memory = hostmem();
    struct convoy_error err = {.struct_size = sizeof err};
    struct convoy_buffer *buffer = NULL;
    assert_int_equal(memory->alloc(memory, bytes, &buffer, &err), CONVOY_OK);
    assert_non_null(buffer);
    return buffer;
}

static void domain_is_complete(void **state)
{
    (void)state;
    const struct convoy_memory *memory = hostmem();
    assert_ptr_equal(memory, hostmem());
    assert_int_equal(memory->struct_size, sizeof *memory);
    assert_int_equal(memory->align, 64);
    assert_string_equal(memory->name, "host");
}

static void allocations_are_aligned(void **state)
{
    (void)state;
    static const uint64_t sizes[] = {0, 1, 63, 64, 65, 4095, (4 << 20) - 64, 4 << 20, (4 << 20) + 1, 9 << 20};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct convoy_buffer *buffer = allocate(sizes[i]);
        assert_ptr_equal(buffer->memory, hostmem());
        assert_non_null(buffer->host);
        assert_int_equal(buffer->bytes, sizes[i]);
        assert_int_equal((uintptr_t)buffer->host % (sizes[i] >= 4 << 20 ? 2 << 20 : 64), 0);
        /* The padding up to whole lines belongs to the allocation (a sanitizer would object otherwise). */
        memset(buffer->host, 0x5a, sizes[i] ? (size_t)(sizes[i] + 63) / 64 * 64 : 64);
        hostmem()->free(hostmem(), buffer);
    }
    hostmem()->free(hostmem(), NULL);
}

static void too_much_is_refused(void **state)
{
    (void)state;
    /* 2^62 bytes would reach the allocator, where a sanitizer ends the program instead of returning NULL. */
    static const uint64_t sizes[] = {UINT64_MAX, (uint64_t)INT64_MAX,
#ifndef SANITIZED
                                     (uint64_t)1 << 62
#endif
    };
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct convoy_error err = {.struct_size = sizeof err};
        struct convoy_buffer *buffer = (struct convoy_buffer *)&err;
        assert_int_equal(hostmem()->alloc(hostmem(), sizes[i], &buffer, &err), CONVOY_NO_MEMORY);
        assert_null(buffer);
        assert_int_equal(err.status, CONVOY_NO_MEMORY);
        assert_non_null(strstr(err.text, "bytes"));
        assert_int_equal(hostmem()->alloc(hostmem(), sizes[i], &buffer, NULL), CONVOY_NO_MEMORY);
    }
}

static void fill_repeats_the_word(void **state)
{
    (void)state;
    struct convoy_memory *memory = hostmem();
    struct convoy_buffer *buffer = allocate(64);
    const unsigned char *byte = buffer->host;
    struct convoy_tensor all = {.buffer = buffer}, middle = {.buffer = buffer, .offset = 8};
    assert_int_equal(memory->fill(memory, all, 64, 0, NULL), CONVOY_OK);
    assert_int_equal(memory->fill(memory, middle, 12, 0x7fc12345u, NULL), CONVOY_OK);
    for (size_t i = 0; i < 64; i++) {
        uint32_t word = 0x7fc12345u;
        unsigned char pattern[4];
        memcpy(pattern, &word, sizeof word);
        assert_int_equal(byte[i], i >= 8 && i < 20 ? pattern[i % 4] : 0);
    }
    assert_int_equal(memory->fill(memory, middle, 12, 0xffffffffu, NULL), CONVOY_OK);
    for (size_t i = 0; i < 64; i++)
        assert_int_equal(byte[i], i >= 8 && i < 20 ? 0xff : 0);
    memory->free(memory, buffer);
}

static void copies_go_both_ways(void **state)
{
    (void)state;
    struct convoy_memory *memory = hostmem();
    struct convoy_buffer *buffer = allocate(32);
    const struct convoy_tensor tensor = {.buffer = buffer, .offset = 4};
    const char sent[] = "twelve bytes";
    char got[sizeof sent] = "";
    assert_int_equal(memory->upload(memory, tensor, sent, sizeof sent, NULL), CONVOY_OK);
    assert_memory_equal((char *)buffer->host + 4, sent, sizeof sent);
    assert_int_equal(memory->download(memory, got, tensor, sizeof got, NULL), CONVOY_OK);
    assert_string_equal(got, sent);
    assert_int_equal(memory->upload(memory, tensor, NULL, 0, NULL), CONVOY_OK);
    assert_int_equal(memory->download(memory, NULL, tensor, 0, NULL), CONVOY_OK);
    memory->free(memory, buffer);
}

static void wrapped_memory_is_host_memory(void **state)
{
    (void)state;
    float own[4] = {1, 2, 3, 4};
    struct convoy_buffer buffer;
    const struct convoy_tensor tensor = hostmem_wrap(&buffer, own, sizeof own);
    assert_ptr_equal(tensor.buffer, &buffer);
    assert_int_equal(tensor.offset, 0);
    assert_ptr_equal(buffer.memory, hostmem());
    assert_ptr_equal(buffer.host, own);
    assert_int_equal(buffer.bytes, sizeof own);
    assert_int_equal(hostmem()->fill(hostmem(), tensor, sizeof own, 0x3f800000u, NULL), CONVOY_OK);
    assert_true(own[0] == 1.0f && own[3] == 1.0f);
}

/* Every way to leave the buffer, through each of the three functions. */
static void ranges_are_checked(void **state)
{
    (void)state;
    struct convoy_memory *memory = hostmem();
    struct convoy_memory other = *memory;
    struct convoy_buffer *buffer = allocate(64);
    struct convoy_buffer foreign = {.memory = &other, .host = buffer->host, .bytes = 64};
    struct convoy_buffer unaddressable = {.memory = memory, .host = NULL, .bytes = 64};
    char outside[128] = "";
    const struct {
        struct convoy_tensor tensor;
        uint64_t bytes;
        const char *says;
    } wrong[] = {
        {{buffer, 0}, 68, "68"},
        {{buffer, 4}, 64, "offset 4"},
        {{buffer, 68}, 0, "offset 68"},
        {{buffer, UINT64_MAX - 3}, 8, "leaves a buffer of 64 bytes"},
        {{buffer, 8}, UINT64_MAX - 3, "leaves a buffer of 64 bytes"},
        {{NULL, 0}, 4, "without a buffer"},
        {{&foreign, 0}, 4, "not in host memory"},
        {{&unaddressable, 0}, 4, "not in host memory"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        for (int function = 0; function < 3; function++) {
            struct convoy_error err = {.struct_size = sizeof err};
            convoy_status status = function == 0   ? memory->fill(memory, wrong[i].tensor, wrong[i].bytes, 0, &err)
                                   : function == 1 ? memory->upload(memory, wrong[i].tensor, outside, wrong[i].bytes, &err)
                                                   : memory->download(memory, outside, wrong[i].tensor, wrong[i].bytes, &err);
            assert_int_equal(status, CONVOY_INVALID);
            assert_int_equal(err.status, CONVOY_INVALID);
            assert_non_null(strstr(err.text, wrong[i].says));
        }
    }
    assert_int_equal(memory->fill(memory, (struct convoy_tensor){buffer, 0}, 6, 0, NULL), CONVOY_INVALID);
    assert_int_equal(memory->fill(memory, (struct convoy_tensor){buffer, 2}, 4, 0, NULL), CONVOY_INVALID);
    assert_int_equal(memory->upload(memory, (struct convoy_tensor){buffer, 0}, NULL, 4, NULL), CONVOY_INVALID);
    assert_int_equal(memory->download(memory, NULL, (struct convoy_tensor){buffer, 0}, 4, NULL), CONVOY_INVALID);
    memory->free(memory, buffer);
}

/* In a process of its own, where the counter starts at zero: allocate five times and report each outcome as the exit code. */
static int allocate_five(void)
{
    int failed = 0;
    for (int i = 1; i <= 5; i++) {
        struct convoy_error err = {.struct_size = sizeof err};
        struct convoy_buffer *buffer = NULL;
        const convoy_status status = hostmem()->alloc(hostmem(), 1000, &buffer, &err);
        if (status == CONVOY_NO_MEMORY && !buffer && strstr(err.text, "1000 bytes"))
            failed |= 1 << i;
        else if (status != CONVOY_OK)
            return 1;
        hostmem()->free(hostmem(), buffer);
    }
    return failed;
}

static void chosen_allocation_fails(void **state)
{
    (void)state;
    static const struct {
        const char *number;
        int failed;
    } runs[] = {{"1", 1 << 1}, {"4", 1 << 4}, {"6", 0}, {"", 0}};
    for (size_t i = 0; i < sizeof runs / sizeof runs[0]; i++) {
        const pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            setenv("CONVOY_FAIL_ALLOC", runs[i].number, 1);
            execl("/proc/self/exe", "test_hostmem", "allocate-five", (char *)NULL);
            _exit(127);
        }
        int status;
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), runs[i].failed);
    }
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "allocate-five") == 0)
        return allocate_five();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(domain_is_complete),  cmocka_unit_test(allocations_are_aligned),
        cmocka_unit_test(too_much_is_refused), cmocka_unit_test(fill_repeats_the_word),
        cmocka_unit_test(copies_go_both_ways), cmocka_unit_test(wrapped_memory_is_host_memory),
        cmocka_unit_test(ranges_are_checked),  cmocka_unit_test(chosen_allocation_fails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
