/* lineup: the backends that take part in a run: found by the registry, asked for their names and variants in their workers, and
 * narrowed by -b. */
#ifndef CONVOY_CLI_LINEUP_H
#define CONVOY_CLI_LINEUP_H

#include "cli/opt.h"
#include "cli/session.h"
#include "core/registry.h"

enum { LINEUP_MAX_VARIANTS = 32 };

struct backend {
    const struct registry_entry *entry;
    struct session session;
    bool usable;
    char reason[320]; /* why not usable                                               */
    char version[32], author[64], threading[16], summary[160];
    char variant[LINEUP_MAX_VARIANTS][48];
    size_t variants; /* at least 1; a plugin without variants has one named ""        */
};

struct candidate {
    struct backend *backend;
    const char *variant;
};

struct lineup {
    struct registry registry;
    struct backend *backend;
    size_t backends;
    struct candidate *candidate; /* in the order of -b, else by name, variants in the plugin's order */
    size_t candidates;
    const char *referee; /* path of naive, or NULL                                         */
};

/* Starts one worker per backend that -b names (or every one found) and asks it who it is. A backend named by -b must be usable;
 * others that are not are kept with their reason. */
convoy_status lineup_open(const struct options *options, struct lineup *lineup, struct convoy_error *err);
void lineup_close(struct lineup *lineup);

/* Starts the backend's worker and asks it who it is: fills usable and what goes with it, or the reason. */
void lineup_introduce(struct backend *backend, int64_t timeout_s);

/* "im2col:panel", or "naive" where there are no variants. */
void candidate_name(const struct candidate *candidate, char *buf, size_t size);

#endif
