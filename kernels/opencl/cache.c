#include "cache.h"
#include "gpu.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A file: this, the key, the program. */
struct header {
    char magic[16];
    uint64_t key_bytes, program_bytes, program_hash;
};
static const char magic[16] = "convoy opencl 1";
enum { PROGRAM_BYTES_MOST = 256 << 20 };

uint64_t cache_hash(uint64_t hash, const void *data, size_t bytes)
{
    const unsigned char *const byte = data;
    if (!hash)
        hash = 0xcbf29ce484222325u;
    for (size_t b = 0; b < bytes; b++)
        hash = (hash ^ byte[b]) * 0x100000001b3u;
    return hash;
}

void cache_open(struct cache *cache)
{
    gpu_cache_folder(cache->folder, sizeof cache->folder);
}

static void path_of(const struct cache *cache, const char *key, char *path, size_t size)
{
    snprintf(path, size, "%s/opencl-%016llx.bin", cache->folder, (unsigned long long)cache_hash(0, key, strlen(key)));
}

static unsigned char *read_program(FILE *file, const char *key, size_t *bytes)
{
    struct header header;
    const size_t key_bytes = strlen(key);
    if (fread(&header, sizeof header, 1, file) != 1 || memcmp(header.magic, magic, sizeof magic) != 0 || header.key_bytes != key_bytes ||
        header.program_bytes == 0 || header.program_bytes > PROGRAM_BYTES_MOST)
        return NULL;
    const size_t program_bytes = (size_t)header.program_bytes;
    unsigned char *const data = malloc(key_bytes + program_bytes);
    if (!data)
        return NULL;
    if (fread(data, 1, key_bytes + program_bytes, file) != key_bytes + program_bytes || memcmp(data, key, key_bytes) != 0 ||
        cache_hash(0, data + key_bytes, program_bytes) != header.program_hash) {
        free(data);
        return NULL;
    }
    memmove(data, data + key_bytes, program_bytes);
    *bytes = program_bytes;
    return data;
}

unsigned char *cache_load(const struct cache *cache, const char *key, size_t *bytes)
{
    char path[448];
    if (!cache->folder[0])
        return NULL;
    path_of(cache, key, path, sizeof path);
    FILE *const file = fopen(path, "rb");
    unsigned char *const program = file ? read_program(file, key, bytes) : NULL;
    if (file)
        fclose(file);
    return program;
}

void cache_save(const struct cache *cache, const char *key, const unsigned char *program, size_t bytes)
{
    char path[448], temporary[480];
    struct header header = {.key_bytes = strlen(key), .program_bytes = bytes, .program_hash = cache_hash(0, program, bytes)};
    if (!cache->folder[0] || !bytes || bytes > PROGRAM_BYTES_MOST)
        return;
    memcpy(header.magic, magic, sizeof magic);
    path_of(cache, key, path, sizeof path);
    snprintf(temporary, sizeof temporary, "%s.%ld", path, (long)getpid());
    FILE *const file = fopen(temporary, "wb");
    if (!file)
        return;
    const int written = fwrite(&header, sizeof header, 1, file) == 1 && fwrite(key, 1, strlen(key), file) == strlen(key) &&
                        fwrite(program, 1, bytes, file) == bytes;
    if (fclose(file) != 0 || !written || rename(temporary, path) != 0)
        unlink(temporary);
}
