/* error: names and sentences for every code of the ABI; one table each, nothing else.
 * Knows no module above it. All functions [any], returned strings live forever, an unknown code gives "unknown". */
#ifndef CONVOY_CORE_ERROR_H
#define CONVOY_CORE_ERROR_H

#include <convoy/convoy.h>
#include <convoy/plugin.h>

const char *status_name(convoy_status status);     /* "unsupported"                                     */
const char *status_sentence(convoy_status status); /* "the backend declines this problem"               */
const char *why_name(convoy_why why);              /* "stride"                                          */

/* A zeroed error with its struct_size set: struct convoy_error err = error_none(). */
struct convoy_error error_none(void);

#endif
