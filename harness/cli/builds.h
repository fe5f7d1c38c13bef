/* builds: the two builds that `compare` is about, each as two workers over two copies of its file. Copies, because a file that is rebuilt
 * meanwhile must not change what is measured, and because one process loads one path only once; two of each, so that a build can be
 * compared with itself. */
#ifndef CONVOY_CLI_BUILDS_H
#define CONVOY_CLI_BUILDS_H

#include "cli/lineup.h"

enum { BUILDS_COPIES = 2 };

struct build {
    char path[4096]; /* the file that was named                       */
    struct registry_entry entry[BUILDS_COPIES];
    struct backend backend[BUILDS_COPIES];
    struct candidate candidate[BUILDS_COPIES];
};

struct builds {
    char folder[64]; /* of the copies                                 */
    char *referee;
    struct build build[2]; /* old, new                                      */
};

/* Names are FILE.so or the name of a backend, either with ":VARIANT"; variant (may be NULL) is for those that name none. Whatever the
 * status, builds_close must follow. */
convoy_status builds_open(const struct options *options, const char *const name[2], const char *variant, struct builds *builds,
                          struct convoy_error *err);

/* Ends all workers; the next request starts new ones: other pages, other addresses. */
void builds_restart(struct builds *builds);
void builds_close(struct builds *builds);

#endif
