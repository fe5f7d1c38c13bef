#include "cli/session.h"
#include "bench/clock.h"
#include "cli/worker.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

void session_init(struct session *session, const char *plugin, const char *referee, bool in_process)
{
    *session = (struct session){.plugin = plugin, .referee = referee ? referee : "-", .in_process = in_process, .fd = -1};
}

size_t session_split(char *line, char **field, size_t max)
{
    size_t count = 0;
    while (count < max) {
        field[count++] = line;
        char *tab = strchr(line, '\t');
        if (!tab)
            break;
        *tab = '\0';
        line = tab + 1;
    }
    return count;
}

/* The worker for debuggers: the same loop on a thread of this process. */
struct local_worker {
    int fd;
    const char *plugin, *referee;
};
static void *run_local(void *context)
{
    struct local_worker local = *(struct local_worker *)context;
    free(context);
    worker_serve(local.fd, local.plugin, local.referee);
    close(local.fd);
    return NULL;
}

static bool start_local(struct session *session, int fd)
{
    struct local_worker *local = malloc(sizeof *local);
    if (!local)
        return false;
    *local = (struct local_worker){fd, session->plugin, session->referee};
    pthread_t thread;
    if (pthread_create(&thread, NULL, run_local, local)) {
        free(local);
        return false;
    }
    pthread_detach(thread);
    session->pid = getpid();
    return true;
}

/* Between fork and exec only async-signal-safe calls. The program has loaded no plugin and no GPU runtime, and the worker begins
 * anew with exec, so nothing that dislikes fork is ever inherited. */
static bool start_process(struct session *session, int fd)
{
    char number[16];
    snprintf(number, sizeof number, "%d", fd);
    const pid_t parent = getpid();
    const pid_t pid = fork();
    if (pid < 0)
        return false;
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != parent)
            _exit(127);
        const struct rlimit no_core = {0, 0};
        setrlimit(RLIMIT_CORE, &no_core);
        signal(SIGINT, SIG_IGN);            /* ^C is the program's to handle: a case in flight may finish */
        dup2(STDERR_FILENO, STDOUT_FILENO); /* what a plugin prints must not mix with results */
        fcntl(fd, F_SETFD, 0);
        char *argv[] = {"convoy", "--worker", number, (char *)(uintptr_t)session->plugin, (char *)(uintptr_t)session->referee,
                        NULL};
        execv("/proc/self/exe", argv);
        _exit(127);
    }
    session->pid = pid;
    return true;
}

static bool start(struct session *session)
{
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
        return false;
    const bool started = session->in_process ? start_local(session, pair[1]) : start_process(session, pair[1]);
    if (!session->in_process || !started)
        close(pair[1]);
    if (!started) {
        close(pair[0]);
        return false;
    }
    session->fd = pair[0];
    session->stopped = false;
    session->pending_bytes = 0;
    session->starts++;
    return true;
}

/* Waits for the worker's end, for grace_ns at most, then kills it; returns its wait status. */
static int reap(struct session *session, int64_t grace_ns)
{
    int status = 0;
    if (!session->in_process) {
        const int64_t until = clock_ns() + grace_ns;
        pid_t done = 0;
        while (grace_ns > 0 && (done = waitpid(session->pid, &status, WNOHANG)) == 0 && clock_ns() < until)
            usleep(1000);
        if (done == 0) {
            kill(session->pid, SIGKILL);
            while (waitpid(session->pid, &status, 0) < 0 && errno == EINTR)
                continue;
        }
    }
    close(session->fd);
    session->fd = -1;
    session->pid = 0;
    return status;
}

/* How the worker's end reads as a verdict; a fault line that its own handler wrote says more than the wait status. */
static void explain_end(int status, const char *fault, struct session_end *end)
{
    end->killed_from_outside = false;
    if (fault[0]) {
        char copy[SESSION_LINE_BYTES], *field[3];
        snprintf(copy, sizeof copy, "%s", fault);
        if (session_split(copy, field, 3) == 3) {
            const enum verdict verdict = verdict_by_name(field[1]);
            end->verdict = verdict < VERDICT_COUNT ? verdict : VERDICT_CRASH;
            snprintf(end->reason, sizeof end->reason, "%s", field[2]);
            return;
        }
    }
    end->verdict = VERDICT_CRASH;
    if (WIFSIGNALED(status)) {
        const int number = WTERMSIG(status);
        end->killed_from_outside = number == SIGKILL;
        if (number == SIGKILL) {
            end->verdict = VERDICT_OOM;
            snprintf(end->reason, sizeof end->reason, "the worker was killed (SIGKILL): out of memory, most likely");
        } else {
            snprintf(end->reason, sizeof end->reason, "signal %d (%s)", number, strsignal(number));
        }
    } else {
        snprintf(end->reason, sizeof end->reason, "the plugin ended the process with exit code %d", WEXITSTATUS(status));
    }
}

