#include "report/html.h"

#include <convoy/plugin.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The page's files, NUL-ended, from page/page.S. */
extern const char convoy_page_html[], convoy_page_css[], convoy_page_js[], convoy_page_sections_js[], convoy_page_charts_js[];

const char *html_chart_path(void)
{
    static const char *const paths[] = {"/usr/share/javascript/chart.js/chart.umd.js",
                                        "/usr/share/javascript/chart.js/chart.min.js", "/usr/share/javascript/chart.js/chart.js"};
    const char *named = getenv("CONVOY_CHART_JS");
    if (named)
        return access(named, R_OK) == 0 ? named : NULL;
    for (size_t at = 0; at < sizeof paths / sizeof paths[0]; at++) {
        if (access(paths[at], R_OK) == 0)
            return paths[at];
    }
    return NULL;
}

/* The whole file as text; NULL if it cannot be read, or would end its <script> element before its time. */
static char *read_script(const char *path)
{
    struct stat about;
    char *text = NULL;
    FILE *file = path ? fopen(path, "rb") : NULL;
    if (!file)
        return NULL;
    if (fstat(fileno(file), &about) == 0 && S_ISREG(about.st_mode) && (text = malloc((size_t)about.st_size + 1))) {
        const size_t bytes = fread(text, 1, (size_t)about.st_size, file);
        text[bytes] = '\0';
        if (bytes != (size_t)about.st_size || strlen(text) != bytes || strcasestr(text, "</script")) {
            free(text);
            text = NULL;
        }
    }
    fclose(file);
    return text;
}

/* What the skeleton's marks "<!--convoy:NAME-->" stand for. */
static convoy_status put_part(FILE *out, const char *name, size_t length, const struct report *report, const char *chart,
                              struct convoy_error *err)
{
    const struct {
        const char *name, *text;
    } parts[] = {
        {"style", convoy_page_css},        {"chart", chart ? chart : ""},
        {"script", convoy_page_js},        {"sections", convoy_page_sections_js},
        {"charts", convoy_page_charts_js},
    };
    for (size_t at = 0; at < sizeof parts / sizeof parts[0]; at++) {
        if (strlen(parts[at].name) == length && !memcmp(parts[at].name, name, length)) {
            fputs(parts[at].text, out);
            return CONVOY_OK;
        }
    }
    return pagedata_write(out, report, err);
}

static convoy_status put_page(FILE *out, const struct report *report, const char *chart, struct convoy_error *err)
{
    static const char begin[] = "<!--convoy:", end[] = "-->";
    const char *from = convoy_page_html;
    convoy_status status = CONVOY_OK;
    for (const char *mark; status == CONVOY_OK && (mark = strstr(from, begin)); from = strstr(mark, end) + strlen(end)) {
        const char *name = mark + strlen(begin);
        fwrite(from, 1, (size_t)(mark - from), out);
        status = put_part(out, name, (size_t)(strstr(name, end) - name), report, chart, err);
    }
    fputs(from, out);
    return status;
}

convoy_status html_write(const char *path, const struct report *report, bool *charts, struct convoy_error *err)
{
    char temporary[PATH_MAX];
    convoy_status status = CONVOY_OK;
    char *chart = read_script(html_chart_path());
    const int length = snprintf(temporary, sizeof temporary, "%s.%ld.tmp", path, (long)getpid());
    FILE *out = length > 0 && (size_t)length < sizeof temporary ? fopen(temporary, "w") : NULL;
    *charts = chart != NULL;
    if (!out) {
        free(chart);
        return convoy_fail(err, CONVOY_FAILED, CONVOY_WHY_OTHER, "%s: cannot open for writing: %s", path, strerror(errno));
    }
    status = put_page(out, report, chart, err);
    free(chart);
    const bool written = !ferror(out);
    if ((fclose(out) != 0 || !written) && status == CONVOY_OK)
        status = convoy_fail(err, CONVOY_FAILED, CONVOY_WHY_OTHER, "%s: cannot write: %s", path, strerror(errno));
    if (status == CONVOY_OK && rename(temporary, path) != 0)
        status = convoy_fail(err, CONVOY_FAILED, CONVOY_WHY_OTHER, "%s: cannot rename: %s", path, strerror(errno));
    if (status != CONVOY_OK)
        unlink(temporary);
    return status;
}
