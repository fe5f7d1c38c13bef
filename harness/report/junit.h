/* junit: verdicts as JUnit XML, which every CI system shows. One <testsuite> per backend and variant, one <testcase> per row. */
#ifndef CONVOY_REPORT_JUNIT_H
#define CONVOY_REPORT_JUNIT_H

#include "core/record.h"
#include <convoy/convoy.h>

enum junit_outcome { JUNIT_PASSED, JUNIT_FAILED, JUNIT_SKIPPED };

/* Writes the whole file under a temporary name and renames it. outcome says how a record counts: report knows no verdicts. Errors
 * name the path. */
convoy_status junit_write(const char *path, const struct record *records, size_t count,
                          enum junit_outcome (*outcome)(const struct record *record), struct convoy_error *err);

#endif
