#include "report/npy.h"
#include <convoy/plugin.h>
#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "NPY files are read and written in the machine's byte order, which must be little endian"
#endif

static const char *const descriptions[] = {[SLOT_F32] = "<f4", [SLOT_U8] = "|u1", [SLOT_S32] = "<i4"};
enum { MAX_RANK = 8, MAX_HEADER_BYTES = 65536 };

struct header {
    char descr[16];
    bool fortran;
    int rank;
    int64_t extent[MAX_RANK];
};

static const char *skip_space(const char *p)
{
    while (isspace((unsigned char)*p))
        p++;
    return p;
}

/* The value after 'key': in the header's dictionary, whatever the order of the keys; NULL: no such key. */
static const char *value_of(const char *text, const char *key)
{
    char quoted[32];
    snprintf(quoted, sizeof quoted, "'%s'", key);
    const char *found = strstr(text, quoted);
    if (!found)
        return NULL;
    found = skip_space(found + strlen(quoted));
    return *found == ':' ? skip_space(found + 1) : NULL;
}

static bool parse_header(const char *text, struct header *header)
{
    const char *descr = value_of(text, "descr"), *order = value_of(text, "fortran_order"), *shape = value_of(text, "shape");
    if (!descr || !order || !shape || *descr != '\'' || *shape != '(')
        return false;
    const char *end = strchr(++descr, '\'');
    if (!end || (size_t)(end - descr) >= sizeof header->descr)
        return false;
    memcpy(header->descr, descr, (size_t)(end - descr));
    header->descr[end - descr] = '\0';
    header->fortran = !strncmp(order, "True", 4);
    if (!header->fortran && strncmp(order, "False", 5))
        return false;
    header->rank = 0;
    for (shape = skip_space(shape + 1); *shape != ')'; shape = skip_space(shape)) {
        char *stop = NULL;
        errno = 0;
        const long long extent = strtoll(shape, &stop, 10);
        if (stop == shape || errno || extent < 0 || header->rank == MAX_RANK)
            return false;
        header->extent[header->rank++] = extent;
        shape = skip_space(stop);
        if (*shape == ',')
            shape++;
        else if (*shape != ')')
            return false;
    }
    return true;
}

static void print_shape(char *buf, size_t size, int rank, const int64_t *extent)
{
    size_t used = (size_t)snprintf(buf, size, "(");
    for (int d = 0; d < rank && used < size; d++)
        used += (size_t)snprintf(buf + used, size - used, "%lld%s", (long long)extent[d],
                                 d + 1 < rank ? ", "
                                 : rank == 1  ? ","
                                              : "");
    if (used < size)
        snprintf(buf + used, size - used, ")");
}

static convoy_status bad(struct convoy_error *err, const char *path, const char *what)
{
    return convoy_fail(err, CONVOY_INVALID, CONVOY_WHY_OTHER, "%s: %s", path, what);
}

/* Magic, version, length and dictionary; leaves the stream at the data. */
static convoy_status read_header(FILE *file, const char *path, struct header *header, struct convoy_error *err)
{
    unsigned char head[12];
    if (fread(head, 1, 10, file) != 10 || memcmp(head, "\x93NUMPY", 6))
        return bad(err, path, "not an NPY file");
    size_t length = (size_t)head[8] | (size_t)head[9] << 8;
    if (head[6] == 2) {
        if (fread(head + 10, 1, 2, file) != 2)
            return bad(err, path, "the file ends inside its header");
        length |= (size_t)head[10] << 16 | (size_t)head[11] << 24;
    } else if (head[6] != 1) {
        return convoy_fail(err, CONVOY_INVALID, CONVOY_WHY_OTHER, "%s: NPY version %d.%d; 1.0 and 2.0 can be read", path, head[6],
                           head[7]);
    }
    if (length > MAX_HEADER_BYTES)
        return bad(err, path, "the header is longer than 64 KiB");
    char *text = malloc(length + 1);
    if (!text)
        return convoy_fail(err, CONVOY_NO_MEMORY, CONVOY_WHY_MEMORY, "%s: out of memory", path);
    convoy_status status = CONVOY_OK;
    if (fread(text, 1, length, file) != length) {
        status = bad(err, path, "the file ends inside its header");
    } else {
        text[length] = '\0';
        if (strlen(text) != length || !parse_header(text, header))
            status = bad(err, path, "the header is no dictionary with descr, fortran_order and shape");
    }
    free(text);
    return status;
}

