/* progress: one line that is rewritten on a terminal, plain lines now and then elsewhere. Writes to stderr. */
#ifndef CONVOY_CLI_PROGRESS_H
#define CONVOY_CLI_PROGRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct progress {
    size_t done, total;
    int64_t started_ns, shown_ns;
    bool terminal, quiet;
};

void progress_start(struct progress *progress, size_t total, bool quiet);
void progress_show(struct progress *progress, const char *current); /* before a case               */
void progress_step(struct progress *progress);                      /* after it                    */
void progress_clear(const struct progress *progress);               /* before other output         */

/* ANSI colour codes, or "" where stdout is no terminal or NO_COLOR is set. */
const char *colour_bad(void);
const char *colour_good(void);
const char *colour_off(void);

#endif
