/* Every code of the ABI has a name of its own and a sentence; codes outside it have "unknown". */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "core/error.h"

static const convoy_status statuses[] = {CONVOY_OK, CONVOY_UNSUPPORTED, CONVOY_INVALID, CONVOY_FAILED, CONVOY_NO_MEMORY};
enum { STATUS_COUNT = sizeof statuses / sizeof *statuses };

static void test_statuses(void **state)
{
    (void)state;
    for (size_t a = 0; a < STATUS_COUNT; a++) {
        assert_string_not_equal(status_name(statuses[a]), "unknown");
        assert_string_not_equal(status_sentence(statuses[a]), "unknown");
        for (size_t b = 0; b < a; b++) {
            assert_string_not_equal(status_name(statuses[a]), status_name(statuses[b]));
            assert_string_not_equal(status_sentence(statuses[a]), status_sentence(statuses[b]));
        }
    }
    assert_string_equal(status_name(CONVOY_OK), "ok");
    assert_string_equal(status_name(CONVOY_UNSUPPORTED), "unsupported");
    assert_string_equal(status_name(CONVOY_INVALID), "invalid");
    assert_string_equal(status_name(CONVOY_FAILED), "failed");
    assert_string_equal(status_name(CONVOY_NO_MEMORY), "no_memory");
    assert_string_equal(status_sentence(CONVOY_UNSUPPORTED), "the backend declines this problem");
}

static void test_unknown_codes(void **state)
{
    (void)state;
    const convoy_status beyond[] = {2, -4, INT32_MAX, INT32_MIN};
    for (size_t at = 0; at < sizeof beyond / sizeof *beyond; at++) {
        assert_string_equal(status_name(beyond[at]), "unknown");
        assert_string_equal(status_sentence(beyond[at]), "unknown");
    }
    assert_string_equal(why_name(CONVOY_WHY_COUNT), "unknown");
    assert_string_equal(why_name(UINT32_MAX), "unknown");
}

static void test_reasons(void **state)
{
    (void)state;
    for (convoy_why a = 0; a < CONVOY_WHY_COUNT; a++) {
        assert_string_not_equal(why_name(a), "unknown");
        for (convoy_why b = 0; b < a; b++)
            assert_string_not_equal(why_name(a), why_name(b));
    }
    assert_string_equal(why_name(CONVOY_WHY_NONE), "none");
    assert_string_equal(why_name(CONVOY_WHY_STRIDE), "stride");
    assert_string_equal(why_name(CONVOY_WHY_HARDWARE), "hardware");
    assert_string_equal(why_name(CONVOY_WHY_OTHER), "other");
}

static void test_none_and_fail(void **state)
{
    (void)state;
    struct convoy_error err = error_none();
    assert_int_equal(err.struct_size, sizeof err);
    assert_int_equal(err.status, CONVOY_OK);
    assert_int_equal(err.why, CONVOY_WHY_NONE);
    assert_string_equal(err.text, "");

    assert_int_equal(convoy_fail(&err, CONVOY_UNSUPPORTED, CONVOY_WHY_STRIDE, "needs stride 1, got %d", 2), CONVOY_UNSUPPORTED);
    assert_int_equal(err.status, CONVOY_UNSUPPORTED);
    assert_int_equal(err.why, CONVOY_WHY_STRIDE);
    assert_string_equal(err.text, "needs stride 1, got 2");
    assert_int_equal(convoy_fail(NULL, CONVOY_FAILED, CONVOY_WHY_OTHER, "nobody listens"), CONVOY_FAILED);

    char sentence[2 * sizeof err.text];
    memset(sentence, 'x', sizeof sentence - 1);
    sentence[sizeof sentence - 1] = '\0';
    convoy_fail(&err, CONVOY_FAILED, CONVOY_WHY_OTHER, "%s", sentence);
    assert_int_equal(strlen(err.text), sizeof err.text - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_statuses),
        cmocka_unit_test(test_unknown_codes),
        cmocka_unit_test(test_reasons),
        cmocka_unit_test(test_none_and_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
