/* cache.h: compiled programs on disk, a file each. A file counts only if it carries the whole key (platform, device, driver, options,
 * sources) and its own checksum; whatever else is there is a miss. Failing to write is no error. */
#ifndef CONVOY_OPENCL_CACHE_H
#define CONVOY_OPENCL_CACHE_H

#include <stddef.h>
#include <stdint.h>

struct cache {
    char folder[400]; /* "": none */
};

/* CONVOY_CACHE_PATH, else "convoy" in XDG_CACHE_HOME or in ~/.cache; made if need be. */
void cache_open(struct cache *cache);
/* The program of `key`, which the caller frees, or NULL. */
unsigned char *cache_load(const struct cache *cache, const char *key, size_t *bytes);
/* Appears at once and whole, whoever else writes it. */
void cache_save(const struct cache *cache, const char *key, const unsigned char *program, size_t bytes);

/* FNV-1a, 64 bits; start with hash 0 (Fowler, Noll, Vo: http://www.isthe.com/chongo/tech/comp/fnv). */
uint64_t cache_hash(uint64_t hash, const void *data, size_t bytes);

#endif
