#include "report/junit.h"
#include "core/error.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

static enum junit_outcome outcome(const struct record *record)
{
    return !strcmp(record->verdict, "PASS") ? JUNIT_PASSED : !strcmp(record->verdict, "FAIL") ? JUNIT_FAILED : JUNIT_SKIPPED;
}

static struct record row(const char *backend, const char *variant, const char *verdict, const char *reason)
{
    struct record record;
    record_clear(&record);
    snprintf(record.backend, sizeof record.backend, "%s", backend);
    snprintf(record.variant, sizeof record.variant, "%s", variant);
    snprintf(record.verdict, sizeof record.verdict, "%s", verdict);
    snprintf(record.reason, sizeof record.reason, "%s", reason);
    snprintf(record.problem, sizeof record.problem, "conv_fwd:c1h4k1kh3");
    snprintf(record.network, sizeof record.network, "net");
    snprintf(record.layer, sizeof record.layer, "conv1");
    snprintf(record.machine, sizeof record.machine, "m");
    snprintf(record.repro, sizeof record.repro, "convoy verify -b x 'conv_fwd:c1h4k1kh3'");
    record.threads = 2;
    record.seed = 1;
    return record;
}

static void the_file_is_as_expected(void **state)
{
    (void)state;
    static const char expected[] =
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"convoy\">\n"
        "  <testsuite name=\"a:v\" hostname=\"m\" tests=\"2\" failures=\"1\" errors=\"0\" skipped=\"0\">\n"
        "    <testcase classname=\"net.conv1\" name=\"conv_fwd:c1h4k1kh3 threads=2 seed=1\"/>\n"
        "    <testcase classname=\"net.conv1\" name=\"conv_fwd:c1h4k1kh3 threads=2 seed=1\">\n"
        "      <failure type=\"FAIL\" message=\"FAIL: y[0] &lt; &amp; &quot;1&quot;?\">convoy verify -b x "
        "&apos;conv_fwd:c1h4k1kh3&apos;</failure>\n"
        "    </testcase>\n  </testsuite>\n"
        "  <testsuite name=\"b\" hostname=\"m\" tests=\"1\" failures=\"0\" errors=\"0\" skipped=\"1\">\n"
        "    <testcase classname=\"net.conv1\" name=\"conv_fwd:c1h4k1kh3 threads=2 seed=1\">\n"
        "      <skipped message=\"UNSUPPORTED: stride\"/>\n    </testcase>\n  </testsuite>\n</testsuites>\n";
    const struct record records[] = {row("a", "v", "PASS", ""), row("b", "", "UNSUPPORTED", "stride"),
                                     row("a", "v", "FAIL", "y[0] < & \"1\"\x01")};
    char path[] = "/tmp/convoy-junit-XXXXXX";
    const int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    struct convoy_error err = error_none();
    assert_int_equal(junit_write(path, records, 3, outcome, &err), CONVOY_OK);
    char text[4096];
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    const size_t bytes = fread(text, 1, sizeof text - 1, file);
    text[bytes] = '\0';
    fclose(file);
    unlink(path);
    assert_string_equal(text, expected);
}

static void a_path_that_cannot_be_written_is_named(void **state)
{
    (void)state;
    struct convoy_error err = error_none();
    assert_int_equal(junit_write("/nonexistent-folder/out.xml", NULL, 0, outcome, &err), CONVOY_FAILED);
    assert_non_null(strstr(err.text, "/nonexistent-folder/out.xml"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_file_is_as_expected),
                                       cmocka_unit_test(a_path_that_cannot_be_written_is_named)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
