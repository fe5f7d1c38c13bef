#include "data/gzfile.h"

#include <convoy/plugin.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

int gzfile_find(const char *folder, const char *name, char *path, size_t size)
{
    static const char *const endings[] = {"", ".gz"};
    for (int e = 0; e < 2; e++) {
        const int length = snprintf(path, size, "%s/%s%s", folder, name, endings[e]);
        if (length > 0 && (size_t)length < size && access(path, R_OK) == 0)
            return 1;
    }
    return 0;
}

convoy_status gzfile_read(const char *path, uint8_t **bytes, size_t *count, struct convoy_error *err)
{
    gzFile in = gzopen(path, "rb");
    if (!in)
        return convoy_fail(err, CONVOY_FAILED, CONVOY_WHY_OTHER, "%s: %s", path, errno ? strerror(errno) : "cannot be opened");
    size_t used = 0, size = 1 << 20;
    uint8_t *data = malloc(size);
    convoy_status status = CONVOY_OK;
    for (;;) {
        if (!data) {
            status = convoy_fail(err, CONVOY_NO_MEMORY, CONVOY_WHY_MEMORY, "%s: no memory for %zu bytes", path, size);
            break;
        }
        const int got = gzread(in, data + used, (unsigned)(size - used));
        int code = Z_OK;
        const char *words = got < 0 ? gzerror(in, &code) : NULL;
        if (got < 0) {
            status = convoy_fail(err, CONVOY_FAILED, CONVOY_WHY_OTHER, "%s: %s", path, words);
            break;
        }
        used += (size_t)got;
        if (used < size)
            break;
        size *= 2;
        uint8_t *more = size <= (size_t)1 << 40 ? realloc(data, size) : NULL;
        if (!more)
            free(data);
        data = more;
    }
    /* A stream that ends too early reads as a short file; closing tells. */
    if (gzclose_r(in) != Z_OK && !status)
        status = convoy_fail(err, CONVOY_FAILED, CONVOY_WHY_OTHER, "%s: the compressed data end too early", path);
    if (status) {
        free(data);
        return status;
    }
    *bytes = data;
    *count = used;
    return CONVOY_OK;
}
