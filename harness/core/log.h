/* log: one sink for diagnostics of the harness and, through convoy_host.log, of plugins. Writes whole lines to stderr, never
 * to stdout. Level from CONVOY_LOG (error, warning, info, debug; default warning). */
#ifndef CONVOY_CORE_LOG_H
#define CONVOY_CORE_LOG_H

#include <stdint.h>

void log_set_level(uint32_t level); /* CONVOY_LOG_*                                                     */
uint32_t log_level(void);
/* One line "convoy: warning: text"; levels above the current one are dropped. [any] */
void log_text(uint32_t level, const char *text);
void log_write(uint32_t level, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
