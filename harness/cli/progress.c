#include "cli/progress.h"
#include "bench/clock.h"
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { TERMINAL_PAUSE_MS = 100, PLAIN_PAUSE_MS = 15000 };

void progress_start(struct progress *progress, size_t total, bool quiet)
{
    *progress =
        (struct progress){.total = total, .started_ns = clock_ns(), .terminal = isatty(STDERR_FILENO) != 0, .quiet = quiet};
    progress->shown_ns = progress->terminal ? 0 : progress->started_ns;
}

void progress_show(struct progress *progress, const char *current)
{
    const int64_t now = clock_ns(), pause_ms = progress->terminal ? TERMINAL_PAUSE_MS : PLAIN_PAUSE_MS;
    if (progress->quiet || now - progress->shown_ns < pause_ms * 1000000)
        return;
    progress->shown_ns = now;
    char eta[32] = "";
    if (progress->done) {
        const double left_s =
            1e-9 * (double)(now - progress->started_ns) / (double)progress->done * (double)(progress->total - progress->done);
        snprintf(eta, sizeof eta, ", %.0f s left", left_s);
    }
    fprintf(stderr, progress->terminal ? "\r\033[K%zu/%zu%s: %.90s" : "%zu/%zu%s: %s\n", progress->done, progress->total, eta,
            current);
}

void progress_step(struct progress *progress)
{
    progress->done++;
}

void progress_clear(const struct progress *progress)
{
    if (progress->terminal && !progress->quiet)
        fputs("\r\033[K", stderr);
}

static const char *colour(const char *code)
{
    return isatty(STDOUT_FILENO) && !getenv("NO_COLOR") ? code : "";
}
const char *colour_bad(void)
{
    return colour("\033[31m");
}
const char *colour_good(void)
{
    return colour("\033[32m");
}
const char *colour_off(void)
{
    return colour("\033[0m");
}
