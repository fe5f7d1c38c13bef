#include "formats/events.h"

#include <convoy/plugin.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

struct events {
    FILE *out;
    double wall_time; /* < 0: the clock */
    char path[4096];
};

/* ---- protocol buffers: varints, and fields of wire types 0, 1, 2 and 5 ---- */

struct message {
    uint8_t *bytes;
    size_t count, room;
    bool failed;
};

static void put(struct message *m, const void *data, size_t bytes)
{
    if (m->count + bytes > m->room) {
        const size_t room = 2 * (m->count + bytes) + 64;
        uint8_t *grown = m->failed ? NULL : realloc(m->bytes, room);
        m->failed = !grown;
        if (!grown)
            return;
        m->bytes = grown;
        m->room = room;
    }
    memcpy(m->bytes + m->count, data, bytes);
    m->count += bytes;
}

static void put_varint(struct message *m, uint64_t value)
{
    uint8_t byte[10];
    size_t count = 0;
    do {
        byte[count] = (uint8_t)((value & 0x7f) | (value > 0x7f ? 0x80 : 0));
        value >>= 7;
    } while (byte[count++] & 0x80);
    put(m, byte, count);
}

enum wire { WIRE_VARINT = 0, WIRE_DOUBLE = 1, WIRE_BYTES = 2, WIRE_FLOAT = 5 };

static void put_key(struct message *m, unsigned field, enum wire wire)
{
    put_varint(m, field << 3 | wire);
}

static void put_number(struct message *m, unsigned field, uint64_t value)
{
    put_key(m, field, WIRE_VARINT);
    put_varint(m, value);
}

static void put_bytes(struct message *m, unsigned field, const void *data, size_t bytes)
{
    put_key(m, field, WIRE_BYTES);
    put_varint(m, bytes);
    put(m, data, bytes);
}

static void put_message(struct message *m, unsigned field, struct message *inner)
{
    m->failed |= inner->failed;
    put_bytes(m, field, inner->bytes, inner->count);
    free(inner->bytes);
    *inner = (struct message){0};
}

/* ---- records ---- */

uint32_t crc32c(uint32_t crc, const void *data, size_t bytes)
{
    static const uint32_t polynomial = 0x82f63b78; /* Castagnoli's, reflected */
    const uint8_t *byte = data;
    crc = ~crc;
    for (size_t i = 0; i < bytes; i++) {
        crc ^= byte[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? polynomial : 0);
    }
    return ~crc;
}

static uint32_t masked(const void *data, size_t bytes)
{
    const uint32_t crc = crc32c(0, data, bytes);
    return (crc >> 15 | crc << 17) + 0xa282ead8u;
}

static convoy_status write_record(struct events *events, struct message *event, struct convoy_error *err)
{
    convoy_status status = CONVOY_OK;
    const uint64_t length = event->count;
    const uint32_t length_crc = masked(&length, sizeof length), crc = masked(event->bytes, event->count);
    if (event->failed)
        status = convoy_fail(err, CONVOY_NO_MEMORY, CONVOY_WHY_MEMORY, "%s: no memory for an event", events->path);
    else if (fwrite(&length, sizeof length, 1, events->out) != 1 || fwrite(&length_crc, sizeof length_crc, 1, events->out) != 1 ||
             fwrite(event->bytes, 1, length, events->out) != length || fwrite(&crc, sizeof crc, 1, events->out) != 1 ||
             fflush(events->out))
        status = convoy_fail(err, CONVOY_FAILED, CONVOY_WHY_OTHER, "%.150s: %s", events->path, strerror(errno));
    free(event->bytes);
    *event = (struct message){0};
    return status;
}

/* Event: 1 wall_time, 2 step, 3 file_version, 5 summary. */
static struct message begin(const struct events *events, int64_t step)
{
    struct message event = {0};
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    const double seconds = events->wall_time < 0 ? (double)now.tv_sec + (double)now.tv_nsec / 1e9 : events->wall_time;
    put_key(&event, 1, WIRE_DOUBLE);
    put(&event, &seconds, sizeof seconds);
    put_number(&event, 2, (uint64_t)step);
    return event;
}

convoy_status events_open(const char *folder, double wall_time, struct events **events, struct convoy_error *err)
{
    struct events *made = calloc(1, sizeof *made);
    char host[256] = "localhost";
    if (!made)
        return convoy_fail(err, CONVOY_NO_MEMORY, CONVOY_WHY_MEMORY, "%s: no memory", folder);
    made->wall_time = wall_time;
    (void)gethostname(host, sizeof host - 1);
    const long long seconds = wall_time < 0 ? (long long)time(NULL) : (long long)wall_time;
    const int length = snprintf(made->path, sizeof made->path, "%s/events.out.tfevents.%lld.%s", folder, seconds, host);
    convoy_status status = CONVOY_OK;
    if (length < 0 || (size_t)length >= sizeof made->path)
        status = convoy_fail(err, CONVOY_INVALID, CONVOY_WHY_SIZE, "%.100s...: the path is too long", folder);
    else if ((mkdir(folder, 0777) && errno != EEXIST) || !(made->out = fopen(made->path, "ab")))
        status = convoy_fail(err, CONVOY_FAILED, CONVOY_WHY_OTHER, "%.150s: %s", made->path, strerror(errno));
    if (!status) {
        struct message event = begin(made, 0);
        put_bytes(&event, 3, "brain.Event:2", strlen("brain.Event:2"));
        status = write_record(made, &event, err);
    }
    if (status) {
        if (made->out)
            fclose(made->out);
        free(made);
        return status;
    }
    *events = made;
    return CONVOY_OK;
}

convoy_status events_close(struct events *events, struct convoy_error *err)
{
    if (!events)
        return CONVOY_OK;
    convoy_status status = CONVOY_OK;
    if (fclose(events->out))
        status = convoy_fail(err, CONVOY_FAILED, CONVOY_WHY_OTHER, "%.150s: %s", events->path, strerror(errno));
    free(events);
    return status;
}

/* Summary: repeated 1 value; Value: 1 tag, then what it is. */
static convoy_status write_value(struct events *events, int64_t step, struct message *value, struct convoy_error *err)
{
    struct message event = begin(events, step), summary = {0};
    put_message(&summary, 1, value);
    put_message(&event, 5, &summary);
    return write_record(events, &event, err);
}

convoy_status events_scalar(struct events *events, int64_t step, const char *tag, float value, struct convoy_error *err)
{
    struct message m = {0};
    put_bytes(&m, 1, tag, strlen(tag));
    put_key(&m, 2, WIRE_FLOAT);
    put(&m, &value, sizeof value);
    return write_value(events, step, &m, err);
}

convoy_status events_image(struct events *events, int64_t step, const char *tag, int32_t h, int32_t w, int32_t channels,
                           const void *png, size_t bytes, struct convoy_error *err)
{
    struct message m = {0}, image = {0};
    put_number(&image, 1, (uint64_t)h);
    put_number(&image, 2, (uint64_t)w);
    put_number(&image, 3, (uint64_t)channels);
    put_bytes(&image, 4, png, bytes);
    put_bytes(&m, 1, tag, strlen(tag));
    put_message(&m, 4, &image);
    return write_value(events, step, &m, err);
}
