#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "report/devices.h"
#include <stdlib.h>
#include <string.h>

static struct record timed(const char *backend, const char *domain, const char *problem, int64_t median_ns)
{
    struct record record;
    record_clear(&record);
    snprintf(record.command, sizeof record.command, "bench");
    snprintf(record.backend, sizeof record.backend, "%s", backend);
    snprintf(record.domain, sizeof record.domain, "%s", domain);
    snprintf(record.problem, sizeof record.problem, "%s", problem);
    record.median_ns = median_ns;
    return record;
}

static char *printed(const struct record *records, size_t count)
{
    char *text = NULL;
    size_t bytes = 0;
    FILE *out = open_memstream(&text, &bytes);
    assert_non_null(out);
    assert_true(devices_print(out, "Heading\n", records, count));
    fclose(out);
    return text;
}

static void host_rows_print_nothing(void **state)
{
    (void)state;
    struct record *records = calloc(2, sizeof *records);
    assert_non_null(records);
    records[0] = timed("a", "host", "relu:n1", 1000);
    records[1] = timed("b", "gpu", "relu:n1", INT64_MIN); /* declined: no time */
    char *text = printed(records, 2);
    assert_string_equal(text, "");
    free(text);
    free(records);
}

/* A table for each device, the rows of nothing once, and what was not measured stays empty. */
static void a_device_has_its_rows_of_nothing_once(void **state)
{
    (void)state;
    struct record *records = calloc(4, sizeof *records);
    assert_non_null(records);
    records[0] = timed("a", "host", "relu:n1", 1000);
    records[1] = timed("b", "gpu:0 (software)", "relu:n2", 5000);
    records[1].launch_ns = 90000;
    records[1].queued_ns = 12000;
    records[1].without_moves_ns = 3000;
    records[1].upload_ns = 7000;
    records[1].download_ns = 8000;
    records[2] = timed("c", "gpu:1", "relu:n3", 6000);
    records[3] = timed("b", "gpu:0 (software)", "relu:n4", 9000);
    records[3].launch_ns = 90000;
    char *text = printed(records, 4);
    assert_string_equal(text, "Heading\n"
                              "b, gpu:0 (software)\n\n"
                              "| problem               | kernels us | execution us | upload us | download us |\n"
                              "|-----------------------|-----------:|-------------:|----------:|------------:|\n"
                              "| (nothing, waited for) |            |         90.0 |           |             |\n"
                              "| (nothing, queued)     |            |         12.0 |           |             |\n"
                              "| relu:n2               |       3.00 |         5.00 |      7.00 |        8.00 |\n"
                              "| relu:n4               |            |         9.00 |           |             |\n"
                              "\nc, gpu:1\n\n"
                              "| problem | kernels us | execution us | upload us | download us |\n"
                              "|---------|-----------:|-------------:|----------:|------------:|\n"
                              "| relu:n3 |            |         6.00 |           |             |\n\n");
    free(text);
    free(records);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(host_rows_print_nothing),
        cmocka_unit_test(a_device_has_its_rows_of_nothing_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
