/* gzfile: whole files, plain or compressed, through zlib. */
#ifndef CONVOY_DATA_GZFILE_H
#define CONVOY_DATA_GZFILE_H

#include <convoy/convoy.h>

/* The path, or the path with .gz added where only that exists; 0: neither. */
int gzfile_find(const char *folder, const char *name, char *path, size_t size);

/* All bytes of a file; free() them. Damage is CONVOY_FAILED with zlib's words. */
convoy_status gzfile_read(const char *path, uint8_t **bytes, size_t *count, struct convoy_error *err);

#endif
