/* host: builds the convoy_host table that a plugin is opened with. */
#ifndef CONVOY_CORE_HOST_H
#define CONVOY_CORE_HOST_H

#include <convoy/convoy.h>

struct host;

/* threads >= 1. On failure NULL and err. The instance opened with it must be closed before host_close. */
struct host *host_open(uint32_t threads, struct convoy_error *err);
void host_close(struct host *host);

/* pool_stay_awake of its threads: for timing and training, where one loop follows another. Not while a plan executes. */
void host_stay_awake(struct host *host, int awake);
const struct convoy_host *host_table(const struct host *host);

#endif
