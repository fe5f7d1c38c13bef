#include "verify/finding.h"
#include "core/error.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct finding finding_none(void)
{
    struct finding finding = {.verdict = VERDICT_PASS};
    return finding;
}

bool finding_open(const struct finding *finding)
{
    return finding->verdict == VERDICT_PASS || finding->verdict == VERDICT_MARGINAL;
}

bool finding_set(struct finding *finding, enum verdict verdict, const char *format, ...)
{
    const bool weaker = verdict == VERDICT_MARGINAL && finding->verdict == VERDICT_MARGINAL;
    if (!finding_open(finding) || weaker)
        return false;
    va_list list;
    va_start(list, format);
    finding->verdict = verdict;
    vsnprintf(finding->reason, sizeof finding->reason, format, list);
    va_end(list);
    for (char *at = finding->reason; *at; at++) {
        if (*at == '\n' || *at == '\t')
            *at = ' ';
    }
    return false;
}

bool finding_status(struct finding *finding, const char *call, convoy_status status, const struct convoy_error *err)
{
    const int length = (int)strnlen(err->text, sizeof err->text);
    switch (status) {
    case CONVOY_NO_MEMORY:
        return finding_set(finding, VERDICT_OOM, "%s ran out of memory: %.*s", call, length, err->text);
    case CONVOY_FAILED:
        return finding_set(finding, VERDICT_FAIL, "%s failed: %.*s", call, length, err->text);
    default:
        return finding_set(finding, VERDICT_CONTRACT, "%s answered \"%s\" to a valid request: %.*s", call, status_name(status),
                           length, err->text);
    }
}
