#include "bench/clock.h"

#include <time.h>

int64_t clock_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now); /* cannot fail for this clock */
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

int64_t clock_resolution_ns(void)
{
    enum { READINGS = 2000 };
    int64_t smallest = INT64_MAX;
    int64_t last = clock_ns();
    for (int reading = 0; reading < READINGS || smallest == INT64_MAX; reading++) {
        const int64_t now = clock_ns();
        if (now > last && now - last < smallest)
            smallest = now - last;
        last = now;
    }
    return smallest;
}
