/* html: the report as one HTML file that needs nothing else. Puts the page's parts (harness/report/page) and the data together;
 * knows nothing of what they say. */
#ifndef CONVOY_REPORT_HTML_H
#define CONVOY_REPORT_HTML_H

#include "report/pagedata.h"
#include <stdbool.h>

/* Writes the whole file under a temporary name and renames it. *charts: Chart.js was found, so that the page has pictures. Errors
 * name the path. */
convoy_status html_write(const char *path, const struct report *report, bool *charts, struct convoy_error *err);

/* Where Chart.js is looked for: CONVOY_CHART_JS, else where Debian's libjs-chart.js puts it. NULL: it is not there. */
const char *html_chart_path(void);

#endif
