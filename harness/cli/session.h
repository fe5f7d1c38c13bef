/* session: the program's side of a worker. One worker process per plugin, so that whatever a plugin does ends one case and not
 * the run. Requests and replies are lines over a socket; fields are separated by tabs. */
#ifndef CONVOY_CLI_SESSION_H
#define CONVOY_CLI_SESSION_H

#include "verify/verdict.h"
#include <convoy/convoy.h>
#include <stdbool.h>
#include <sys/types.h>

enum { SESSION_LINE_BYTES = 8192 };

struct session {
    const char *plugin, *referee; /* paths, borrowed; "-" for none                                    */
    bool in_process;
    pid_t pid; /* 0: not running                                                   */
    int fd;
    bool stopped;
    char line[SESSION_LINE_BYTES]; /* the last reply                                                  */
    size_t pending_bytes;
    char pending[SESSION_LINE_BYTES];
    unsigned long starts; /* how often a worker was started                                   */
};

enum session_outcome {
    SESSION_REPLY, /* session->line holds it                                                         */
    SESSION_ENDED  /* the worker is gone: verdict and reason say how; the next call starts a new one */
};
struct session_end {
    enum verdict verdict;
    bool killed_from_outside;
    char reason[320];
};

void session_init(struct session *session, const char *plugin, const char *referee, bool in_process);

/* Sends one line (without newline) and waits for the reply; starts the worker if there is none. */
enum session_outcome session_call(struct session *session, const char *request, int64_t timeout_s, struct session_end *end);

/* Holds the worker still while others are measured: idle BLAS pools spin. session_call wakes it. */
void session_pause(struct session *session);
void session_close(struct session *session);

/* Splits a line at its tabs in place; returns the number of fields, at most max. */
size_t session_split(char *line, char **field, size_t max);

#endif
