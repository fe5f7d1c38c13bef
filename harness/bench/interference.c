#include "bench/interference.h"

#include "bench/clock.h"
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

/* The whole of a small file of the kernel's; empty if it cannot be read. */
static void read_text(const char *path, char *text, size_t size)
{
    ssize_t got = 0;
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd >= 0) {
        got = read(fd, text, size - 1);
        close(fd);
    }
    text[got > 0 ? got : 0] = '\0';
}

/* The first line of /proc/stat: "cpu" user nice system idle iowait irq softirq steal, in ticks (man 5 proc). */
static int64_t stolen_ns(void)
{
    char text[256];
    long long steal = 0;
    read_text("/proc/stat", text, sizeof text);
    if (sscanf(text, "cpu %*d %*d %*d %*d %*d %*d %*d %lld", &steal) != 1)
        return 0;
    const long ticks = sysconf(_SC_CLK_TCK);
    return ticks > 0 ? steal * (1000000000 / ticks) : 0;
}

/* Second number of each thread's schedstat: ns on a run queue (Documentation/scheduler/sched-stats.rst). */
static int64_t waited_ns(void)
{
    int64_t sum = 0;
    DIR *tasks = opendir("/proc/self/task");
    if (!tasks)
        return 0;
    const struct dirent *task;
    while ((task = readdir(tasks))) {
        char path[64], text[96];
        long long waited = 0;
        if (task->d_name[0] == '.')
            continue;
        snprintf(path, sizeof path, "/proc/self/task/%.20s/schedstat", task->d_name);
        read_text(path, text, sizeof text);
        if (sscanf(text, "%*d %lld", &waited) == 1)
            sum += waited;
    }
    closedir(tasks);
    return sum;
}

static int64_t cpu_mhz(void)
{
    char text[32];
    read_text("/sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq", text, sizeof text);
    return strtoll(text, NULL, 10) / 1000;
}

void interference_start(struct interference_mark *mark)
{
    struct timespec cpu = {0};
    struct rusage usage = {0};
    mark->stolen_ns = stolen_ns();
    mark->waited_ns = waited_ns();
    getrusage(RUSAGE_SELF, &usage);
    mark->voluntary = usage.ru_nvcsw;
    mark->involuntary = usage.ru_nivcsw;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu);
    mark->cpu_ns = (int64_t)cpu.tv_sec * 1000000000 + cpu.tv_nsec;
    mark->wall_ns = clock_ns();
}

void interference_stop(const struct interference_mark *mark, struct interference *found)
{
    struct interference_mark now = {.wall_ns = clock_ns()};
    struct timespec cpu = {0};
    struct rusage usage = {0};
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu);
    now.cpu_ns = (int64_t)cpu.tv_sec * 1000000000 + cpu.tv_nsec;
    getrusage(RUSAGE_SELF, &usage);
    double load = 0;
    if (getloadavg(&load, 1) != 1)
        load = 0;
    *found = (struct interference){.wall_ns = now.wall_ns - mark->wall_ns,
                                   .cpu_ns = now.cpu_ns - mark->cpu_ns,
                                   .waited_ns = waited_ns() - mark->waited_ns,
                                   .voluntary = usage.ru_nvcsw - mark->voluntary,
                                   .involuntary = usage.ru_nivcsw - mark->involuntary,
                                   .stolen_ns = stolen_ns() - mark->stolen_ns,
                                   .load = load,
                                   .mhz = cpu_mhz()};
}

bool interference_disturbs(const struct interference *found, uint32_t busy_threads)
{
    const double wall_ns = (double)found->wall_ns;
    return (double)found->stolen_ns > 0.01 * wall_ns || (busy_threads > 0 && (double)found->waited_ns > 0.05 * wall_ns) ||
           (busy_threads == 1 && (double)found->cpu_ns < 0.95 * wall_ns);
}