/* Takes the next whole line out of what has arrived; false if there is none yet. */
static bool take_line(struct session *session)
{
    char *newline = memchr(session->pending, '\n', session->pending_bytes);
    if (!newline)
        return false;
    const size_t length = (size_t)(newline - session->pending);
    memcpy(session->line, session->pending, length);
    session->line[length] = '\0';
    session->pending_bytes -= length + 1;
    memmove(session->pending, newline + 1, session->pending_bytes);
    return true;
}

static bool send_all(int fd, const char *text, size_t bytes)
{
    while (bytes > 0) {
        const ssize_t sent = send(fd, text, bytes, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent <= 0)
            return false;
        text += sent;
        bytes -= (size_t)sent;
    }
    return true;
}

enum session_outcome session_call(struct session *session, const char *request, int64_t timeout_s, struct session_end *end)
{
    char fault[SESSION_LINE_BYTES] = "";
    if (!session->pid && !start(session)) {
        end->verdict = VERDICT_NOT_RUN;
        end->killed_from_outside = false;
        snprintf(end->reason, sizeof end->reason, "cannot start a worker process: %s", strerror(errno));
        return SESSION_ENDED;
    }
    if (session->stopped) {
        kill(session->pid, SIGCONT);
        session->stopped = false;
    }
    const int64_t deadline = clock_ns() + timeout_s * INT64_C(1000000000);
    char line[SESSION_LINE_BYTES];
    const int length = snprintf(line, sizeof line, "%s\n", request);
    bool open = length > 0 && (size_t)length < sizeof line && send_all(session->fd, line, (size_t)length);
    while (open) {
        while (take_line(session)) {
            if (strncmp(session->line, "fault\t", 6))
                return SESSION_REPLY;
            snprintf(fault, sizeof fault, "%s", session->line);
        }
        const int64_t left_ns = deadline - clock_ns();
        struct pollfd wait = {.fd = session->fd, .events = POLLIN};
        const int ready =
            left_ns > 0 ? poll(&wait, 1, (int)(left_ns / 1000000 < INT32_MAX ? left_ns / 1000000 + 1 : INT32_MAX)) : 0;
        if (ready < 0 && errno == EINTR)
            continue;
        if (ready == 0) {
            reap(session, 0);
            end->verdict = VERDICT_TIMEOUT;
            end->killed_from_outside = false;
            snprintf(end->reason, sizeof end->reason, "no answer within %lld s; the worker was killed", (long long)timeout_s);
            return SESSION_ENDED;
        }
        if (session->pending_bytes == sizeof session->pending)
            break; /* a line longer than any of ours: the stream is broken */
        const ssize_t got =
            read(session->fd, session->pending + session->pending_bytes, sizeof session->pending - session->pending_bytes);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            break;
        session->pending_bytes += (size_t)got;
    }
    /* A worker that closed its socket may linger in an exit handler; one that garbles the stream is not waited for. */
    const bool broken = !open || session->pending_bytes == sizeof session->pending;
    const int status = reap(session, broken ? 0 : INT64_C(2000000000));
    explain_end(status, fault, end);
    return SESSION_ENDED;
}

void session_pause(struct session *session)
{
    if (session->pid && !session->in_process && !session->stopped) {
        kill(session->pid, SIGSTOP);
        session->stopped = true;
    }
}

void session_close(struct session *session)
{
    if (!session->pid)
        return;
    if (session->in_process) {
        shutdown(session->fd, SHUT_RDWR);
    } else {
        kill(session->pid, SIGKILL); /* it holds nothing that a clean end would save */
    }
    reap(session, INT64_C(1000000000));
}
