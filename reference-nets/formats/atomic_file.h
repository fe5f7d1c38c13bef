/* atomic_file: a file that appears whole or not at all: written under a temporary name beside it, synced, renamed. */
#ifndef CONVOY_FORMATS_ATOMIC_FILE_H
#define CONVOY_FORMATS_ATOMIC_FILE_H

#include <convoy/convoy.h>
#include <stdio.h>

struct atomic_file {
    FILE *out;
    char path[4096], temporary[4112];
};

convoy_status atomic_open(struct atomic_file *file, const char *path, struct convoy_error *err);
/* Renames where everything written so far went well and status is CONVOY_OK; otherwise removes. Returns the first failure. */
convoy_status atomic_close(struct atomic_file *file, convoy_status status, struct convoy_error *err);

#endif
