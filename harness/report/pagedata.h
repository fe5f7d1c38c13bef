/* pagedata: everything that a report's page shows, as one JSON text. Columns of the result rows in the files' own digits, and
 * what is derived from them, each time with the rows it is made of. The only file that includes <jansson.h>. */
#ifndef CONVOY_REPORT_PAGEDATA_H
#define CONVOY_REPORT_PAGEDATA_H

#include "report/batches.h"
#include "report/sheet.h"
#include <stdio.h>

struct report_source {
    const char *name;    /* as the page shall call the file */
    size_t first, count; /* its records                     */
};
struct report {
    const struct record *records;
    size_t count;
    const struct report_source *source;
    size_t sources;
    const char *const *batches;            /* of each record, see batches.h; NULL: none         */
    const struct sheet *select, *training; /* NULL: none was given                              */
    const char *harness;                   /* version and revision of the program that wrote it */
    size_t batches_bytes;                  /* most text of raw batches in the page              */
};

/* Safe inside <script>: no '<' is in it. errors: out of memory, cannot write. */
convoy_status pagedata_write(FILE *out, const struct report *report, struct convoy_error *err);

#endif
