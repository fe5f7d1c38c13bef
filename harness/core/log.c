#include "core/log.h"
#include <convoy/convoy.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

enum { LEVEL_COUNT = CONVOY_LOG_DEBUG + 1, LEVEL_UNREAD = LEVEL_COUNT };

static const char *const level_names[] = {
    [CONVOY_LOG_ERROR] = "error",
    [CONVOY_LOG_WARNING] = "warning",
    [CONVOY_LOG_INFO] = "info",
    [CONVOY_LOG_DEBUG] = "debug",
};
_Static_assert(sizeof level_names / sizeof level_names[0] == LEVEL_COUNT, "a name for every level");

static _Atomic uint32_t current_level = LEVEL_UNREAD;

/* One system call per line, so that lines of several threads and processes never mix. */
static void write_line(uint32_t level, const char *line, size_t length)
{
    static const char name[] = "convoy: ", colon[] = ": ", end[] = "\n";
    const struct iovec part[] = {
        {.iov_base = (void *)name, .iov_len = sizeof name - 1},
        {.iov_base = (void *)level_names[level], .iov_len = strlen(level_names[level])},
        {.iov_base = (void *)colon, .iov_len = sizeof colon - 1},
        {.iov_base = (void *)line, .iov_len = length},
        {.iov_base = (void *)end, .iov_len = sizeof end - 1},
    };
    /* Where diagnostics cannot be written there is nobody left to tell. */
    if (writev(STDERR_FILENO, part, (int)(sizeof part / sizeof part[0])) < 0)
        return;
}

/* The level that CONVOY_LOG names; *known is cleared if it names none. */
static uint32_t level_of_environment(int *known)
{
    const char *text = getenv("CONVOY_LOG");
    *known = 1;
    if (!text || !*text)
        return CONVOY_LOG_WARNING;
    for (uint32_t level = 0; level < LEVEL_COUNT; level++)
        if (strcmp(text, level_names[level]) == 0)
            return level;
    *known = 0;
    return CONVOY_LOG_WARNING;
}

void log_set_level(uint32_t level)
{
    atomic_store(&current_level, level < LEVEL_COUNT ? level : (uint32_t)CONVOY_LOG_DEBUG);
}

uint32_t log_level(void)
{
    uint32_t level = atomic_load_explicit(&current_level, memory_order_relaxed);
    if (level != LEVEL_UNREAD)
        return level;
    int known;
    const uint32_t wanted = level_of_environment(&known);
    /* Only the thread that sets the level complains, so the complaint is made once. */
    if (!atomic_compare_exchange_strong(&current_level, &level, wanted))
        return level;
    if (!known) {
        static const char complaint[] = "CONVOY_LOG is none of error, warning, info, debug; using warning";
        write_line(CONVOY_LOG_WARNING, complaint, sizeof complaint - 1);
    }
    return wanted;
}

void log_text(uint32_t level, const char *text)
{
    if (level >= LEVEL_COUNT)
        level = CONVOY_LOG_DEBUG;
    if (!text || level > log_level())
        return;
    /* Plugins pass on what their libraries say, which may have several lines and ends in a newline more often than not. */
    for (;;) {
        const size_t length = strcspn(text, "\n");
        if (length > 0)
            write_line(level, text, length);
        if (!text[length])
            return;
        text += length + 1;
    }
}

void log_write(uint32_t level, const char *format, ...)
{
    char text[2048];
    if (level > log_level())
        return;
    va_list list;
    va_start(list, format);
    vsnprintf(text, sizeof text, format, list);
    va_end(list);
    log_text(level, text);
}
