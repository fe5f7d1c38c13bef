/* pack: many short texts as one, "a,b*3,,c": separated by commas, with runs of equal ones counted. What a report's page holds its
 * columns in; the page unpacks them. */
#ifndef CONVOY_REPORT_PACK_H
#define CONVOY_REPORT_PACK_H

#include <stdbool.h>
#include <stddef.h>

struct pack {
    char *text; /* NUL-ended once pack_end was called */
    size_t used, capacity;
    char last[64];
    size_t run;
    bool begun;
    bool failed; /* out of memory, or a text that may not be in it */
};

/* The text may have up to 63 characters and neither ',' nor '*'. */
void pack_add(struct pack *pack, const char *text);
/* False if anything failed. */
bool pack_end(struct pack *pack);
void pack_free(struct pack *pack);

#endif
