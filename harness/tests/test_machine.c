#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include "core/machine.h"
#include <ctype.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

static void id_is_a_folder_name(void **state)
{
    (void)state;
    struct machine machine;
    machine_describe(&machine);
    const size_t length = strlen(machine.id);
    assert_true(length > 12);
    assert_int_equal(strspn(machine.id, "abcdefghijklmnopqrstuvwxyz0123456789-"), length);
    assert_null(strstr(machine.id, "--"));
    assert_true(isalnum((unsigned char)machine.id[0]));
    assert_int_equal(machine.id[length - 9], '-');
    assert_int_equal(strspn(machine.id + length - 8, "0123456789abcdef"), 8);
    char cores[24];
    snprintf(cores, sizeof cores, "-%dc-", (int)machine.cores);
    assert_non_null(strstr(machine.id, cores));
}

static void description_is_stable(void **state)
{
    (void)state;
    struct machine first, second;
    memset(&first, 0x11, sizeof first);
    memset(&second, 0x22, sizeof second);
    machine_describe(&first);
    machine_describe(&second);
    assert_string_equal(first.id, second.id);
    assert_string_equal(first.cpu, second.cpu);
    assert_string_equal(first.isa, second.isa);
    assert_int_equal(first.memory_bytes, second.memory_bytes);
    assert_int_equal(first.l1d_bytes, second.l1d_bytes);
    assert_int_equal(first.l2_bytes, second.l2_bytes);
    assert_int_equal(first.l3_bytes, second.l3_bytes);
}

static void facts_agree_with_the_system(void **state)
{
    (void)state;
    struct machine machine;
    struct utsname system;
    machine_describe(&machine);
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0)
        assert_int_equal(machine.cores, CPU_COUNT(&set));
    assert_int_equal(uname(&system), 0);
    assert_int_equal(strncmp(machine.kernel, system.sysname, strlen(system.sysname)), 0);
    assert_non_null(strstr(machine.kernel, system.release));
    assert_int_equal(machine.memory_bytes, (int64_t)sysconf(_SC_PHYS_PAGES) * sysconf(_SC_PAGESIZE));
    assert_true(machine.cpu[0] != '\0');
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx2"))
        assert_non_null(strstr(machine.isa, "avx2"));
    if (__builtin_cpu_supports("avx512f"))
        assert_non_null(strstr(machine.isa, "avx512f"));
#endif
    /* Sizes are those of one cache: more than a page, ordered by level where known. */
    if (machine.l1d_bytes && machine.l2_bytes)
        assert_true(machine.l1d_bytes >= 4096 && machine.l2_bytes > machine.l1d_bytes);
    if (machine.l2_bytes && machine.l3_bytes)
        assert_true(machine.l3_bytes > machine.l2_bytes);
}

static void build_is_described(void **state)
{
    (void)state;
    struct machine machine;
    machine_describe(&machine);
    assert_true(strncmp(machine.compiler, "gcc ", 4) == 0 || strncmp(machine.compiler, "clang ", 6) == 0);
    assert_true(isdigit((unsigned char)strchr(machine.compiler, ' ')[1]));
    assert_true(machine.revision[0] != '\0');
    assert_null(strpbrk(machine.revision, " \n"));
}

/* Fewer usable cores are another machine: their results belong to another folder. */
static void affinity_counts(void **state)
{
    (void)state;
    struct machine all;
    machine_describe(&all);
    if (all.cores < 2) {
        print_message("skipped: one usable core only\n");
        skip();
    }
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        cpu_set_t set, one;
        CPU_ZERO(&one);
        if (sched_getaffinity(0, sizeof set, &set) != 0)
            _exit(2);
        size_t cpu = CPU_SETSIZE - 1;
        while (cpu > 0 && !CPU_ISSET(cpu, &set))
            cpu--;
        CPU_SET(cpu, &one);
        if (sched_setaffinity(0, sizeof one, &one) != 0)
            _exit(3);
        struct machine machine;
        machine_describe(&machine);
        _exit(machine.cores == 1 && strcmp(machine.id, all.id) != 0 && strstr(machine.id, "-1c-") ? 0 : 1);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(id_is_a_folder_name),
        cmocka_unit_test(description_is_stable),
        cmocka_unit_test(facts_agree_with_the_system),
        cmocka_unit_test(build_is_described),
        cmocka_unit_test(affinity_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
