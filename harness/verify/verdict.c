#include "verify/verdict.h"
#include <string.h>

static const char *const verdict_names[] = {
    [VERDICT_NOT_RUN] = "NOT_RUN",
    [VERDICT_PASS] = "PASS",
    [VERDICT_MARGINAL] = "MARGINAL",
    [VERDICT_UNSUPPORTED] = "UNSUPPORTED",
    [VERDICT_SKIPPED] = "SKIPPED",
    [VERDICT_FAIL] = "FAIL",
    [VERDICT_MISTRUSTED] = "MISTRUSTED",
    [VERDICT_LIAR] = "LIAR",
    [VERDICT_CRASH] = "CRASH",
    [VERDICT_TIMEOUT] = "TIMEOUT",
    [VERDICT_OOB_READ] = "OOB_READ",
    [VERDICT_OOB_WRITE] = "OOB_WRITE",
    [VERDICT_UNWRITTEN] = "UNWRITTEN",
    [VERDICT_DIRTY_INPUT] = "DIRTY_INPUT",
    [VERDICT_NONDETERMINISTIC] = "NONDETERMINISTIC",
    [VERDICT_FPENV] = "FPENV",
    [VERDICT_LEAK] = "LEAK",
    [VERDICT_OOM] = "OOM",
    [VERDICT_INVALID_PERF] = "INVALID_PERF",
    [VERDICT_CONTRACT] = "CONTRACT",
};
_Static_assert(sizeof verdict_names / sizeof verdict_names[0] == VERDICT_COUNT, "one name for each verdict");

const char *verdict_name(enum verdict verdict)
{
    return (unsigned)verdict < VERDICT_COUNT ? verdict_names[verdict] : "unknown";
}

enum verdict verdict_by_name(const char *name)
{
    for (int v = 0; v < VERDICT_COUNT; v++) {
        if (strcmp(verdict_names[v], name) == 0)
            return (enum verdict)v;
    }
    return VERDICT_COUNT;
}

bool verdict_is_failure(enum verdict verdict, bool strict)
{
    switch (verdict) {
    case VERDICT_PASS:
    case VERDICT_UNSUPPORTED:
    case VERDICT_SKIPPED:
        return false;
    case VERDICT_MARGINAL:
        return strict;
    default:
        return true;
    }
}
