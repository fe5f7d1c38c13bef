/* digest: the report's content as text, for a terminal or as Markdown. Prints what the rows say and rank derives from them. */
#ifndef CONVOY_REPORT_DIGEST_H
#define CONVOY_REPORT_DIGEST_H

#include "report/pagedata.h"

/* heading: what the sections' titles begin with ("", "## "). False: out of memory. */
bool digest_print(FILE *out, const char *heading, const struct report *report);

#endif