convoy_status npy_read(const char *path, const struct slot_info *info, void *data, struct convoy_error *err)
{
    FILE *file = fopen(path, "rb");
    if (!file)
        return convoy_fail(err, CONVOY_INVALID, CONVOY_WHY_OTHER, "%s: %s", path, strerror(errno));
    struct header header;
    convoy_status status = read_header(file, path, &header, err);
    if (status != CONVOY_OK)
        goto out;
    char got[96], want[96];
    print_shape(got, sizeof got, header.rank, header.extent);
    print_shape(want, sizeof want, info->rank, info->extent);
    if (strcmp(header.descr, descriptions[info->type])) {
        status = convoy_fail(err, CONVOY_INVALID, CONVOY_WHY_DTYPE, "%s: holds elements of type '%s', wanted '%s'", path,
                             header.descr, descriptions[info->type]);
    } else if (header.fortran && header.rank > 1) {
        status = bad(err, path, "holds Fortran order, wanted C order (numpy.ascontiguousarray)");
    } else if (strcmp(got, want)) {
        status = convoy_fail(err, CONVOY_INVALID, CONVOY_WHY_SIZE, "%s: holds shape %s, wanted %s", path, got, want);
    } else if (fread(data, 1, (size_t)info->bytes, file) != (size_t)info->bytes) {
        status = convoy_fail(err, CONVOY_INVALID, CONVOY_WHY_SIZE, "%s: ends before its %lld bytes of data", path,
                             (long long)info->bytes);
    } else if (fgetc(file) != EOF) {
        status = bad(err, path, "goes on after its data");
    }
out:
    fclose(file);
    return status;
}

convoy_status npy_write(const char *path, const struct slot_info *info, const void *data, struct convoy_error *err)
{
    char shape[96], text[256], temporary[4096];
    print_shape(shape, sizeof shape, info->rank, info->extent);
    int length =
        snprintf(text, sizeof text, "{'descr': '%s', 'fortran_order': False, 'shape': %s, }", descriptions[info->type], shape);
    const int padded = (10 + length + 1 + 63) / 64 * 64 - 10; /* 10 + length is a multiple of 64 */
    memset(text + length, ' ', (size_t)(padded - length));
    text[padded - 1] = '\n';
    const unsigned char head[10] = {
        0x93, 'N', 'U', 'M', 'P', 'Y', 1, 0, (unsigned char)(padded & 255), (unsigned char)(padded >> 8)};
    length = snprintf(temporary, sizeof temporary, "%s.%ld.tmp", path, (long)getpid());
    if (length < 0 || (size_t)length >= sizeof temporary)
        return bad(err, path, "the path is too long");
    FILE *file = fopen(temporary, "wb");
    if (!file)
        return convoy_fail(err, CONVOY_FAILED, CONVOY_WHY_OTHER, "%s: %s", path, strerror(errno));
    const bool written = fwrite(head, 1, sizeof head, file) == sizeof head &&
                         fwrite(text, 1, (size_t)padded, file) == (size_t)padded &&
                         fwrite(data, 1, (size_t)info->bytes, file) == (size_t)info->bytes;
    const int write_error = errno;
    const bool closed = fclose(file) == 0;
    if (written && closed && rename(temporary, path) == 0)
        return CONVOY_OK;
    const int error = written ? errno : write_error;
    unlink(temporary);
    return convoy_fail(err, CONVOY_FAILED, CONVOY_WHY_OTHER, "%s: %s", path, strerror(error));
}
